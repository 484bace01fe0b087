"""Finds a constant factor or a constant offset between a wrong answer and the right one, as an expression of sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from .compared import ENOUGH, Compared, Fact, brief

_PLAIN = {
    2.0: "2",
    3.0: "3",
    4.0: "4",
    1 / math.log(2): "1/ln 2, as logarithms to the base 2 are larger than natural ones",
    1 / math.log(10): "1/ln 10, as logarithms to the base 10 are smaller than natural ones",
}


def expressions(sizes: dict[str, int]) -> Iterator[tuple[str, float]]:
    """Yield (text, value) for each factor of a case's sizes that can be named: "√d_head", "seq_k / d_head"."""
    for value, text in _PLAIN.items():
        yield text, value
        if text.isdigit():
            yield f"1/{text}", 1 / value
    for name, size in sizes.items():
        for text, value in ((name, size), (f"√{name}", math.sqrt(size)), (f"{name}²", size**2)):
            yield text, value
            yield f"1/{text}", 1 / value
        yield f"2/√{name}", 2 / math.sqrt(size)
        yield f"√{name}/2", math.sqrt(size) / 2
        yield f"{name}·√{name}", size**1.5
        yield f"1/({name}·√{name})", size**-1.5
        if size > 1:
            for text, value in ((f"({name} − 1)", size - 1), (f"({name} − 1)²", (size - 1) ** 2)):
                yield text, value
                yield f"1/{text}", 1 / value
            yield f"{name}/({name} − 1)", size / (size - 1)
            yield f"({name} − 1)/{name}", (size - 1) / size
        for other, divisor in sizes.items():
            if name != other:
                yield f"{name}/{other}", size / divisor
                yield f"√{name}/√{other}", math.sqrt(size / divisor)
                if name < other:
                    yield f"{name}·{other}", size * divisor
                    yield f"1/({name}·{other})", 1 / (size * divisor)


def facts(case: Compared) -> Iterator[Fact]:
    """Yield the constant factor, or offset, between a wrong tensor and the right one."""
    if case.pair is None or case.is_boolean or not case.pair[1].isfinite().all():
        return
    right, given = case.pair
    weak = not case.enough
    factor = _factor(right, given)
    if factor is not None and case.agree(given, right * factor) and not case.agree(given, torch.zeros_like(given)):
        yield from _named_factor(case, factor, weak=weak)
    offset = (given - right).mean().item()
    if case.agree(given, right + offset):
        way = "large" if offset > 0 else "small"
        by = brief(abs(offset))
        yield Fact(
            ("offset", way, by),
            22,
            f"Every number of {case.label} is the right one, too {way} by {by}.",
            weak=weak,
        )
        if right.numel() > 1:
            yield Fact(
                ("some offset",),
                29,
                f"In each case, the numbers of {case.label} are off by one number, but not the same one in all cases: "
                f"too {way} by {by} in one of them.",
                weak=weak,
            )
        for text, value in expressions(case.sizes):
            if abs(abs(offset) - value) < 1e-5 * value and any(map(str.isalpha, text)):
                yield Fact(
                    ("offset", text, way), 21, f"Every number of {case.label} is the right one, too {way} by {text}.",
                    weak=weak, is_reading=True,
                )  # fmt: skip
    yield from _line(case, right, given)
    yield from _by_row(case, right, given)
    yield from _sharpened(case, right, given)


def _line(case: Compared, right: Tensor, given: Tensor) -> Iterator[Fact]:
    """Yield whether all given numbers are a · right + b."""
    low, high = right.argmin(), right.argmax()
    width = (right.flatten()[high] - right.flatten()[low]).item()
    if width == 0:
        return
    slope = (given.flatten()[high] - given.flatten()[low]).item() / width
    start = given.flatten()[low].item() - slope * right.flatten()[low].item()
    if abs(slope) < 1e-3 or abs(start) < 1e-3 or abs(slope - 1) < 1e-3 or not case.agree(given, slope * right + start):
        return
    times = "minus the right one" if abs(slope + 1) < 1e-4 else f"{brief(slope)} times the right one"
    yield Fact(
        ("line", brief(slope), brief(start)), 26, f"Every number of {case.label} is {brief(start)} and {times}."
        if slope > 0 else f"Every number of {case.label} is {brief(start)} {times}.", weak=not case.enough,
    )  # fmt: skip


