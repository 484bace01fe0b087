"""Reads the names that LMSs give to submitted files: Canvas, Moodle, Blackboard, Brightspace, Sakai, Gradescope,
nbgrader's exchange.

All files of one download have the same layout. Learners choose the end of a name, and all names in their own folder, so
only the part that the LMS wrote is read: the same level of every path.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ..classroom.identity import Index
from ..classroom.layouts import Layout
from ..classroom.person import Person, squash
from .file_names import Named, folder_prefix, parts_of
from .gradescope_export import Submitters, read_submitters
from .source_files import HandedIn

TIMESTAMP = "timestamp.txt"  # nbgrader's and Sakai's name for the file with the submission time

# NAME[_LATE]_USER_ATTACHMENT_ORIGINAL, where NAME is the letters and digits of "Last, First" or of a group's name.
_CANVAS_NUMBERS = re.compile(r"(?=_(?P<user>\d+)_(?P<attachment>\d+)_(?P<original>.+)$)")
_CANVAS_ANONYMOUS = re.compile(r"(?:LATE_)?anon_(?P<user>\w+?)_(?P<attachment>\d+)_(?P<original>.+)$")
_CANVAS_WRITTEN = re.compile(r"(?P<name>.+?)(?P<late>_LATE)?_(?P<user>\d+)_(?:text|link)\.html$")
# LAST_FIRSTUSER_question_QUESTION_ATTACHMENT_ORIGINAL
_CANVAS_QUIZ = re.compile(
    r"(?P<name>.*?)(?P<user>\d+)_question_(?P<question>\d+)_(?P<attachment>\d+)_(?P<original>.+)$"
)
# NAME_NUMBER_assignsubmission_PLUGIN, then "/FILE", "_/FILE" or "_FILE"; a default group has no number.
_MOODLE = re.compile(r"(?P<name>[^_]+)(?:_(?P<number>\d+))?_assignsubmission_(?P<plugin>[a-z]+)(?:_(?P<rest>.*))?$")
# STUDENT+ASSIGNMENT+TIME+RANDOM, with nbgrader's time
_EXCHANGE = re.compile(
    r"(?P<student>[^+]+)\+(?P<assignment>[^+]+)\+(?P<day>\d{4}-\d\d-\d\d) (?P<clock>\d\d[:_.-]\d\d[:_.-]\d\d(?:\.\d+)?)"
    r" (?P<zone>\S+?)(?:\+[\w-]*)?$"
)
# ASSIGNMENT_USERNAME_attempt_TIME_ORIGINAL
_BLACKBOARD = re.compile(
    r"(?P<head>.+?)_attempt_(?P<day>\d{4}-\d\d-\d\d)-(?P<clock>\d\d-\d\d-\d\d)(?:_(?P<original>.+)|\.txt)$"
)
# NUMBER-FOLDER - NAME - Nov 13, 2026 1105 PM or 13 November, 2026 11:05 PM, a folder or the beginning of a file's name
_BRIGHTSPACE = re.compile(
    r"(?P<number>\d+)-\d+ - (?P<name>.+?) - (?P<day>[A-Z][a-z]+ \d\d?|\d\d? [A-Z][a-z]+), (?P<year>\d{4}) "
    r"(?P<hour>\d\d?):?(?P<minute>\d\d) ?"
    r"(?P<half>[AP]M)(?: - (?P<original>.+))?$"
)
# "LAST, FIRST(EID)", a folder that contains others
_SAKAI = re.compile(r"(?P<name>[^()]+)\((?P<eid>[^()]+)\)$")
_SAKAI_FLAT = re.compile(r"(?P<name>[^()]+)\((?P<eid>[^()]+)\)_Submission attachment\(s\)_(?P<original>.+)$")
_SAKAI_WORK = "Submission attachment(s)"
_GRADESCOPE = re.compile(r"submission_(?P<number>\d+)$")

_HIDDEN_BY_CANVAS = "Canvas hides the owner: switch anonymous grading off, and download again"

_Parser = Callable[[HandedIn, Sequence[str], int, "_Known"], Named | None]


class _Known:
    """Information beside the names themselves.

    Args:
        people: known people, to distinguish a group called "lab_3" from user 3.
        submitters: Gradescope's list of submitters by folder.
        assignment: the chapter that is collected.
    """

    def __init__(self, people: Iterable[Person], submitters: Mapping[str, Submitters], assignment: str = "") -> None:
        people = list(people)
        self.people, self.submitters, self.assignment = Index(people), submitters, assignment
        self.has_canvas_ids = all(person.canvas_id for person in people)


def read_lms_names(files: Sequence[HandedIn], assignment: str, people: Iterable[Person] = ()) -> list[Named | None]:
    """Read the files' names in the LMS layout that fits most of them.

    Args:
        assignment: the chapter that is collected.
        people: known people; they decide how ambiguous names are read.

    Returns:
        One entry per file: None if its name does not have that layout.
    """
    paths = [parts_of(file.name) for file in files]
    known = _Known(people, read_submitters(files), assignment)
    notebooks = list(filter(_is_notebook, paths))
    levels = range(folder_prefix(notebooks or paths) + 1)  # learners chose the names of deeper levels
    # An LMS adds files of its own: Brightspace, a page that lists the others.
    looked_at = [(file, path) for file, path in zip(files, paths, strict=True) if not notebooks or _is_notebook(path)]
    best, most = None, 0
    for parse in _PARSERS:
        for place in levels:
            entries = {tuple(path[: place + 1]) for _, path in looked_at if len(path) > place}
            read = {
                tuple(path[: place + 1])
                for file, path in looked_at
                if len(path) > place and parse(file, path, place, known)
            }
            if len(read) > most and 2 * len(read) > len(entries):
                best, most = (parse, place), len(read)
    if best is None:
        return [None] * len(files)
    parse, place = best

    def named(file: HandedIn) -> Named | None:
        read = [parse(file, path, place, known) for path in map(parts_of, (file.name, *file.other_names))]
        found = [one for one in read if one is not None]
        return replace(found[0], alternatives=(*found[0].alternatives, *found[1:])) if found else None

    return [named(file) for file in files]


def _is_notebook(path: Sequence[str]) -> bool:
    return ".ipynb" in path[-1].lower()


def is_written_by_lms(file: HandedIn) -> bool:
    """Whether any part of a file's path has the layout of an LMS."""
    known, path = _Known((), {}), parts_of(file.name)
    return any(parse(file, path, place, known) for parse in _PARSERS for place in range(len(path)))


