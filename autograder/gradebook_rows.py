"""Finds the rows and columns of an LMS's gradebook that are a class's learners and assignments.

Used for Canvas's gradebook export and Moodle's grading worksheet. Where two rows or columns could be meant it stops
and says how to tell them apart: a grade in the wrong row is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .file_names import squash
from .grades import Grades
from .problems import Problem
from .receipts import Receipt
from .roster import Person
from .tables import number

_CANVAS_NUMBER = re.compile(r"\s*\(\d+\)\s*$")


@dataclass
class Rows:
    """The people of a gradebook's rows, None where a row is about nobody.

    Args:
        people: row by row.
        file: the gradebook's file, for errors.
    """

    people: Sequence[Person | None]
    file: str

    def find(self, person: Person, receipt: Receipt | None) -> int | None:
        """Return the row of `person`, or None where they are not in the gradebook.

        Raises:
            Problem: if it could be several rows.
        """
        for wanted in self._ways(person, receipt):
            found = [place for place, other in enumerate(self.people) if other is not None and wanted(other)]
            if len(found) > 1:
                raise Problem(
                    f"{self.file} has {len(found)} rows that may be {person.student}: give the class a roster that "
                    f"tells them apart, with a column canvas_id, sis_id or email (autograder collect … --roster)"
                )
            if found:
                return found[0]
        return None

    def _ways(self, person: Person, receipt: Receipt | None):  # type: ignore[no-untyped-def]
        """Yield tests of whether a row is the person's, the surest first."""
        if receipt is not None and receipt.layout == "moodle" and receipt.number:
            theirs = receipt.number
            yield lambda row: row.participant.endswith(f" {theirs}") and bool(row.names & person.names)
        for key in ("canvas_id", "sis_id", "login", "email"):
            value = getattr(person, key).casefold()
            if value:
                yield lambda row, key=key, value=value: getattr(row, key).casefold() == value
        ids = {person.student.casefold()}
        yield lambda row: bool(ids & {row.canvas_id, row.sis_id.casefold(), row.login.casefold(), row.email.casefold()})
        if person.names:
            yield lambda row: bool(row.names & person.names) and not _are_two(row, person)


def find_column(header: Sequence[str], grades: Grades, chosen: str, file: str, option: str) -> int:
    """Return the place of an assignment's column.

    Args:
        header: titles by column, "" for those that take no grade.
        chosen: the title that the instructor gave, or "".
        option: the option that gives it, for errors.

    Raises:
        Problem: if no column, or several, may be meant.
    """
    titles = [title for title in header if title]
    if chosen:
        found = [place for place, title in enumerate(header) if title and chosen in (title, _without_number(title))]
        wanted = repr(chosen)
    else:
        wanted = f"{grades.assignment!r} or {grades.title!r}"
        # "1 · One head, by hand" may be called without its number.
        names = [squash(name) for name in (grades.assignment, grades.title, grades.title.rpartition("·")[2])]
        plain = [squash(_without_number(title)) for title in header]
        found = [place for place, title in enumerate(plain) if title and title in names]
        found = found or [place for place, title in enumerate(plain) if title and names[0] in title]
    if len(found) == 1:
        return found[0]
    shown = ", ".join(repr(title) for title in titles) or "none"
    many = "several columns" if found else "no column"
    raise Problem(f"{file} has {many} called {wanted}; say which with {option}. Its columns are: {shown}")


def scaled(score: float, grades: Grades, maximum: float, scale: bool) -> float:
    """Return a score as points of a column that is worth `maximum`.

    Raises:
        Problem: if the two are not worth the same, and nobody said that scores are to be scaled.
    """
    if abs(maximum - grades.max_score) < 0.005:
        return score
    if not scale:
        raise Problem(
            f"{grades.assignment} is worth {number(grades.max_score)} points, and its column {number(maximum)}: "
            f"set the assignment's points to {number(grades.max_score)} in the LMS, or add --scale"
        )
    return score * maximum / grades.max_score


def decimal(cell: str) -> float | None:
    """Return a cell's number, written with a point or a comma; None where it is none."""
    text = cell.strip().replace(",", ".")
    try:
        return float(text) if re.fullmatch(r"[+-]?\d+(\.\d+)?", text) else None
    except ValueError:
        return None


def _without_number(title: str) -> str:
    return _CANVAS_NUMBER.sub("", title)


def _are_two(one: Person, other: Person) -> bool:
    """Whether the LMS has different numbers for two people of one name."""
    pairs: Mapping[str, str] = {"canvas_id": "canvas_id", "sis_id": "sis_id", "email": "email", "login": "login"}
    both = [(getattr(one, key).casefold(), getattr(other, key).casefold()) for key in pairs]
    return any(a and b and a != b for a, b in both)
