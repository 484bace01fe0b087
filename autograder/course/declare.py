"""The classes for declaring a chapter's exercises.

Declarations do not contain the reference solution: it is only in `lesson.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from manyheads.calling.call import Call
from manyheads.checking.exam import Check

from .draw import Draw

__all__ = ["Alternative", "Call", "Case", "Draw", "Exercise", "Misconception", "multiple_choice"]


@dataclass(frozen=True)
class Case:
    """A kind of input.

    Args:
        name: completes "In the case of …".
        draw: makes one from a seeded source.
        gradients: whether gradients are compared here, too, where the exercise's are. False for extreme numbers, of
            which rounding leaves another gradient in each right way.
    """

    name: str
    draw: Callable[[Draw], Call]
    gradients: bool = True


@dataclass(frozen=True)
class Misconception:
    """A known mistake, as an edit of the reference solution's cell.

    Args:
        name: the mistake in the past tense, completing "This is what comes out if you …": "forgot to scale".
        replace: text that occurs exactly once in the exercise's cell.
        by: the text that replaces it when the mistake is made.
        hint: the hint for the learner: the consequence, then the direction, never the code.
        check: the check that must catch it. "outputs": shapes still passes. "shapes": both fail, since values
            of a wrong shape cannot be compared.
        shown_by: conditions on the learner's code, see `manyheads.source.presumed.shows`. The mistake is named only if
            they hold; use them if other code with the same answers would make the name or hint false. Of two mistakes
            with the same answers, the first one that fits is named.
    """

    name: str
    replace: str
    by: str
    hint: str
    check: str = Check.OUTPUTS
    shown_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Alternative:
    """Another correct solution, which must get full marks. `code` is a whole exercise cell."""

    name: str
    code: str


@dataclass(frozen=True)
class Exercise:
    """The declaration of one exercise. See `manyheads.checking.exam.Exam` for the fields that both classes have.

    Args:
        stand_in: the working version with which exercises that build on this one are judged if the learner's version
            failed, and which later chapters import if a learner has none. None: the reference solution. "": nothing.
            Else the source of another working version, with its imports.
        probe: a self-contained function `probe(target, *inputs)` (with its own imports) for exercises that must be
            tested with more than a plain call, or None. Inputs that mean nothing to a learner, such as a seed, have
            names that begin with _: no message shows them.
        gradients: whether gradients are compared too, where the reference has any: with respect to the inputs, and to
            an `nn.Module`'s parameters. False for values through which nothing is trained, such as a score.
        milestones: what the steps of the reference solution are called in a message, `{"scores": "the scores"}`: a
            noun by the name of a variable, or of the function, layer or torch function that returns it. The second
            value of a name has the key "name.2". A wrong answer without a known mistake is followed from step to step.
            The outputs are milestones, too, called as in `returns`: {"output 0": "the turned features"} calls the first
            one something else, and {"output 0": ""} leaves it out.
        optional_milestones: those that another right way does without: they are not called missing.
    """

    name: str
    returns: tuple[str, ...]
    cases: tuple[Case, ...]
    misconceptions: tuple[Misconception, ...]
    alternatives: tuple[Alternative, ...] = ()
    informs: tuple[str, ...] = ()
    builds_on: tuple[str, ...] = ()
    stand_in: str | None = None
    forbids: tuple[str, ...] = ()
    probe: Callable[..., object] | None = None
    exact_zeros: bool = False
    keeps_dtype: bool = False
    conceals: bool = False
    gradients: bool = True
    milestones: Mapping[str, str] = field(default_factory=dict)
    optional_milestones: tuple[str, ...] = ()
    atol: float = 1e-5
    rtol: float = 1e-4


def multiple_choice(name: str, right: str, wrong: Mapping[str, tuple[str, str]]) -> Exercise:
    """Declare a graded question: a function without arguments whose reference returns the letter `right`.

    Args:
        wrong: by letter, a pair of the misconception behind the choice, in the past tense ("took more heads for more
            parameters"), and the hint for the learner, which must not reveal the right letter.
    """
    return Exercise(
        name=name,
        returns=("The answer",),
        cases=(Case("the question", lambda draw: Call({})),),
        misconceptions=tuple(
            Misconception(thought, replace=f'return "{right}"', by=f'return "{letter}"', hint=hint, check="shapes")
            for letter, (thought, hint) in wrong.items()
        ),
        alternatives=(Alternative("a capital letter", f"def {name}():\n    return {right.upper()!r}"),),
        stand_in="",
        probe=_letter,
        conceals=True,
    )


def _letter(target: Callable[[], object]) -> object:
    """Return the letter of an answer in lower case. For other strings, raise an error that explains how to answer."""
    import re

    class NotAnAnswer(Exception):
        """See `manyheads.calling.call.NOT_AN_ANSWER`."""

    try:
        answer = target()
    except NameError as error:
        if len(str(error.name)) != 1:
            raise
        raise NotAnAnswer(
            f'Put the letter in quotes: "{error.name}". Without them Python looks for a variable.'
        ) from None
    if not isinstance(answer, str):
        return answer
    letter = re.fullmatch(r"\W*([a-z])\W*", answer.lower())
    if letter is None:
        raise NotAnAnswer('Answer with the letter alone, in quotes, such as "a".')
    return letter[1]
