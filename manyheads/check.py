"""The learner's checks: `check.shapes(f)` and `check.outputs(f)` at the end of each exercise.

A passing check prints one line. A failing one raises `CheckFailed`, which a notebook shows as its message alone.
Checks compare with stored answers (`manyheads/fixtures/`): no reference solution is needed, and none is here.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import MutableMapping
from typing import Any

from . import diagnosis, probe
from .call import Answer
from .diagnosis import Finding
from .exam import CHECKS, OUTPUTS, SHAPES, Exam, foundations
from .fixtures import all_exams
from .sources import forbidden_name

_BOLD_RED, _PLAIN = "\x1b[1;31m", "\x1b[0m"


class CheckFailed(Exception):
    """A check that did not pass. Notebooks show its message without a traceback."""

    def __init__(self, title: str, message: str) -> None:
        super().__init__(f"{title}\n\n{message}")
        self.title, self.message = title, message

    def _render_traceback_(self) -> list[str]:  # called by IPython in place of its own rendering
        return [f"{_BOLD_RED}{self.title}{_PLAIN}", "", *self.message.splitlines()]


def shapes(target: Any) -> None:
    """Check that the exercise `target` runs and that what it returns has the right number, shapes and dtypes.

    Raises:
        CheckFailed: with the first thing that is not right.
        TypeError: if `target` is no exercise of this course.
    """
    _check(target, SHAPES, sys._getframe(1).f_globals)


def outputs(target: Any) -> None:
    """Check that the exercise `target` returns the right numbers.

    Raises:
        CheckFailed: with the first thing that is not right and, where it is a known one, the mistake behind it.
        TypeError: if `target` is no exercise of this course.
    """
    _check(target, OUTPUTS, sys._getframe(1).f_globals)


def _check(target: Any, check: str, namespace: MutableMapping[str, Any]) -> None:
    exam = _exam_of(target, namespace)
    finding, carried = judge(exam, check, target, namespace)
    if finding is not None:
        raise CheckFailed(diagnosis.failed_title(exam.exercise, check), finding.message)
    print(diagnosis.passed_line(exam, check, carried))


def judge(
    exam: Exam, check: str, target: Any, namespace: MutableMapping[str, Any]
) -> tuple[Finding | None, tuple[str, ...]]:
    """Check `target` and, if it fails, once more with working stand-ins for what it builds on.

    Args:
        namespace: where the learner's code looks its names up.

    Returns:
        (finding, carried): why it fails, or None; and the exercises that stand-ins worked for.
    """
    used = forbidden_name(_source_of(target), exam.forbids)
    if used:
        return diagnosis.forbidden(exam, used), ()
    finding = diagnosis.examine(exam, _answers(exam, target), check)
    if finding is None:
        return None, ()
    exams = all_exams()
    stand_ins = {
        name: exams[name].stand_in
        for name in foundations(exams, exam.exercise)
        if exams[name].stand_in and not _right(exams[name], namespace)
    }
    if not stand_ins:
        return finding, ()
    with probe.standing_in(namespace, stand_ins):
        second = diagnosis.examine(exam, _answers(exam, target), check)
    return diagnosis.with_stand_ins(exam, second, tuple(stand_ins)), tuple(stand_ins)


def _right(exam: Exam, namespace: MutableMapping[str, Any]) -> bool:
    if exam.exercise not in namespace:
        return False
    answers = _answers(exam, namespace[exam.exercise])
    return all(diagnosis.examine(exam, answers, check) is None for check in CHECKS)


def _answers(exam: Exam, target: Any) -> list[Answer]:
    return [probe.run(target, trial.call, exam.probe) for trial in exam.trials]


def _exam_of(target: Any, namespace: MutableMapping[str, Any]) -> Exam:
    exams = all_exams()
    # The name that the caller gave it counts most: a decorated function may have lost its own.
    names = [name for name in exams if namespace.get(name) is target] or [getattr(target, "__name__", "")]
    if names[0] not in exams:
        raise TypeError(
            f"A check takes the function or class that you wrote, such as check.shapes({next(iter(exams))}); "
            f"this is {type(target).__name__} {names[0]}"
        )
    return exams[names[0]]


def _source_of(target: Any) -> str:
    """Return the source of the whole cell that defines `target`, "" where there is none."""
    function = getattr(target, "forward", target)
    code = getattr(function, "__code__", None)
    return "".join(linecache.getlines(code.co_filename)) if code else ""
