"""Finds which of several values by name is wrong, such as a layer's parameters, and what it holds instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..labels import key_of
from ..wording import joined
from .compared import Compared, departs

_MOST_TOLD = 3  # of several wrong ones


def what_is_held(cases: Sequence[Sequence[Compared]]) -> str:
    """Return a sentence on which named values are wrong in all these cases, and what they hold; "" if none is.

    Args:
        cases: the outputs of each case in which one departs.
    """
    held = [dict(_held(outputs)) for outputs in cases]
    held = [one for one in held if one]
    if not held:
        return ""
    # What is the same in every case that has named values which depart.
    shared = {key: told for key, told in held[0].items() if all(other.get(key) == told for other in held)}
    known = {key: told for key, told in shared.items() if told}
    if not known:
        wrong = list(held[0])
        right = min(len(names) for outputs in cases if (names := _names(outputs))) - len(wrong)
        always = all(other.keys() == held[0].keys() for other in held)
        if always and right > 0 and len(wrong) <= _MOST_TOLD:
            are = "are" if len(wrong) > 1 else "is"
            return f"Of {len(wrong) + right} tensors, {joined(wrong)} {are} wrong, and the others are right."
        return ""
    # Two that hold what the other should: (w_k.weight, w_v.weight).
    exchanged = [(key, told[1:]) for key, told in known.items() if told[:1] == "=" and known.get(told[1:]) == f"={key}"]
    exchanged = [pair for place, pair in enumerate(exchanged) if pair[::-1] not in exchanged[:place]]
    if exchanged and 2 * len(exchanged) == len(known):
        first, *others = exchanged[:_MOST_TOLD]
        so_have = "".join(f", and so have {joined(pair)}" for pair in others)
        return f"{joined(first)} have changed places{so_have}."
    by_told: dict[str, list[str]] = {}
    for key, told in known.items():
        by_told.setdefault(told, []).append(key)
    sentences = []
    for told, keys in list(by_told.items())[:_MOST_TOLD]:
        holds = "hold" if len(keys) > 1 else "holds"
        many = len(keys) > 1
        what = (
            f"what {told[1:]} should hold"
            if told.startswith("=")
            else told.format(its="their" if many else "its", them="them" if many else "it")
        )
        sentences.append(f"{joined(keys)} {holds} {what}.")
    return " ".join(sentences)


def _names(outputs: Sequence[Compared]) -> list[str]:
    return [key for case in outputs if (key := _key(case)) and isinstance(case.right, Tensor)]


def _key(case: Compared) -> str:
    """Return a value's name within its output, "" if it has none."""
    return key_of(case.label)


def _held(outputs: Sequence[Compared]) -> Iterator[tuple[str, str]]:
    """Yield (name, what it holds): "=NAME" for another one's value, words with {its}, "" if unknown."""
    named = {key: case for case in outputs if (key := _key(case)) and isinstance(case.right, Tensor)}
    for key, case in named.items():
        if departs(case) and case.pair is not None:
            yield key, _what(key, case, named)


def _what(key: str, case: Compared, named: dict[str, Compared]) -> str:
    assert case.pair is not None
    right, given = case.pair
    for other, theirs in named.items():
        if other != key and isinstance(theirs.right, Tensor) and case.agree(given, theirs.right.double()):
            return f"={other}"
    if not given.isfinite().all():
        return "NaN or infinite numbers"
    if (given == 0).all():
        return "only zeros"
    if right.numel() > 1 and (given == given.flatten()[0]).all():
        return "one number everywhere, as if nothing had been copied into {them}"
    if right.ndim == 2 and right.shape[0] == right.shape[1] and case.agree(given, right.T):
        return "{its} own numbers, transposed"
    for axis, word in ((0, "rows"), (1, "columns")):
        if axis < right.ndim:
            if case.agree(given, right.flip(axis)):
                return "{its} own " + ("numbers" if right.ndim == 1 else word) + ", in reverse order"
            if right.shape[axis] > 1 and case.agree(_sorted(given, axis), _sorted(right, axis)):
                return "{its} own " + ("numbers" if right.ndim == 1 else word) + " in another order"
    if right.numel() > 2 and case.agree(given.flatten().sort().values, right.flatten().sort().values):
        return "{its} own numbers in other places"
    for parts in range(2, right.shape[0] + 1):
        if right.shape[0] % parts == 0 and right.shape[0] > parts:
            block = right.chunk(parts)[0]
            if case.agree(given, block.repeat(parts, *[1] * (right.ndim - 1))):
                return f"the first of {parts} blocks of rows, {parts} times"
    square = right.ndim == 2 and right.shape[0] == right.shape[1]
    for other, theirs in named.items():
        same_shape = other != key and isinstance(theirs.right, Tensor) and theirs.right.shape == right.shape
        if square and same_shape and isinstance(theirs.right, Tensor) and case.agree(given, theirs.right.double().T):
            return f"what {other} should hold, transposed"
    return ""


def _sorted(matrix: Tensor, axis: int) -> Tensor:
    """Return the rows (axis 0) or columns (axis 1) of a matrix in an order that does not depend on theirs."""
    rows = matrix if axis == 0 else matrix.T
    rows = rows[:, None] if rows.ndim == 1 else rows
    order = torch.tensor(sorted(range(len(rows)), key=lambda row: rows[row].tolist()))
    return rows[order]
