"""What is kept of each submission beside the gradebook: its outcome, and the verdicts behind its score.

One JSON file a submission in `outcomes/ASSIGNMENT/STUDENT.json`, replaced as a whole, so that a run that is
stopped at any moment leaves either the old record or the new one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .repair import Repair, from_json
from .verdict import Verdict

GRADED, TIMEOUT, CRASHED, UNREADABLE, NEEDS_REVIEW = OUTCOMES = (
    "graded",
    "timeout",
    "crashed",
    "unreadable",
    "needs review",
)


@dataclass(frozen=True)
class Record:
    """The outcome of one submission.

    Args:
        student: nbgrader's student id.
        assignment: the chapter.
        outcome: one of `OUTCOMES`. "needs review" means that the fault is the grader's: never a zero.
        reason: what happened, for a person; for a grade "", or what should be looked at.
        fingerprint: of the submission and what it was judged by; the same one need not be graded again.
        graded_at: UTC, ISO 8601.
        seconds: wall time of the submission's run.
        verdicts: of its graded cells.
        repairs: what was mended in the notebook before it was graded.
        sealed: False where it ran without the sandbox.
    """

    student: str
    assignment: str
    outcome: str
    reason: str
    fingerprint: str
    graded_at: str
    seconds: float
    verdicts: tuple[Verdict, ...]
    repairs: tuple[Repair, ...] = ()
    sealed: bool = True

    @classmethod
    def of(
        cls,
        student: str,
        assignment: str,
        outcome: str,
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

    def write(self, path: Path) -> None:
        """Write the record, all of it or nothing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        data = {
            **vars(self),
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "repairs": [vars(repair) for repair in self.repairs],
        }
        beside = path.with_name(f"{path.name}.{os.getpid()}.new")
        beside.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        beside.replace(path)


def read_record(path: Path) -> Record | None:
    """Return the record at `path`, or None where there is none or it is damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        verdicts = tuple(Verdict.from_json(verdict) for verdict in data["verdicts"])
        return Record(**{**data, "verdicts": verdicts, "repairs": from_json(data.get("repairs", ()))})
    except (OSError, ValueError, TypeError, KeyError):
        return None
