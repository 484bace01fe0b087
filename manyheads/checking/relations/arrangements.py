"""Finds that a wrong answer holds the right numbers in other places: dimensions swapped, read in another order, turned
round, moved by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from .compared import Compared, Fact
from .factors import multiplied_by, names_of

_MOST_DIMENSIONS = 5
_MOST_EXCHANGED = 8  # entries along a dimension of which any two may have changed places


def facts(case: Compared) -> Iterator[Fact]:
    """Yield where the right numbers are, in a wrong answer of the right shape."""
    if case.pair is None:
        return
    right, given = case.pair
    if not given.isfinite().all() or right.numel() < 2:
        return
    if not case.agree(sorted_numbers(right), sorted_numbers(given)):
        if not case.is_boolean:
            yield from _multiplied(case, right, given)
        return
    weak = not case.enough if not case.is_boolean else right.numel() < 9 or len(right.unique()) < 2
    label = case.label
    for key, rank, sentence in elsewhere(case, right, given):
        # Few numbers are seldom the right ones in exchanged places by chance, and never in all cases.
        few = key[0] == "exchanged" and not case.is_boolean
        yield Fact(
            ("moved", *key), rank, f"{label} holds the right numbers in other places: {sentence}.",
            weak=weak and not few, is_reading=few,
        )  # fmt: skip
    if not case.is_boolean:
        yield Fact(
            ("same numbers",), 56, f"{label} holds the right numbers, and all of them, in other places.", weak=weak
        )


def _multiplied(case: Compared, right: Tensor, given: Tensor) -> Iterator[Fact]:
    """Yield where the right numbers are if each of them is multiplied by a factor that the sizes name."""
    size = right.norm().item()
    factor = given.norm().item() / size if size and right.isfinite().all() else 0.0
    if not factor or abs(factor - 1) < 1e-3 or not case.agree(sorted_numbers(right * factor), sorted_numbers(given)):
        return
    names = list(names_of(case, factor))
    for key, rank, sentence in elsewhere(case, right * factor, given) if names else ():
        for text in names:
            yield Fact(
                ("moved", *key, "times", text), rank + 6,
                f"{case.label} holds the right numbers, {multiplied_by(text)}, in other places: {sentence}.",
                weak=not case.enough, is_reading=True,
            )  # fmt: skip


def sorted_numbers(numbers: Tensor) -> Tensor:
    return numbers.flatten().sort().values


def elsewhere(case: Compared, numbers: Tensor, given: Tensor) -> Iterator[tuple[tuple[object, ...], int, str]]:
    """Yield (key, rank, how in words) for each move of the numbers that gives what was given."""
    for key, rank, sentence, moved in _moved(case, numbers):
        if moved.shape == given.shape and case.agree(given, moved):
            yield key, rank, sentence


def _moved(case: Compared, right: Tensor) -> Iterator[tuple[tuple[object, ...], int, str, Tensor]]:
    """Yield (key, rank, how in words, the right numbers moved that way)."""
    if right.ndim > 1 and right.shape[-1] == right.shape[-2]:
        yield ("transposed",), 16, "its last two dimensions are swapped", right.transpose(-2, -1)
    for axis in range(-right.ndim, 0):
        size, item = right.shape[axis], case.item(axis)
        if size < 2:
            continue
        yield ("flipped", axis), 17, f"the {item}s are in reverse order", right.flip(axis)
        if size > 2:
            for step, way in ((1, "later"), (-1, "earlier")):
                told = f"every {item} is one place {way} than it should be"
                yield ("rolled", axis, step), 17, told, right.roll(step, axis)
        for first, second in itertools.combinations(range(size if size <= _MOST_EXCHANGED else 0), 2):
            order = list(range(size))
            order[first], order[second] = second, first
            told = f"{item} {first} and {item} {second} have changed places, counted from 0"
            yield ("exchanged", axis, first, second), 17, told, right.movedim(axis, 0)[order].movedim(0, axis)
    names, factors = _refined(case, right)
    if 1 < len(factors) <= _MOST_DIMENSIONS and right.numel() < 10**5:
        yield from _read_otherwise(names, right.reshape(factors), right.shape)


def _refined(case: Compared, right: Tensor) -> tuple[list[str], list[int]]:
    """Return the dimensions of the right output by name and size, d_model taken apart into heads and their features."""
    names: list[str] = []
    factors: list[int] = []
    heads, width = case.sizes.get("num_heads", 0), case.sizes.get("d_head", 0)
    for axis, size in enumerate(right.shape):
        if size == heads * width and heads > 1 and width > 1:
            names += ["num_heads", "d_head"]
            factors += [heads, width]
        elif right.ndim == 3 and axis == 2 and "num_heads" not in case.trial.sizes:  # as with one head
            names += ["num_heads", "d_head"]
            factors += [1, size]
        else:
            names.append(case.dimension(axis))
            factors.append(size)
    return names, factors


def _read_otherwise(
    names: list[str], right: Tensor, shape: torch.Size
) -> Iterator[tuple[tuple[object, ...], int, str, Tensor]]:
    """Yield the right numbers in every order of their dimensions, viewed in the shape that is asked for."""
    axes = range(right.ndim)
    for order in itertools.permutations(axes):
        if list(order) == list(axes):
            continue
        listed = ", ".join(names[axis] for axis in order)
        told = f"they lie in the order of ({listed}), viewed in the shape that is asked for. A view swaps no dimensions"
        yield ("order", *(axis - right.ndim for axis in order)), 18, told, right.permute(order).reshape(shape)
    for first, second in itertools.permutations(axes, 2):
        # Taken together as one dimension and cut again with the sizes the other way round: interleaved.
        rest = [axis for axis in axes if axis not in (first, second)]
        at_the_end = right.permute(*rest, first, second)
        n, m = at_the_end.shape[-2:]
        cut = at_the_end.reshape(*at_the_end.shape[:-2], m, n).transpose(-2, -1)
        back = [*rest, first, second]
        moved = cut.permute([back.index(axis) for axis in axes]).reshape(shape)
        told = f"{names[first]} and {names[second]} are interleaved, so that what should lie side by side is spread out"
        yield ("interleaved", first - right.ndim, second - right.ndim), 19, told, moved
