"""Reads the rows of a roster or gradebook as people: it interprets the columns and skips rows without a person.

A Canvas gradebook is recognised by columns and rows that only it has. Used for rosters, for the class's own
`roster.csv` and for the gradebooks that grades are written into.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..problems import Problem
from .csv_table import Table, columns
from .person import Person, student_id

# A roster's columns, by any of the names that Canvas, Moodle, nbgrader, GitHub Classroom and people give them.
TITLES: Mapping[str, tuple[str, ...]] = {
    "student": ("student_id", "nbgrader_id"),
    "name": ("name", "full name", "display name", "student name"),
    "first_name": ("first_name", "first name", "firstname", "given name"),
    "last_name": ("last_name", "last name", "lastname", "surname", "family name"),
    "email": ("email", "email address", "e-mail", "mail"),
    "login": ("login", "login_id", "sis login id", "username", "user name", "netid", "display id", "github_username"),
    "sis_id": (
        *("sis_id", "sis user id", "user_id", "id number", "idnumber"),
        *("student number", "matriculation number", "sid", "orgdefinedid", "org defined id"),
    ),
    "canvas_id": ("canvas_id", "canvas_user_id", "canvas user id"),
    "participant": ("participant", "identifier", "participant id"),
    "group": ("group", "group_name", "groups", "team"),
    "submitted": ("submitted", "timestamp", "last modified (submission)"),
    "listed": ("listed",),
}
POINTS_POSSIBLE = "Points Possible"

_NUMBERS = ("student", "login", "sis_id", "canvas_id", "participant")
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E[+-]\d+", re.IGNORECASE)
_GUARDED = {f"'{mark}" for mark in "=+-@"}  # as `csv_table.harmless` escapes cells


@dataclass(frozen=True)
class Entry:
    """One row about a person.

    Args:
        person: the person, with the data in the row.
        has_own_id: whether the id comes from a column for student ids; else it was made from another key.
        number: the row's number in its file, from 2.
    """

    person: Person
    has_own_id: bool
    number: int

    @property
    def label(self) -> str:
        return f"row {self.number} ({self.person.name or self.person.student})"


def people_by_row(table: Table, path: Path) -> list[Person | None]:
    """Return the person of each row below the header, None for rows without a person.

    Raises:
        Problem: as `entries`.
    """
    return [None if entry is None else entry.person for entry in entries(table, path)]


def entries(table: Table, path: Path) -> list[Entry | None]:
    """Return the entry of each row below the header, None for rows without a person (totals, the test student).

    Args:
        path: the table's file, for error messages.

    Raises:
        Problem: if no column identifies people, or a spreadsheet has rounded a number.
    """
    places = {field: columns(table.header, titles) for field, titles in TITLES.items()}
    is_canvas = is_canvas_gradebook(table)
    ids, students = columns(table.header, ["ID"]), columns(table.header, ["Student"])
    if is_canvas:
        places["name"], places["canvas_id"], places["student"] = students, ids[:1], []  # "Last, First"
    else:
        places["student"] = places["student"] or ids[:1]  # nbgrader's own is called "id"
        if students:  # people use this title for names and for ids
            is_name = bool(places["student"]) or any(
                re.search(r"[\s,]", _cell(row, students)) for row in table.rows[1:]
            )
            if is_name:
                places["name"] = places["name"] or students
            else:
                places["student"] = students
    if not any(places[name] for name in ("student", "name", "last_name", "email", "login", "canvas_id")):
        raise Problem(
            f"{path} has no column that identifies people; its header is: {', '.join(table.header)[:200]}. "
            f"Supported columns are: {', '.join(titles[0] for titles in TITLES.values())}"
        )
    found: list[Entry | None] = []
    for place, row in enumerate(table.rows[1:], start=2):
        said = {field: _cell(row, where) for field, where in places.items()}
        listed = not places["listed"] or said["listed"] == "yes"
        del said["listed"]
        for name in _NUMBERS:
            if _ROUNDED.fullmatch(said[name]):
                raise Problem(
                    f"{path}, row {place}: a spreadsheet has rounded a number to {said[name]}: use the file as the "
                    "LMS exported it, or format that column as text before you save it"
                )
        found.append(None if _has_no_person(said, is_canvas=is_canvas) else _entry(said, path, place, listed=listed))
    return found


def is_canvas_gradebook(table: Table) -> bool:
    """Whether a table is Canvas's gradebook. Its column ID is Canvas's user id, and some rows are not people."""
    named = columns(table.header, ["Student"]) or columns(table.header, ["LastName"])
    has_points = any(row and row[0].strip() == POINTS_POSSIBLE for row in table.rows[1:4])
    has_ids = bool(columns(table.header, ["ID"]))
    return bool(named) and has_ids and (has_points or bool(columns(table.header, ["SIS Login ID"])))


def _entry(said: dict[str, str], path: Path, place: int, *, listed: bool) -> Entry:
    last, comma, first = said["name"].partition(",")
    if comma and not said["last_name"]:
        said |= {"last_name": last.strip(), "first_name": first.strip(), "name": f"{first.strip()} {last.strip()}"}
    said["name"] = said["name"] or _full_name(said)
    for name in ("login", "sis_id"):  # Brightspace writes "#" before numbers
        said[name] = said[name].removeprefix("#")
    if said["participant"]:  # Moodle's "Participant 123"; in other rosters the column "identifier" is a student id
        number = said["participant"].rpartition(" ")[2]
        said["student"] = said["student"] or ("" if number.isdecimal() else said["participant"])
        said["participant"] = said["participant"] if number.isdecimal() else ""
    chosen = next(said[name] for name in ("student", "login", "sis_id", "email", "name", "canvas_id") if said[name])
    student = student_id(chosen)
    if not student:
        raise Problem(f"{path}: {chosen!r} cannot be used as a folder's name; add a column student_id")
    return Entry(Person(**{**said, "student": student}, listed=listed), bool(said["student"]), place)


def _cell(row: Sequence[str], places: Sequence[int]) -> str:
    """Return the first non-empty cell of the row at the indices `places`."""
    cells = (unicodedata.normalize("NFC", row[place].strip()) for place in places if place < len(row))
    return next((cell.removeprefix("'") if cell[:2] in _GUARDED else cell for cell in cells if cell), "")


def _full_name(said: Mapping[str, str]) -> str:
    return f"{said['first_name']} {said['last_name']}".strip()


def _has_no_person(said: Mapping[str, str], *, is_canvas: bool) -> bool:
    naming = ("student", "name", "last_name", "email", "login", "sis_id", "canvas_id")
    if not any(said[name] for name in naming):
        return True
    name = said["name"] or _full_name(said)
    if not is_canvas:
        return False
    # Canvas's extra rows: points possible, and the test student of an instructor's student view.
    is_test_student = name in ("Student, Test", "Test Student") and not said["sis_id"]
    return name.startswith(POINTS_POSSIBLE) or said["last_name"].startswith(POINTS_POSSIBLE) or is_test_student
