"""Two known mistakes at once, each of which hides the other: the right solution with both edits made in it.

`autograder.course.pairs` makes them. What they give is not kept, only a fingerprint of it over all cases: a checksum of
what is compared exactly, and three sums of all other numbers with random weights. `diagnosis.py` asks whether a wrong
answer has the fingerprint of a pair, if no mistake by itself explains it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from ..calling.call import Answer, Value

if TYPE_CHECKING:
    from .exam import Exam

_SUMS = 3
_CLOSE = 2e-4  # of a sum, whose size is about 1
_ENOUGH = 6  # numbers, from which a fingerprint is no coincidence
_AND = ", and also "


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What an exam's answers have in common with the same answers made again.

    Args:
        exact: a checksum of their structure, their whole numbers and truth values.
        sums: (3), sums of all other numbers with random weights.
        count: how many numbers there are.
    """

    exact: int
    sums: Tensor
    count: int

    def is_like(self, other: Fingerprint) -> bool:
        """Return whether these are the same answers, but for rounding."""
        return self.exact == other.exact and _close(self.sums, other.sums)


class Pairs(Protocol):
    """The known mistakes of an exercise, two at a time."""

    def found(self, exam: Exam, answers: Sequence[Answer]) -> Iterator[tuple[str, str]]:
        """Yield the pairs that give exactly these answers, in all cases."""
        ...


@dataclass(frozen=True, eq=False)
class KnownPairs:
    """Pairs by their fingerprints.

    Args:
        names: the two mistakes of each.
        exact: (pairs), int32.
        sums: (pairs, 3), float32.
    """

    names: tuple[tuple[str, str], ...]
    exact: Tensor
    sums: Tensor

    def found(self, exam: Exam, answers: Sequence[Answer]) -> Iterator[tuple[str, str]]:
        """Yield the pairs that give exactly these answers, in all cases."""
        given = fingerprint(exam, answers)
        if given is None:
            return
        for place in torch.nonzero(self.exact == given.exact).flatten().tolist():
            if _close(self.sums[place].double(), given.sums):
                yield self.names[place]


def together(names: Sequence[str]) -> str:
    """Return the name of several mistakes at once."""
    return _AND.join(names)


def apart(name: str) -> list[str]:
    """Return the mistakes that a name stands for."""
    return name.split(_AND)


def fingerprint(exam: Exam, answers: Sequence[Answer]) -> Fingerprint | None:
    """Return the fingerprint of the answers to an exam; None if a call failed, or there are too few numbers to tell."""
    sums, tokens, count, terms = torch.zeros(_SUMS, dtype=torch.float64), list[object](), 0, 0
    for place, (trial, given) in enumerate(zip(exam.trials, answers, strict=True)):
        asked = trial.right.failure
        if asked is not None and given.failure is not None and asked.kind == given.failure.kind:
            continue  # an error that is asked for
        if given.failure is not None or asked is not None or given.changed:
            return None
        scale = _scale(exam, trial.right)
        for number, (text, leaf) in enumerate(_leaves(exam, given.value)):
            tokens.append(text)
            if isinstance(leaf, Tensor) and not leaf.is_meta and leaf.numel():
                numbers = leaf.double().flatten() / scale
                if not numbers.isfinite().all():
                    tokens.append(_not_finite(numbers))
                    numbers = torch.where(numbers.isfinite(), numbers, 0.0)
                if leaf.is_floating_point():
                    sums += _weights(place, number, numbers.numel()) @ numbers
                    terms += numbers.numel()
                else:
                    tokens.append(zlib.crc32(leaf.contiguous().numpy().tobytes()))
                count += numbers.numel() // (4 if leaf.dtype == torch.bool else 1)
            elif isinstance(leaf, float):
                if math.isfinite(leaf):
                    sums += _weights(place, number, 1)[:, 0] * leaf / scale
                else:
                    tokens.append(repr(leaf))
                terms, count = terms + 1, count + 1
            elif isinstance(leaf, int) and not isinstance(leaf, bool):
                tokens.append(leaf)
                count += 2
            elif not isinstance(leaf, Tensor):
                tokens.append(leaf)
    if count < _ENOUGH:
        return None
    return Fingerprint(zlib.crc32(repr(tokens).encode()) >> 1, sums / math.sqrt(max(terms, 1)), count)


def _not_finite(numbers: Tensor) -> list[tuple[int, str]]:
    """Return the place of each number that is not finite, and what it is. Rounding makes none, so they are exact."""
    return [(place, repr(float(numbers[place]))) for place in torch.nonzero(~numbers.isfinite()).flatten().tolist()]


def _leaves(exam: Exam, value: Value) -> Iterator[tuple[str, Value]]:
    """Yield (structure, leaf) for the parts of an answer that are compared."""
    if exam.informs and isinstance(value, (tuple, list)) and len(value) == len(exam.returns):
        value = tuple(None if name in exam.informs else one for name, one in zip(exam.returns, value, strict=True))
    yield from _parts(value)


def _parts(value: Value) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield f"key {key!r}", None
            yield from _parts(one)
    elif isinstance(value, (tuple, list)):
        yield f"{len(value)} parts", None
        for one in value:
            yield from _parts(one)
    elif isinstance(value, Tensor):
        kind = "fractions" if value.is_floating_point() else str(value.dtype)
        yield f"{kind} {tuple(value.shape)} {value.device.type}", value
    else:
        yield type(value).__name__, value


def _scale(exam: Exam, right: Answer) -> float:
    """Return the size of the right numbers of a case, so that no case outweighs the others."""
    numbers = [
        leaf.double().flatten() if isinstance(leaf, Tensor) else torch.tensor([leaf], dtype=torch.float64)
        for _, leaf in _leaves(exam, right.value)
        if isinstance(leaf, float) or (isinstance(leaf, Tensor) and leaf.is_floating_point() and not leaf.is_meta)
    ]
    joined = torch.cat(numbers) if numbers else torch.ones(1, dtype=torch.float64)
    joined = joined[joined.isfinite()]
    size = joined.square().mean().sqrt().item() if joined.numel() else 1.0
    return size or 1.0


@cache
def _weights(place: int, number: int, length: int) -> Tensor:
    """Return random weights (3, length), the same in every process."""
    generator = torch.Generator().manual_seed(1000 * place + number)
    return torch.randn(_SUMS, length, generator=generator, dtype=torch.float64)


def _close(one: Tensor, other: Tensor) -> bool:
    return bool(((one - other).abs() <= _CLOSE * other.abs().clamp(min=1.0)).all())
