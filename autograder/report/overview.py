"""The overview of a class over several chapters: a row for each learner, a score for each chapter, and the total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..classroom.results import ClassResults, State


@dataclass(frozen=True)
class Cell:
    """One learner's result in one chapter.

    Args:
        state: a key of `STATES`: right with full marks, wrong without a point, partly in between, else not judged.
        score: the score that counts; None without one.
        words: why there is no score; "" if there is one.
    """

    state: str
    score: float | None
    words: str = ""


@dataclass(frozen=True)
class Row:
    """One learner's results.

    Args:
        student: nbgrader's student id.
        cells: one for each chapter.
        total: the sum of the scores.
    """

    student: str
    cells: tuple[Cell, ...]
    total: float


def overview(results: Sequence[ClassResults]) -> list[Row]:
    """Return a row for each learner who submitted a chapter or is in the gradebook, sorted by student id."""
    by_chapter = [
        {learner.student: _cell(learner.final_score, learner.outcome, result) for learner in result.learners}
        for result in results
    ]
    students = {student for cells in by_chapter for student in cells}
    students.update(student for result in results for student in result.missing)
    absent = Cell(State.UNKNOWN, None, "not submitted")
    return [
        Row(student, cells, sum(cell.score or 0 for cell in cells))
        for student in sorted(students)
        if (cells := tuple(chapter.get(student, absent) for chapter in by_chapter))
    ]


def _cell(score: float | None, outcome: str, result: ClassResults) -> Cell:
    if score is None:
        return Cell(State.UNKNOWN, None, outcome)
    return Cell(State.RIGHT if score >= result.max_score else State.PARTLY if score > 0 else State.WRONG, score)
