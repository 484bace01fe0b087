"""A chapter's outputs are made once, by a kernel that ends, and kept until the chapter changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from autograder.course.chapter import REPOSITORY_ROOT
from autograder.problems import Problem
from autograder.site.outputs import outputs_of
from tests.support.processes import descendants

pytestmark = pytest.mark.slow


def notebook(source: str) -> NotebookNode:
    return new_notebook(cells=[new_code_cell(source, id="first")])


def test_outputs_are_kept_until_the_chapter_changes(tmp_path: Path) -> None:
    before = descendants()

    def texts(source: str, *, run: bool) -> list[str]:
        found = outputs_of("01_toy", notebook(source), REPOSITORY_ROOT, tmp_path, run=run)
        return [output["text"] for output in found.get("first", [])]

    assert texts("print(1 + 1)", run=False) == []
    assert texts("print(1 + 1)", run=True) == ["2\n"]
    assert set(descendants()) <= set(before)
    assert texts("print(1 + 1)", run=False) == ["2\n"]
    assert texts("print(1 + 2)", run=False) == []
    assert texts("print(1 + 2)", run=True) == ["3\n"]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_cell_that_fails_is_said_with_its_chapter(tmp_path: Path) -> None:
    before = descendants()
    with pytest.raises(Problem, match="01_toy: a cell of the solved notebook fails"):
        outputs_of("01_toy", notebook("1 / 0"), REPOSITORY_ROOT, tmp_path, run=True)
    assert set(descendants()) <= set(before)
    assert not list(tmp_path.iterdir())
