"""The searches' input, one output of one case at a time, and their result: facts.

Used by the modules of this package only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ...calling.call import Answer, Value
from ..comparison import tolerance
from ..exam import Exam, Trial
from ..labels import inside
from ..sizes import sizes_of

ENOUGH = 6  # numbers, not all equal, from which a relation is not a coincidence
# What one entry along a dimension is called.
_ITEMS = {
    "num_heads": "head",
    "heads": "head",
    "batch": "sentence",
    "seq": "word",
    "seq_q": "query",
    "seq_k": "key",
    "layers": "layer",
    "num_layers": "layer",
    "relations": "relation",
}


@dataclass(frozen=True)
class Fact:
    """Something that holds of a wrong answer in one case.

    Args:
        key: identifies the same fact in another case.
        rank: of several facts, the one with the lowest rank, the most specific, is used.
        sentence: what a learner reads.
        weak: whether it may be a coincidence here, since few numbers support it.
        is_reading: whether it gives a number a name, such as "√d_head", which one case alone does not prove.
    """

    key: tuple[object, ...]
    rank: int = field(compare=False)
    sentence: str = field(compare=False)
    weak: bool = field(compare=False, default=False, kw_only=True)
    is_reading: bool = field(compare=False, default=False, kw_only=True)


@dataclass(frozen=True, eq=False)
class Compared:
    """One output of one case: the right one, and what was given for it.

    Args:
        exam: the exercise's exam.
        trial: the case.
        label: the output's name.
        right: the reference solution's value.
        given: the learner's value.
        others: all right outputs of this case by their names, this one included.
    """

    exam: Exam
    trial: Trial
    label: str
    right: Value
    given: Value
    others: Mapping[str, Value]

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The dimensions by name, with plain numbers among the inputs, and sizes derived from them."""
        sizes = sizes_of(self.trial)
        if "seq" in sizes:
            sizes |= {name: sizes["seq"] for name in ("seq_q", "seq_k") if name not in sizes}
        return sizes

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """All inputs and parameters of this case that are numbers, by name."""
        call = self.trial.call
        return {
            name: value.double()
            for name, value in {**call.inputs, **(call.state or {})}.items()
            if isinstance(value, Tensor) and not value.is_meta and value.numel()
        }

    @cached_property
    def pair(self) -> tuple[Tensor, Tensor] | None:
        """(right, given) as float64 if both are tensors of the same shape with numbers; else None."""
        right, given = self.right, self.given
        if not (isinstance(right, Tensor) and isinstance(given, Tensor)) or right.is_meta or given.is_meta:
            return None
        return (right.double(), given.double()) if right.shape == given.shape and right.numel() else None

    @property
    def is_boolean(self) -> bool:
        """Whether the right output is True and False, not numbers."""
        return isinstance(self.right, Tensor) and self.right.dtype == torch.bool

    @cached_property
    def enough(self) -> bool:
        """Whether there are enough numbers that a relation is not a coincidence."""
        return isinstance(self.right, Tensor) and telling(self.right.double(), is_boolean=self.is_boolean)

    @cached_property
    def _tolerance(self) -> tuple[float, float]:
        assert isinstance(self.right, Tensor)
        return tolerance(self.exam, self.right.dtype)

    def agree(self, one: Tensor, other: Tensor) -> bool:
        """Return whether two tensors are the same within the exercise's tolerance."""
        if one.shape != other.shape or one.is_meta or other.is_meta:  # of the pretended device, which has no numbers
            return False
        rtol, atol = self._tolerance
        return bool(torch.isclose(one, other, rtol=rtol, atol=atol, equal_nan=True).all())

    def wrong_places(self) -> Tensor:
        """Return which entries of `pair` differ."""
        assert self.pair is not None
        right, given = self.pair
        rtol, atol = self._tolerance
        wrong = ~torch.isclose(given, right, rtol=rtol, atol=atol, equal_nan=True)
        if self.exam.exact_zeros and not self.is_boolean:
            wrong |= (right == 0) & (given != 0)
        return wrong

    def dimension(self, axis: int, shape: torch.Size | None = None) -> str:
        """Return the name of a dimension, by its size, or its position if no name is unique."""
        assert isinstance(self.right, Tensor)
        sizes = self.right.shape if shape is None else shape
        size = sizes[axis]
        names = [name for name, known in self.trial.sizes.items() if known == size]
        if size > 1 and len(names) == 1 and list(sizes).count(size) == 1:
            return names[0]
        return {-1: "the last dimension", -2: "the last dimension but one"}.get(
            axis if axis < 0 else axis - len(sizes), f"dimension {axis % len(sizes)}"
        )

    def item(self, axis: int) -> str:
        """Return what one entry along a dimension is called: head, sentence, word."""
        name = self.dimension(axis)
        assert isinstance(self.right, Tensor)
        at_the_end = axis if axis < 0 else axis - self.right.ndim
        if name not in _ITEMS and self.right.ndim == 1:
            return "entry"
        return _ITEMS.get(name) or {-1: "column", -2: "row"}.get(at_the_end, f"entry of {name}")


