"""The judge: decides, outside the learner's process, whether the answers of their code are right.

It draws the exams from the class's secret seed, asks the learner's kernel to carry out the calls (`Ask`), and compares
the answers. Expected values, reference code and scores never leave this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from manyheads.calling.call import Answer, missing
from manyheads.checking import diagnosis, first_wrong_line, wording
from manyheads.checking.diagnosis import Ask, Finding
from manyheads.checking.exam import Check, Exam, foundations
from manyheads.checking.stage import Stage

from ..course.chapter import Chapter, GradedCell
from ..course.exams import exam_with_milestones, set_exams
from ..safe_text import clean
from .interview import Records
from .learner_source import ready_made
from .verdict import Verdict

# Has an exam's calls made once more next to the learner's code, with stand-ins in place.
Record = Callable[[Exam, Mapping[str, str]], Records]


@dataclass(frozen=True)
class _Unexplained:
    """A wrong answer of which only is known where it departs.

    Args:
        place: of its verdict among all.
        stand_ins: source by exercise, as it was asked.
    """

    place: int
    finding: Finding
    exam: Exam
    stand_ins: Mapping[str, str]
    answers: Sequence[Answer]


class Judge:
    """Judges one submission, graded cell by graded cell, in the notebook's order.

    Args:
        chapter: the chapter of the submission.
        seed: the class's secret seed.
    """

    def __init__(self, chapter: Chapter, seed: str) -> None:
        self.chapter = chapter
        self.exams = set_exams(chapter, seed)
        self.verdicts: list[Verdict] = []
        self._seed = seed
        self._unexplained: list[_Unexplained] = []
        self._settled: dict[tuple[str, str], tuple[Finding | None, tuple[str, ...]]] = {}  # by exercise and check

    def verdict_for(self, cell: GradedCell, ask: Ask, source: str) -> Verdict:
        """Judge one graded cell, and store the verdict.

        Args:
            ask: asks the learner's kernel.
            source: the source of all cells in which the learner wrote the exercise; "" if there is none.
        """
        exam = self.exams[cell.exercise]

        def failing(other: Exam) -> bool:
            judged = [v for v in self.verdicts if v.exercise == other.exercise]
            if len(judged) == len(Check):
                return any(verdict.stage != Stage.PASSED or verdict.carried for verdict in judged)
            # Its checks come after this one, but are decided now, before a stand-in is given: the learner's code could
            # store the stand-in and return it as its own solution later.
            answers = ask(other, {})
            if not diagnosis.fails(other, answers) or all(a.failure == missing(other.exercise) for a in answers):
                return False
            # A stand-in contains the exercises that it builds on. If one of them is still to be judged, the learner's
            # code could return that part as its own solution.
            if any(self._is_to_come(name, ask) for name in foundations(self.exams, other.exercise)):
                return False
            for check in Check:
                if (other.exercise, check) not in self._settled:
                    decided = diagnosis.decide(self.exams, other, check, "", ask, failing)
                    self._settled[other.exercise, check] = decided
            return True

        taken = ready_made(source, self.chapter.earlier)
        if taken:
            why = wording.Message(
                f"Your code uses {taken}, the course's ready-made solution.",
                further=(f"Write {cell.exercise} yourself.",),
            )
            return self._remember(cell, Finding(why, Stage.FORBIDDEN), ())
        settled = self._settled.get((cell.exercise, cell.check))
        if settled and diagnosis.forbidden_in(exam, source) is None:
            return self._remember(cell, *settled)
        finding, carried = diagnosis.decide(self.exams, exam, cell.check, source, ask, failing)
        if finding is not None and first_wrong_line.is_unexplained(finding):
            stand_ins = {name: self.exams[name].stand_in for name in carried}
            place = len(self.verdicts)
            self._unexplained.append(_Unexplained(place, finding, exam, stand_ins, ask(exam, stand_ins)))
        return self._remember(cell, finding, carried)

    def explain(self, record: Record) -> list[Verdict]:
        """Say of wrong answers that nothing explains up to which line the code is right. Return those verdicts.

        Points and all else in a verdict stay as they are. To be called when every cell has been judged.

        Args:
            record: asks once more, and for the steps of each call too; it returns nothing where that fails.
        """
        records: dict[tuple[str, tuple[str, ...]], Records] = {}
        explained: list[Verdict] = []
        for one in self._unexplained:
            exam = exam_with_milestones(self.chapter, self._seed, one.exam.exercise)
            if not first_wrong_line.may_tell(one.finding, exam):
                continue
            asked = one.exam.exercise, tuple(one.stand_ins)
            if asked not in records:
                places = first_wrong_line.departing(exam, one.answers)
                watched = replace(one.exam, trials=tuple(one.exam.trials[place] for place in places))
                made = record(watched, one.stand_ins) if places else ()
                records[asked] = first_wrong_line.of_all(one.answers, places, made) if made else ()
            finding = first_wrong_line.explained(one.finding, exam, one.answers, records[asked])
            if finding is not one.finding:
                before = self.verdicts[one.place]
                message, group = clean(str(finding.message)), finding.message.group
                self.verdicts[one.place] = replace(before, message=message, group=group)
                explained.append(self.verdicts[one.place])
        self._unexplained.clear()
        return explained

    def _is_to_come(self, exercise: str, ask: Ask) -> bool:
        """Return whether an exercise is neither judged nor defined yet."""
        if any(verdict.exercise == exercise for verdict in self.verdicts):
            return False
        return all(answer.failure == missing(exercise) for answer in ask(self.exams[exercise], {}))

    def give_up(self, cell: GradedCell, stage: Stage, reason: str) -> Verdict:
        """Store a verdict without points for a cell that could not be judged because of the learner's code."""
        return self._remember(cell, Finding(wording.Message(reason), stage), ())

    def _remember(self, cell: GradedCell, finding: Finding | None, carried: tuple[str, ...]) -> Verdict:
        verdict = Verdict(
            exercise=cell.exercise,
            check=cell.check,
            grade_id=cell.grade_id,
            points=cell.points,
            earned=cell.points if finding is None else 0,
            stage=Stage.PASSED if finding is None else finding.stage,
            message=wording.passed_line(self.exams[cell.exercise], cell.check, carried)
            if finding is None
            else clean(str(finding.message)),
            misconception=None if finding is None else finding.misconception,
            carried=carried,
            group="" if finding is None else finding.message.group,
        )
        self.verdicts.append(verdict)
        return verdict
