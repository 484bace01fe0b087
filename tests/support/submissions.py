"""Writes what a learner submits: the released notebook with solutions in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autograder.classroom.class_folder import ClassFolder
from autograder.course.notebooks import read_text, set_solution, to_text


def write_submission(folder: ClassFolder, student: str, assignment: str, solutions: Mapping[str, str]) -> Path:
    """Write the class's released notebook with `solutions`, by exercise, as a submission. Return its path."""
    notebook = read_text(folder.root / "release" / assignment / f"{assignment}.ipynb")
    for exercise, source in solutions.items():
        set_solution(notebook, exercise, source)
    path = folder.notebook(student, assignment)
    path.parent.mkdir(parents=True)
    path.write_text(to_text(notebook), encoding="utf-8")
    return path
