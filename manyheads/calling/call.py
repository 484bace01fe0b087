"""What is asked of a learner's code, and what came back, as plain data.

A `Call` is drawn by whoever checks: the builder for the cases a learner sees, the judge for its secret ones.
`probe.py` carries it out next to the learner's code and returns an `Answer`; nothing here computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# The exception by which a probe says, in its own sentence, that what came back cannot be an answer.
NOT_AN_ANSWER = "NotAnAnswer"

# Anything that `wire.py` can carry: None, bool, int, float, str, torch.dtype, torch.device,
# Tensor, and tuples, lists and dicts of those.
Value = object


@dataclass(frozen=True)
class Opaque:
    """Stands for a value that cannot travel as data, such as an object of the learner's own class.

    Its `kind` is the type's name: enough to say "expected a tensor, got a generator".
    """

    kind: str


@dataclass(frozen=True)
class Call:
    """One call of an exercise.

    Args:
        inputs: by name, passed in this order and by position.
        init: for an `nn.Module`: the arguments of its constructor, in order. None for a function.
        state: for an `nn.Module`: its parameters by name, copied in before the call.
        training: for an `nn.Module`: whether it is called in training mode.
        cotangent: draws what stands for the derivative of a loss by each output, see `backward.py`. None: no
            gradient is asked for.
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
    """

    expression: str
    operands: tuple[Operand, ...]
    why: str


@dataclass(frozen=True)
class Failure:
    """An exception that the learner's code raised.

    Args:
        kind: the exception's type, `"RuntimeError"`.
        message: its text, shortened.
        line: the learner's own line that was running, stripped; "" where there is none.
        cause: what it was raised for, see `cause.py`; "" where that is not known.
        step: the expression that raised it, with what it was given; None where there is nothing certain to say.
    """

    kind: str
    message: str
    line: str = ""
    cause: str = ""
    step: FailedStep | None = field(default=None, compare=False)


def missing(exercise: str) -> Failure:
    """Return the failure of a call where nothing of the exercise's name is there."""
    return Failure("NameError", f"there is no {exercise} here")


@dataclass(frozen=True)
class Gradients:
    """What flows back from the outputs of one call.

    Args:
        by_output: for each output, the gradient of each input and parameter that it depends on, by name; None where
            nothing flows back from it.
        failure: what was raised on the way back, or when the call was made once more so that torch could record it.
    """

    by_output: tuple[Mapping[str, Tensor] | None, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True)
class Answer:
    """What one call gave.

    Args:
        value: what was returned; None where `failure` is set or the parameters did not fit.
        failure: what was raised instead.
        parameters: an `nn.Module`'s parameters and their shapes, None for a function.
        changed: names of the inputs that the call changed in place.
        gradients: what flows back from the outputs; None where nobody has asked.
    """

    value: Value = None
    failure: Failure | None = None
    parameters: Mapping[str, tuple[int, ...]] | None = None
    changed: tuple[str, ...] = ()
    gradients: Gradients | None = None
