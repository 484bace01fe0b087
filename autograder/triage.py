"""Decides whether a submission can be graded at all, before anything of it runs.

A file that cannot be gets an outcome and a reason that its author understands; it is never changed or deleted.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4.rwbase import rejoin_lines, strip_transient

from .chapter import Chapter
from .handed_in_file import MAX_BYTES, NotAFile, open_untrusted, why_not
from .outline import outline
from .problems import one_line
from .released import Release, marker, release_of
from .repair import presentable
from .safe_text import clean
from .source_notebook import grade_id

_WHAT_TO_DO = "hand in the notebook alone, its outputs cleared"
_MOST_FILES, _MOST_BYTES = 1000, 4 * MAX_BYTES  # in a submission's folder
# What a file may hold, whatever it weighs: a few bytes can stand for an object of hundreds, or for code that takes
# seconds to read. A chapter has less than a hundredth of any of these.
_MOST_VALUES = 400_000  # lists and objects
_MOST_CELLS = 3_000
_MOST_CODE = 500_000  # characters
_UNSAFE_NAME = re.compile(r"[\ud800-\udfff\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069<>&\"'`/\\]")


class Unreadable(Exception):
    """A submission that cannot be graded. Its text is the reason, for the learner and the instructor."""


def read_submission(path: Path, chapter: Chapter) -> NotebookNode:
    """Return the notebook at `path`.

    Raises:
        Unreadable: if there is none, or it is not a notebook of `chapter`.
    """
    _refuse_names(path)
    _refuse_what_is_no_file(path.parent)
    content = _content(path)
    try:
        if content.count(b"[") + content.count(b"{") > _MOST_VALUES:
            raise Unreadable("the file holds more values than any notebook of this course; clear its outputs")
        data = json.loads(content.decode("utf-8-sig"), object_hook=NotebookNode)
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
    _refuse_size(data)
    try:
        notebook: Any = strip_transient(rejoin_lines(data))
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises of many kinds on a file that is almost a notebook
        raise Unreadable(f"the notebook is damaged: {one_line(error)}") from error
    refuse_other_chapters(notebook, release_of(chapter), chapter.name)
    return notebook


def _refuse_names(path: Path) -> None:
    """Refuse a student's folder whose name would act on a terminal or a web page: nbgrader writes it on many."""
    student = path.parent.parent.name
    if _UNSAFE_NAME.search(student):
        shown = _UNSAFE_NAME.sub("?", clean(student))[:100]
        raise Unreadable(f"its folder's name holds characters that no name may have ({shown}): rename the folder")


def _refuse_what_is_no_file(folder: Path) -> None:
    """Refuse links, pipes, devices and the like, and far more than anybody needs beside a notebook.

    nbgrader copies all that is there, follows links to other people's work or the class's secrets, and waits at a pipe.
    """
    for place in (folder.parent, folder):
        if place.is_symlink():
            raise Unreadable(f"{clean(place.name)} is a link, and not a file of its author's")
    number = size = 0
    for inner, folders, names in os.walk(folder):
        for path in (Path(inner, name) for name in (*folders, *names)):
            number += 1
            reason = "" if path.is_dir() and not path.is_symlink() else why_not(path)
            if reason:
                raise Unreadable(f"{clean(path.name)} {reason}: {_WHAT_TO_DO}")
            size += path.lstat().st_size
            if number > _MOST_FILES or size > _MOST_BYTES:
                raise Unreadable(
                    f"its folder has more than {_MOST_FILES} files or {_MOST_BYTES // 2**20} MB: {_WHAT_TO_DO}"
                )


def _content(path: Path) -> bytes:
    """Return what the file at `path` holds."""
    if not path.exists():
        raise Unreadable(_what_is_there(path))
    try:
        with open_untrusted(path) as file:
            content = file.read(MAX_BYTES + 1)
    except NotAFile as error:
        raise Unreadable(f"{path.name} {error}: {_WHAT_TO_DO}") from error
    if not content:
        raise Unreadable("the file is empty: the upload may have failed; ask for the file again")
    return content


def _refuse_size(data: dict[str, Any]) -> None:
    cells = data.get("cells")
    cells = cells if isinstance(cells, list) else []
    if len(cells) > _MOST_CELLS:
        raise Unreadable(f"the notebook has {len(cells)} cells, and {_MOST_CELLS} is the most that is read")
    sources = [cell.get("source") for cell in cells if isinstance(cell, dict)]
    # a list of lines, or one text
    length = sum(len("".join(map(str, source)) if isinstance(source, list) else str(source)) for source in sources)
    if length > _MOST_CODE:
        raise Unreadable(f"the notebook has {length} characters of code and prose, and {_MOST_CODE} is the most")


def _what_is_there(path: Path) -> str:
    found = sorted(other.name for other in path.parent.iterdir()) if path.parent.is_dir() else []
    there = f"there is only {', '.join(clean(name) for name in found[:5])}" if found else "the folder is empty"
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
