"""The history of a submission's score: one entry for each grading, and for each change by hand.

When a record is replaced, the new one continues its history. nbgrader stores no time for a change by hand, so its entry
is made when the next grading, or the report, finds that the gradebook's score differs from the last entry's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..judge.verdict import Verdict
from ..outcomes import Outcome
from .graded_points import GradedPoints


class Why(StrEnum):
    """Why a score is in the history: the first grading, another file, the same file, or a change by hand."""

    FIRST = "first graded"
    RESUBMITTED = "resubmitted"
    REGRADED = "regraded"
    BY_HAND = "by hand"


@dataclass(frozen=True)
class Grading:
    """One entry.

    Args:
        graded_at: UTC, ISO 8601. For a change by hand, when it was noticed; "" if that is now.
        score: points; None if grading ended without a score.
        outcome: how the submission ended.
        why: what it comes from.
    """

    graded_at: str
    score: float | None
    outcome: Outcome
    why: Why

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Grading:
        """Return the entry that was stored as `data`."""
        fields: dict[str, Any] = {**data, "outcome": Outcome(data["outcome"]), "why": Why(data["why"])}
        return cls(**fields)


def total(verdicts: Sequence[Verdict], points: Mapping[str, GradedPoints]) -> float | None:
    """Return the sum of the judge's points, with an instructor's changes in `points`; None without verdicts."""
    if not verdicts:
        return None
    score = 0.0
    for verdict in verdicts:
        graded = points.get(verdict.grade_id)
        if graded is None:
            score += verdict.earned
        else:
            score += (verdict.earned if graded.manual is None else graded.manual) + graded.extra
    return round(score, 6)


def why(before: str, now: str) -> Why:
    """Return why a submission was graded again.

    Args:
        before, now: fingerprints; the part before the dash is the digest of the file.
    """
    return Why.REGRADED if before.partition("-")[0] == now.partition("-")[0] or "-" not in before else Why.RESUBMITTED


def noticed(history: Sequence[Grading], score: float | None, when: str) -> tuple[Grading, ...]:
    """Return `history`, with another entry if the gradebook's `score` differs from the last entry's."""
    if score is None or not history or history[-1].score is None or abs(history[-1].score - score) < 1e-6:
        return tuple(history)
    return (*history, Grading(when, score, history[-1].outcome, Why.BY_HAND))
