"""A learner's data, and the forms of a name: as a folder's name, and for comparison.

`autograder.classroom.roster` stores people, `autograder.classroom.identity` compares them. Nothing here reads or writes
a file.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

MAX_ID = 100  # characters; nbgrader's database allows 128

_SEVERAL = re.compile(r"\s*[,;|]\s*")


@dataclass(frozen=True)
class Person:
    """One learner.

    Args:
        student: nbgrader's student id, the name of their folders.
        name: the name as the LMS shows it.
        first_name, last_name, email: for nbgrader's gradebook; "" if unknown, like all below.
        login: the user name in the LMS.
        sis_id: the school's student number.
        canvas_id: Canvas's user id.
        group: the groups that they submit with, separated by commas.
        participant: "Participant 123", Moodle's name for them in a single assignment; never stored.
        submitted: the submission time of a single assignment; never stored.
        listed: whether a roster lists them; False if they are known only from a submission.
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
        """The full name in every order that may occur in a file's name, squashed."""
        if self.first_name and self.last_name:
            written = [self.first_name + self.last_name, self.last_name + self.first_name, self.name]
        else:  # "Ada Maria Lovelace" may be sorted under any of its words
            words = self.name.split()
            written = ["".join(words[start:] + words[:start]) for start in range(len(words))]
        return frozenset({squash(name) for name in written} - {""})

    @property
    def groups(self) -> frozenset[str]:
        """The names of their groups, squashed. A comma may separate two groups, or belong to one group's name."""
        return frozenset({squash(name) for name in (self.group, *_SEVERAL.split(self.group))} - {""})


@lru_cache(maxsize=2**14)  # each name is squashed many times while a file's owner is looked up
def squash(text: str) -> str:
    """Return the letters and digits of a name in lower case; LMSs remove other characters in file names."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return "".join(c for c in text if c.isalnum() or unicodedata.category(c)[0] == "M")


def student_id(text: str) -> str:
    """Return `text` as a valid student id and folder name, or "" if no valid characters are left."""
    allowed = (
        c if c.isalnum() or unicodedata.category(c)[0] == "M" or c in "_.@+-" else "_"
        for c in unicodedata.normalize("NFC", text)
    )
    # A name such as ".." would be a path outside the class folder.
    return "".join(allowed).strip("._")[:MAX_ID].rstrip("._")
