"""What is kept of each submission beside the gradebook: its outcome, and the verdicts behind its score.

One JSON file a submission in `outcomes/ASSIGNMENT/STUDENT.json`, replaced as a whole, so that a run that is
stopped at any moment leaves either the old record or the new one. The history of scores goes on from one to the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ..judge.verdict import Verdict
from ..outcomes import Outcome
from ..realign.repairs import Repair, from_json
from ..whole_file import whole_file
from .history import FIRST, Grading, noticed, total, why
from .graded_points import Mark


@dataclass(frozen=True)
class Record:
    """The outcome of one submission.

    Args:
        student: nbgrader's student id.
        assignment: the chapter.
        outcome: "needs review" means that the fault is the grader's: never a zero.
        reason: what happened, for a person; for a grade "", or what should be looked at.
        fingerprint: of the submission and what it was judged by; the same one need not be graded again.
        graded_at: UTC, ISO 8601.
        seconds: wall time of the submission's run.
        verdicts: of its graded cells.
        repairs: what was mended in the notebook before it was graded.
        sealed: False where it ran without the sandbox.
        history: every grading so far, this one last; () in a record that was written before there was one.
    """

    student: str
    assignment: str
    outcome: Outcome
    reason: str
    fingerprint: str
    graded_at: str
    seconds: float
    verdicts: tuple[Verdict, ...]
    repairs: tuple[Repair, ...] = ()
    sealed: bool = True
    history: tuple[Grading, ...] = ()

    @property
    def gradings(self) -> tuple[Grading, ...]:
        """The history, made up from the record itself where it has none."""
        if self.history:
            return self.history
        return (Grading(self.graded_at, total(self.verdicts, {}), self.outcome, FIRST),)

    @classmethod
    def of(
        cls,
        student: str,
        assignment: str,
        outcome: Outcome,
        reason: str,
        fingerprint: str,
        verdicts: Sequence[Verdict] = (),
        seconds: float = 0.0,
        repairs: Sequence[Repair] = (),
        sealed: bool = True,
    ) -> Record:
        """Make a record of now."""
        return cls(
            student=student,
            assignment=assignment,
            outcome=outcome,
            reason=reason,
            fingerprint=fingerprint,
            graded_at=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(seconds, 3),
            verdicts=tuple(verdicts),
            repairs=tuple(repairs),
            sealed=sealed,
        )

    def write(self, path: Path, marks: Mapping[str, Mark] | None = None) -> None:
        """Write the record, all of it or nothing. It goes on with the history of the one that it replaces.

        Args:
            path: of the submission's record.
            marks: what the gradebook holds of this submission now: the changes by hand are in it.
        """
        data = {
            **vars(self._after(read_record(path), marks or {})),
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "repairs": [vars(repair) for repair in self.repairs],
        }
        data["history"] = [vars(grading) for grading in data["history"]]
        # A line for each entry: indented JSON takes Python ten times as long.
        lines = (f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in data.items())
        text = "{\n" + ",\n".join(lines) + "\n}\n"
        with whole_file(path) as beside:
            # A folder's name that is no UTF-8 holds what UTF-8 cannot, and JSON writes with a backslash.
            beside.write_bytes(text.encode(errors="backslashreplace"))

    def _after(self, before: Record | None, marks: Mapping[str, Mark]) -> Record:
        score = total(self.verdicts, marks)
        if before is None:
            return replace(self, history=(Grading(self.graded_at, score, self.outcome, FIRST),))
        # Regrading never touches what a hand has set: with the old verdicts it tells the score until now.
        gradings = before.gradings
        if self.verdicts:
            gradings = noticed(gradings, total(before.verdicts, marks), self.graded_at)
        this = Grading(self.graded_at, score, self.outcome, why(before.fingerprint, self.fingerprint))
        return replace(self, history=(*gradings, this))


def read_record(path: Path) -> Record | None:
    """Return the record at `path`, or None where there is none or it is damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        parts = {
            "outcome": Outcome(data["outcome"]),
            "verdicts": tuple(Verdict.from_json(verdict) for verdict in data["verdicts"]),
            "repairs": from_json(data.get("repairs", ())),
            "history": tuple(Grading.from_json(grading) for grading in data.get("history", ())),
        }
        return Record(**{**data, **parts})
    except (OSError, ValueError, TypeError, KeyError):
        return None