def _sharpened(case: Compared, right: Tensor, given: Tensor) -> Iterator[Fact]:
    """Yield whether wrong rows are what a softmax gives if all that goes into it is multiplied by one factor."""
    if right.ndim < 2 or right.shape[-1] < 2 or (right < 0).any() or (given < 0).any():
        return
    rows = right.sum(-1)
    if not ((rows - 1).abs() < 1e-3).logical_or(rows == 0).all():
        return
    known = (right > 1e-3) & (given > 1e-3)
    # Within a row, logarithms of weights differ by what the scores differ by.
    first, at = right.max(-1, keepdim=True)
    away, away_given = (first / right).log()[known], (given.gather(-1, at) / given).log()[known]
    if not away.any() or not (away_given.isfinite() & away.isfinite()).all():
        return
    factor = ((away * away_given).sum() / (away * away).sum()).item()
    powers = torch.where(right > 0, right.pow(factor), 0.0)
    sums = powers.sum(-1, keepdim=True)
    if abs(factor - 1) < 1e-3 or not case.agree(given, powers / torch.where(sums == 0, 1.0, sums)):
        return
    weak = not case.enough or int((known.sum(-1) > 2).sum()) < 3
    row = f"Each row of {case.label} is what a softmax makes of its input"
    yield Fact(
        ("sharpened", brief(factor, 3)), 22, f"{row} if all of it is multiplied by {brief(factor, 3)}.", weak=weak
    )
    for text, value in expressions(case.sizes):
        if abs(abs(factor) - value) < 1e-3 * value and any(map(str.isalpha, text)):
            times = f"divided by {text[2:]}" if text.startswith("1/") else f"multiplied by {text}"
            sign = ", with the opposite sign" if factor < 0 else ""
            yield Fact(
                ("sharpened", factor < 0, text), 17 + text.count("·") + text.count("/", 2),
                f"{row} if all of it is {times}{sign}.", weak=weak, is_reading=True,
            )  # fmt: skip


def _named_factor(case: Compared, factor: float, *, weak: bool) -> Iterator[Fact]:
    if abs(factor + 1) < 1e-4:
        yield Fact(
            ("factor", -1), 8, f"Every number of {case.label} is the right one with the opposite sign.", weak=weak
        )
        return
    sign = "minus " if factor < 0 else ""
    told = brief(factor)
    yield Fact(("factor", told), 20, f"Every number of {case.label} is the right one times {told}.", weak=weak)
    if case.pair is not None and case.pair[0].numel() > 1:
        yield Fact(
            ("some factor",),
            28,
            f"In each case, the numbers of {case.label} are the right ones times one factor, but not the same one in "
            f"all cases: {told} in one of them.",
            weak=weak,
        )
    for text in names_of(case, abs(factor)):
        if not text.isdigit():
            rank = 15 + text.count("·") + text.count("/", 2)
            sentence = f"Every number of {case.label} is the right one {multiplied_by(text, sign)}."
            yield Fact(("factor", sign, text), rank, sentence, weak=weak, is_reading=True)


def names_of(case: Compared, factor: float) -> Iterator[str]:
    """Yield the expressions of the case's sizes that a positive factor is."""
    return (text for text, value in expressions(case.sizes) if abs(factor - value) < 2e-4 * value)


def multiplied_by(text: str, sign: str = "") -> str:
    """Return what multiplying by an expression is in words: "divided by seq" for "1/seq".

    Args:
        sign: "minus " if the factor is negative.
    """
    if text.startswith("1/") and not text.startswith("1/ln"):
        return f"divided by {sign}{text[2:]}"
    return f"times {sign}{text}"


def _factor(right: Tensor, given: Tensor) -> float | None:
    """Return the factor that fits best, None if the right numbers are all 0."""
    largest = right.abs().argmax()
    divisor = right.flatten()[largest].item()
    return None if divisor == 0 else given.flatten()[largest].item() / divisor


def _by_row(case: Compared, right: Tensor, given: Tensor) -> Iterator[Fact]:
    """Yield whether each row, or each entry of another dimension, has a factor or an offset of its own."""
    if right.ndim < 2:
        return
    for axis in range(-right.ndim, 0):
        if right.shape[axis] < 2:
            continue
        # One number for each row along `axis`, from the largest entry of the right row.
        places = right.abs().argmax(axis, keepdim=True)
        divisor = right.gather(axis, places)
        factor = given.gather(axis, places) / torch.where(divisor == 0, 1.0, divisor)
        several = ((right != 0).sum(axis) > 1).sum().item()  # rows that could have contradicted
        what = "row" if axis == -1 else "column" if axis == -2 and right.ndim > 1 else ""
        none_is_0 = bool((factor.abs() > 1e-6).logical_or(divisor == 0).all())  # a row of zeros has no ratios
        if what and none_is_0 and case.agree(given, right * factor):
            yield Fact(
                ("factor of its own", axis),
                40 - axis,
                f"Each {what} of {case.label} is right except for a factor of its own: "
                f"within a {what}, the numbers have the right ratios.",
                weak=several < 3 or right.numel() < 2 * ENOUGH,
            )
        shift = (given - right).mean(axis, keepdim=True)
        if what and case.agree(given, right + shift):
            yield Fact(
                ("offset of its own", axis),
                42 - axis,
                f"Each {what} of {case.label} is off by a number of its own, the same for all its entries.",
                weak=right.shape[axis] < 3 or right.numel() < 2 * ENOUGH,
            )
    vector = (given - right).flatten(0, -2).mean(0)
    if right[..., 0].numel() > 2 and right.shape[-1] > 1 and case.agree(given, right + vector):
        yield Fact(
            ("vector",), 45,
            f"Every row of {case.label} is off by the same {right.shape[-1]} numbers, as if a bias were missing or "
            "wrong.",
        )  # fmt: skip
