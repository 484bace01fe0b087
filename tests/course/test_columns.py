"""A laptop shows the code of a notebook without cutting lines off."""

from __future__ import annotations

import pytest

from autograder.course.chapter import Chapter
from autograder.course.notebooks import released_notebook, solved_notebook
from tests.support.real_course import chapters

pytestmark = pytest.mark.slow

COLUMNS = 88  # JupyterLab shows this many in a window of 1280 pixels, beside its file browser


@chapters
def test_no_line_of_code_is_longer_than_a_laptop_shows(chapter: Chapter) -> None:
    """Quizzes are not meant: they are folded away."""
    solved = solved_notebook(chapter, "a/b", "v1")
    code = [
        cell.source
        for notebook in (solved, released_notebook(solved))
        for cell in notebook.cells
        if cell.cell_type == "code" and "jupyter" not in cell.metadata
    ]
    assert any("### BEGIN SOLUTION" in source for source in code)
    assert any("NotImplementedError" in source for source in code)
    assert [line for source in code for line in source.splitlines() if len(line) > COLUMNS] == []
