"""Says whether answers of the right shapes compute nothing: all zeros, all ones, all NaN, whatever is asked.

Used by `manyheads.diagnosis`: nobody earns the points for the shapes with an empty tensor of the right size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .call import Answer, Value
from .divergence import Divergence
from .exam import Exam, Trial


def nothing_computed(exam: Exam, answers: Sequence[Answer]) -> tuple[Trial, Divergence] | None:
    """Return the first case that shows it, and what to say; None where something is computed.

    Nothing is computed where in no case an output holds two different finite fractions, though the right one does. One
    output that is not like that is enough to have computed something. Masks and single numbers say too little: a wrong
    remainder may be 0 each time.

    Args:
        answers: one for each of the exam's trials, of the right types and shapes.
    """
    shown: Trial | None = None
    whats: list[str] = []
    for place, name in enumerate(exam.returns):
        varied: list[Trial] = []
        givens: list[Tensor] = []
        for trial, given in zip(exam.trials, answers, strict=True):
            if trial.right.failure is None and given.failure is None:
                givens.append(_fractions(_output(exam, given.value, place)))
                varied += [trial] if _differ(_fractions(_output(exam, trial.right.value, place))) else []
        if not varied:
            continue
        if any(_differ(given) for given in givens):
            return None
        shown = shown or varied[0]
        finite = any(given.isfinite().any() for given in givens)
        which = name.replace("The ", "the ", 1) if name.startswith("The ") else name
        whats.append(f"every entry of {which} is the same" if finite else f"no entry of {which} is a finite number")
    if shown is None:
        return None
    return shown, Divergence("values", f"The shapes are right, but nothing is computed yet: {' and '.join(whats)}.")


def _output(exam: Exam, value: Value, place: int) -> Value:
    if len(exam.returns) > 1 and isinstance(value, (tuple, list)) and len(value) == len(exam.returns):
        return value[place]
    return value if place == 0 else None


def _fractions(value: Value) -> Tensor:
    """Return all entries of a value's tensors of fractions as one row."""
    return torch.cat([torch.empty(0, dtype=torch.float64), *_pieces(value)])


def _pieces(value: Value) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        if value.is_floating_point() and not value.is_meta:
            yield value.detach().double().flatten()
    elif isinstance(value, dict):
        for item in value.values():
            yield from _pieces(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _pieces(item)


def _differ(numbers: Tensor) -> bool:
    """Return whether there are two finite numbers among these that are not the same."""
    finite = numbers[numbers.isfinite()]
    return bool(finite.numel()) and bool((finite != finite[0]).any())
