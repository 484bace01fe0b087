"""Decides whether a submission can be graded at all, before anything of it runs.

A file that cannot be gets an outcome and a reason that its author understands; it is never changed or deleted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from nbformat import NotebookNode

from ..course.chapter import Chapter
from ..course.notebooks import grade_id
from ..handed_in_file import MAX_BYTES, NotAFile, open_untrusted, why_not
from ..notebook.lines import lines_of
from ..notebook.outline import outline
from ..safe_text import clean
from .decoding import NotJson, decode
from .missing_modules import missing_module
from .newer_python import newer_syntax
from .release import Release, marker, release_of
from .repairs import FILE, Repair, keep, presentable
from .schema import NoNotebook, mended

_WHAT_TO_DO = "hand in the notebook alone, its outputs cleared"
_MOST_FILES, _MOST_BYTES = 1000, 4 * MAX_BYTES  # in a submission's folder
# What a file may hold, whatever it weighs: a few bytes can stand for an object of hundreds, or for code that takes
# seconds to read. A chapter has less than a hundredth of any of these.
_MOST_VALUES = 400_000  # lists and objects
_MOST_CELLS = 3_000
_MOST_CODE = 500_000  # characters
_PICTURE = re.compile(r"data:[\w.+-]{1,40}/[\w.+-]{1,40};base64,[A-Za-z0-9+/=]++")
_UNSAFE_NAME = re.compile(r"[\ud800-\udfff\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069<>&\"`/\\]")


class NeedsReview(Exception):
    """A submission that a person must look at first. Its text is the reason, for the instructor."""


class Unreadable(Exception):
    """A submission that cannot be graded. Its text is the reason, for the learner and the instructor."""


def read_submission(path: Path, chapter: Chapter) -> NotebookNode:
    """Return the notebook at `path`, and what was overlooked in the file in its metadata, see `repair.kept`.

    Raises:
        Unreadable: if there is none, or it is not a notebook of `chapter`.
    """
    _refuse_names(path)
    _refuse_what_is_no_file(path.parent)
    notebook, repairs = understood(_content(path))
    _refuse_size(notebook)
    refuse_other_chapters(notebook, release_of(chapter), chapter.name)
    keep(notebook, repairs)
    return notebook


def understood(content: bytes) -> tuple[NotebookNode, list[Repair]]:
    """Return the notebook in a file's content, and what was overlooked as repairs.

    Raises:
        Unreadable: if there is none in it.
    """
    if content.count(b"[") + content.count(b"{") > _MOST_VALUES:
        raise Unreadable("the file holds more values than any notebook of this course; clear its outputs")
    try:
        data, slips = decode(content)
        notebook, more = mended(data)
    except (NotJson, NoNotebook) as error:
        raise Unreadable(str(error)) from None
    return notebook, [Repair(FILE, what) for what in (*slips, *more)]


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
    closed: list[OSError] = []
    for inner, folders, names in os.walk(folder, onerror=closed.append):
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
    for error in closed:
        if folder.exists():
            raise Unreadable(f"{clean(Path(os.fsdecode(error.filename)).name)} cannot be read: {error.strerror}")


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


def _refuse_size(notebook: NotebookNode) -> None:
    if len(notebook.cells) > _MOST_CELLS:
        raise Unreadable(f"the notebook has {len(notebook.cells)} cells, and {_MOST_CELLS} is the most that is read")
    length = sum(map(_length, notebook.cells))
    if length > _MOST_CODE:
        raise Unreadable(f"the notebook has {length} characters of code and prose, and {_MOST_CODE} is the most")


def _length(cell: NotebookNode) -> int:
    """Return how many characters of code or prose a cell holds: a picture within a text is neither."""
    if cell.cell_type == "code" or "base64," not in cell.source:
        return len(cell.source)
    return len(cell.source) - sum(len(picture) for picture in _PICTURE.findall(cell.source))


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
        first_line = next((line for line in lines_of(cell.source) if line.strip()), "")
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


def refuse_newer_python(notebook: NotebookNode) -> None:
    """Raise `NeedsReview` where a cell of the learner's is written for a newer Python than this one."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and not outline(cell.source).parses]
    cells.sort(key=lambda cell: not grade_id(cell))  # exercises first
    found = newer_syntax(cell.source for cell in cells)
    if found is not None:
        where = grade_id(cells[found.place])
        raise NeedsReview(f"{where or 'a cell of the notebook'}: {found.sentence}")


def refuse_missing_modules(notebook: NotebookNode, exercises: Collection[str]) -> None:
    """Raise `NeedsReview` where a solution imports a module that is not here."""
    found = missing_module(notebook, exercises)
    if found is not None:
        exercise, module = found
        raise NeedsReview(
            f"{exercise} imports {presentable(module)}, which is not here: if it is a file that was handed in beside "
            "the notebook, put its code into the notebook; if it is a package, install it; then grade again"
        )
