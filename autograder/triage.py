"""Decides whether a submission can be graded at all, before anything of it runs.

A file that cannot be gets an outcome and a reason that its author understands; it is never changed or deleted.
"""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from .chapter import Chapter
from .outline import outline
from .problems import one_line
from .released import Release, marker, release_of
from .repair import presentable
from .source_notebook import grade_id

MAX_BYTES = 50 * 2**20  # of a submitted notebook, outputs included


class Unreadable(Exception):
    """A submission that cannot be graded. Its text is the reason, for the learner and the instructor."""


def read_submission(path: Path, chapter: Chapter) -> NotebookNode:
    """Return the notebook at `path`.

    Raises:
        Unreadable: if there is none, or it is not a notebook of `chapter`.
    """
    if not path.is_file():
        raise Unreadable(_what_is_there(path))
    size = path.stat().st_size
    if size == 0:
        raise Unreadable("the file is empty: the upload may have failed; ask for the file again")
    if size > MAX_BYTES:
        raise Unreadable(f"the file has {size / 2**20:.0f} MB; clear its outputs and hand it in again")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        data = json.loads(text)
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair cannot be stored again
    except UnicodeError:
        raise Unreadable("the file is in another encoding than UTF-8: open it in JupyterLab and save it") from None
    except (ValueError, RecursionError):
        raise Unreadable("the file is not JSON, so it is no notebook: ask for the .ipynb file itself") from None
    if not isinstance(data, dict) or "nbformat" not in data:
        raise Unreadable("the file is JSON and no notebook: ask for the .ipynb file itself")
    if type(data["nbformat"]) is not int or type(data.get("nbformat_minor", 0)) is not int or data["nbformat"] != 4:
        raise Unreadable(
            f"the notebook is of format {str(data['nbformat'])[:20]}, and format 4 is needed: "
            "open it in JupyterLab, save it, and hand it in again"
        )
    try:
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises of many kinds on a file that is almost a notebook
        raise Unreadable(f"the notebook is damaged: {one_line(error)}") from error
    refuse_other_chapters(notebook, release_of(chapter), chapter.name)
    return notebook


def _what_is_there(path: Path) -> str:
    found = sorted(other.name for other in path.parent.iterdir()) if path.parent.is_dir() else []
    there = f"there is only {', '.join(found[:5])}" if found else "the folder is empty"
    return f"{path.name} is missing: {there}"


def refuse_other_chapters(notebook: NotebookNode, release: Release, name: str) -> None:
    """Raise `Unreadable` where `notebook` holds nothing of the chapter `name`, or more of other chapters."""
    own: set[str] = set()
    others: set[str] = set()
    written: set[str] = set()
    for cell in notebook.cells:
        first_line = next((line for line in cell.source.splitlines() if line.strip()), "")
        slot = release.by_name.get(grade_id(cell)) or release.by_id.get(_cell_id(cell)) or release.marked(first_line)
        if slot is not None and slot.exercise:
            own.add(slot.name)
        elif grade_id(cell) or marker(first_line):
            others.add((marker(first_line) or ("", grade_id(cell)))[1])
        elif cell.cell_type == "code":
            written |= outline(cell.source).defines & release.exercises.keys()
    if len(own) >= len(others) if own else (written and not others):
        return
    shown = sorted(presentable(name) for name in others)
    first = f": its first graded cell is {shown[0]}" if shown else ", nor any other graded cell"
    raise Unreadable(f"this is not the notebook of {name}: none of its graded cells is here{first}")


def _cell_id(cell: NotebookNode) -> str:
    found = cell.get("id") or cell.metadata.get("id")  # Colab keeps ids in the metadata
    return found if isinstance(found, str) else ""
