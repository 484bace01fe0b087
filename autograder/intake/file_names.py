"""What the name of a handed-in file says: whose it is, whether it was late, which of several is the newest.

LMSs write these names when a teacher downloads all submissions (`autograder.intake.lms_names`); people write others.
Who that owner is on the roster is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..classroom.layouts import Layout
from ..classroom.person import Person, squash
from .source_files import HandedIn

_NOTEBOOK = re.compile(r"\.ipynb(?:\.(?:txt|json))?$", re.IGNORECASE)
_AGAIN = re.compile(r"(?:\s*\((?P<round>\d+)\)|-(?P<dash>\d{1,2}))$")
_ROUND = re.compile(r"\s*\(\d+\)$")  # browsers' mark of a name that was taken
_LATE = re.compile(r"[-_ .]+\(?late\)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Named:
    """A file and what its name says.

    Args:
        file: the file.
        layout: who wrote the name.
        owner: the owner's name as it is written there.
        number: the number the LMS gave the owner: Canvas's user id, Moodle's participant or group; "" without.
        original: the file's name as the learner handed it in.
        attachment: Canvas's number of the file, which grows with time; 0 without.
        late: whether the name says that it was late.
        anonymous: why the name does not say who it is, and what to do; "" where it does.
        claims: all that the name says of the owner. Several where a group handed in.
        is_numbers_own: whether the number decides, though the name may be another: the LMS alone wrote it.
        attempt: when this try was handed in, for sorting; "" where the layout has no tries.
        time: the same in words that `autograder.classroom.times` reads, where the LMS wrote it down.
        is_time: whether it is no work, but the LMS's own note of when the owner handed in.
        levels: the folders that it lay in, the outermost first, where people wrote the name.
        is_flat: whether the owner was read from the file's own name, which anybody may choose.
        is_stray: whether it is written unlike the others: then only the roster makes it somebody's.
        alternatives: how the name may be read, too.
    """

    file: HandedIn
    layout: Layout
    owner: str
    number: str
    original: str
    attachment: int = 0
    late: bool = False
    anonymous: str = ""
    claims: tuple[Person, ...] = ()
    is_numbers_own: bool = False
    attempt: str = ""
    time: str = ""
    is_time: bool = False
    levels: tuple[str, ...] = ()
    is_flat: bool = False
    is_stray: bool = False
    alternatives: tuple[Named, ...] = field(default=(), repr=False)

    @property
    def is_notebook(self) -> bool:
        """Whether it is called a notebook. Browsers add ".txt" or ".json" to one they do not know."""
        return bool(_NOTEBOOK.search(self.original))

    @property
    def stem(self) -> str:
        """Its name without ending and without what was added because the name was taken."""
        return _AGAIN.sub("", notebook_stem(self.original))

    @property
    def age(self) -> tuple[int, int]:
        """The larger, the newer: Canvas's file number, then the "-1" or "(2)" at the end of the name."""
        again = _AGAIN.search(notebook_stem(self.original))
        return self.attachment, int(again["round"] or again["dash"]) if again else 0


def notebook_stem(name: str) -> str:
    """Return a file's name without a notebook's ending."""
    return _NOTEBOOK.sub("", name)


def without_assignment(text: str, assignment: str) -> str:
    """Return a name without the chapter's, which people put before or after their own."""
    as_written = re.escape(assignment).replace("_", "[-_ ]")
    text = re.sub(rf"^{as_written}(?=[-_ .])|(?<=[-_ .]){as_written}$|^{as_written}$", "", text, flags=re.IGNORECASE)
    return text.strip(" _-.")


def possible_owners(original: str, assignment: str) -> list[tuple[str, bool]]:
    """Return whom a file may be named after: as it is written first, then with less and less of what was added.

    Returns:
        for each: the name, and whether "late" was taken off it.
    """
    stem = notebook_stem(original)
    if squash(_AGAIN.sub("", stem)) == squash(assignment):
        return []
    texts = (stem, _ROUND.sub("", stem), _AGAIN.sub("", stem))
    return [found for text in dict.fromkeys(texts) for found in _less_and_less(text, assignment) if found[0]]


def new_owner(original: str, assignment: str) -> tuple[str, bool]:
    """Return whom a file of somebody unknown is named after, "" where that is nobody, and whether it says "late".

    A "-1" at the end stays: it may tell two learners apart.
    """
    stem = notebook_stem(original)
    if squash(_AGAIN.sub("", stem)) == squash(assignment):
        return "", False
    return _less_and_less(_ROUND.sub("", stem), assignment)[-1]


def _less_and_less(text: str, assignment: str) -> list[tuple[str, bool]]:
    bare = without_assignment(text, assignment)
    on_time = without_assignment(_LATE.sub("", bare), assignment)
    return [(text, False), (bare, False), (on_time, on_time != bare)]


def parts_of(name: str) -> list[str]:
    """Return a path's folders and the file's own name."""
    return [part for part in name.split("/") if part]


def folder_prefix(paths: Sequence[Sequence[str]]) -> int:
    """Return how many of the outermost folders all of the paths have in common."""
    if not paths:
        return 0
    folders = [tuple(path[:-1]) for path in paths]
    least, most = min(folders), max(folders)
    pairs = zip(least, most, strict=False)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(least), len(most)))
