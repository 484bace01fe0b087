"""Decides whether a submission can be graded at all, before any of its code runs.

A file that cannot be graded gets an outcome and a reason for its author. The file itself is never changed or deleted.
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
from .repairs import Kind, Repair, presentable, store_repairs
from .schema import NoNotebook, repaired

_WHAT_TO_DO = "submit the notebook alone, with its outputs cleared"
_MOST_FILES, _MOST_BYTES = 1000, 4 * MAX_BYTES  # in a submission's folder
# Limits on a file's content, independent of its size: a few bytes can encode an object of hundreds, or code that takes
# seconds to parse. A chapter has less than a hundredth of each.
_MOST_VALUES = 400_000  # lists and objects
_MOST_CELLS = 3_000
_MOST_CODE = 500_000  # characters
_PICTURE = re.compile(r"data:[\w.+-]{1,40}/[\w.+-]{1,40};base64,[A-Za-z0-9+/=]++")
_UNSAFE_NAME = re.compile(r"[\ud800-\udfff\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069<>&\"`/\\]")


class NeedsReview(Exception):
    """The submission needs review by a person. The text is the reason, for the instructor."""


class Unreadable(Exception):
    """The submission cannot be graded. The text is the reason, for the learner and the instructor."""


def read_submission(path: Path, chapter: Chapter) -> NotebookNode:
    """Return the notebook at `path`. Tolerated faults are in its metadata, see `repairs.stored_repairs`.

    Raises:
        Unreadable: if it is missing, or is not a notebook of `chapter`.
    """
    _refuse_names(path)
    _refuse_special_files(path.parent)
    notebook, repairs = understood(_content(path))
    _refuse_size(notebook)
    refuse_other_chapters(notebook, release_of(chapter), chapter.name)
    store_repairs(notebook, repairs)
    return notebook


def understood(content: bytes) -> tuple[NotebookNode, list[Repair]]:
    """Return the notebook in a file's content, and the tolerated faults as repairs.

    Raises:
        Unreadable: if the content is not a notebook.
    """
    if content.count(b"[") + content.count(b"{") > _MOST_VALUES:
        raise Unreadable("the file contains more values than any notebook of this course; clear its outputs")
    try:
        data, faults = decode(content)
        notebook, more = repaired(data)
    except (NotJson, NoNotebook) as error:
        raise Unreadable(str(error)) from None
    return notebook, [Repair(Kind.FILE, what) for what in (*faults, *more)]


def _refuse_names(path: Path) -> None:
    """Refuse a student's folder whose name is unsafe in a terminal or on a web page: nbgrader shows it on many."""
    student = path.parent.parent.name
    if _UNSAFE_NAME.search(student):
        shown = _UNSAFE_NAME.sub("?", clean(student))[:100]
        raise Unreadable(f"its folder's name contains unsafe characters ({shown}): rename the folder")


def _refuse_special_files(folder: Path) -> None:
    """Refuse folders that contain links, pipes, devices and the like, or too many or too large files.

    nbgrader copies everything in the folder. It would follow links to others' work or secrets, and wait for a pipe.
    """
    for parent in (folder.parent, folder):
        if parent.is_symlink():
            raise Unreadable(f"{clean(parent.name)} is a symbolic link; submit the file itself")
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
    """Return the content of the file at `path`."""
    if not path.exists():
        raise Unreadable(_missing(path))
    try:
        with open_untrusted(path) as file:
            content = file.read(MAX_BYTES + 1)
    except NotAFile as error:
        raise Unreadable(f"{path.name} {error}: {_WHAT_TO_DO}") from error
    if not content:
        raise Unreadable("the file is empty: the upload may have failed")
    return content


def _refuse_size(notebook: NotebookNode) -> None:
    if len(notebook.cells) > _MOST_CELLS:
        raise Unreadable(f"the notebook has {len(notebook.cells)} cells, and the limit is {_MOST_CELLS}")
    length = sum(map(_length, notebook.cells))
    if length > _MOST_CODE:
        raise Unreadable(f"the notebook has {length} characters of code and text, and the limit is {_MOST_CODE}")


def _length(cell: NotebookNode) -> int:
    """Return the number of characters of code or text in a cell, without embedded pictures."""
    if cell.cell_type == "code" or "base64," not in cell.source:
        return len(cell.source)
    return len(cell.source) - sum(len(picture) for picture in _PICTURE.findall(cell.source))


def _missing(path: Path) -> str:
    found = sorted(other.name for other in path.parent.iterdir()) if path.parent.is_dir() else []
    others = f"there is only {', '.join(clean(name) for name in found[:5])}" if found else "the folder is empty"
    return f"{path.name} is missing: {others}"


def refuse_other_chapters(notebook: NotebookNode, release: Release, name: str) -> None:
    """Raise `Unreadable` if `notebook` has no cells of the chapter `name`, or more cells of other chapters."""
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
    raise Unreadable(f"this is not the notebook of {name}: it has none of its graded cells{first}")


def _cell_id(cell: NotebookNode) -> str:
    found = cell.get("id") or cell.metadata.get("id")  # Colab stores ids in the metadata
    return found if isinstance(found, str) else ""


def refuse_newer_python(notebook: NotebookNode) -> None:
    """Raise `NeedsReview` if a cell needs a newer Python than this one."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and not outline(cell.source).parses]
    cells.sort(key=lambda cell: not grade_id(cell))  # exercises first
    found = newer_syntax(cell.source for cell in cells)
    if found is not None:
        where = grade_id(cells[found.index])
        raise NeedsReview(f"{where or 'a cell of the notebook'}: {found.sentence}")


def refuse_missing_modules(notebook: NotebookNode, exercises: Collection[str]) -> None:
    """Raise `NeedsReview` if a solution imports a module that is not installed here."""
    found = missing_module(notebook, exercises)
    if found is not None:
        exercise, module = found
        raise NeedsReview(
            f"{exercise} imports {presentable(module)}, which is not installed here: if it is a file that was "
            "submitted with the notebook, put its code into the notebook; if it is a package, install it; then grade "
            "again"
        )
