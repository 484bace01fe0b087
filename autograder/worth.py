"""How much of a chapter a handed-in notebook holds: nothing, its untouched release, or somebody's work.

`autograder.collect` asks it where one person handed in several, for a file's name says less than what is in it: "Copy
of 01.ipynb" may hold the work, and "01.ipynb" be as it was handed out. Nothing of a file runs.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass

from nbformat import NotebookNode

from .class_folder import ClassFolder
from .handed_in import HandedIn
from .handed_in_file import MAX_BYTES
from .lines import lines_of
from .outline import outline
from .pieces import DEFINITION
from .released import Release, release_of
from .triage import Unreadable, understood

NOTHING, RELEASED, WORK = 0, 1, 2


@dataclass(frozen=True)
class Worth:
    """Looks into notebooks for work on an assignment. Reading its chapter takes seconds, and waits for the first."""

    folder: ClassFolder
    assignment: str

    def __call__(self, file: HandedIn) -> int:
        """Return NOTHING, RELEASED or WORK. What cannot be read may be work."""
        try:
            with file.opened() as opened:
                notebook, _ = understood(opened.read(MAX_BYTES + 1))
        except (Unreadable, zipfile.BadZipFile, zlib.error, EOFError, OSError):
            return WORK
        return held(notebook, release_of(self.folder.chapter(self.assignment)))


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
