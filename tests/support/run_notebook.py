"""Run a notebook of the course, and read what its cells say."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbformat import NotebookNode

import manyheads.widgets
from autograder.course.chapter import REPOSITORY_ROOT, Chapter
from autograder.course.notebooks import set_solution

_TOY_MODEL = "from manyheads.models import toy_model"
_FEWER_STEPS = f"""import functools
{_TOY_MODEL}
toy_model.STEPS = 25
toy_model.train = functools.partial(toy_model.train, steps=toy_model.STEPS)"""
# What takes most of a lesson's time, and what stands in its place here. What the models learn in all their steps is
# tested in test_toy_grammar.py, test_toy_model.py and by benchmarks/induction.py and writing.py; what is measured, in
# test_attention_benchmark.py.
QUICKER = {
    "02_why_many_heads": ("STEPS, BATCH = 250, 128", "STEPS, BATCH = 25, 64"),
    "03_a_head_each": (_TOY_MODEL, _FEWER_STEPS),
    "04_all_heads_at_once": (_TOY_MODEL, _FEWER_STEPS),
    "05_gpu": ("measure.plan(device)", "measure.Plan(measure.Setting(2, 32, 32, 4), (16, 32), (2, 4))"),
    "06_inside_a_real_model": (
        "for pair in pairs for sentence in pair]",
        "for pair in pairs[:2] for sentence in pair]",
    ),
    "07_a_model_that_writes": ("LETTER_STEPS, STEPS = 250, 400", "LETTER_STEPS, STEPS = 20, 20"),
    "09_heads_that_work_together": ("import STEPS, train", "import train\n\nSTEPS = 40"),
}


# What torch.compile does is tested here; it takes 20 seconds, and does nothing where a notebook runs with this besides.
NOT_COMPILED = {"TORCH_COMPILE_DISABLE": "1"}


def read_quicker(path: Path) -> NotebookNode:
    """Read a chapter's notebook, and shorten its slow parts."""
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


@contextmanager
def kernel(folder: Path) -> Generator[Callable[[NotebookNode], NotebookNode]]:
    """Start a kernel in `folder`, and yield a function that runs a notebook in it, without the names of those before.

    Its imports take seconds, and notebooks that are run in the same kernel share them.
    """
    manager = AsyncKernelManager()
    run_sync(manager.start_kernel)(cwd=str(folder))

    def run(notebook: NotebookNode) -> NotebookNode:
        notebook.cells.insert(0, nbformat.v4.new_code_cell("get_ipython().reset()"))
        client = NotebookClient(notebook, km=manager, timeout=120, allow_errors=True)
        client.execute()
        assert client.kc is not None
        client.kc.stop_channels()
        del notebook.cells[0]
        return notebook

    try:
        yield run
    finally:
        run_sync(manager.shutdown_kernel)(now=True)


def solved(chapter: Chapter) -> Path:
    return chapter.folder / f"{chapter.name}.ipynb"


def released(chapter: Chapter) -> Path:
    return REPOSITORY_ROOT / "notebooks" / chapter.name / f"{chapter.name}.ipynb"


def errors(cell: NotebookNode) -> list[NotebookNode]:
    return [output for output in cell.get("outputs", ()) if output.output_type == "error"]


def streams(cell: NotebookNode, name: str) -> str:
    return "".join(o.text for o in cell.get("outputs", ()) if o.output_type == "stream" and o.name == name)


def cells_with_widgets(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells that show one of the course's widgets on a machine without a GPU."""
    calls = re.compile(rf"\b(?:{'|'.join(manyheads.widgets.__all__)})\(")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and calls.search(cell.source)]
    return [cell for cell in cells if "There is no GPU here" not in cell.source]


def is_graded(cell: NotebookNode) -> bool:
    return cell.metadata.get("nbgrader", {}).get("grade", False)


def progress_cell(notebook: NotebookNode) -> NotebookNode:
    """Return the last code cell, which shows the learner's progress. Links to other chapters follow it."""
    return next(cell for cell in reversed(notebook.cells) if cell.cell_type == "code")


def assert_every_check_passed(chapter: Chapter, notebook: NotebookNode) -> None:
    """Assert that the solved `notebook`, which has been run, has no error, and a green card from each check."""
    for cell in notebook.cells:
        assert errors(cell) == [], cell.source
        assert streams(cell, "stderr") == "", cell.source
    cards = [output.data for cell in notebook.cells if is_graded(cell) for output in cell.outputs]
    assert [card["text/plain"].split()[:2] for card in cards] == [["✓", cell.marker] for cell in chapter.graded_cells]
    assert all("\n" not in card["text/plain"] and "<div" in card["text/html"] for card in cards)
    [progress] = progress_cell(notebook).outputs
    assert "All of this chapter's exercises are done." in progress.data["text/plain"]


def mistaken(chapter: Chapter, exercise: str) -> tuple[str, str]:
    """Return the exercise with its first mistake made, and the mistake's name."""
    mistake = chapter.exercises[exercise].misconceptions[0]
    return chapter.mistaken(exercise, mistake), mistake.name


def partly_solved(chapter: Chapter) -> NotebookNode:
    """Return a released notebook with the first exercise solved, the second mistaken, the rest unwritten."""
    notebook = nbformat.read(released(chapter), as_version=4)
    first, second, *_ = chapter.exercises
    set_solution(notebook, first, chapter.reference[first])
    set_solution(notebook, second, mistaken(chapter, second)[0])
    return notebook
