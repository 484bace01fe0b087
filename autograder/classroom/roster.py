"""The class's roster: its learners and their LMS keys, stored in the class folder's `roster.csv`.

`autograder collect --roster` merges a list from Canvas, Moodle or the instructor into it, and every `collect` adds what
it learned from file names. Exports and `collect` read it with `roster`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from ..problems import Problem
from .class_folder import ClassFolder
from .csv_table import Table, read_table, write_table
from .identity import Index, are_near, compare
from .person import MAX_ID, Person, student_id
from .roster_rows import Entry, entries

__all__ = ["MAX_ID", "ROSTER", "Person", "read_entries", "read_roster", "roster", "student_id", "write_roster"]

ROSTER = "roster.csv"
_STORED = [field.name for field in fields(Person) if field.name not in ("participant", "submitted")]


def roster(folder: ClassFolder) -> list[Person]:
    """Return all known learners of the class, with or without a submission, sorted by student id.

    Raises:
        Problem: if the class's `roster.csv` cannot be read, or a spreadsheet has changed student ids in it.
    """
    path = folder.root / ROSTER
    if not path.is_file():
        return []
    people = sorted(read_roster(path), key=lambda person: person.student)
    _require_student_ids(folder, people, path)
    return people


def read_roster(path: Path) -> list[Person]:
    """Return the people on the roster at `path`.

    Raises:
        Problem: as `read_entries`.
    """
    return [entry.person for entry in read_entries(path)]


def read_entries(path: Path) -> list[Entry]:
    """Read the roster at `path`: a CSV file with any of the columns that `autograder.classroom.roster_rows` knows.

    Rows that agree are merged into one person, who may be in two sections.

    Raises:
        Problem: if it contains no people, or two people get the same student id.
    """
    found: dict[str, Entry] = {}
    index = Index()
    for entry in entries(read_table(path), path):
        if entry is None:
            continue
        before = found.get(entry.person.student) or _same_row(index, found, entry)
        if before is None:
            found[entry.person.student] = entry
            index.add(entry.person)
            continue
        compared = compare(before.person, entry.person)
        if compared.differ or compared.near or compared.names is False:
            raise Problem(
                f"{path}: {entry.person.student!r} would be the student id of two people; "
                "give each a student_id of their own"
            )
        found[before.person.student] = replace(before, person=_both(before.person, entry.person))
        index.add(found[before.person.student].person)
    if not found:
        raise Problem(f"{path} contains no people")
    return list(found.values())


def write_roster(folder: ClassFolder, people: Iterable[Person]) -> None:
    """Write `roster.csv`, and add or update the people in nbgrader's gradebook."""
    from nbgrader.api import Gradebook

    people = sorted(people, key=lambda person: person.student)
    rows = [tuple("yes" if value is True else "" if value is False else value for value in _stored(p)) for p in people]
    write_table(folder.root / ROSTER, Table((("student_id", *_STORED[1:]), *rows), encoding="utf-8-sig"))
    with Gradebook(folder.gradebook_url) as gradebook:
        known = {str(student.id): student for student in gradebook.students}
        for person in people:
            values = {
                "first_name": person.first_name,
                "last_name": person.last_name or (person.name if not person.first_name else ""),
                "email": person.email,
                "lms_user_id": person.canvas_id or person.sis_id or person.login,
            }
            new = {name: value for name, value in values.items() if value}
            old = known.get(person.student)
            if old is None or any(getattr(old, name) != value for name, value in new.items()):
                # pyrefly: ignore[bad-argument-type]  # nbgrader says of each value that it is a dict
                gradebook.update_or_create_student(person.student, **new)


def _stored(person: Person) -> list[str | bool]:
    return [getattr(person, name) for name in _STORED]


def _same_row(index: Index, found: dict[str, Entry], entry: Entry) -> Entry | None:
    """Return an earlier row of the same person, even if its student id, made from other keys, differs."""
    if entry.has_own_id:
        return None
    for other in index.alike(entry.person):
        compared = compare(other, entry.person)
        if compared.is_same and not compared.differ and not compared.near and compared.names is not False:
            return found[other.student]
    return None


def _both(one: Person, other: Person) -> Person:
    """Return one person with the values of two rows. The first row's values take precedence; groups are joined."""
    values: dict[str, Any] = {name: value or getattr(other, name) for name, value in asdict(one).items()}
    if one.group and other.group and not other.groups <= one.groups:
        values["group"] = f"{one.group}, {other.group}"
    return Person(**values)


def _require_student_ids(folder: ClassFolder, people: Sequence[Person], path: Path) -> None:
    """Raise `Problem` if ids have lost their zeros: the grades of 00417 would not be found for 417."""
    known = {person.student for person in people}
    submitted = folder.root / "submitted"
    folders = {path.name for path in submitted.iterdir()} if submitted.is_dir() else set()
    lost = {student.lstrip("0"): student for student in folders - known if student[:1] == "0"}
    for student in known - folders:
        before = lost.get(student)
        if before is not None and are_near(before, student):
            raise Problem(
                f"{path} has the student id {student!r}, but submitted/ has {before!r}: a spreadsheet dropped the "
                "zeros. Write the ids with their zeros, and format that column as text"
            )
