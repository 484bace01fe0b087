"""A class folder's surroundings: where it may be, what must be in it, which programs may use it at the same time."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from autograder.classroom.class_folder import ClassFolder, new_class
from autograder.problems import Problem
from autograder.realign.read_submission import read_submission
from tests.support.toy import TOY, HandIn, Here


def test_a_folder_whose_name_is_a_pattern_is_refused_before_anything_is_written(
    built_toy: Path, tmp_path: Path
) -> None:
    for name in ("CS101 [Fall 2026]", "why?", "a*"):
        with pytest.raises(Problem, match="nbgrader cannot work in"):
            new_class(tmp_path / name / "class", built_toy / "solutions")
        assert not (tmp_path / name).exists()


@pytest.mark.slow
def test_a_class_copied_without_its_hidden_files_says_what_is_missing(
    toy_class: ClassFolder, tmp_path: Path, here: Here
) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(toy_class.root, copied, ignore=shutil.ignore_patterns(".*"))
    said = here("grade", copied)
    assert said.code == 2
    assert ".judge-seed is missing: the class's secret seed" in said.err
    assert "new-class" not in said.err


@pytest.mark.slow
def test_a_gradebook_that_another_program_holds_stops_a_command_before_it_takes_anything(
    toy_class: ClassFolder, tmp_path: Path, here: Here
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    shutil.copy(toy_class.root / "release" / TOY / f"{TOY}.ipynb", files / "ada.ipynb")
    with contextlib.closing(sqlite3.connect(toy_class.root / "gradebook.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        said = here("collect", toy_class.root, TOY, files)
        exported = here("export", toy_class.root, TOY)
    assert (said.code, exported.code) == (2, 2)
    assert "cannot be written, so nothing is collected: OperationalError" in said.err
    assert "the gradebook cannot be read or written: OperationalError" in exported.err
    assert toy_class.students(TOY) == []


@pytest.mark.parametrize("student", ["o'brien@example.edu", "d’arcy", "Зоя", "a+b@c.d"])
def test_a_learner_may_have_any_ordinary_name(student: str, toy_class: ClassFolder, hand_in: HandIn) -> None:
    read_submission(hand_in(toy_class, student, {}), toy_class.chapter(TOY))
