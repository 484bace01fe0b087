"""Who is in a class, and what their LMS calls them: kept in the class folder's `roster.csv`.

`autograder collect --roster` reads the list that an instructor has (Canvas's, Moodle's or their own) into it, and
everything that has been collected adds what it learned. `roster` is what reports and exports ask.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from .class_folder import ClassFolder
from .file_names import squash
from .problems import Problem
from .tables import Table, columns, read_table, write_table

ROSTER = "roster.csv"
MAX_ID = 100  # characters; nbgrader's database holds 128

# A roster's columns, by any of the names that Canvas, Moodle, nbgrader, GitHub Classroom and people give them.
_TITLES: Mapping[str, tuple[str, ...]] = {
    "student": ("student_id", "student", "nbgrader_id"),
    "name": ("name", "full name", "display name"),
    "first_name": ("first_name", "first name", "firstname", "given name"),
    "last_name": ("last_name", "last name", "lastname", "surname", "family name"),
    "email": ("email", "email address", "e-mail", "mail"),
    "login": ("login", "login_id", "sis login id", "username", "github_username"),
    "sis_id": ("sis_id", "sis user id", "user_id", "id number", "idnumber", "student number"),
    "canvas_id": ("canvas_id", "canvas_user_id", "canvas user id"),
    "participant": ("participant", "identifier", "participant id"),
    "group": ("group", "group_name", "groups", "team"),
    "submitted": ("submitted", "timestamp", "last modified (submission)"),
    "listed": ("listed",),
}


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
        group: whom they hand in with.
        participant: "Participant 123", Moodle's name for them in one assignment only: never kept.
        submitted: when they handed in, in one assignment only: never kept.
        listed: whether they stand on a roster that somebody gave, or only handed something in.
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
    def names(self) -> set[str]:
        """Their full name in every order that a file's name may have it in, squashed."""
        both = (self.first_name + self.last_name, self.last_name + self.first_name)
        written = [*both, self.name] if self.first_name and self.last_name else [self.name]
        return {squash(name) for name in written} - {""}


_KEPT = [field.name for field in fields(Person) if field.name not in ("participant", "submitted")]


def roster(folder: ClassFolder) -> list[Person]:
    """Return everybody who is known to be in the class, whether they handed anything in or not, by student id.

    Raises:
        Problem: if the class's `roster.csv` cannot be read.
    """
    path = folder.root / ROSTER
    if not path.is_file():
        return []
    people = _people(read_table(path), path)
    return sorted(people, key=lambda person: person.student)


def read_roster(path: Path) -> list[Person]:
    """Read the roster at `path`: a CSV file with any of the columns in `_TITLES`, or Canvas's gradebook export.

    Raises:
        Problem: if it names nobody, or two people get the same student id.
    """
    return _people(read_table(path), path)


def people_by_row(table: Table, path: Path) -> list[Person | None]:
    """Return whom each row of a table below its header is about, None where it is about nobody.

    Raises:
        Problem: if no column names people. `path` is for its words.
    """
    places = {field: columns(table.header, titles) for field, titles in _TITLES.items()}
    if columns(table.header, ["ID"]) and columns(table.header, ["Section"]):  # Canvas's gradebook
        places["name"], places["student"] = columns(table.header, ["Student"]), []  # "Last, First"
        places["canvas_id"] = columns(table.header, ["ID"])[:1]
    elif not places["student"]:
        places["student"] = columns(table.header, ["ID"])[:1]  # nbgrader's own
    if not any(places[name] for name in ("student", "name", "last_name", "email", "login", "canvas_id")):
        raise Problem(
            f"{path} has no column that names people; its header is: {', '.join(table.header)[:200]}. "
            f"It may have: {', '.join(titles[0] for titles in _TITLES.values())}"
        )
    people: list[Person | None] = []
    for row in table.rows[1:]:
        said = {field: _cell(row, place) for field, place in places.items()}
        listed = not places["listed"] or said.pop("listed") == "yes"
        said.pop("listed", None)
        people.append(None if _names_nobody(said) else _person(said, listed, path))
    return people


def join(known: Sequence[Person], given: Iterable[Person]) -> list[Person]:
    """Return the people `known` with what a newly `given` roster says of them, and the new ones.

    Whoever is known keeps their student id: their grades stand under it.

    Raises:
        Problem: if somebody else has the student id of one who is new.
    """
    people = {person.student: person for person in known}
    for person in given:
        old = _before(known, person)
        if old is None and person.student in people:
            raise Problem(
                f"the class knows somebody else as {person.student!r}: add a column student_id to the roster, "
                "or mend the class's roster.csv"
            )
        student = old.student if old else person.student
        said = {name: value for name, value in asdict(person).items() if value not in ("", False)}
        people[student] = replace(old or person, **{**said, "student": student})
    return list(people.values())


