"""The record of each graded submission, stored beside the gradebook: its outcome, and the verdicts behind its score.

A record is a JSON file, `outcomes/ASSIGNMENT/STUDENT.json`. It is replaced atomically: a run that is stopped at any
moment leaves the old record or the new one. A new record continues the history of the one that it replaces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from manyheads.whole_file import whole_file

from ..judge.verdict import Verdict
from ..outcomes import Outcome
from ..realign.repairs import Repair, from_json
from .graded_points import GradedPoints
from .history import Grading, Why, noticed, total, why


@dataclass(frozen=True)
class Record:
    """The outcome of one submission.

    Args:
        student: nbgrader's student id.
        assignment: the chapter.
        outcome: how grading ended.
        reason: why it did not end as "graded", in words; else "", or what a person should look at.
        fingerprint: digests of the submission and of everything else that affects its grade; while it stays the same,
            the submission need not be graded again.
        graded_at: UTC, ISO 8601.
        seconds: wall time of the submission's run.
        verdicts: the verdicts on its graded cells.
        repairs: the repairs made to the notebook before grading.
        sealed: False if it ran without the sandbox.
        history: all gradings so far, this one last; () in records of versions without a history.
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
        """The history; if the record has none, its own grading as the only entry."""
        if self.history:
            return self.history
        return (Grading(self.graded_at, total(self.verdicts, {}), self.outcome, Why.FIRST),)

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
        *,
        sealed: bool = True,
    ) -> Record:
        """Make a record that is dated now."""
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

    def write(self, path: Path, points: Mapping[str, GradedPoints] | None = None) -> None:
        """Write the record atomically. It continues the history of the record that it replaces.

        Args:
            path: the path of the submission's record.
            points: the submission's points in the gradebook by cell, with changes by hand.
        """
        data = {
            **vars(self._after(read_record(path), points or {})),
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "repairs": [vars(repair) for repair in self.repairs],
        }
        data["history"] = [vars(grading) for grading in data["history"]]
        # One line per field, as it always was: records that are written again stay the same.
        lines = (f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in data.items())
        text = "{\n" + ",\n".join(lines) + "\n}\n"
        with whole_file(path) as beside:
            # The name of a folder that is not UTF-8 contains surrogates, which are written as JSON escapes.
            beside.write_bytes(text.encode(errors="backslashreplace"))

    def _after(self, before: Record | None, points: Mapping[str, GradedPoints]) -> Record:
        score = total(self.verdicts, points)
        if before is None:
            return replace(self, history=(Grading(self.graded_at, score, self.outcome, Why.FIRST),))
        # Manual scores survive regrading, so the old verdicts plus `points` give the score until now.
        gradings = before.gradings
        if self.verdicts:
            gradings = noticed(gradings, total(before.verdicts, points), self.graded_at)
        this = Grading(self.graded_at, score, self.outcome, why(before.fingerprint, self.fingerprint))
        return replace(self, history=(*gradings, this))


def read_record(path: Path) -> Record | None:
    """Return the record at `path`, or None if it does not exist or is damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        fields: dict[str, Any] = {
            **data,
            "outcome": Outcome(data["outcome"]),
            "verdicts": tuple(Verdict.from_json(verdict) for verdict in data["verdicts"]),
            "repairs": from_json(data.get("repairs", ())),
            "history": tuple(Grading.from_json(grading) for grading in data.get("history", ())),
        }
        return Record(**fields)
    except (OSError, ValueError, TypeError, KeyError):
        return None
