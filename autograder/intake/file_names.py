"""The information in a submitted file's name: the owner, whether it was late, which of several files is the newest.

LMSs write such names when an instructor downloads all submissions (`autograder.intake.lms_names`); people write others.
`autograder.intake.find_owner` then looks up the owner on the roster.
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
_ROUND = re.compile(r"\s*\(\d+\)$")  # added by browsers if the file name exists already
# What Google Drive and Windows put before or after the name of a copy.
_COPY = r"(?:copy of|copie de|copia de|c\u00f3pia de|kopie von|kopie van|kopi av)"
_COPIED = re.compile(rf"^{_COPY}[-_ ]+|[-_ ]+{_COPY}$|[-_ ]+(?:copy|copie|copia|kopie)$", re.IGNORECASE)
_LATE = re.compile(r"[-_ .]+\(?late\)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Named:
    """A file and the information in its name.

    Args:
        file: the file.
        layout: the LMS that wrote the name, or "plain" if people did.
        owner: the owner's name as written in the file's name.
        number: the LMS's number of the owner: Canvas's user id, Moodle's participant or group; "" if there is none.
        original: the file's name as the learner submitted it.
        attachment: Canvas's number of the file, which grows with time; 0 if there is none.
        late: whether the name says that it was late.
        anonymous: why the name does not identify the owner, and what to do; "" if it does.
        claims: everything that the name says about the owner; several entries for a group.
        is_numbers_own: whether the number decides even if the name differs, because only the LMS can have written it.
        attempt: the time of this attempt, for sorting; "" if the layout has no attempts.
        time: the same time in a form that `autograder.classroom.times` reads; "" if the LMS does not write it.
        is_time: whether the file is not work, but contains the submission time as the LMS recorded it.
        levels: the folders of a plain file, the outermost first.
        is_flat: whether the owner was read from the file's own name, which anybody may choose.
        is_stray: whether the name does not follow the pattern of the others: then the owner must be on the roster.
        alternatives: other ways to read the name.
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
        """Whether the name ends like a notebook's. Some browsers append ".txt" or ".json"."""
        return bool(_NOTEBOOK.search(self.original))

    @property
    def stem(self) -> str:
        """The name without ending, and without a number that was added because the name existed."""
        return _AGAIN.sub("", notebook_stem(self.original))

    @property
    def age(self) -> tuple[int, int]:
        """Larger means newer: Canvas's file number, then the "-1" or "(2)" at the end of the name."""
        again = _AGAIN.search(notebook_stem(self.original))
        return self.attachment, int(again["round"] or again["dash"]) if again else 0


def notebook_stem(name: str) -> str:
    """Return a file's name without ".ipynb"."""
    return _NOTEBOOK.sub("", name)


def without_assignment(text: str, assignment: str) -> str:
    """Return a name without the chapter's name, which people put before or after their own."""
    as_written = re.escape(assignment).replace("_", "[-_ ]")
    text = re.sub(rf"^{as_written}(?=[-_ .])|(?<=[-_ .]){as_written}$|^{as_written}$", "", text, flags=re.IGNORECASE)
    return text.strip(" _-.")


def possible_owners(original: str, assignment: str) -> list[tuple[str, bool]]:
    """Return the names of owners that a file's name may contain: the whole name first, then with additions removed.

    Returns:
        Pairs of a name, and whether "late" was removed from it.
    """
    stem = notebook_stem(original)
    if squash(_AGAIN.sub("", stem)) == squash(assignment):
        return []
    texts = (stem, _ROUND.sub("", stem), _AGAIN.sub("", stem))
    found = [one for text in dict.fromkeys(texts) for one in _less_and_less(text, assignment) if one[0]]
    copied = [(_COPIED.sub("", text), is_late) for text, is_late in found if _COPIED.search(text)]
    return found + [one for one in copied if one[0]]


def new_owner(original: str, assignment: str) -> tuple[str, bool]:
    """Return the owner's name in the name of an unknown person's file, or "", and whether it says "late".

    A "-1" at the end stays: it may distinguish two learners.
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
    """Return how many outermost folders all paths have in common."""
    if not paths:
        return 0
    folders = [tuple(path[:-1]) for path in paths]
    least, most = min(folders), max(folders)
    pairs = zip(least, most, strict=False)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(least), len(most)))
