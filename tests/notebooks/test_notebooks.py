"""The notebooks: the released one runs and says what is missing, and nbgrader agrees.

The solved ones run with Colab's versions in test_colab_versions.py, and in JupyterLab in test_lab.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.course.chapter import Chapter
from tests.support.nbgrader_command import nbgrader
from tests.support.real_course import CHAPTERS, chapters_of_every_run
from tests.support.run_notebook import errors, is_graded, kernel, read_quicker, released, solved, streams

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[NotebookNode], NotebookNode]]:
    """Runs a notebook. One kernel is enough: learners' own names go with each notebook."""
    with kernel(tmp_path_factory.mktemp("kernel")) as run:
        yield run


@chapters_of_every_run("01_single_head", "05_gpu", "06_inside_a_real_model")
def test_the_released_notebook_runs_and_only_its_checks_fail(
    chapter: Chapter, run: Callable[[NotebookNode], NotebookNode]
) -> None:
    notebook = run(read_quicker(released(chapter)))
    for cell in notebook.cells:
        if is_graded(cell):
            [error] = errors(cell)
            assert error.ename == "CheckFailed"
            shown = "\n".join(error.traceback)
            assert ": not written yet" in shown
            assert "Traceback" not in shown
            assert "manyheads/" not in shown
        else:
            assert errors(cell) == [], cell.source
        assert streams(cell, "stderr") == "", cell.source


@pytest.mark.thorough
def test_nbgrader_validate_agrees(tmp_path: Path) -> None:
    """For one chapter, without what the lesson itself shows: the command repeats the tests above."""
    chapter = CHAPTERS[0]

    def validate(path: Path) -> str:
        notebook = nbformat.read(path, as_version=4)
        notebook.cells = [
            cell for cell in notebook.cells if "nbgrader" in cell.metadata or cell.source == chapter.imports
        ]
        nbformat.write(notebook, tmp_path / path.name)
        done = nbgrader(tmp_path, "validate", path.name)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "Success! Your notebook passes all the tests." in validate(solved(chapter))
    said = validate(released(chapter))
    assert f"VALIDATION FAILED ON {len(chapter.graded_cells)} CELL(S)!" in said
    assert "not written yet" in said
