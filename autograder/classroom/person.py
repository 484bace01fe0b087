"""One learner as a class knows them, and the forms that a name takes: in a folder's name, and for comparing.

`autograder.classroom.roster` keeps people, `autograder.classroom.identity` compares them. Nothing here reads or writes
a file.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

MAX_ID = 100  # characters; nbgrader's database holds 128

_SEVERAL = re.compile(r"\s*[,;|]\s*")


@dataclass(frozen=True)
class Person:
    """One learner.

    Args:
        student: nbgrader's student id, the name of their folders.
        name: as the LMS shows it.
        first_name, last_name, email: for nbgrader's gradebook; "" where unknown, like all below.
        login: what they sign in to the LMS with.
        sis_id: the school's own number.
        canvas_id: Canvas's user id.
        group: whom they hand in with; several are separated by commas.
        participant: "Participant 123", Moodle's name for them in one assignment only: never stored.
        submitted: when they handed in, in one assignment only: never stored.
        listed: whether a roster that somebody gave lists them, or they only handed something in.
    """

    student: str
    name: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    login: str = ""
    sis_id: str = ""
    canvas_id: str = ""
    group: str = ""
    participant: str = ""
    submitted: str = ""
    listed: bool = True

    @property
    def names(self) -> frozenset[str]:
        """Their full name in every order that a file's name may have it in, squashed."""
        if self.first_name and self.last_name:
            written = [self.first_name + self.last_name, self.last_name + self.first_name, self.name]
        else:  # "Ada Maria Lovelace" may be sorted under any of its words
            words = self.name.split()
            written = ["".join(words[place:] + words[:place]) for place in range(len(words))]
        return frozenset({squash(name) for name in written} - {""})

    @property
    def groups(self) -> frozenset[str]:
        """Their groups' names, squashed. A comma may part two groups, or be one name's."""
        return frozenset({squash(name) for name in (self.group, *_SEVERAL.split(self.group))} - {""})


@lru_cache(maxsize=2**14)  # of one name, every way of reading it asks again
def squash(text: str) -> str:
    """Return the letters and digits of a name, lower case: what is left of it in a file's name."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return "".join(c for c in text if c.isalnum() or unicodedata.category(c)[0] == "M")


def student_id(text: str) -> str:
    """Return `text` as a name that a folder of nbgrader's may have, or "" where nothing is left of it."""
    allowed = (
        c if c.isalnum() or unicodedata.category(c)[0] == "M" or c in "_.@+-" else "_"
        for c in unicodedata.normalize("NFC", text)
    )
    # A name of dots alone would leave the class folder.
    return "".join(allowed).strip("._")[:MAX_ID].rstrip("._")
