"""Makes nbgrader's Validate as quick as grading: what no check needs is left out.

nbgrader runs the whole notebook, in the learner's server, which answers nothing else meanwhile. Demonstrations and
trainings take minutes, and nbgrader stops a cell after 30 seconds; in a notebook that is right, that can end in a
traceback. Learners' `nbgrader_config.py` names `leave_out`. Nothing here runs a notebook or imports torch: it is loaded
into each learner's server.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ..judge.needed_cells import unneeded

_SKIPPED = "skip-execution"  # the tag of cells that nbclient does not run


def leave_out(outbound: Path) -> Callable[[NotebookNode], None]:
    """Return what nbgrader is to do with a notebook before its first cell runs, in memory: the file stays as it is.

    Args:
        outbound: the exchange's folder of released assignments. Cells that are not as released there all run.
    """

    def tag_what_no_check_needs(notebook: NotebookNode) -> None:
        lesson = {source for path in outbound.glob("*/*.ipynb") for source in _lesson_in(path)}
        for index in unneeded(notebook.cells, lesson):
            notebook.cells[index].metadata.setdefault("tags", []).append(_SKIPPED)

    return tag_what_no_check_needs


def _lesson_in(path: Path) -> list[str]:
    """Return the sources of a released notebook's cells that are neither exercises nor checks."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError):  # something else is in the folder
        return []
    return [cell.source.strip() for cell in notebook.cells if "nbgrader" not in cell.metadata]
