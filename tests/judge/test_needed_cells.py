"""Only cells that affect no grade are left out."""

from __future__ import annotations

import copy
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.course.chapter import Chapter
from autograder.course.exams import VISIBLE_SEED
from autograder.course.notebooks import grade_id, is_set_up, released_notebook, solved_notebook
from autograder.judge.needed_cells import left_out
from autograder.nbgrader_steps.execute import Execute
from tests.support.real_course import chapters

Cells = list[NotebookNode]


def code(*sources: str) -> Cells:
    return [nbformat.v4.new_code_cell(source) for source in sources]


@pytest.fixture
def lesson() -> Chapter:
    """A lesson of five cells; nothing in it is exercised."""
    cells = code(
        "import torch\nfrom math import pi",
        "width = 4\nwords = ['the', 'cat']",
        "words.append('sat')",
        "table = torch.ones(width, 2)",
        "print(table)",
    )
    return Chapter(folder=Path(), cells=tuple(cells), exercises={})


def run_with(lesson: Chapter, *own: str) -> set[int]:
    """Return the positions of the lesson's cells that run if these learner's cells come after them."""
    cells = [*copy.deepcopy(lesson.cells), *code(*own)]
    return set(range(len(lesson.cells))) - left_out(cells, lesson)


def test_what_nothing_uses_is_left_out(lesson: Chapter) -> None:
    assert run_with(lesson, "def f(): return 1") == set()


def test_a_name_runs_the_cell_that_gives_it_and_what_that_cell_needs(lesson: Chapter) -> None:
    assert run_with(lesson, "def f(): return pi") == {0}
    assert run_with(lesson, "def f(): return table") == {0, 1, 2, 3}


def test_a_cell_that_changes_an_object_runs_with_it(lesson: Chapter) -> None:
    assert run_with(lesson, "def f(): return words") == {1, 2}


def test_a_functions_own_names_are_not_the_notebooks(lesson: Chapter) -> None:
    assert run_with(lesson, "def f(table, words):\n    width = 1\n    return table[width], words") == set()
    assert run_with(lesson, "def f(x):\n    global width\n    width = x") >= {1}


def test_a_cell_that_the_learner_changed_runs(lesson: Chapter) -> None:
    cells = [*copy.deepcopy(lesson.cells)]
    cells[4].source = "print(table.sum())"
    assert left_out(cells, lesson) == set()


@pytest.mark.parametrize(
    "looks_up",
    ["f = globals()['table']", "exec('f = table')", "%run -i other.py", "import sys; sys.modules['__main__'].table"],
)
def test_where_names_may_be_looked_up_by_their_text_everything_runs(lesson: Chapter, looks_up: str) -> None:
    assert run_with(lesson, looks_up) == {0, 1, 2, 3, 4}


def test_a_star_import_runs(lesson: Chapter) -> None:
    starred = Chapter(Path(), tuple(code("from math import *", "print(1)")), {})
    assert run_with(starred, "def f(): return 2") == {0}


def test_cells_that_are_not_python_do_no_harm(lesson: Chapter) -> None:
    assert run_with(lesson, "def f(:", "return table", "f = (" * 5000) == {0, 1, 2, 3}


@pytest.mark.slow
@chapters
def test_the_set_up_cell_is_known_from_whatever_address_it_installs(chapter: Chapter) -> None:
    for address in ("many-heads/many-heads", "some-school/fork.of-it"):
        set_up = [is_set_up(cell.source) for cell in solved_notebook(chapter, address, "v1.2").cells]
        assert set_up.count(True) == 1
        [cell] = [cell for cell in solved_notebook(chapter, address, "v1.2").cells if is_set_up(cell.source)]
        older = cell.source.replace("# Run this cell first.", "# Run this one first, in one line.")
        assert is_set_up(older.replace("installed:\n# that takes", "installed: that takes"))
        assert not is_set_up(older.replace("manyheads.setup()", "print(1)"))


@pytest.mark.slow
@chapters
def test_in_each_chapter_most_of_the_lesson_is_left_out_and_the_imports_are_not(chapter: Chapter) -> None:
    notebook = released_notebook(solved_notebook(chapter, "some-school/fork", "v1"))
    places = left_out(notebook.cells, chapter)
    kept = [cell for place, cell in enumerate(notebook.cells) if cell.cell_type == "code" and place not in places]
    assert places
    assert not any(grade_id(notebook.cells[place]) for place in places)
    without_grade_id = [cell.source for cell in kept if not grade_id(cell)]
    assert [chapter.imports] == without_grade_id or (chapter.name == "05_gpu" and chapter.imports in without_grade_id)


@pytest.mark.slow
@chapters
def test_the_reference_solution_earns_all_points_without_the_rest_of_the_lesson(chapter: Chapter) -> None:
    notebook = solved_notebook(chapter, "some-school/fork", "v1")
    step = Execute(solutions=str(chapter.folder.parent), seed=VISIBLE_SEED)
    notebook, resources = step.preprocess(notebook, {"nbgrader": {"assignment": chapter.name, "student": "ada"}})
    verdicts = resources["manyheads"].verdicts
    assert sum(verdict.earned for verdict in verdicts) == sum(cell.points for cell in chapter.graded_cells)
    assert any("was not run" in str(cell.get("outputs")) for cell in notebook.cells)


@pytest.mark.slow
@pytest.mark.parametrize("own", ["print(1)", "print(a_name_that_is_nowhere)"])
def test_where_a_name_is_missing_the_whole_notebook_runs(toy: Chapter, own: str) -> None:
    notebook = solved_notebook(toy, "some-school/fork", "v1")
    notebook.cells += code(own)
    step = Execute(solutions=str(toy.folder.parent), seed="a class's own")
    notebook, resources = step.preprocess(notebook, {"nbgrader": {"assignment": toy.name, "student": "ada"}})
    [the_end] = [cell for cell in notebook.cells if cell.source == 'print("the end")']
    shown = "".join(output.text for output in the_end.outputs)  # a kernel may send a line in two
    assert shown == "the end\n" if "nowhere" in own else "was not run" in shown
    assert all(verdict.earned for verdict in resources["manyheads"].verdicts)
