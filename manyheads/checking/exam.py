"""An exam: everything needed to check one exercise, as data.

`autograder.course.exams` sets exams, from a visible seed for `manyheads/fixtures/` and from a secret one for the
judge. `diagnosis.py` reads them. An exam holds no code of the reference solution, only what it returned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ..calling.call import Answer, Call

if TYPE_CHECKING:
    from .milestones import Milestone
    from .pairs import Pairs


class Check(StrEnum):
    """A check of an exercise. Each is worth points of its own."""

    SHAPES = "shapes"
    OUTPUTS = "outputs"


@dataclass(frozen=True)
class Trial:
    """One case of an exercise, drawn.

    Args:
        name: what is special about it, completing "In the case of …".
        sizes: the dimensions by name, `{"batch": 2, "seq": 5}`, all different, so that a shape can be read back.
        call: the call of the learner's code.
        right: the reference solution's answer.
        wrong: its answer with one known mistake in it, by the misconception's name.
        milestones: what the reference solution computes on its way to the outputs, in its order.
    """

    name: str
    sizes: Mapping[str, int]
    call: Call
    right: Answer
    wrong: Mapping[str, Answer]
    milestones: tuple[Milestone, ...] = ()


@dataclass(frozen=True, eq=False)  # tensors have no plain equality: an exam equals only itself
class Exam:
    """All cases of one exercise, with what is needed to explain a wrong answer.

    Args:
        exercise: the name of the function or class that the learner writes.
        returns: names of the outputs, `("output", "weights")`.
        informs: those of them that are not compared, and only help to explain what is wrong with the others.
        trials: the cases.
        hints: what to tell a learner, by misconception.
        shown_by: by misconception, conditions on the learner's code, without which it is not named; see
            `manyheads.source.presumed.shows`.
        points: what each check is worth, by check.
        builds_on: exercises whose code this one may call.
        stand_in: source that defines a working object of this name, for exercises that build on it; sealed in learners'
            files (`manyheads.calling.sealed`). "" if there is none.
        forbids: names that the learner's source may not use.
        probe: source of a function `probe(target, *inputs)` that replaces the plain call, or "".
        exact_zeros: whether an entry that is exactly 0 in the right answer must be exactly 0.
        keeps_dtype: whether numbers must have exactly the right answer's dtype, as the lesson then says. Otherwise
            float64 may replace float32; booleans, whole numbers and fractions never replace each other.
        conceals: whether messages hide the right answer, as for multiple choice.
        atol: absolute tolerance for float32 values.
        rtol: relative tolerance for float32 values.
        pairs: what two known mistakes at once give.
    """

    exercise: str
    returns: tuple[str, ...]
    trials: tuple[Trial, ...]
    hints: Mapping[str, str]
    shown_by: Mapping[str, Sequence[str]] = field(default_factory=dict)
    points: Mapping[str, float] = field(default_factory=dict)
    informs: tuple[str, ...] = ()
    builds_on: tuple[str, ...] = ()
    stand_in: str = field(default="", repr=False)
    forbids: tuple[str, ...] = ()
    probe: str = ""
    exact_zeros: bool = False
    keeps_dtype: bool = False
    conceals: bool = False
    atol: float = 1e-5
    rtol: float = 1e-4
    pairs: Pairs | None = field(default=None, repr=False)


def answer_to(exam: Exam, answers: Sequence[Answer], trial: Trial) -> Answer:
    """Return the one of `answers`, one for each of the exam's trials, that was given to `trial`."""
    return next(given for other, given in zip(exam.trials, answers, strict=True) if other is trial)


def foundations(exams: Mapping[str, Exam], exercise: str) -> list[str]:
    """Return the exercises that `exercise` builds on, directly or through others, in the order of `exams`."""
    found: set[str] = set()
    open_names = list(exams[exercise].builds_on)
    while open_names:
        name = open_names.pop()
        if name in exams and name not in found:
            found.add(name)
            open_names += exams[name].builds_on
    return [name for name in exams if name in found]
