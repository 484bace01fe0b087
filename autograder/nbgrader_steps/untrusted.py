"""The functions that process learners' notebooks and outputs outside the sandbox.

`autograder.run.grade` runs them in an `autograder.sandbox.bounded.BoundedProcess`. They take and return text, and read
the class's files themselves.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from ..course.chapter import read_chapter
from ..course.notebooks import grade_id
from ..realign.read_submission import read_submission
from ..realign.release import release_in_class
from .make_inert import MakeInert
from .realign import realigned

_LEFT_OUT = {
    "output_type": "stream",
    "name": "stdout",
    "text": "[The output of this cell is left out: making it safe to show would have taken too long.]\n",
}


def read_and_realign(path: Path, chapter_folder: Path) -> str:
    """Return the submission at `path` as JSON, realigned with the release and without outputs.

    Raises:
        Unreadable: if it cannot be read as a notebook of this chapter.
        NeedsReview: if a person must look at it first.
    """
    chapter = read_chapter(chapter_folder)
    notebook = read_submission(path, chapter)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return json.dumps(realigned(notebook, release_in_class(chapter)))


def made_inert(notebook: str) -> str:
    """Return an executed notebook with safe outputs. Both are JSON."""
    executed: Any = json.loads(notebook, object_hook=NotebookNode)
    return json.dumps(MakeInert().preprocess(executed, {})[0])


def without_outputs(notebook: str) -> str:
    """Return an executed notebook with a notice instead of outputs, except in graded cells. Both are JSON."""
    executed: Any = json.loads(notebook)
    for cell in executed["cells"]:
        if cell.get("outputs") and not grade_id(NotebookNode(cell)):
            cell["outputs"] = [_LEFT_OUT]
    return json.dumps(executed)
