"""The history of a submission's score: one entry for each grading, and for each change by hand.

When a record is replaced, the new one continues its history. nbgrader stores no time for a change by hand, so its entry
is made when the next grading, or the report, finds that the gradebook's score differs from the last entry's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..judge.verdict import Verdict
from ..outcomes import Outcome
from .graded_points import GradedPoints

FIRST, RESUBMITTED, REGRADED, BY_HAND = "first graded", "resubmitted", "regraded", "by hand"


@dataclass(frozen=True)
class Grading:
    """One entry.

    Args:
        graded_at: UTC, ISO 8601. For a change by hand, when it was noticed; "" if that is now.
        score: points; None if grading ended without a score.
        outcome: how the submission ended.
        why: "first graded", "resubmitted" (another file), "regraded" (the same file), "by hand".
    """

    graded_at: str
    score: float | None
    outcome: Outcome
    why: str

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Grading:
        """Return the entry that was stored as `data`."""
        fields: dict[str, Any] = {**data, "outcome": Outcome(data["outcome"])}
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


def why(before: str, now: str) -> str:
    """Return why a submission was graded again: "resubmitted" if the file changed, else "regraded".

    Args:
        before, now: fingerprints; the part before the dash is the digest of the file.
    """
    return REGRADED if before.partition("-")[0] == now.partition("-")[0] or "-" not in before else RESUBMITTED


def noticed(history: Sequence[Grading], score: float | None, when: str) -> tuple[Grading, ...]:
    """Return `history`, with another entry if the gradebook's `score` differs from the last entry's."""
    if score is None or not history or history[-1].score is None or abs(history[-1].score - score) < 1e-6:
        return tuple(history)
    return (*history, Grading(when, score, history[-1].outcome, BY_HAND))
