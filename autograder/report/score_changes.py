"""How a class's scores changed from one grading to the next, and why. The report shows it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean

from ..classroom.history import Grading, Why
from ..classroom.results import ClassResults


@dataclass(frozen=True)
class Move:
    """One learner's first and current score, with all gradings from the first to the current one."""

    student: str
    first: float
    now: float
    gradings: tuple[Grading, ...]

    @property
    def change(self) -> float:
        return self.now - self.first


@dataclass(frozen=True)
class Cause:
    """The effect of all score changes with the same cause.

    Args:
        why: the cause.
        rose, same, fell: how many scores rose, stayed the same or fell.
        mean: the mean change in points.
    """

    why: Why
    rose: int
    same: int
    fell: int
    mean: float


@dataclass(frozen=True)
class Movement:
    """All learners with more than one score, those who gained most first, and the changes by their cause."""

    moves: tuple[Move, ...]
    causes: tuple[Cause, ...]


def movement(results: ClassResults) -> Movement:
    """Return how the class's scores changed."""
    moves, steps = [], []
    for learner in results.learners:
        scored = [grading for grading in learner.history if grading.score is not None]
        scores = [grading.score or 0.0 for grading in scored]
        if len(scored) > 1:
            moves.append(Move(learner.student, scores[0], scores[-1], learner.history))
        steps += [
            (grading.why, after - before)
            for grading, before, after in zip(scored[1:], scores, scores[1:], strict=False)
        ]
    causes = []
    for why in (Why.RESUBMITTED, Why.REGRADED, Why.BY_HAND):
        changes = [change for cause, change in steps if cause == why]
        if changes:
            rose, fell = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
            causes.append(Cause(why, rose, len(changes) - rose - fell, fell, mean(changes)))
    return Movement(tuple(sorted(moves, key=lambda move: (-move.change, move.student))), tuple(causes))
