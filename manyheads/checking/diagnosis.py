"""Says whether a learner's answers are right and, if not, which mistake they show.

The learner's check and the judge share this module, so that both say the same. It compares data and never runs code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from ..calling.call import Answer
from ..calling.forbidden_calls import FORBIDDEN, TAKEN_AWAY
from ..source.forbidden_names import forbidden_name
from ..source.presumed import shows
from ..source.writes import first_write
from . import wording
from .comparison import first_divergence, same
from .divergence import Divergence
from .exam import Check, Exam, Trial, answer_to, foundations
from .failed_steps import failed_step
from .nothing_computed import depends_on_nothing, nothing_computed
from .pairs import together
from .relations import explain, right_here, right_output
from .stage import Stage
from .wording import Message

# Carries out an exam's calls next to the learner's code, with stand-ins (source by name) in use, and returns the
# answers: one per trial, whatever happens.
Ask = Callable[[Exam, Mapping[str, str]], Sequence[Answer]]

# Stages at which the answer has values to explain.
_EXPLAINED = (Stage.TYPE, Stage.COUNT, Stage.SHAPE, Stage.FINITE, Stage.VALUES)
_LONGEST_NAME = 100  # characters
_OWN_ERROR = "This call should give a result. The error is one that your own line raises: look at what leads to it."


@dataclass(frozen=True)
class Finding:
    """Why a check failed.

    Args:
        message: what the learner reads; `str` of it is several lines of plain text.
        stage: what decided it.
        misconception: the name of the known mistake that gives exactly these answers, or None.
    """

    message: Message
    stage: Stage
    misconception: str | None = None


def examine(exam: Exam, answers: Sequence[Answer], check: Check, source: str = "") -> Finding | None:
    """Return why `answers`, one for each of the exam's trials, fail `check`; None if they pass.

    Args:
        source: what the learner wrote. Without it, mistakes whose name or hint is about the code itself are not named.
    """
    wrong = _first_wrong(exam, answers, check)
    return None if wrong is None else _finding(exam, answers, *wrong, source)


def _first_wrong(exam: Exam, answers: Sequence[Answer], check: Check) -> tuple[Trial, Divergence] | None:
    """Return the first case that fails `check`, and where its answer departs."""
    for trial, given in zip(exam.trials, answers, strict=True):
        divergence = first_divergence(exam, trial, given, check)
        if divergence is not None:
            return trial, divergence
    return nothing_computed(exam, answers) if check == Check.SHAPES else None


def _finding(exam: Exam, answers: Sequence[Answer], trial: Trial, divergence: Divergence, source: str) -> Finding:
    mistake = _known_mistake(exam, answers, trial, source)
    given = answer_to(exam, answers, trial)
    said = wording.message(exam, trial, divergence, mistake)
    if divergence.stage == Stage.RAN and (step := failed_step(exam, answers, trial, named=mistake is not None)):
        said = replace(said, further=(step,))
    elif divergence.stage == Stage.RAN and mistake is None and _refuses(trial, given):
        said = replace(said, further=(_OWN_ERROR,))
    if divergence.stage == Stage.UNTOUCHED and mistake is None:
        written = [(name, first_write(source, exam.exercise, name)) for name in given.changed]
        told = (f"`{code}` writes into {name} itself: make a new tensor instead." for name, code in written if code)
        said = replace(said, further=tuple(told)[:1])
    if mistake is None and divergence.stage in _EXPLAINED:
        related = _written_as_power(exam, trial, source) or explain(exam, answers, trial)
        related = tuple(map(wording.sentence, related))
        right = "" if related else right_output(exam, answers)
        here = "" if related or right else right_here(exam, answers, trial)
        said = replace(said, further=related, right=right or here, group=wording.group(related or (right,)))
    return Finding(said, divergence.stage, mistake)


def _refuses(trial: Trial, given: Answer) -> bool:
    """Return whether the learner's own code raises an error in a case in which none is asked for."""
    return trial.right.failure is None and given.failure is not None and given.failure.cause == "raise"


def _written_as_power(exam: Exam, trial: Trial, source: str) -> tuple[str, ...]:
    """Return what ^ does, if the code uses it on its way to a wrong whole number."""
    counts = type(trial.right.value) is int and shows(source, exam.exercise, ("^",))
    return ("In Python ^ is not a power: 5 ^ 2 is 7, and 5 ** 2 is 25.",) if counts else ()


