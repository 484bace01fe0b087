"""What the reference solution computes on its way, and whether a learner's tensor is that.

The judge compares with the milestone's own numbers. A learner's files hold a fingerprint in their place: a few means
over all entries, from which no entry can be had. `autograder.course.milestones` makes both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import permutations
from typing import Any

import torch
from torch import Tensor

NUMBERS = 8  # in a fingerprint: the scale, what is not finite, three means in no order and three by place
ENTRIES = 4 * NUMBERS  # so many different ones a tensor must hold: of fewer, a fingerprint would tell too much
_MOST_DIMENSIONS = 6
MOST_ENTRIES = 5_000  # of more, a mean does not show that one is wrong
_CLOSE = 3e-6  # how far means over entries may lie apart, in units of the entries' scale
# For each mean: the frequency and the phase of a cosine. Frequencies low enough for rounding to stay small.
_UNORDERED = ((0.9, 0.4), (1.7, 2.0), (2.9, 1.1))
_BY_PLACE = ((0.7, 0.3), (1.3, 1.7), (2.3, 0.9))
_PLACES = (math.sqrt(2), math.sqrt(3), math.sqrt(5))  # irrational: no two places weigh the same


@dataclass(frozen=True, eq=False)
class Milestone:
    """One step of the reference solution, in one case.

    Args:
        key: its name in the reference solution, unlike any other's.
        words: how to call it, "the scores".
        shape: of its tensor.
        numbers: its tensor, or where `sealed`, the fingerprint of it.
        sealed: whether `numbers` is a fingerprint.
        after: keys of the milestones that it is computed from, directly or through others.
        output: the place among the exercise's outputs, None for a step on the way.
        rows_sum_to_one: whether each row does, that is, along the last dimension; rows of zeros apart.
        rearranged: whether an input, or another milestone, holds the same numbers in another arrangement.
        doubled: whether another milestone with words is the same tensor in this case.
        optional: whether a right answer may do without.
        stacked: whether its first dimension counts the rounds of a loop.
    """

    key: str
    words: str
    shape: tuple[int, ...]
    numbers: Tensor
    sealed: bool
    after: tuple[str, ...] = ()
    output: int | None = None
    rows_sum_to_one: bool = False
    rearranged: bool = False
    doubled: bool = False
    optional: bool = False
    stacked: bool = False

    @cached_property
    def compare(self) -> Any:
        """What tells whether a tensor is this one, prepared once."""
        return _Sealed(self.numbers) if self.sealed else _Open(self.numbers)


@dataclass(frozen=True)
class Match:
    """How a tensor agrees with a milestone.

    Args:
        how: `SAME`; `TURNED`, its dimensions in another order; `RESIZED`, dimensions of size 1 put in or left out; or
            `SHUFFLED`, in no order of its dimensions.
        order: where each of the milestone's dimensions lies in the tensor; () for the last two.
    """

    how: str
    order: tuple[int, ...] = ()


SAME, TURNED, RESIZED, SHUFFLED = "same", "turned", "resized", "shuffled"


class Candidate:
    """A tensor that may be a milestone, prepared to be compared with several."""

    def __init__(self, value: Tensor) -> None:
        self.shape, self.entries = tuple(value.shape), value.numel()
        self._value = value

    @cached_property
    def numbers(self) -> Tensor:
        """The tensor in double precision."""
        return self._value.detach().double()

    @cached_property
    def total(self) -> float:
        """The sum of what is finite."""
        return float(_finite(self.numbers).sum())

    @cached_property
    def in_order(self) -> Tensor:
        """All entries, sorted."""
        return self.numbers.flatten().sort().values

    @cached_property
    def scale(self) -> float:
        """See `_scale`."""
        return _scale(self.numbers)

    @cached_property
    def broken(self) -> float:
        """See `_broken`."""
        return _broken(self.numbers)


def match(milestone: Milestone, candidate: Candidate, rtol: float, atol: float) -> Match | None:
    """Return how a tensor agrees with `milestone`; None where it holds other numbers.

    Args:
        rtol, atol: tolerances for one entry, where the milestone's own numbers are at hand.
    """
    if candidate.entries != math.prod(milestone.shape):
        return None
    agrees: _Sealed | _Open = milestone.compare if milestone.sealed else milestone.compare.within(rtol, atol)
    shape = candidate.shape
    if not agrees.may_be(candidate):
        return None
    if shape == milestone.shape and agrees.in_place(candidate.numbers):
        return Match(SAME, tuple(range(len(shape))))
    if not agrees.in_any_order(candidate):
        return None
    for order in permutations(range(len(shape))) if len(shape) <= _MOST_DIMENSIONS else ():
        same_shape = tuple(shape[place] for place in order) == milestone.shape
        if same_shape and agrees.in_place(candidate.numbers.permute(order)):
            return Match(TURNED, order)
    resized = len(shape) != len(milestone.shape) and _solid(shape) == _solid(milestone.shape)
    if resized and agrees.in_place(candidate.numbers.reshape(milestone.shape)):
        return Match(RESIZED)
    return Match(SHUFFLED)


def _solid(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def fingerprint(value: Tensor) -> Tensor | None:
    """Return the fingerprint (NUMBERS,) of a tensor; None where it has too few different entries or too many, or is of
    half precision, whose rounding means cannot see past.
    """
    if not value.is_floating_point() or value.dtype in (torch.float16, torch.bfloat16) or value.numel() > MOST_ENTRIES:
        return None
    numbers = value.detach().double()
    if numbers[numbers.isfinite()].unique().numel() < ENTRIES:
        return None
    scale = _scale(numbers)
    parts = [torch.tensor([scale, _broken(numbers)]), unordered(numbers, scale), by_place(numbers, scale)]
    return torch.cat([part.double() for part in parts]).float()


class _Open:
    """Compares with a milestone's own numbers."""

    def __init__(self, numbers: Tensor, rtol: float = 0.0, atol: float = 0.0) -> None:
        self._numbers, self._rtol, self._atol = numbers.double(), rtol, atol
        finite = _finite(self._numbers)
        self._sum, self._size = float(finite.sum()), float(finite.abs().sum())
        self._within: dict[tuple[float, float], _Open] = {}

    def within(self, rtol: float, atol: float) -> _Open:
        """Return what compares with these tolerances."""
        if (rtol, atol) not in self._within:
            self._within[rtol, atol] = _Open(self._numbers, rtol, atol)
        return self._within[rtol, atol]

    @cached_property
    def _sorted(self) -> Tensor:
        return self._numbers.flatten().sort().values

    def may_be(self, candidate: Candidate) -> bool:
        """Whether the sums agree: most tensors are told apart by this."""
        apart = abs(candidate.total - self._sum)
        return apart <= self._atol * candidate.entries + self._rtol * self._size

    def in_any_order(self, candidate: Candidate) -> bool:
        """Whether these are the same numbers, wherever they lie."""
        return self._close(candidate.in_order, self._sorted)

    def in_place(self, value: Tensor) -> bool:
        """Whether these are the same numbers, each in its place."""
        return self._close(value, self._numbers)

    def _close(self, one: Tensor, other: Tensor) -> bool:
        return torch.allclose(one, other, rtol=self._rtol, atol=self._atol, equal_nan=True)


