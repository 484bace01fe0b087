"""Reads a lesson's cells, with the fields of their headers as metadata: exercise, check, points, role.

Called by `autograder.course.chapter`. jupytext reads the cells from `lesson.py`. A machine that has only the packages
for learners has no jupytext: there the cells are read from the solved notebook, which is derived from the lesson.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..problems import Problem

if TYPE_CHECKING:
    from nbformat import NotebookNode


def lesson_cells(lesson: Path) -> list[NotebookNode]:
    """Return the cells of `lesson`.

    Raises:
        Problem: if jupytext is not installed and there is no solved notebook beside the lesson.
    """
    try:
        import jupytext
    except ImportError:
        solved = lesson.with_name(f"{lesson.parent.name}.ipynb")
        if not solved.is_file():
            raise Problem(f"{lesson} cannot be read: install jupytext, or build {solved.name} first") from None
        return solved_cells(solved)
    return jupytext.read(lesson, fmt="py:percent").cells


def solved_cells(notebook: Path) -> list[NotebookNode]:
    """Return a lesson's cells, read from its solved notebook.

    The first code cell is assumed to be the imports. Cells of quizzes are not marked as such.
    """
    from .notebooks import EXERCISE_PREFIX, GRADE_PREFIX, LINKS_ID, is_set_up, read_text

    cells = [cell for cell in read_text(notebook).cells if not is_set_up(cell.source) and cell.id != LINKS_ID]
    imports = next((cell for cell in cells if cell.cell_type == "code"), None)
    for cell in cells:
        data = cell.metadata.pop("nbgrader", None)
        first_line, _, source = cell.source.partition("\n")
        if imports is not None and cell is imports:
            cell.metadata["role"] = "imports"
        elif data and data["grade"]:
            cell.metadata.update(check=first_line.removeprefix(GRADE_PREFIX), points=data["points"])
            cell.source = source
        elif data:
            cell.metadata["exercise"] = first_line.removeprefix(EXERCISE_PREFIX)
            cell.source = source
    return cells
