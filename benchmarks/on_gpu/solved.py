"""A chapter's solved notebook, run top to bottom on a machine with a GPU. Its outputs are saved beside the findings,
as far as it came.

Every cell must end without an error and with nothing on stderr, and every check must pass.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import torch
from nbclient import NotebookClient

from autograder.course.chapter import REPOSITORY_ROOT
from manyheads.notebook import NOTHING_SHOWN

from .findings import Findings

# On a CPU, what a lesson measures is measured at these sizes: whether it works, not how fast.
_SMALL = ("measure.plan(device)", "measure.Plan(measure.Setting(2, 32, 32, 4), (16, 32), (2, 4))")


def run(findings: Findings, device: torch.device, chapter: str) -> None:
    """Run the notebook of `chapter`."""
    notebook = nbformat.read(REPOSITORY_ROOT / "solutions" / chapter / f"{chapter}.ipynb", as_version=4)
    if device.type == "cpu":
        for cell in notebook.cells:
            cell.source = cell.source.replace(*_SMALL)
    saved = findings.folder / f"{chapter}.ipynb"

    def look(cell: Any, cell_index: int, **_: Any) -> None:
        nbformat.write(notebook, saved)
        if cell.cell_type == "code":
            what, wrong = f"cell {cell_index}: {_first_line(cell.source)}", faults(cell)
            findings.add(what, not wrong, wrong)

    with TemporaryDirectory() as folder:
        os.environ["MANYHEADS_HOME"] = str(Path(folder) / "kept")
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, allow_errors=True, resources=resources, on_cell_executed=look).execute()


def faults(cell: Any) -> str:
    """Return what is wrong with a cell that has run, "" where nothing is."""
    for output in cell.outputs:
        if output.output_type == "error":
            return f"{output.ename}: {output.evalue}"
        if output.output_type == "stream" and output.name == "stderr":
            return f"on stderr: {output.text[:300]}"
        if output.output_type == "stream" and output.text.startswith(NOTHING_SHOWN):
            return output.text.strip()
    graded = cell.metadata.get("nbgrader", {}).get("grade", False)
    passed = any(output.get("data", {}).get("text/plain", "").startswith("✓") for output in cell.outputs)
    return "the check does not pass" if graded and not passed else ""


def _first_line(source: str) -> str:
    return next((line for line in source.splitlines() if line.strip()), "")[:70]
