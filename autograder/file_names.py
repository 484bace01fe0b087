"""What the name of a handed-in file says: whose it is, whether it was late, which of several is the newest.

Canvas and Moodle write these names when a teacher downloads all submissions; `autograder.collect` reads them. Who
that owner is on the roster is not decided here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .handed_in import HandedIn

CANVAS, MOODLE, PLAIN = "canvas", "moodle", "plain"

# NAME[_LATE]_USER_ATTACHMENT_ORIGINAL, NAME being letters and digits of "Last, First" or of a group's name.
_CANVAS_NUMBERS = re.compile(r"(?=_(?P<user>\d+)_(?P<attachment>\d+)_(?P<original>.+)$)")
_CANVAS_ANONYMOUS = re.compile(r"(?:LATE_)?anon_(?P<user>\w+?)_(?P<attachment>\d+)_(?P<original>.+)$")
_CANVAS_WRITTEN = re.compile(r"(?P<name>.+?)(?P<late>_LATE)?_(?P<user>\d+)_(?:text|link)\.html$")
# NAME_NUMBER_assignsubmission_PLUGIN, then "/FILE", "_/FILE" or "_FILE"; a default group has no number.
_MOODLE = re.compile(r"(?P<name>[^_]+)(?:_(?P<number>\d+))?_assignsubmission_(?P<plugin>[a-z]+)(?:_(?P<rest>.*))?$")
_NOTEBOOK = re.compile(r"\.ipynb(?:\.(?:txt|json))?$", re.IGNORECASE)
_AGAIN = re.compile(r"(?:\s*\((?P<round>\d+)\)|-(?P<dash>\d{1,2}))$")


@dataclass(frozen=True)
class Named:
    """A file and what its name says.

    Args:
        file: the file.
        layout: "canvas", "moodle" or "plain": who wrote the name.
        owner: the owner's name as it stands there.
        number: the number the LMS gave the owner: Canvas's user id, Moodle's participant or group; "" without.
        original: the file's name as the learner handed it in.
        attachment: Canvas's number of the file, which grows with time; 0 without.
        late: whether the LMS says that it was late.
        anonymous: whether the LMS hides who it is.
    """

    file: HandedIn
    layout: str
    owner: str
    number: str
    original: str
    attachment: int = 0
    late: bool = False
    anonymous: bool = False

    @property
    def is_notebook(self) -> bool:
        """Whether it is called a notebook. Browsers add ".txt" or ".json" to one they do not know."""
        return bool(_NOTEBOOK.search(self.original))

    @property
    def stem(self) -> str:
        """Its name without ending and without what was added because the name was taken."""
        stem = _NOTEBOOK.sub("", self.original)
        return _AGAIN.sub("", stem)

    @property
    def age(self) -> tuple[int, int]:
        """The larger, the newer: Canvas's file number, then the "-1" or "(2)" at the end of the name."""
        again = _AGAIN.search(_NOTEBOOK.sub("", self.original))
        return self.attachment, int(again["round"] or again["dash"]) if again else 0


def read_names(files: Sequence[HandedIn], assignment: str, canvas_ids: Collection[str] = ()) -> list[Named]:
    """Read every file's name, in the layout that most of the names are written in.

    Args:
        assignment: the chapter handed in; a plain file may be called after it.
        canvas_ids: user ids known to be somebody's: they tell a group called "lab_3" from user 3.
    """
    canvas = [_canvas(file, canvas_ids) for file in files]
    moodle = [_moodle(file) for file in files]
    of_canvas, of_moodle = (sum(named is not None for named in names) for names in (canvas, moodle))
    if of_moodle and of_moodle >= of_canvas:
        names = moodle
    elif of_canvas * 2 > len(files):
        names = canvas
    else:
        names = [None] * len(files)
    return [named or _plain(file, assignment) for named, file in zip(names, files, strict=True)]


def squash(text: str) -> str:
    """Return the letters and digits of a name, lower case: what is left of it in a file's name."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return "".join(c for c in text if c.isalnum() or unicodedata.category(c)[0] == "M")


def _canvas(file: HandedIn, known: Collection[str]) -> Named | None:
    name = file.parts[-1]
    if (found := _CANVAS_ANONYMOUS.match(name)) is not None:
        late = name.startswith("LATE_")
        owner = f"anon_{found['user']}"
        return Named(file, CANVAS, owner, "", found["original"], int(found["attachment"]), late, anonymous=True)
    if (found := _CANVAS_WRITTEN.match(name)) is not None:  # typed into Canvas, or a link: no file of the learner's
        return Named(file, CANVAS, found["name"], found["user"], name, late=bool(found["late"]))
    pairs = [pair for pair in _CANVAS_NUMBERS.finditer(name) if pair.start() > 0]
    if not pairs:
        return None
    pair = next((pair for pair in pairs if pair["user"] in known), pairs[0])
    owner, late = name[: pair.start()], False
    if owner.endswith("_LATE"):
        owner, late = owner.removesuffix("_LATE"), True
    return Named(file, CANVAS, owner, pair["user"], pair["original"], int(pair["attachment"]), late)


def _moodle(file: HandedIn) -> Named | None:
    for place, part in enumerate(file.parts):
        found = _MOODLE.match(part)
        if found is not None:
            inside = file.parts[place + 1 :]
            original = inside[-1] if inside else found["rest"] or ""
            return Named(file, MOODLE, found["name"].strip(), found["number"] or "", original) if original else None
    return None


def _plain(file: HandedIn, assignment: str) -> Named:
    """A file `ada.ipynb`, `ada_ASSIGNMENT.ipynb` or `ada/anything.ipynb` is ada's."""
    *folders, name = file.parts
    folders = [folder for folder in folders if squash(folder) not in (squash(assignment), "notebooks")]
    owner = folders[-1] if folders else _AGAIN.sub("", _NOTEBOOK.sub("", name))
    as_written = re.escape(assignment).replace("_", "[-_ ]")
    owner = re.sub(rf"^{as_written}(?=[-_ .])|(?<=[-_ .]){as_written}$|^{as_written}$", "", owner, flags=re.IGNORECASE)
    return Named(file, PLAIN, owner.strip(" _-."), "", name)