def decide(
    exams: Mapping[str, Exam], exam: Exam, check: Check, source: str, ask: Ask, failing: Callable[[Exam], bool]
) -> tuple[Finding | None, tuple[str, ...]]:
    """Decide one check: first with the code as it is and, if that fails, with working versions of what it builds on.

    Args:
        exams: all exams that this one may build on, by exercise.
        source: what the learner wrote for this exercise.
        ask: carries out an exam's calls next to the learner's code.
        failing: whether the learner's code fails another exercise's exam.

    Returns:
        (finding, carried): why it fails, or None; and the exercises replaced by stand-ins.
    """

    def find(stand_ins: Mapping[str, str]) -> Finding | None:
        answers = ask(exam, stand_ins)
        used = _forbidden_call(answers)
        if used:
            return _forbidden(exam, used)
        finding = examine(exam, answers, check, source)
        if finding is None and check == Check.SHAPES and _first_wrong(exam, answers, Check.OUTPUTS) is not None:
            nothing = depends_on_nothing(exam, answers, lambda again: ask(again, stand_ins))
            finding = None if nothing is None else _finding(exam, answers, *nothing, source)
        return finding

    finding = forbidden_in(exam, source) or find({})
    if finding is None or finding.stage == Stage.FORBIDDEN:
        return finding, ()
    stand_ins = {
        name: exams[name].stand_in
        for name in foundations(exams, exam.exercise)
        if exams[name].stand_in and failing(exams[name])
    }
    if not stand_ins:
        return finding, ()
    finding = find(stand_ins)
    if finding is not None and finding.stage == Stage.FORBIDDEN:
        return finding, ()
    if finding is not None and finding.stage != Stage.UNSOLVED:  # what is not written has nothing wrong in it
        note = wording.checked_with(exam, tuple(stand_ins))
        finding = replace(finding, message=replace(finding.message, note=note))
    return finding, tuple(stand_ins)


def fails(exam: Exam, answers: Sequence[Answer]) -> bool:
    """Return whether `answers` fail any of the exercise's checks."""
    return any(_first_wrong(exam, answers, check) is not None for check in Check)


def forbidden_in(exam: Exam, source: str) -> Finding | None:
    """Return the finding for source that uses a name that the exercise forbids, None for other source."""
    used = forbidden_name(source, exam.forbids, exam.exercise)
    return _forbidden(exam, used) if used else None


def _forbidden_call(answers: Sequence[Answer]) -> str:
    """Return the forbidden name that was called when the answers were made, or ""."""
    failures = (answer.failure for answer in answers if answer.failure is not None)
    return next((failure.message[:_LONGEST_NAME] for failure in failures if failure.kind == FORBIDDEN), "")


def _forbidden(exam: Exam, name: str) -> Finding:
    """Return the finding for source that uses the forbidden `name`."""
    return Finding(wording.forbidden(exam, name, hidden=name == TAKEN_AWAY), Stage.FORBIDDEN)


def _known_mistake(exam: Exam, answers: Sequence[Answer], failed: Trial, source: str) -> str | None:
    """Return the misconception whose answers these are.

    One case that contradicts a mistake rules it out: in every case where the mistake would show, these must be its
    answers. Of several, one that explains all cases wins. The others leave a second mistake unexplained; then an
    exception of unknown cause is not enough evidence.
    """
    given = dict(zip((trial.name for trial in exam.trials), answers, strict=True))
    explains_failed = None
    for name in exam.hints:
        if name not in failed.wrong or not all(
            same(exam, trial, trial.wrong[name], given[trial.name]) for trial in exam.trials if name in trial.wrong
        ):
            continue
        if not shows(source, exam.exercise, exam.shown_by.get(name, ())):
            continue
        if all(same(exam, trial, trial.right, given[trial.name]) for trial in exam.trials if name not in trial.wrong):
            return name
        failure = given[failed.name].failure
        if failure is None or failure.cause:
            explains_failed = explains_failed or name
    return _two_mistakes(exam, answers, source) or explains_failed or _in_turn(exam, answers, failed, source)


def _in_turn(exam: Exam, answers: Sequence[Answer], failed: Trial, source: str) -> str | None:
    """Return the names of two known mistakes of which one or the other gives the answer in every case.

    The first one gives it where the answer fails first. The second one explains all cases that contradict the first: it
    hides it there. Of several, it is the one that the fewest cases contradict.
    """
    cases = list(zip(exam.trials, answers, strict=True))
    names = [name for name in exam.hints if shows(source, exam.exercise, exam.shown_by.get(name, ()))]

    @cache
    def agrees(name: str, place: int) -> bool | None:
        """Return whether a mistake gives this case's answer; None where it does not show."""
        trial, given = cases[place]
        return same(exam, trial, trial.wrong[name], given) if name in trial.wrong else None

    @cache
    def passes(place: int) -> bool:
        trial, given = cases[place]
        return same(exam, trial, trial.right, given)

    failing = next(place for place, (trial, _) in enumerate(cases) if trial is failed)
    places = range(len(cases))
    for first in (name for name in names if agrees(name, failing)):
        other = [place for place in places if not agrees(first, place)]
        missed = [place for place in other if agrees(first, place) is not None or not passes(place)]
        if not missed or len(cases) - len(other) < 2:
            continue
        seconds = [
            second
            for second in names
            if all(agrees(second, place) for place in missed)
            and all(agrees(second, place) or (agrees(second, place) is None and passes(place)) for place in other)
        ]
        if seconds:
            contradicted = {second: sum(agrees(second, place) is False for place in places) for second in seconds}
            return together((first, min(seconds, key=contradicted.__getitem__)))
    return None


def _two_mistakes(exam: Exam, answers: Sequence[Answer], source: str) -> str | None:
    """Return the name of the first two known mistakes that give these answers if both are made."""
    if exam.pairs is None or exam.conceals:
        return None
    for names in exam.pairs.found(exam, answers):
        if all(shows(source, exam.exercise, exam.shown_by.get(name, ())) for name in names):
            return together(names)
    return None
