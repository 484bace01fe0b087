"""Finds the rows of learners and the columns of assignments in an LMS's gradebook.

Used for Canvas's gradebook export and Moodle's grading worksheet. If several rows or columns match, an error says how
to distinguish them: a grade in the wrong row is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..classroom.csv_table import number
from ..classroom.identity import Index, compare
from ..classroom.layouts import Layout
from ..classroom.person import Person, squash
from ..classroom.receipts import Receipt
from ..problems import Problem
from .grades import Grades

_CANVAS_NUMBER = re.compile(r"\s*\(\d+\)\s*$")


class Rows:
    """The people of a gradebook's rows.

    Args:
        people: one entry per row, None for rows without a person (headers, totals, the test student).
        file: the gradebook's file, for error messages.
    """

    def __init__(self, people: Sequence[Person | None], file: str) -> None:
        self._file, self._people = file, people
        self._places = {id(person): place for place, person in enumerate(people) if person is not None}
        self._index = Index(person for person in people if person is not None)

    def find(self, person: Person, receipt: Receipt | None) -> int | None:
        """Return the row of `person`, or None if they are not in the gradebook, or if numbers contradict each other.

        Raises:
            Problem: if several rows match, or the gradebook is of another assignment.
        """
        for rows in self._ways(person, receipt):
            found = {self._places[id(row)] for row in rows}
            if len(found) > 1:
                raise Problem(
                    f"{self._file} has {len(found)} rows that may be {person.student}: collect again with a roster "
                    f"that distinguishes them by canvas_id, sis_id or email (autograder collect … --roster)"
                )
            if found:
                place = found.pop()
                self._require_same_number(person, self._people[place], receipt)
                return place
        return None

    def _require_same_number(self, person: Person, row: Person | None, receipt: Receipt | None) -> None:
        """Raise `Problem` if Moodle's participant number differs from the one in the collected file's name.

        Moodle numbers participants separately for each assignment, so the worksheet is of another assignment. Groups
        are not checked, since the name of a group's file has the group's number.
        """
        if (
            row is None
            or not row.participant
            or receipt is None
            or receipt.layout != Layout.MOODLE
            or not receipt.number
        ):
            return
        is_own = squash(receipt.owner) in person.names
        if is_own and not row.participant.endswith(f" {receipt.number}"):
            raise Problem(
                f"{self._file} is from another assignment: in it {person.student} is {row.participant}, but the "
                f"collected file is from participant {receipt.number}. Download the worksheet of this assignment"
            )

    def _ways(self, person: Person, receipt: Receipt | None) -> Iterator[list[Person]]:
        """Yield the rows that match the person by one criterion after the other, the most certain first."""
        if receipt is not None and receipt.layout == Layout.MOODLE and receipt.number:
            numbered = self._index.find("participant", receipt.number)
            yield [row for row in numbered if row.names & person.names]
        alike = [(row, compare(row, person)) for row in self._index.alike(person)]
        if any(how.is_same for _, how in alike):  # a second row with one of their numbers contradicts the first
            yield [row for row, how in alike if how.is_same or set(how.agree) - {"email"}]
        if any(how.is_contradictory for _, how in alike):
            return
        keys = ("sis_id", "login", "email")
        called = {id(row): row for key in keys for row in self._index.find(key, person.student)}
        yield [row for row in called.values() if compare(row, person).names is not False]
        yield [row for row, how in alike if how.is_name_alone]


def find_column(header: Sequence[str], grades: Grades, chosen: str, file: str, option: str) -> int:
    """Return the index of an assignment's column.

    Args:
        header: titles by column, "" for columns that take no grade.
        chosen: the title that the instructor gave, or "".
        option: the command's option for the title, for error messages.

    Raises:
        Problem: if no column or several columns match.
    """
    titles = [title for title in header if title]
    if chosen:
        found = [place for place, title in enumerate(header) if title and chosen in (title, _without_number(title))]
        wanted = repr(chosen)
    else:
        wanted = f"{grades.assignment!r} or {grades.title!r}"
        # The column for "1 · One head, by hand" may lack the number.
        names = [squash(name) for name in (grades.assignment, grades.title, grades.title.rpartition("·")[2])]
        plain = [squash(_without_number(title)) for title in header]
        found = [place for place, title in enumerate(plain) if title and title in names]
        found = found or [place for place, title in enumerate(plain) if title and names[0] in title]
    if len(found) == 1:
        return found[0]
    shown = ", ".join(repr(title) for title in titles) or "none"
    many = "several columns" if found else "no column"
    raise Problem(f"{file} has {many} called {wanted}; choose one with {option}. Its columns are: {shown}")


def scaled(score: float, grades: Grades, maximum: float, *, scale: bool) -> float:
    """Return a score in points of a column whose maximum is `maximum`.

    Raises:
        Problem: if the maximum differs from the assignment's and `scale` is False.
    """
    if abs(maximum - grades.max_score) < 0.005:
        return score
    if not scale:
        raise Problem(
            f"{grades.assignment} is worth {number(grades.max_score)} points, but its column is worth "
            f"{number(maximum)}: set the assignment's points to {number(grades.max_score)} in the LMS, or add --scale"
        )
    return score * maximum / grades.max_score


def decimal(cell: str) -> float | None:
    """Return a cell's number, written with a decimal point or comma; None if it is not a number."""
    text = cell.strip().replace(",", ".")
    try:
        return float(text) if re.fullmatch(r"[+-]?\d+(\.\d+)?", text) else None
    except ValueError:
        return None


def _without_number(title: str) -> str:
    return _CANVAS_NUMBER.sub("", title)
