"""Says whether answers of the right shapes compute nothing: all zeros, all ones, all NaN, or meaningless numbers.

Used by `diagnosis.py`: an empty tensor of the right size, random numbers, or numbers that do not depend on the inputs
earn no points for shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from ..calling.call import Answer, Call, Value
from .divergence import Divergence
from .exam import Exam, Trial
from .stage import Stage


def nothing_computed(exam: Exam, answers: Sequence[Answer]) -> tuple[Trial, Divergence] | None:
    """Return the first case that shows it, and what to say; None if something is computed.

    Nothing is computed if no output holds two different finite fractions in any case, although the right one does. One
    other output is enough. Masks and single numbers are not enough evidence: a wrong remainder may be 0 each time.

    Args:
        answers: one for each of the exam's trials, of the right types and shapes.
    """
    shown: Trial | None = None
    whats: list[str] = []
    for place, name in enumerate(exam.returns):
        if name in exam.informs:
            continue
        varied = _varied(exam, place)
        givens = [
            _fractions(_output(exam, given.value, place))
            for trial, given in zip(exam.trials, answers, strict=True)
            if trial.right.failure is None and given.failure is None
        ]
        if not varied:
            continue
        if any(map(_differ, givens)):
            return None
        shown = shown or varied[0]
        finite = any(given.isfinite().any() for given in givens)
        which = _inside(name)
        whats.append(f"every entry of {which} is the same" if finite else f"no entry of {which} is a finite number")
    return None if shown is None else (shown, _nothing(whats))


def depends_on_nothing(
    exam: Exam, answers: Sequence[Answer], ask: Callable[[Exam], Sequence[Answer]]
) -> tuple[Trial, Divergence] | None:
    """Ask twice more. Return the first case, and what to say, if the answers do not depend on the inputs.

    An entry depends on them if the same call gives it again, and a call with other numbers gives another one. One such
    entry is enough. Returns None if the code now stops with an error.

    Args:
        answers: as in `nothing_computed`.
        ask: carries out an exam's calls next to the learner's code.
    """
    more = asked_again(exam)
    changed = [trial.name for trial in more.trials[len(exam.trials) :]]
    places = {
        place: trials
        for place in range(len(exam.returns))
        if exam.returns[place] not in exam.informs
        if (trials := [trial for trial in _varied(exam, place) if trial.name in changed])
    }
    if not places:
        return None
    came = ask(more)
    names = [trial.name for trial in exam.trials]
    first, second = dict(zip(names, answers, strict=True)), dict(zip(names, came, strict=False))
    third = dict(zip(changed, came[len(names) :], strict=True))
    whats: list[str] = []
    for place, trials in places.items():
        steady = True
        for trial in trials:
            given, again, other = (
                _fractions(_output(exam, of[trial.name].value, place)) for of in (first, second, third)
            )
            if not given.shape == again.shape == other.shape:
                return None
            same = torch.isclose(again, given, equal_nan=True)
            if (same & given.isfinite() & (other != given)).any():
                return None
            steady = steady and bool(same.all())
        how = "the same numbers whatever the inputs hold" if steady else "other numbers each time the same is asked"
        whats.append(f"{_inside(exam.returns[place])} holds {how}")
    return next(iter(places.values()))[0], _nothing(whats)


@lru_cache(maxsize=64)
def asked_again(exam: Exam) -> Exam:
    """Return the exam with all its calls and, after them, those that can be made with other numbers."""
    trials = [replace(trial, call=replace(trial.call, cotangent=None)) for trial in exam.trials]
    changed = [replace(trial, call=call) for trial in trials if (call := _with_other_numbers(trial.call)) is not None]
    return replace(exam, trials=(*trials, *changed))


def _with_other_numbers(call: Call) -> Call | None:
    """Return the call with its tensors' entries reordered, and fractions made smaller; None if it has no fractions.

    Shapes stay, and so do full rows of a mask; whole numbers, which may be positions, are in another order.
    """
    inputs = {name: _other(value) for name, value in call.inputs.items()}
    state = None if call.state is None else {name: _turned(tensor) for name, tensor in call.state.items()}
    before = [*call.inputs.values(), *(call.state or {}).values()]
    if not any(isinstance(value, Tensor) and value.is_floating_point() for value in before):
        return None
    return replace(call, inputs=inputs, state=state)


def _other(value: Value) -> Value:
    return _turned(value) if isinstance(value, Tensor) else value


def _turned(tensor: Tensor) -> Tensor:
    if tensor.is_meta:
        return tensor
    turned = tensor.flip(tuple(range(tensor.ndim)))
    return turned * 0.75 if tensor.is_floating_point() else turned


def _nothing(whats: Sequence[str]) -> Divergence:
    return Divergence(Stage.VALUES, f"The shapes are right, but nothing is computed yet: {' and '.join(whats)}.")


def _inside(name: str) -> str:
    """Return the name of an output for use within a sentence."""
    return name.replace("The ", "the ", 1) if name.startswith("The ") else name


def _varied(exam: Exam, place: int) -> list[Trial]:
    """Return the trials in which the right output at `place` holds two different fractions."""
    return [
        trial
        for trial in exam.trials
        if trial.right.failure is None and _differ(_fractions(_output(exam, trial.right.value, place)))
    ]


def _output(exam: Exam, value: Value, place: int) -> Value:
    if len(exam.returns) > 1 and isinstance(value, (tuple, list)) and len(value) == len(exam.returns):
        return value[place]
    return value if place == 0 else None


def _fractions(value: Value) -> Tensor:
    """Return all entries of a value's floating-point tensors as one row."""
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
    """Return whether two of these numbers are finite and different."""
    finite = numbers[numbers.isfinite()]
    return bool(finite.numel()) and bool((finite != finite[0]).any())
