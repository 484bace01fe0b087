"""How a submission's score came about: one entry for each time it was graded, and for each change by hand.

The record carries it on whenever it is replaced. nbgrader keeps no time for a change by hand, so such an entry is
made when the next grading, or the report, finds that the gradebook's score is another than the last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..judge.verdict import Verdict
from ..outcomes import Outcome
from .graded_points import Mark

FIRST, RESUBMITTED, REGRADED, BY_HAND = "first graded", "resubmitted", "regraded", "by hand"


@dataclass(frozen=True)
class Grading:
    """One entry.

    Args:
        graded_at: UTC, ISO 8601; of a change by hand, when it was noticed, or "" where it has just been.
        score: points; None where it ended without any.
        outcome: how the submission ended.
        why: "first graded", "resubmitted" (another file), "regraded" (the same file), "by hand".
    """

    graded_at: str
    score: float | None
    outcome: Outcome
    why: str

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Grading:
        """Return the entry that `data` was written from."""
        return cls(**{**data, "outcome": Outcome(data["outcome"])})


def total(verdicts: Sequence[Verdict], marks: Mapping[str, Mark]) -> float | None:
    """Return what the judge's points come to, with an instructor's changes; None without verdicts."""
    if not verdicts:
        return None
    score = 0.0
    for verdict in verdicts:
        mark = marks.get(verdict.grade_id)
        if mark is None:
            score += verdict.earned
        else:
            score += (verdict.earned if mark.by_hand is None else mark.by_hand) + mark.extra
    return round(score, 6)


def why(before: str, now: str) -> str:
    """Say why it was graded again.

    Args:
        before, now: fingerprints, whose first half is the submission's.
    """
    return REGRADED if before.partition("-")[0] == now.partition("-")[0] or "-" not in before else RESUBMITTED


def noticed(history: Sequence[Grading], score: float | None, when: str) -> tuple[Grading, ...]:
    """Return `history`, with an entry more where the gradebook's `score` is not the last one's."""
    if score is None or not history or history[-1].score is None or abs(history[-1].score - score) < 1e-6:
        return tuple(history)
    return (*history, Grading(when, score, history[-1].outcome, BY_HAND))