def _canvas(file: HandedIn, path: Sequence[str], place: int, known: _Known) -> Named | None:
    name = path[place]
    if place + 1 < len(path):
        return None
    if (found := _CANVAS_ANONYMOUS.match(name)) is not None:
        late, owner = name.startswith("LATE_"), f"anon_{found['user']}"
        number = int(found["attachment"])
        return Named(file, Layout.CANVAS, owner, "", found["original"], number, late, anonymous=_HIDDEN_BY_CANVAS)
    if (found := _CANVAS_WRITTEN.match(name)) is not None:  # text typed into Canvas, or a link
        return _of_canvas(file, found["name"], found["user"], name, 0, late=bool(found["late"]))
    pairs = [pair for pair in _CANVAS_NUMBERS.finditer(name) if pair.start() > 0]
    if not pairs:
        return None

    def is_theirs(pair: re.Match[str]) -> bool:
        called = squash(name[: pair.start()].removesuffix("_LATE"))
        return any(called in person.names | person.groups for person in known.people.find("canvas_id", pair["user"]))

    pair = next(filter(is_theirs, pairs), pairs[0])
    owner = name[: pair.start()]
    late, number = owner.endswith("_LATE"), int(pair["attachment"])
    named = _of_canvas(file, owner.removesuffix("_LATE"), pair["user"], pair["original"], number, late=late)
    # A group may be called "lab_3". If the name has two numbers, the user's is certain only if all users are known.
    users = {pair["user"] for pair in pairs if known.people.find("canvas_id", pair["user"])}
    return replace(named, is_numbers_own=len(pairs) == 1 or (known.has_canvas_ids and users == {pair["user"]}))


def _of_canvas(file: HandedIn, owner: str, user: str, original: str, attachment: int, *, late: bool) -> Named:
    claim = Person("", name=owner, canvas_id=user)
    return Named(file, Layout.CANVAS, owner, user, original, attachment, late, claims=(claim,), is_numbers_own=True)


def _canvas_quiz(file: HandedIn, path: Sequence[str], place: int, known: _Known) -> Named | None:
    found = _CANVAS_QUIZ.match(path[place])
    if found is None or place + 1 < len(path):
        return None
    user, owner = found["user"], found["name"]
    claim = Person("", name=owner, canvas_id=user)
    return Named(file, Layout.CANVAS_QUIZ, owner, user, found["original"], int(found["attachment"]), claims=(claim,))


