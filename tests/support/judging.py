"""Judge code in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autograder.course.chapter import Chapter
from autograder.judge.judge import Judge
from autograder.judge.verdict import Verdict
from manyheads.calling import probe
from manyheads.calling.call import Answer
from manyheads.checking.diagnosis import Ask
from manyheads.checking.exam import Exam


def asking(namespace: dict[str, Any]) -> Ask:
    """A way into a learner's namespace without a kernel."""

    def ask(exam: Exam, stand_ins: Mapping[str, str]) -> Sequence[Answer]:
        with probe.standing_in(namespace, stand_ins):
            return [probe.run(namespace[exam.exercise], trial.call, exam.probe) for trial in exam.trials]

    return ask


def judge_all(chapter: Chapter, **changed: str) -> dict[str, Verdict]:
    judge = Judge(chapter, "secret")
    namespace = chapter.namespace(changed)
    for cell in chapter.graded_cells:
        judge.verdict_for(cell, asking(namespace), changed.get(cell.exercise, ""))
    return {f"{verdict.exercise}.{verdict.check}": verdict for verdict in judge.verdicts}
