"""What is done outside the sandbox with what a learner wrote, or showed by running it, when a submission is graded.

`autograder.run.grade` has these done in an `autograder.sandbox.bounded.BoundedProcess`. They take and return text:
whatever they need of the class they read themselves.
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
    "text": "[What this cell showed is left out: to make it safe to look at would have taken too long.]\n",
}


def read_and_realign(path: Path, chapter_folder: Path) -> str:
    """Return the submission at `path` as it is run, as JSON: realigned with the release, without old outputs.

    Raises:
        Unreadable: if it cannot be graded.
    """
    chapter = read_chapter(chapter_folder)
    notebook = read_submission(path, chapter)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return json.dumps(realigned(notebook, release_in_class(chapter)))


def made_inert(notebook: str) -> str:
    """Return an executed notebook, given and returned as JSON, with outputs that show something and do nothing."""
    executed: Any = json.loads(notebook, object_hook=NotebookNode)
    return json.dumps(MakeInert().preprocess(executed, {})[0])


def without_outputs(notebook: str) -> str:
    """Return an executed notebook, given and returned as JSON, with no outputs but those of its graded cells."""
    executed: Any = json.loads(notebook)
    for cell in executed["cells"]:
        if cell.get("outputs") and not grade_id(NotebookNode(cell)):
            cell["outputs"] = [_LEFT_OUT]
    return json.dumps(executed)
