"""Gathers a class's results for one assignment from the gradebook and the records. It only reads.

The table of `autograder grade`, the page of `autograder report` and the exported grades all show these results.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from manyheads.checking.pairs import apart
from manyheads.checking.stage import Stage

from ..course.chapter import Chapter
from ..judge.verdict import Verdict
from ..outcomes import Outcome
from ..realign.repairs import sentences
from .class_folder import ClassFolder
from .graded_points import GradedPoints, enrolled, graded_points, max_points, names, penalties
from .history import Grading, noticed
from .record import Record, read_record

NOT_GRADED = "not graded yet"


class State(StrEnum):
    """The state of one exercise.

    `CARRIED` is right, judged with stand-ins for the exercises it builds on. `PARTLY` passed some of its checks.
    `UNKNOWN` was not judged: grading did not reach it.
    """

    RIGHT = "right"
    CARRIED = "carried"
    PARTLY = "partly"
    WRONG = "wrong"
    UNWRITTEN = "not written"
    UNKNOWN = "not judged"


@dataclass(frozen=True)
class ExerciseResult:
    """One learner's result in one exercise.

    Args:
        earned: points in the gradebook, including an instructor's changes.
        points: the exercise's maximum points.
        state: how far it is right.
        misconceptions: the known mistakes named in its verdicts, each once.
        messages: the messages to the learner, one for each check that did not pass.
        group: what its wrong answers have in common with others, if no known mistake was named; "" if unknown.
    """

    earned: float
    points: float
    state: State
    misconceptions: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class LearnerResult:
    """One learner's row.

    Args:
        student: nbgrader's student id.
        outcome: how the submission ended, or "not graded yet".
        reason: why it did not end as "graded"; else "", or what a person should look at.
        score: points in the gradebook, before a late penalty; None if there is no grade.
        exercises: results by exercise, in the lesson's order; empty if there is no grade.
        changed_by_hand: whether an instructor has changed a score.
        repairs: a sentence for each repair made to the notebook before grading.
        sealed: False if the submission ran without the sandbox.
        history: all gradings, the oldest first; a change by hand since the last grading is the last entry.
        manual_scores_to_check: exercises in which a manual score overrides a newer verdict.
        penalty: points that nbgrader takes off for lateness.
    """

    student: str
    outcome: str
    reason: str
    score: float | None
    exercises: Mapping[str, ExerciseResult] = field(default_factory=dict)
    changed_by_hand: bool = False
    repairs: tuple[str, ...] = ()
    sealed: bool = True
    history: tuple[Grading, ...] = ()
    manual_scores_to_check: tuple[str, ...] = ()
    penalty: float = 0.0

    @property
    def final_score(self) -> float | None:
        """The score that counts and is exported: points minus the late penalty, at least zero."""
        return None if self.score is None else max(0.0, self.score - self.penalty)

    @property
    def needs_a_look(self) -> bool:
        """Whether a person should open this submission: its outcome is not "graded", or something in it is unusual."""
        return self.outcome != Outcome.GRADED or bool(self.reason) or bool(self.manual_scores_to_check)


@dataclass(frozen=True)
class MisconceptionCount:
    """The learners who made one known mistake.

    Args:
        exercise: the exercise in which it was made.
        name: the mistake, in the past tense: "forgot to scale".
        hint: the hint that the feedback gives for it.
        students: the students who made it, sorted.
    """

    exercise: str
    name: str
    hint: str
    students: tuple[str, ...]


@dataclass(frozen=True)
class ClassResults:
    """One assignment's results.

    Args:
        assignment: its name.
        title: the lesson's title.
        points: maximum points by exercise, in the lesson's order.
        learners: sorted by student id.
        misconceptions: the most common first.
        missing: students in the gradebook without a submission for this assignment.
        others: maximum points of cells that only the gradebook has, such as questions that are graded by hand.
        names: the learners' names, by student id, as far as the gradebook has them.
    """

    assignment: str
    title: str
    points: Mapping[str, float]
    learners: tuple[LearnerResult, ...]
    misconceptions: tuple[MisconceptionCount, ...]
    missing: tuple[str, ...] = ()
    others: float = 0.0
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def max_score(self) -> float:
        return sum(self.points.values()) + self.others

    @property
    def scores(self) -> list[float]:
        """The final scores of all learners who have one."""
        return [learner.final_score for learner in self.learners if learner.final_score is not None]

    @property
    def unsealed(self) -> list[str]:
        """Students whose code ran without the sandbox: it could have changed anything, including grades."""
        return [learner.student for learner in self.learners if not learner.sealed]

    def pass_rate(self, exercise: str) -> float | None:
        """Return the share (0 … 1) of graded learners with all points in `exercise`; None if nobody was graded."""
        graded = [learner.exercises[exercise] for learner in self.learners if exercise in learner.exercises]
        if not graded:
            return None
        return sum(result.earned >= result.points for result in graded) / len(graded)


def class_results(folder: ClassFolder, assignment: str) -> ClassResults:
    """Gather the results of `assignment`."""
    chapter = folder.chapter(assignment)
    worth = max_points(folder.gradebook_url, assignment)
    points = {
        name: sum(worth.get(cell.grade_id, cell.points) for cell in chapter.cells_of(name))
        for name in chapter.exercises
    }
    others = sum(worth[cell] for cell in worth if chapter.graded_cell(cell) is None)
    students = folder.students(assignment)
    in_gradebook = graded_points(folder.gradebook_url, assignment)
    late = penalties(folder.gradebook_url, assignment)
    learners = tuple(
        replace(_learner(folder, in_gradebook.get(student), chapter, student, points), penalty=late.get(student, 0.0))
        for student in students
    )
    missing = tuple(sorted(set(enrolled(folder.gradebook_url)) - set(students)))
    return ClassResults(
        assignment,
        chapter.title,
        points,
        learners,
        _misconceptions(chapter, learners),
        missing,
        others,
        names(folder.gradebook_url),
    )


def _misconceptions(chapter: Chapter, learners: tuple[LearnerResult, ...]) -> tuple[MisconceptionCount, ...]:
    """Return the known mistakes that learners made, the most common first."""
    made: dict[tuple[str, str], list[str]] = {}
    for learner in learners:
        for exercise, result in learner.exercises.items():
            for mistake in result.misconceptions:
                made.setdefault((exercise, mistake), []).append(learner.student)
    hints = {(e.name, mistake.name): mistake.hint for e, mistake in chapter.misconceptions()}
    # A mistake may have been renamed or removed since it was recorded.
    told = [(name, result) for learner in learners for name, result in learner.exercises.items()]
    return tuple(
        MisconceptionCount(
            exercise,
            mistake,
            hints.get((exercise, mistake))
            or next((hint for name, result in told if name == exercise and (hint := _hint_in(result, mistake))), ""),
            tuple(students),
        )
        for (exercise, mistake), students in sorted(made.items(), key=lambda item: -len(item[1]))
    )


def _hint_in(result: ExerciseResult, mistake: str) -> str:
    """Return the hint for a mistake that a recorded message gives, "" if none does."""
    named = f"This is what comes out if you {mistake}."
    paragraphs = [" ".join(text.split()) for message in result.messages for text in re.split(r"\n\s*\n", message)]
    return next((text.removeprefix(named).strip() for text in paragraphs if text.startswith(named)), "")


def _learner(
    folder: ClassFolder,
    in_gradebook: Mapping[str, GradedPoints] | None,
    chapter: Chapter,
    student: str,
    points: Mapping[str, float],
) -> LearnerResult:
    assignment = chapter.name
    record = read_record(folder.record_path(student, assignment))
    if record is None:
        return LearnerResult(student, NOT_GRADED, f"run: autograder grade {folder.root.name}", None)
    if not record.verdicts:
        return LearnerResult(
            student, record.outcome, record.reason, None, sealed=record.sealed, history=record.gradings
        )
    if in_gradebook is None:
        return LearnerResult(
            student, Outcome.NEEDS_REVIEW, "it was judged, but the gradebook has no entry for it", None
        )
    exercises, to_check = {}, []
    for name in chapter.exercises:
        cells = [in_gradebook[cell.grade_id] for cell in chapter.cells_of(name) if cell.grade_id in in_gradebook]
        exercises[name] = _exercise(record, name, points[name], sum(cell.points for cell in cells))
        if any(cell.to_check for cell in cells):
            to_check.append(name)
    score = sum(cell.points for cell in in_gradebook.values())
    return LearnerResult(
        student,
        record.outcome,
        record.reason,
        score,
        exercises,
        any(cell.changed for cell in in_gradebook.values()),
        tuple(sentences(record.repairs)),
        record.sealed,
        noticed(record.gradings, score, ""),
        tuple(to_check),
    )


def _exercise(record: Record, exercise: str, points: float, earned: float) -> ExerciseResult:
    verdicts = [verdict for verdict in record.verdicts if verdict.exercise == exercise]
    failed = [verdict for verdict in verdicts if verdict.stage != Stage.PASSED]
    return ExerciseResult(
        earned=earned,
        points=points,
        state=_state(verdicts, failed),
        misconceptions=tuple(dict.fromkeys(name for v in failed if v.misconception for name in apart(v.misconception))),
        messages=tuple(dict.fromkeys(verdict.message for verdict in failed)),
        group=next((v.group for v in failed if v.group), "") if not any(v.misconception for v in failed) else "",
    )


def _state(verdicts: list[Verdict], failed: list[Verdict]) -> State:
    if all(verdict.stage in (Stage.TIMEOUT, Stage.CRASHED) for verdict in verdicts):  # also if there are none
        return State.UNKNOWN
    if not failed:
        return State.CARRIED if any(verdict.carried for verdict in verdicts) else State.RIGHT
    if any(verdict.stage == Stage.UNSOLVED for verdict in failed):
        return State.UNWRITTEN
    return State.PARTLY if len(failed) < len(verdicts) else State.WRONG