def keep_roster(folder: ClassFolder, people: Iterable[Person]) -> None:
    """Write `roster.csv`, and tell nbgrader's gradebook of everybody."""
    from nbgrader.api import Gradebook

    people = sorted(people, key=lambda person: person.student)
    rows = [tuple("yes" if value is True else "" if value is False else value for value in _kept(p)) for p in people]
    write_table(folder.root / ROSTER, Table((tuple(_KEPT), *rows), encoding="utf-8-sig"))
    with Gradebook(folder.gradebook_url) as gradebook:
        known = {str(student.id): student for student in gradebook.students}
        for person in people:
            said = {
                "first_name": person.first_name,
                "last_name": person.last_name or (person.name if not person.first_name else ""),
                "email": person.email,
                "lms_user_id": person.canvas_id or person.sis_id or person.login,
            }
            new = {name: value for name, value in said.items() if value}
            old = known.get(person.student)
            if old is None or any(getattr(old, name) != value for name, value in new.items()):
                gradebook.update_or_create_student(person.student, **new)  # type: ignore[arg-type]


def student_id(text: str) -> str:
    """Return `text` as a name that a folder of nbgrader's may have, or "" where nothing is left of it."""
    allowed = (
        c if c.isalnum() or unicodedata.category(c)[0] == "M" or c in "_.@+-" else "_"
        for c in unicodedata.normalize("NFC", text)
    )
    # A name of dots alone would leave the class folder.
    return "".join(allowed).strip("._")[:MAX_ID].rstrip("._")


def _kept(person: Person) -> list[str | bool]:
    return [getattr(person, name) for name in _KEPT]


def _before(known: Sequence[Person], person: Person) -> Person | None:
    """Return the one of `known` whom `person` is."""
    found = next((old for old in known if _same(old, person)), None)
    if found is None:  # one who has only handed in is known by the name of their file
        called = [old for old in known if not old.listed and person.names & {*old.names, squash(old.student)}]
        found = called[0] if len(called) == 1 and not (called[0].canvas_id and person.canvas_id) else None
    return found


def _same(old: Person, new: Person) -> bool:
    if old.canvas_id and new.canvas_id:
        return old.canvas_id == new.canvas_id
    for name in ("sis_id", "login", "email"):
        one, other = getattr(old, name), getattr(new, name)
        if one and other:
            return one.casefold() == other.casefold()
    return old.student == new.student


def _people(table: Table, path: Path) -> list[Person]:
    people = [person for person in people_by_row(table, path) if person is not None]
    if not people:
        raise Problem(f"{path} names nobody")
    twice = [student for student, count in Counter(person.student for person in people).items() if count > 1]
    if twice:
        raise Problem(
            f"{path}: {twice[0]!r} would be the student id of two people; add a column student_id that tells them apart"
        )
    return people


def _person(said: dict[str, str], listed: bool, path: Path) -> Person:
    last, comma, first = said["name"].partition(",")
    if comma and not said["last_name"]:
        said |= {"last_name": last.strip(), "first_name": first.strip(), "name": f"{first.strip()} {last.strip()}"}
    said["name"] = said["name"] or f"{said['first_name']} {said['last_name']}".strip()
    if said["participant"]:  # "Participant 123"; elsewhere such a column is a name for the student
        number = said["participant"].rpartition(" ")[2]
        said["student"] = said["student"] or ("" if number.isdecimal() else said["participant"])
        said["participant"] = said["participant"] if number.isdecimal() else ""
    chosen = next(said[name] for name in ("student", "login", "sis_id", "email", "name", "canvas_id") if said[name])
    student = student_id(chosen)
    if not student:
        raise Problem(f"{path}: {chosen!r} cannot be the name of a folder; add a column student_id")
    return Person(**{**said, "student": student}, listed=listed)


def _cell(row: Sequence[str], places: Sequence[int]) -> str:
    """Return the first of the row's cells at `places` that says something."""
    cells = (unicodedata.normalize("NFC", row[place].strip()) for place in places if place < len(row))
    return next((cell.removeprefix("'") if cell[:2] in _GUARDED else cell for cell in cells if cell), "")


_GUARDED = {f"'{mark}" for mark in "=+-@"}  # what `tables.harmless` writes


def _names_nobody(said: Mapping[str, str]) -> bool:
    naming = ("student", "name", "last_name", "email", "login", "sis_id", "canvas_id", "participant")
    is_test_student = said["name"] in ("Student, Test", "Test Student")
    return not any(said[name] for name in naming) or said["name"].startswith("Points Possible") or is_test_student
