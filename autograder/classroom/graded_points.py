"""Reads an assignment's points and comments from the gradebook, for a whole class in one query.

Used for reports and for the history of records. nbgrader's own objects need a query for each cell, which is slow for
large classes. This module never writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    GradeCell,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import Engine, NullPool, create_engine, select


@dataclass(frozen=True)
class GradedPoints:
    """One learner's points for one graded cell.

    Args:
        judged: the judge's points (nbgrader's `auto_score`), None without a verdict.
        manual: an instructor's points (`manual_score`), which take precedence; None if there are none.
        extra: extra credit.
        to_check: whether the manual points override a newer verdict (`needs_manual_grade`).
    """

    judged: float | None
    manual: float | None
    extra: float
    to_check: bool

    @property
    def changed(self) -> bool:
        return self.manual is not None or self.extra != 0

    @property
    def points(self) -> float:
        """The points that count, by nbgrader's rule."""
        return (self.manual if self.manual is not None else self.judged or 0.0) + self.extra


def graded_points(url: str, assignment: str, student: str | None = None) -> Mapping[str, Mapping[str, GradedPoints]]:
    """Return the points for `assignment` by student and by nbgrader's id of the cell.

    Args:
        url: the gradebook's database.
        student: return only this student's points.
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
        .where(Assignment.name == assignment)
    )
    if student is not None:
        query = query.where(SubmittedAssignment.student_id == student)
    found: dict[str, dict[str, GradedPoints]] = {}
    with _engine(url).connect() as connection:
        for student_id, cell, judged, manual, extra, needs_grade in connection.execute(query):
            points = GradedPoints(judged, manual, extra or 0.0, bool(needs_grade) and manual is not None)
            found.setdefault(student_id, {})[cell] = points
    return found


def max_points(url: str, assignment: str) -> Mapping[str, float]:
    """Return the maximum points of each graded cell of `assignment`, by nbgrader's id of the cell."""
    query = (
        select(GradeCell.name, GradeCell.max_score)
        .join(Notebook, GradeCell.notebook_id == Notebook.id)
        .join(Assignment, Notebook.assignment_id == Assignment.id)
        .where(Assignment.name == assignment)
    )
    with _engine(url).connect() as connection:
        return {name: float(points or 0) for name, points in connection.execute(query)}


def penalties(url: str, assignment: str) -> Mapping[str, float]:
    """Return nbgrader's late penalties in points, by student; students without a penalty are left out."""
    query = (
        select(SubmittedAssignment.student_id, SubmittedNotebook.late_submission_penalty)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .where(Assignment.name == assignment)
    )
    found: dict[str, float] = {}
    with _engine(url).connect() as connection:
        for student_id, penalty in connection.execute(query):
            if penalty:
                found[student_id] = found.get(student_id, 0.0) + penalty
    return found


def comments(url: str, assignment: str) -> Mapping[str, Mapping[str, str]]:
    """Return an instructor's comments on `assignment`, by student and by nbgrader's id of the cell."""
    query = (
        select(SubmittedAssignment.student_id, BaseCell.name, Comment.manual_comment)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Comment, Comment.notebook_id == SubmittedNotebook.id)
        .join(BaseCell, Comment.cell_id == BaseCell.id)
        .where(Assignment.name == assignment)
    )
    found: dict[str, dict[str, str]] = {}
    with _engine(url).connect() as connection:
        for student_id, cell, comment in connection.execute(query):
            if comment:
                found.setdefault(student_id, {})[cell] = comment
    return found


def enrolled(url: str) -> list[str]:
    """Return the ids of all students in the gradebook, sorted."""
    with _engine(url).connect() as connection:
        return sorted(connection.exec_driver_sql("SELECT id FROM student").scalars())


def names(url: str) -> Mapping[str, str]:
    """Return the names of the students in the gradebook that have one, by student id. A roster's names are there."""
    with _engine(url).connect() as connection:
        rows = connection.exec_driver_sql("SELECT id, first_name, last_name FROM student")
        return {student: name for student, *parts in rows if (name := " ".join(filter(None, parts)).strip())}


@lru_cache(maxsize=8)
def _engine(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool)  # no connection stays open between queries
