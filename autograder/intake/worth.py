"""Decides how much work a submitted notebook contains: no cells of the chapter, its untouched release, or work.

`autograder.intake.collect` uses it if a learner submitted several notebooks, since names are unreliable: "Copy of
01.ipynb" may contain the work while "01.ipynb" is the untouched release. No code of a file runs. A file that takes too
much time or memory to read does not affect the others.
"""

from __future__ import annotations

from pathlib import Path

from nbformat import NotebookNode

from ..classroom.class_folder import ClassFolder
from ..course.chapter import read_chapter
from ..handed_in_file import MAX_BYTES
from ..notebook.lines import lines_of
from ..notebook.outline import outline
from ..realign.pieces import DEFINITION
from ..realign.read_submission import Unreadable, understood
from ..realign.release import Release, release_of
from ..sandbox.bounded import BoundedProcess, OutOfBounds
from .source_files import Damaged, HandedIn

NOTHING, RELEASED, WORK = 0, 1, 2


class Worth:
    """Searches notebooks for work on an assignment, in a separate process that ends with the block.

    The chapter, which takes seconds to read, is read at the first call.

    Attributes:
        unread: the files that exceeded the limits on reading, by name, with the reason.
    """

    def __init__(self, folder: ClassFolder, assignment: str) -> None:
        self._chapter = folder.solutions / assignment
        self._bounded = BoundedProcess()
        self.unread: dict[str, str] = {}

    def __call__(self, file: HandedIn) -> int:
        """Return NOTHING, RELEASED or WORK. A file that cannot be read counts as WORK, since it may be."""
        try:
            with file.opened() as opened:
                content = opened.read(MAX_BYTES + 1)
            return self._bounded(_held_in, content, self._chapter)
        except OutOfBounds as error:
            self.unread[file.name] = str(error)
            return WORK
        except (Unreadable, Damaged):
            return WORK

    def __enter__(self) -> Worth:
        return self

    def __exit__(self, *error: object) -> None:
        self._bounded.close()


def _held_in(content: bytes, chapter_folder: Path) -> int:
    """Return how much work the notebook in `content` contains."""
    release = release_of(read_chapter(chapter_folder))
    return held(understood(content)[0], release)


def held(notebook: NotebookNode, release: Release) -> int:
    """Return how much of `release` a notebook contains: NOTHING, RELEASED or WORK."""
    found = NOTHING
    for cell in notebook.cells:
        for name in _defined(cell) & release.exercises.keys():
            if not release.exercises[name].is_stub_in(cell.source):
                return WORK
            found = RELEASED
    return found


def _defined(cell: NotebookNode) -> set[str]:
    """Return the names that a code cell binds; if it does not parse, the names in lines that start a definition."""
    if cell.cell_type != "code":
        return set()
    found = outline(cell.source)
    if found.parses:
        return set(found.binds)
    return {begun[1] for line in lines_of(cell.source) if (begun := DEFINITION.match(line))}
