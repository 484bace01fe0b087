"""Finds that a wrong answer is a plain sum, mean, median, maximum or diagonal of one of the inputs."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from .compared import Compared, Fact

_OFFSETS = range(-2, 3)  # of diagonals, 0 being the main one
_OFFSET_NAMES = {0: "main diagonal", 1: "diagonal above the main one", -1: "diagonal below the main one"}


def facts(case: Compared) -> Iterator[Fact]:
    """Yield which reduction of an input a wrong tensor is."""
    if case.pair is None or case.is_boolean or not case.pair[1].isfinite().all():
        return
    _, given = case.pair
    weak = not case.enough
    for name, tensor in case.tensors.items():
        if name not in case.trial.call.inputs or tensor.ndim <= given.ndim:
            continue
        for key, told, reduced in _reduced(case, tensor):
            if case.agree(given, reduced):
                yield Fact(("reduced", name, *key), 11, f"{case.label} is the {told} of {name}.", weak=weak)
            elif case.agree(given, -reduced):
                yield Fact(("minus", name, *key), 11, f"{case.label} is minus the {told} of {name}.", weak=weak)


def _reduced(case: Compared, tensor: Tensor) -> Iterator[tuple[tuple[object, ...], str, Tensor]]:
    """Yield (key, what in words, the tensor with one or two dimensions less)."""
    axes = range(-tensor.ndim, 0)
    for axis in axes:
        name = case.dimension(axis, tensor.shape)
        yield ("sum", axis), f"sum over {name}", tensor.sum(axis)
        yield ("mean", axis), f"mean over {name}", tensor.mean(axis)
        yield ("max", axis), f"maximum over {name}", tensor.amax(axis)
        yield ("median", axis), f"median over {name}", tensor.median(axis).values
        yield ("squares", axis), f"sum of squares over {name}", tensor.square().sum(axis)
        for key, told, entry in _entries(case, tensor, axis, name):
            yield (key, axis), told, entry
            for other in range(-entry.ndim, 0):
                along = case.dimension(other, entry.shape)
                yield (key, axis, "mean", other), f"mean over {along} of the {told}", entry.mean(other)
                yield (key, axis, "median", other), f"median over {along} of the {told}", entry.median(other).values
                yield (key, axis, "max", other), f"maximum over {along} of the {told}", entry.amax(other)
                yield (key, axis, "sum", other), f"sum over {along} of the {told}", entry.sum(other)
        for other in axes:
            if other > axis:
                both = f"{name} and {case.dimension(other, tensor.shape)}"
                yield ("sum", axis, other), f"sum over {both}", tensor.sum((axis, other))
                yield ("mean", axis, other), f"mean over {both}", tensor.mean((axis, other))
                yield ("max", axis, other), f"maximum over {both}", tensor.amax((axis, other))
    name = case.dimension(-1, tensor.shape)
    for offset in _OFFSETS if tensor.ndim >= 2 and tensor.shape[-1] == tensor.shape[-2] else ():
        if abs(offset) < tensor.shape[-1]:
            diagonal = tensor.diagonal(offset, -2, -1)
            told = _OFFSET_NAMES.get(
                offset, f"diagonal {abs(offset)} {'above' if offset > 0 else 'below'} the main one"
            )
            yield ("diagonal mean", offset), f"mean of the {told}", diagonal.mean(-1)
            yield ("diagonal sum", offset), f"sum of the {told}", diagonal.sum(-1)
            size = tensor.shape[-1]
            yield ("diagonal by size", offset), f"sum, divided by {name}, of the {told}", diagonal.sum(-1) / size
            if diagonal.shape[-1] > 2:
                for key, part, rest in (
                    ("but first", "first", diagonal[..., 1:]),
                    ("but last", "last", diagonal[..., :-1]),
                ):
                    yield (key, offset), f"mean of all but the {part} entry of the {told}", rest.mean(-1)


def _entries(case: Compared, tensor: Tensor, axis: int, name: str) -> Iterator[tuple[str, str, Tensor]]:
    """Yield (key, which in words, the entry) along one dimension: the first, the last, those that an input names."""
    yield "first", f"first entry along {name}", tensor.select(axis, 0)
    yield "last", f"last entry along {name}", tensor.select(axis, -1)
    for given, place in case.trial.call.inputs.items():
        if type(place) is int and -tensor.shape[axis] <= place < tensor.shape[axis]:
            yield f"at {given}", f"entry number {given} along {name}", tensor.select(axis, place)
