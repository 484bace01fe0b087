"""The judge: decides, outside the learner's process, whether what their code answers is right.

It sets the exam from the class's secret seed, has the calls carried out in the learner's kernel (`Ask`), and
compares what comes back. Expected values, reference code and scores never leave this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from manyheads import diagnosis
from manyheads.call import Answer
from manyheads.diagnosis import Finding
from manyheads.exam import Exam, foundations
from manyheads.sources import forbidden_name

from .chapter import Chapter, GradedCell
from .examiner import set_exams
from .verdict import PASSED, Verdict, failed_exercises

# Carries out an exam's calls in the learner's kernel, with stand-ins (source by name) in place, and returns the
# answers: one a trial, whatever happens there.
Ask = Callable[[Exam, Mapping[str, str]], Sequence[Answer]]


class Judge:
    """Judges one submission, graded cell by graded cell, in the notebook's order.

    Args:
        chapter: what was set.
        seed: the class's secret seed.
    """

    def __init__(self, chapter: Chapter, seed: str) -> None:
        self.chapter = chapter
        self.exams = set_exams(chapter, seed)
        self.verdicts: list[Verdict] = []

    def mark(self, cell: GradedCell, ask: Ask, source: str) -> Verdict:
        """Judge one graded cell and remember the verdict.

        Args:
            ask: the way into the learner's kernel.
            source: the cell in which the learner wrote the exercise, "" where there is none.
        """
        exam = self.exams[cell.exercise]
        finding, carried = self._find(exam, cell.check, ask, source)
        return self._remember(cell, finding, carried)

    def give_up(self, cell: GradedCell, stage: str, reason: str) -> Verdict:
        """Record that a cell could not be judged, because of what the learner's code did."""
        return self._remember(cell, Finding(reason, stage), ())

    def _find(self, exam: Exam, check: str, ask: Ask, source: str) -> tuple[Finding | None, tuple[str, ...]]:
        used = forbidden_name(source, exam.forbids)
        if used:
            return diagnosis.forbidden(exam, used), ()
        finding = diagnosis.examine(exam, ask(exam, {}), check)
        if finding is None:
            return None, ()
        failed = failed_exercises(self.verdicts)
        stand_ins = {
            name: self.exams[name].stand_in
            for name in foundations(self.exams, exam.exercise)
            if name in failed and self.exams[name].stand_in
        }
        if not stand_ins:
            return finding, ()
        second = diagnosis.examine(exam, ask(exam, stand_ins), check)
        return diagnosis.with_stand_ins(exam, second, tuple(stand_ins)), tuple(stand_ins)

    def _remember(self, cell: GradedCell, finding: Finding | None, carried: tuple[str, ...]) -> Verdict:
        passed = finding is None
        verdict = Verdict(
            exercise=cell.exercise,
            check=cell.check,
            grade_id=cell.grade_id,
            points=cell.points,
            earned=cell.points if passed else 0,
            stage=PASSED if finding is None else finding.stage,
            message=diagnosis.passed_line(self.exams[cell.exercise], cell.check, carried)
            if finding is None
            else finding.message,
            misconception=None if finding is None else finding.misconception,
            carried=carried,
        )
        self.verdicts.append(verdict)
        return verdict
