"""How much of a chapter a handed-in notebook holds: nothing, its untouched release, or somebody's work.

`autograder.intake.collect` asks it where one person handed in several, for a file's name says less than what is in it:
"Copy of 01.ipynb" may hold the work, and "01.ipynb" be as it was handed out. Nothing of a file runs, and one that keeps
its reader busy, or fills its memory, costs nobody else's anything.
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
    """Looks into notebooks for work on an assignment, in a process of its own that ends with the block.

    Reading its chapter takes seconds, and waits for the first.

    Attributes:
        unread: why a file was not looked into, by its name; it took more than any notebook may.
    """

    def __init__(self, folder: ClassFolder, assignment: str) -> None:
        self._chapter = folder.solutions / assignment
        self._bounded = BoundedProcess()
        self.unread: dict[str, str] = {}

    def __call__(self, file: HandedIn) -> int:
        """Return NOTHING, RELEASED or WORK. What cannot be read may be work."""
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
    """Return how much the notebook in a file's content holds."""
    release = release_of(read_chapter(chapter_folder))
    return held(understood(content)[0], release)


def held(notebook: NotebookNode, release: Release) -> int:
    """Return how much of `release` a notebook holds: NOTHING, RELEASED or WORK."""
    found = NOTHING
    for cell in notebook.cells:
        for name in _defined(cell) & release.exercises.keys():
            if not release.exercises[name].is_stub_in(cell.source):
                return WORK
            found = RELEASED
    return found


def _defined(cell: NotebookNode) -> set[str]:
    """Return what a code cell gives a meaning to; where it does not parse, what its lines begin to define."""
    if cell.cell_type != "code":
        return set()
    found = outline(cell.source)
    if found.parses:
        return set(found.binds)
    return {begun[1] for line in lines_of(cell.source) if (begun := DEFINITION.match(line))}
