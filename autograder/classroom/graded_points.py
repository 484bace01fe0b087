"""Reads what the gradebook holds of an assignment's graded cells, a whole class in one query.

The report and the record's history ask it. nbgrader's own objects cost a query a cell, which a class of a thousand
feels. It never writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from nbgrader.api import Assignment, BaseCell, Grade, GradeCell, Notebook, SubmittedAssignment, SubmittedNotebook
from sqlalchemy import Engine, NullPool, create_engine, select


@dataclass(frozen=True)
class Mark:
    """The points of one graded cell.

    Args:
        judged: the autograder's, None where it gave none.
        by_hand: an instructor's, which take precedence; None where nobody has changed them.
        extra: extra credit.
        waits: whether nbgrader asks for a person's eye: a score set by hand stands over a newer judgement.
    """

    judged: float | None
    by_hand: float | None
    extra: float
    waits: bool

    @property
    def changed(self) -> bool:
        return self.by_hand is not None or self.extra != 0

    @property
    def points(self) -> float:
        """What counts: nbgrader's rule."""
        return (self.by_hand if self.by_hand is not None else self.judged or 0.0) + self.extra


def marks(url: str, assignment: str, student: str | None = None) -> Mapping[str, Mapping[str, Mark]]:
    """Return the marks of `assignment` by student and by nbgrader's name for the cell.

    Args:
        url: of the gradebook.
        student: only theirs.
    """
    query = (
        select(
            SubmittedAssignment.student_id,
            BaseCell.name,
            Grade.auto_score,
            Grade.manual_score,
            Grade.extra_credit,
            Grade.needs_manual_grade,
        )
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .where(Assignment.name == assignment)  # pyright: ignore[reportGeneralTypeIssues]
    )
    if student is not None:
        query = query.where(SubmittedAssignment.student_id == student)
    found: dict[str, dict[str, Mark]] = {}
    with _engine(url).connect() as connection:
        for who, cell, judged, by_hand, extra, waits in connection.execute(query):
            mark = Mark(judged, by_hand, extra or 0.0, bool(waits) and by_hand is not None)
            found.setdefault(who, {})[cell] = mark
    return found


def most(url: str, assignment: str) -> Mapping[str, float]:
    """Return the points that each graded cell of `assignment` is worth, by nbgrader's name for the cell."""
    query = (
        select(GradeCell.name, GradeCell.max_score)
        .join(Notebook, GradeCell.notebook_id == Notebook.id)
        .join(Assignment, Notebook.assignment_id == Assignment.id)
        .where(Assignment.name == assignment)  # pyright: ignore[reportGeneralTypeIssues]
    )
    with _engine(url).connect() as connection:
        return {name: float(points or 0) for name, points in connection.execute(query)}


def penalties(url: str, assignment: str) -> Mapping[str, float]:
    """Return the points that nbgrader takes off for lateness, by student; without those who lose none."""
    query = (
        select(SubmittedAssignment.student_id, SubmittedNotebook.late_submission_penalty)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .where(Assignment.name == assignment)  # pyright: ignore[reportGeneralTypeIssues]
    )
    found: dict[str, float] = {}
    with _engine(url).connect() as connection:
        for who, penalty in connection.execute(query):
            if penalty:
                found[who] = found.get(who, 0.0) + penalty
    return found


def enrolled(url: str) -> list[str]:
    """Return the ids of all students whom the gradebook knows, sorted."""
    with _engine(url).connect() as connection:
        return sorted(connection.exec_driver_sql("SELECT id FROM student").scalars())


@lru_cache(maxsize=8)
def _engine(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool)  # nothing stays open between two questions
