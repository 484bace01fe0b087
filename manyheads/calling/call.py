"""Calls of a learner's code and their answers, as plain data.

The builder draws a `Call` for each case that a learner sees, the judge for its secret ones.
`probe.py` carries it out next to the learner's code and returns an `Answer`; nothing here computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# The exception that a probe raises, with its own sentence, for a value that cannot be an answer.
NOT_AN_ANSWER = "NotAnAnswer"

# Anything that `wire.py` can carry: None, bool, int, float, str, torch.dtype, torch.device,
# Tensor, and tuples, lists and dicts of those.
Value = object


@dataclass(frozen=True)
class Opaque:
    """A placeholder for a value that cannot travel as data, such as an object of the learner's own class.

    Its `kind` is the type's name: enough to say "expected a tensor, got a generator".
    """

    kind: str


@dataclass(frozen=True)
class Call:
    """One call of an exercise.

    Args:
        inputs: by name, passed in this order and by position. No message says anything of a name that begins with _: it
            is for the probe alone, and means nothing to a learner.
        init: for an `nn.Module`: the arguments of its constructor, in order. None for a function.
        state: for an `nn.Module`: its parameters by name, copied in before the call.
        training: for an `nn.Module`: whether it is called in training mode.
        cotangent: draws the cotangents of the outputs, see `backward.py`. None: no gradient is asked for.
    """

    inputs: Mapping[str, Value]
    init: Mapping[str, Value] | None = None
    state: Mapping[str, Tensor] | None = None
    training: bool = False
    cotangent: float | None = None


@dataclass(frozen=True)
class Operand:
    """A part of an expression that failed.

    Args:
        text: its source, "k.transpose(1, 2)".
        what: what it is, "a Linear layer from 8 to 16", or what else matters of a tensor, "float64"; "" for nothing.
        shape: its shape, None where it is not a tensor.
    """

    text: str
    what: str = ""
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class FailedStep:
    """The learner's expression that failed, as `failed_step.py` found it.

    Args:
        expression: its source.
        operands: what it was made of.
        why: what does not fit, in a sentence or two.
        advice: what would fit, a guess: "" for none. It is not for a mistake that has a name.
    """

    expression: str
    operands: tuple[Operand, ...]
    why: str
    advice: str = ""


@dataclass(frozen=True)
class Failure:
    """An exception that the learner's code raised.

    Args:
        kind: the exception's type, `"RuntimeError"`.
        message: its text, shortened.
        line: the learner's own line that was running, stripped; "" where there is none.
        cause: what it was raised for, see `cause.py`; "" if unknown.
        step: the expression that raised it, with its operands; None if that is uncertain.
    """

    kind: str
    message: str
    line: str = ""
    cause: str = ""
    step: FailedStep | None = field(default=None, compare=False)


def missing(exercise: str) -> Failure:
    """Return the failure of a call if no name like the exercise's is defined."""
    return Failure("NameError", f"there is no {exercise} here")


@dataclass(frozen=True)
class Gradients:
    """The gradients from the outputs of one call.

    Args:
        by_output: for each output, the gradient of each input and parameter that it depends on, by name; None if
            nothing flows back from it.
        failure: what was raised on the way back, or by the second call, which torch records.
    """

    by_output: tuple[Mapping[str, Tensor] | None, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True)
class Answer:
    """The answer to one call.

    Args:
        value: what was returned; None if `failure` is set or the parameters did not fit.
        failure: what was raised instead.
        parameters: an `nn.Module`'s parameters and their shapes, None for a function.
        changed: names of the inputs that the call changed in place.
        gradients: the gradients from the outputs; None if they were not asked for.
    """

    value: Value = None
    failure: Failure | None = None
    parameters: Mapping[str, tuple[int, ...]] | None = None
    changed: tuple[str, ...] = ()
    gradients: Gradients | None = None
