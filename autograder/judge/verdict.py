"""The judge's verdict on one graded cell, and the result for a whole submission.

Workers return both to the grading process, which stores them in the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

from manyheads.checking.exam import Check
from manyheads.checking.stage import Stage

from ..outcomes import Outcome


@dataclass(frozen=True)
class Verdict:
    """The judge's verdict on one graded cell.

    Args:
        exercise: the exercise.
        check: its check.
        grade_id: nbgrader's id of the cell.
        points: the check's maximum points.
        earned: the points earned: 0 or all.
        stage: what decided it.
        message: the message to the learner in the feedback.
        misconception: the known mistake that the answers show, or None.
        carried: exercises replaced by stand-ins, because the learner's own versions lost their points already.
        group: a phrase that wrong answers of the same kind share, "" if nothing is known.
    """

    exercise: str
    check: Check
    grade_id: str
    points: float
    earned: float
    stage: Stage
    message: str
    misconception: str | None = None
    carried: tuple[str, ...] = ()
    group: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as a dict for JSON."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Verdict:
        """Return the verdict that `to_json` converted to `data`."""
        fields: dict[str, Any] = {
            **data,
            "check": Check(data["check"]),
            "stage": Stage(data["stage"]),
            "carried": tuple(data["carried"]),
        }
        return cls(**fields)

    def outputs(self) -> list[NotebookNode]:
        """Return the graded cell's outputs: what nbgrader scores and the feedback shows."""
        if self.stage == Stage.PASSED:
            return [NotebookNode(output_type="stream", name="stdout", text=self.message + "\n")]
        from manyheads.checking import wording  # imports torch, which is only needed here

        title = wording.failed_title(self.exercise, self.check)
        lines = wording.failed_lines(title, self.message)
        return [NotebookNode(output_type="error", ename="CheckFailed", evalue=title, traceback=lines)]


@dataclass(frozen=True)
class Judged:
    """The result of running and judging one submission.

    Args:
        outcome: how the submission ended.
        reason: why, in words; for "graded", "" or what a person should look at.
        verdicts: the verdicts on the graded cells, in the order in which they were judged.
        seconds: wall time of running and judging it.
        sealed: whether it ran in the sandbox.
    """

    outcome: Outcome
    reason: str
    verdicts: tuple[Verdict, ...]
    seconds: float
    sealed: bool