def _moodle(file: HandedIn, path: Sequence[str], place: int, known: _Known) -> Named | None:
    found = _MOODLE.match(path[place])
    if found is None:
        return None
    inside = path[place + 1 :]
    original = inside[-1] if inside else found["rest"] or ""
    owner = found["name"].strip()
    return Named(file, Layout.MOODLE, owner, found["number"] or "", original) if original else None


def _exchange(file: HandedIn, path: Sequence[str], place: int, known: _Known) -> Named | None:
    found = _EXCHANGE.match(path[place])
    if found is None or place + 1 == len(path):
        return None
    clock = re.sub("[_.-]", ":", found["clock"][:8]) + found["clock"][8:]
    time = f"{found['day']} {clock} {found['zone']}"
    owner, original = found["student"], path[-1]
    named = Named(file, Layout.EXCHANGE, owner, "", original, attempt=f"{found['day']} {clock}", time=time)
    if known.assignment and found["assignment"] != known.assignment:
        return replace(named, anonymous=f"it is for {found['assignment']}, but {known.assignment} is being collected")
    return replace(named, is_time=path[place + 1 :] == [TIMESTAMP])


def _blackboard(file: HandedIn, path: Sequence[str], place: int, known: _Known) -> Named | None:
    found = _BLACKBOARD.match(path[place])
    if found is None or place + 1 < len(path):
        return None
    head, clock = found["head"], found["clock"].replace("-", ":")
    # Both the assignment's title and the login may contain "_".
    starts = [start.end() for start in re.finditer("_", head) if start.end() < len(head)]
    named = Named(file, Layout.BLACKBOARD, head, head, found["original"] or path[place])
    named = replace(named, attempt=f"{found['day']} {clock}", time=f"{found['day']} {clock}")
    read = [replace(named, owner=head[at:], claims=(Person("", login=head[at:]),)) for at in reversed(starts)]
    return replace(read[0], alternatives=tuple(read[1:])) if read else None


def _brightspace(file: HandedIn, path: Sequence[str], place: int, known: _Known) -> Named | None:
    found = _BRIGHTSPACE.match(path[place])
    original = found and (path[-1] if place + 1 < len(path) else found["original"])
    if found is None or not original:
        return None
    one, other = found["day"].split()
    day = f"{other} {one}" if one.isdigit() else found["day"]
    time = f"{day}, {found['year']} {found['hour']}:{found['minute']} {found['half']}"
    named = Named(file, Layout.BRIGHTSPACE, found["name"], found["number"], original, time=time)
    attempt = ""
    for months in ("%b", "%B"):
        with contextlib.suppress(ValueError):
            attempt = datetime.strptime(time, f"{months} %d, %Y %I:%M %p").isoformat()
    return replace(named, attempt=attempt, claims=(Person("", name=found["name"]),))


def _sakai(file: HandedIn, path: Sequence[str], place: int, known: _Known) -> Named | None:
    inside = path[place + 1 :]
    found = _SAKAI.match(path[place]) if inside else _SAKAI_FLAT.match(path[place])
    if found is None or (inside and inside[0] not in (_SAKAI_WORK, TIMESTAMP)):
        return None
    last, _, first = found["name"].partition(",")
    claim = Person("", name=f"{first.strip()} {last.strip()}".strip(), login=found["eid"])
    original = inside[-1] if inside else found["original"]
    is_time = list(inside) == [TIMESTAMP]
    named = Named(file, Layout.SAKAI, found["name"].strip(), found["eid"], original, claims=(claim,), is_time=is_time)
    return replace(named, is_numbers_own=True)


def _gradescope(file: HandedIn, path: Sequence[str], place: int, known: _Known) -> Named | None:
    found = _GRADESCOPE.match(path[place])
    if found is None or place + 1 == len(path):
        return None
    number, original = found["number"], path[-1]
    who = known.submitters.get("/".join(path[: place + 1]))
    if who is None:
        reason = "the owner is named in Gradescope's submission_metadata.yml, which must be beside its folder"
        return Named(file, Layout.GRADESCOPE, path[place], number, original, anonymous=reason)
    names = " and ".join(claim.name for claim in who.people)
    named = Named(file, Layout.GRADESCOPE, names, number, original, claims=who.people, is_numbers_own=True)
    return replace(named, attempt=who.time, time=who.time)


_PARSERS: tuple[_Parser, ...] = (
    _canvas_quiz,
    _canvas,
    _moodle,
    _exchange,
    _blackboard,
    _brightspace,
    _gradescope,
    _sakai,
)
