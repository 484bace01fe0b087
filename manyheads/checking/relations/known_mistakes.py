"""Finds that a wrong answer is what a known mistake gives, times a factor or in other places: a second slip on top."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .arrangements import elsewhere, sorted_numbers
from .compared import Compared, Fact, telling
from .factors import multiplied_by, names_of


def facts(case: Compared) -> Iterator[Fact]:
    """Yield the known mistakes whose answer, multiplied by what the sizes name or rearranged, was given."""
    if case.pair is None or case.is_boolean or not case.pair[1].isfinite().all():
        return
    right, given = case.pair
    length = given.norm().item()
    for name in case.exam.hints:
        other = _answer(case, name)
        if other is None or other.shape != right.shape:
            continue
        size = other.norm().item()
        along = torch.dot(other.flatten(), given.flatten()).item()
        same_size = bool(size) and abs(length / size - 1) < 1e-3
        is_multiple = abs(along) > (1 - 1e-4) * size * length > 0
        if not (is_multiple or same_size) or not telling(other):
            continue
        # Where the mistake does not show, or shows as a factor, the right numbers themselves say as much.
        weak = _is_multiple(case, other, right)
        comes_out = f"{case.label} is what comes out if you {name}"
        if is_multiple and case.agree(given, other * (along / size**2)):
            yield from _times(case, name, comes_out, along / size**2, weak=weak)
        elif same_size and case.agree(sorted_numbers(other), sorted_numbers(given)):
            for key, rank, sentence in elsewhere(case, other, given):
                yield Fact(("known", name, *key), rank + 7, f"{comes_out}, in other places: {sentence}.", weak=weak)


def _times(case: Compared, name: str, comes_out: str, factor: float, *, weak: bool) -> Iterator[Fact]:
    if abs(factor + 1) < 1e-3:
        yield Fact(("known", name, -1), 21, f"{comes_out}, with the opposite sign.", weak=weak)
    for text in names_of(case, abs(factor)) if abs(abs(factor) - 1) > 1e-3 else ():
        if not text.isdigit():
            told = f"{comes_out}, {multiplied_by(text)}" + (", with the opposite sign." if factor < 0 else ".")
            key = ("known", name, factor < 0, text)
            yield Fact(key, 22 + text.count("·"), told, weak=weak, is_reading=True)


def _answer(case: Compared, name: str) -> Tensor | None:
    """Return what the mistake gives in this case for this output: what is right, where it does not show."""
    if name not in case.trial.wrong:
        return case.pair[0] if case.pair is not None else None
    answer = case.trial.wrong[name]
    several = len(case.exam.returns) > 1
    if answer.failure is not None or (several and case.label not in case.exam.returns):
        return None
    value = answer.value
    if several:
        place = case.exam.returns.index(case.label)
        value = value[place] if isinstance(value, (tuple, list)) and len(value) == len(case.exam.returns) else None
    if not isinstance(value, Tensor) or value.is_meta or not value.is_floating_point() or not value.numel():
        return None
    return value.double() if value.isfinite().all() else None


def _is_multiple(case: Compared, one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors differ in a factor at most: then the right numbers themselves say more."""
    size = other.norm().item()
    return bool(size) and any(case.agree(one, other * (sign * one.norm().item() / size)) for sign in (1, -1))
