"""What the judge says of one graded cell, and what became of a whole submission.

Both travel from worker to parent and into the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

from ..outcomes import Outcome

PASSED = "passed"


@dataclass(frozen=True)
class Verdict:
    """What the judge says of one graded cell.

    Args:
        exercise: what was judged.
        check: "shapes" or "outputs".
        grade_id: nbgrader's name for the cell.
        points: what the check is worth.
        earned: points given, 0 or all.
        stage: "passed", or which comparison failed: "unsolved", "ran", "shape", "values", …
        message: what the learner reads in the feedback.
        misconception: the known mistake that the answers show, or None.
        carried: exercises that stand-ins worked for, because the learner's own had lost their points already.
    """

    exercise: str
    check: str
    grade_id: str
    points: float
    earned: float
    stage: str
    message: str
    misconception: str | None = None
    carried: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return a dict that `from_json` reads."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Verdict:
        """The way back from `to_json`."""
        return cls(**{**data, "carried": tuple(data["carried"])})

    def outputs(self) -> list[NotebookNode]:
        """Return the graded cell's outputs: what nbgrader scores and the feedback shows."""
        if self.stage == PASSED:
            return [NotebookNode(output_type="stream", name="stdout", text=self.message + "\n")]
        from manyheads.checking import wording  # with torch, which whoever only reads verdicts does without

        title = wording.failed_title(self.exercise, self.check)
        lines = wording.failed_lines(title, self.message)
        return [NotebookNode(output_type="error", ename="CheckFailed", evalue=title, traceback=lines)]


@dataclass(frozen=True)
class Marked:
    """What became of one submission's notebook.

    Args:
        outcome: how the submission ended.
        reason: why, for a person; for graded "", or what a person should look at.
        verdicts: of the graded cells, in the notebook's order.
        seconds: wall time from the kernel's start to its end.
        sealed: whether it ran in the sandbox.
    """

    outcome: Outcome
    reason: str
    verdicts: tuple[Verdict, ...]
    seconds: float
    sealed: bool
