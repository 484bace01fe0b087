"""The notebooks themselves: the released one runs and says kindly what is missing, and nbgrader agrees.

The solved ones run with Colab's versions in test_colab_versions.py, and in JupyterLab in test_lab.py.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

import manyheads.widgets
from autograder.course.build import REPOSITORY_ROOT
from autograder.course.chapter import Chapter

from .conftest import CHAPTERS, chapters

pytestmark = pytest.mark.slow

# What takes most of a lesson's time, and what stands in its place here. What the models learn in all their steps is
# tested in test_toy_grammar.py, and what is measured in test_attention_benchmark.py.
QUICKER = {
    "02_why_many_heads": ("STEPS, BATCH = 250, 128", "STEPS, BATCH = 25, 64"),
    "05_gpu": ("measure.plan(device)", "measure.Plan(measure.Setting(2, 32, 32, 4), (16, 32), (2, 4))"),
    "06_inside_a_real_model": (
        "for pair in pairs for sentence in pair]",
        "for pair in pairs[:2] for sentence in pair]",
    ),
}


# What torch.compile does is tested here; it takes 20 seconds, and does nothing where a notebook runs with this besides.
NOT_COMPILED = {"TORCH_COMPILE_DISABLE": "1"}


def read_quicker(path: Path) -> NotebookNode:
    """Read a chapter's notebook, and shorten what takes long in it."""
    notebook = nbformat.read(path, as_version=4)
    if path.stem in QUICKER:
        long, short = QUICKER[path.stem]
        found = [cell for cell in notebook.cells if cell.cell_type == "code" and long in cell.source]
        assert found, f"{path.name} has no {long}"
        for cell in found:
            cell.source = cell.source.replace(long, short)
    return notebook


def run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, allow_errors=True, resources=resources).execute()
    return notebook


def solved(chapter: Chapter) -> Path:
    return chapter.folder / f"{chapter.name}.ipynb"


def released(chapter: Chapter) -> Path:
    return REPOSITORY_ROOT / "notebooks" / chapter.name / f"{chapter.name}.ipynb"


def errors(cell: NotebookNode) -> list[NotebookNode]:
    return [output for output in cell.get("outputs", ()) if output.output_type == "error"]


def streams(cell: NotebookNode, name: str) -> str:
    return "".join(o.text for o in cell.get("outputs", ()) if o.output_type == "stream" and o.name == name)


def cells_with_widgets(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells that show one of the course's widgets."""
    calls = re.compile(rf"\b(?:{'|'.join(manyheads.widgets.__all__)})\(")
    return [cell for cell in notebook.cells if cell.cell_type == "code" and calls.search(cell.source)]


def is_graded(cell: NotebookNode) -> bool:
    return cell.metadata.get("nbgrader", {}).get("grade", False)


def assert_every_check_passed(chapter: Chapter, notebook: NotebookNode) -> None:
    """Assert that the solved `notebook`, which has been run, has no error, and a line from each check."""
    for cell in notebook.cells:
        assert errors(cell) == [], cell.source
        assert streams(cell, "stderr") == "", cell.source
    passed = [streams(cell, "stdout") for cell in notebook.cells if is_graded(cell)]
    assert [line.split()[1] for line in passed] == [cell.marker for cell in chapter.graded_cells]
    assert all(line.startswith("✓") and line.count("\n") == 1 for line in passed)
    [progress] = notebook.cells[-1].outputs
    assert "All of this chapter's exercises are done." in progress.data["text/plain"]


@chapters
def test_the_released_notebook_runs_and_only_its_checks_fail(chapter: Chapter, tmp_path: Path) -> None:
    notebook = run(read_quicker(released(chapter)), tmp_path)
    for cell in notebook.cells:
        if is_graded(cell):
            [error] = errors(cell)
            assert error.ename == "CheckFailed"
            shown = "\n".join(error.traceback)
            assert "This one is not written yet" in shown
            assert "Traceback" not in shown
            assert "manyheads/" not in shown
        else:
            assert errors(cell) == [], cell.source
        assert streams(cell, "stderr") == "", cell.source


def test_nbgrader_validate_agrees() -> None:
    """Of one chapter: the command runs what the tests above have run already."""
    chapter = CHAPTERS[0]

    def validate(path: Path) -> str:
        command = [sys.executable, "-m", "nbgrader", "validate", str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout

    assert "Success! Your notebook passes all the tests." in validate(solved(chapter))
    said = validate(released(chapter))
    assert f"VALIDATION FAILED ON {len(chapter.graded_cells)} CELL(S)!" in said
    assert "This one is not written yet" in said
