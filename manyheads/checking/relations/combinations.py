"""Finds that a wrong answer is a known tensor times a number of the learner's own, or the right one plus that."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .compared import Compared, Fact, brief
from .terms import known

_LEAST = 1e-2  # how far a number must be from those that other relations tell: 0, 1 and -1
_ENOUGH = 9  # numbers, from which two that fit all of them are no coincidence


def facts(case: Compared) -> Iterator[Fact]:
    """Yield what a wrong tensor is a multiple of, or a sum with the right one."""
    if case.pair is None or case.is_boolean or not case.pair[1].isfinite().all():
        return
    right, given = case.pair
    if case.wrong_places().double().mean() < 0.5:  # a few that are off by rounding fit many numbers
        return
    others = [
        (name, other)
        for name, other in known(case)
        if other.shape == given.shape and other.is_floating_point() and other.isfinite().all()
    ]
    for name, other in others:
        number = _times(other, given)
        if number is not None and not _is_plain(number) and case.agree(given, number * other):
            sentence = f"{case.label} is {name}, times {brief(number)}."
            yield Fact(("multiple", name, brief(number)), 19, sentence, weak=not case.enough)
    for name, other in others if given.numel() >= _ENOUGH else ():
        numbers = _mixed(right, other, given)
        if numbers is None or any(abs(number) < _LEAST for number in numbers):
            continue
        of_right, of_other = numbers
        if abs(of_right - 1) < _LEAST and abs(abs(of_other) - 1) < _LEAST:  # a term that is added is told as such
            continue
        if case.agree(given, of_right * right + of_other * other):
            first = "the right one" if abs(of_right - 1) < _LEAST else f"{brief(of_right)} times the right one"
            second = name if abs(abs(of_other) - 1) < _LEAST else f"{brief(abs(of_other))} times {name}"
            sentence = f"{case.label} is {first} {'plus' if of_other > 0 else 'minus'} {second}."
            yield Fact(("mixed", name, brief(of_right), brief(of_other)), 21, sentence, weak=not case.enough)


def _times(one: Tensor, given: Tensor) -> float | None:
    """Return the number that makes the largest entry of one tensor that of another."""
    largest = one.abs().argmax()
    divisor = one.flatten()[largest].item()
    return given.flatten()[largest].item() / divisor if divisor else None


def _is_plain(number: float) -> bool:
    return min(abs(number), abs(abs(number) - 1)) < _LEAST


def _mixed(right: Tensor, other: Tensor, given: Tensor) -> tuple[float, float] | None:
    """Return the two numbers with which two tensors come closest to a third; None where they are not independent."""
    both = torch.stack([right.flatten(), other.flatten()], 1)
    squares = both.T @ both
    if squares.det() <= 1e-6 * squares.diagonal().prod():
        return None
    of_right, of_other = torch.linalg.solve(squares, both.T @ given.flatten()).tolist()
    return of_right, of_other
