"""Sets exams: draws the cases of each exercise from a seed, and computes the answers of the reference solution and of
each known mistake.

The builder uses a visible seed, for learners' checks; the judge uses the class's secret seed. Reference code runs only
here, in the grader's own process.
"""

from __future__ import annotations

import inspect
import textwrap
import threading
from dataclasses import replace
from functools import lru_cache

from manyheads import earlier
from manyheads.calling import probe
from manyheads.calling.call import Answer, Call
from manyheads.checking import comparison
from manyheads.checking.exam import Exam, Trial

from ..problems import Problem
from .chapter import Chapter
from .declare import Exercise
from .draw import Draw
from .milestones import sealed, with_milestones
from .pairs import PairsOfExam, known_pairs

_lock = threading.Lock()
VISIBLE_SEED = "the cases that every learner sees"


@lru_cache(maxsize=64)
def _exams(chapter: Chapter, seed: str) -> dict[str, Exam]:
    reference = chapter.namespace()
    with earlier.given(chapter.earlier):
        return {name: _exam(chapter, exercise, seed, reference[name]) for name, exercise in chapter.exercises.items()}


def set_exams(chapter: Chapter, seed: str) -> dict[str, Exam]:
    """Return an exam for each exercise of `chapter`, in the lesson's order. The same seed gives the same exams."""
    with _lock:  # several submissions are judged at once, and setting exams changes `manyheads.earlier` globally
        return _exams(chapter, seed)


def exam_with_milestones(chapter: Chapter, seed: str, exercise: str) -> Exam:
    """Return one of the exams that `set_exams` sets, with what the reference solution computes on its way."""
    set_exams(chapter, seed)
    with _lock:
        return _with_milestones(chapter, seed, exercise)


@lru_cache(maxsize=256)
def _with_milestones(chapter: Chapter, seed: str, exercise: str) -> Exam:
    with earlier.given(chapter.earlier):
        reference = chapter.namespace()
        declared = chapter.exercises[exercise]
        return with_milestones(_exams(chapter, seed)[exercise], declared, reference[exercise], reference)


def learners_exams(chapter: Chapter) -> list[Exam]:
    """Return the exams that learners' checks use, in the lesson's order: nothing of what they hold gives away more
    than the right answers to them.
    """
    exams = [exam_with_milestones(chapter, VISIBLE_SEED, name) for name in set_exams(chapter, VISIBLE_SEED)]
    with _lock:
        return [sealed(replace(exam, pairs=known_pairs(chapter, exam))) for exam in exams]


def _exam(chapter: Chapter, exercise: Exercise, seed: str, reference: object) -> Exam:
    source = textwrap.dedent(inspect.getsource(exercise.probe)) if exercise.probe else ""
    source = source.replace(f"def {exercise.probe.__name__}(", "def probe(", 1) if exercise.probe else ""
    mutants = {
        mistake.name: chapter.namespace({exercise.name: chapter.mistaken(exercise.name, mistake)})[exercise.name]
        for mistake in exercise.misconceptions
    }
    trials = []
    for case in exercise.cases:
        draw = Draw(seed, chapter.name, exercise.name, case.name)
        call = case.draw(draw)
        if exercise.gradients and case.gradients:
            call = _with_gradients(
                chapter, exercise, case.name, replace(call, cotangent=draw.cotangent()), reference, source
            )
        wrong = {name: _without_message(probe.run(mutant, call, source)) for name, mutant in mutants.items()}
        right = _without_message(probe.run(reference, call, source))
        trials.append(Trial(case.name, draw.sizes_by_name, call, right, wrong))
    exam = Exam(
        exercise=exercise.name,
        returns=exercise.returns,
        informs=exercise.informs,
        trials=(),
        hints={mistake.name: mistake.hint for mistake in exercise.misconceptions},
        shown_by={mistake.name: list(mistake.shown_by) for mistake in exercise.misconceptions if mistake.shown_by},
        points={cell.check: cell.points for cell in chapter.cells_of(exercise.name)},
        builds_on=exercise.builds_on,
        stand_in=chapter.stand_ins.get(exercise.name, ""),
        forbids=exercise.forbids,
        probe=source,
        exact_zeros=exercise.exact_zeros,
        keeps_dtype=exercise.keeps_dtype,
        conceals=exercise.conceals,
        atol=exercise.atol,
        rtol=exercise.rtol,
    )
    exam = replace(exam, trials=tuple(_only_different(exam, trial) for trial in trials))
    return replace(exam, pairs=PairsOfExam(chapter, exam, _lock))


def _without_message(answer: Answer) -> Answer:
    """Return `answer` without the message of an exception, which differs between versions, and without its line."""
    failure = answer.failure
    return answer if failure is None else replace(answer, failure=replace(failure, message="", line="", step=None))


def _with_gradients(
    chapter: Chapter, exercise: Exercise, case: str, call: Call, reference: object, probe_source: str
) -> Call:
    """Return `call` unchanged if the reference solution has gradients, else a call that asks for none.

    Raises:
        Problem: if a gradient of the reference solution is not finite.
    """
    gradients = probe.run(reference, call, probe_source).gradients
    none = gradients is None or gradients.failure is not None or not any(gradients.by_output)
    if none or gradients is None:
        return replace(call, cotangent=None)
    for found in gradients.by_output:
        for name, gradient in (found or {}).items():
            if not gradient.isfinite().all():
                raise Problem(
                    f"{chapter.folder}: {exercise.name}, case {case!r}: the reference's gradient of {name} is not "
                    "finite; correct it, or declare gradients=False"
                )
    return call


def _only_different(exam: Exam, trial: Trial) -> Trial:
    """Drop the mistakes that do not affect this case: a mistake missing from `wrong` gives the right answer here."""
    wrong: dict[str, Answer] = {
        name: _without_needless_gradients(exam, trial, _without_what_informs(exam, trial, answer))
        for name, answer in trial.wrong.items()
        if not comparison.same(exam, trial, trial.right, answer)
    }
    return replace(trial, wrong=wrong)


def _without_needless_gradients(exam: Exam, trial: Trial, answer: Answer) -> Answer:
    """Drop a mistake's gradients if its values are wrong already: they would double the size of the fixtures."""
    right, without = replace(trial.right, gradients=None), replace(answer, gradients=None)
    return answer if comparison.same(exam, trial, right, without) else without


def _without_what_informs(exam: Exam, trial: Trial, answer: Answer) -> Answer:
    """Return a mistake's answer with None in the place of what is not compared."""
    right, wrong = trial.right.value, answer.value
    if not isinstance(right, tuple) or not isinstance(wrong, tuple) or len(right) != len(wrong) or not exam.informs:
        return answer
    both = zip(exam.returns, wrong, strict=True)
    return replace(answer, value=tuple(None if name in exam.informs else value for name, value in both))