def _finite(numbers: Tensor) -> Tensor:
    return numbers.nan_to_num(0.0, 0.0, 0.0)


class _Sealed:
    """Compares with a milestone's fingerprint."""

    def __init__(self, numbers: Tensor) -> None:
        numbers = numbers.double()
        self._scale, self._broken = numbers[0].item(), numbers[1].item()
        self._unordered, self._by_place = numbers[2:5], numbers[5:8]

    def may_be(self, candidate: Candidate) -> bool:
        """Whether they are as large, and as many of them finite: most tensors are told apart by this."""
        same_scale = abs(candidate.scale - self._scale) <= _CLOSE * self._scale
        return same_scale and abs(candidate.broken - self._broken) < 1e-6

    def in_any_order(self, candidate: Candidate) -> bool:
        """Whether these are the same numbers, as far as means tell, wherever they lie."""
        return self._close(unordered(candidate.numbers, self._scale), self._unordered)

    def in_place(self, value: Tensor) -> bool:
        """Whether these are the same numbers, as far as means tell, each in its place."""
        if not self._close(by_place(value, self._scale), self._by_place):
            return False
        return self._close(unordered(value, self._scale), self._unordered)

    def _close(self, one: Tensor, other: Tensor) -> bool:
        return bool(((one - other).abs() <= _CLOSE).all())


def _scale(numbers: Tensor) -> float:
    """Return the root of the mean square of all finite entries."""
    finite = numbers[numbers.isfinite()]
    return float(finite.square().mean().sqrt()) if finite.numel() else 0.0


def _broken(numbers: Tensor) -> float:
    """Return what tells how many entries are not finite, and of which kind."""
    kinds = (numbers == math.inf).sum() + math.sqrt(2) * (numbers == -math.inf).sum() + math.pi * numbers.isnan().sum()
    return float(kinds) / numbers.numel()


def unordered(numbers: Tensor, scale: float) -> Tensor:
    """Return (3,) means of cosines of the finite entries, whatever their order."""
    z = (numbers[numbers.isfinite()] / scale).flatten()
    return torch.stack([(frequency * z + phase).cos().sum() for frequency, phase in _UNORDERED]) / numbers.numel()


def by_place(numbers: Tensor, scale: float) -> Tensor:
    """Return (3,) means of cosines of the finite entries, each weighted by its place."""
    flat = numbers.flatten()
    z = flat.nan_to_num(0.0, 0.0, 0.0) / scale
    weights = _weights(flat.numel()) * flat.isfinite()
    cosines = torch.stack([(frequency * z + phase).cos() for frequency, phase in _BY_PLACE])
    return (weights * cosines).sum(dim=-1) / flat.numel()


@lru_cache(maxsize=256)
def _weights(entries: int) -> Tensor:
    """Return (3, entries) weights of places, between -1 and 1."""
    place = torch.arange(1, entries + 1, dtype=torch.float64)
    return torch.stack([(place * place * irrational).frac() * 2 - 1 for irrational in _PLACES])