def telling(numbers: Tensor, *, is_boolean: bool = False) -> bool:
    """Return whether there are enough different numbers in a tensor for a relation to be no coincidence."""
    if is_boolean:
        return numbers.numel() >= 4 * ENOUGH and len(numbers.unique()) == 2
    finite = numbers[numbers.isfinite()]
    return finite.numel() >= ENOUGH and len(finite.unique()) > 2


def brief(number: float, digits: int = 4) -> str:
    """Return a number in a few digits: the same text for numbers that differ only by rounding errors.

    1.3125 has one more digit than four, and is computed a little smaller in one case and a little larger in another.
    """
    return f"{float(f'{number:.6g}'):.{digits}g}"


def quoted(name: str) -> str:
    """Return an output's name for use within a sentence: in quotation marks if it has several words."""
    return f"“{name}”" if " " in name else name


def compared(exam: Exam, trial: Trial, given: Answer) -> Iterator[Compared]:
    """Yield the outputs of one case, one by one, if their number is right."""
    if given.failure is not None or trial.right.failure is not None:
        return
    right, names = trial.right.value, exam.returns
    several = isinstance(right, tuple) and len(right) == len(names) > 1
    rights = right if several and isinstance(right, tuple) else (right,)
    others = dict(zip(names, rights, strict=False))
    if not several:
        yield from _parts(exam, trial, names[0] if len(names) == 1 else "the result", right, given.value, others)
    elif isinstance(given.value, (tuple, list)) and len(given.value) == len(rights):
        for name, one, other in zip(names, rights, given.value, strict=True):
            yield from _parts(exam, trial, name, one, other, others)


def _parts(
    exam: Exam, trial: Trial, label: str, right: Value, given: Value, others: Mapping[str, Value]
) -> Iterator[Compared]:
    """Yield the pairs of leaves of two values with the same structure, by name."""
    if isinstance(right, dict) and isinstance(given, dict) and right.keys() == given.keys():
        for key, one in right.items():
            yield from _parts(exam, trial, inside(label, key), one, given[key], others)
    elif isinstance(right, (tuple, list)) and isinstance(given, (tuple, list)) and len(right) == len(given):
        for place, (one, other) in enumerate(zip(right, given, strict=True)):
            yield from _parts(exam, trial, f"{label}[{place}]", one, other, others)
    else:
        yield Compared(exam, trial, label, right, given, others)


def departs(case: Compared) -> bool:
    """Return whether numbers of the right kind and shape are not the right ones."""
    right, given = case.right, case.given
    if isinstance(right, Tensor):
        if not isinstance(given, Tensor) or case.pair is None:
            return False
        both_numbers = right.is_floating_point() == given.is_floating_point()
        return (
            both_numbers
            and (right.dtype == torch.bool) == (given.dtype == torch.bool)
            and bool(case.wrong_places().any())
        )
    if isinstance(right, bool) or isinstance(given, bool):
        return False
    if isinstance(right, (int, float)) and isinstance(given, (int, float)):
        if not isinstance(right, float) or not abs(given) < 1e300:  # a float cannot hold every whole number
            return given != right
        return abs(given - right) > case.exam.atol + case.exam.rtol * abs(right)
    return False
