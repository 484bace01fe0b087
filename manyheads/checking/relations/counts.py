"""Finds by what products of the case's sizes a wrong count differs from the right one, or which ones it is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import torch

from .compared import Compared, Fact, brief
from .factors import expressions

_LARGEST_POWER = 3  # of one size in a product
_MOST_SIZES = 4  # different ones in a product
_LARGEST = 10**24
_LEADING = (1, 2, 3, 4, 6, 8)


def facts(case: Compared) -> Iterator[Fact]:
    """Yield how a wrong number differs from the right one. All facts are weak: one case proves nothing."""
    right, given = case.right, case.given
    if isinstance(right, bool) or isinstance(given, bool):
        return
    if not isinstance(right, (int, float)) or not isinstance(given, (int, float)):
        return
    if not 0 <= max(abs(right), abs(given)) <= _LARGEST or given != given:
        return
    if given == 0:
        yield Fact(("constant", 0), 19, f"{case.label} is 0.", weak=True)
        return
    if right == 0:
        return
    factor = given / right
    if abs(factor + 1) < 1e-9:
        yield Fact(("factor", -1), 14, f"{case.label} has the wrong sign.", weak=True)
    for text, value in [*expressions(case.sizes), *_triangles(case), *_products(case)]:
        for inverse in (False, True):
            wanted = 1 / value if inverse else value
            if text.startswith("1/") or abs(factor - wanted) > 1e-7 * abs(wanted):
                continue
            times = "the right one divided by" if inverse else "the right one times"
            if "/" not in text:  # a ratio may be below 1
                times = f"too small: {times}" if inverse else f"too large: {times}"
            rank = 15 + text.count("·")
            yield Fact(("factor", text, inverse), rank, f"{case.label} is {times} {text}.", weak=True)
    ratio = Fraction(factor).limit_denominator(12)
    if ratio not in (0, 1) and abs(ratio - factor) < 1e-9 * abs(factor):
        told = f"{ratio.numerator}/{ratio.denominator}" if ratio.denominator > 1 else f"{ratio.numerator}"
        yield Fact(
            ("factor", told), 25, f"{case.label} is the right one times {told}, in every case that is wrong.", weak=True
        )
    if isinstance(right, float):
        difference = given - right
        way = "large" if difference > 0 else "small"
        told = f"{case.label} is too {way} by {brief(abs(difference))}, in every case that is wrong."
        yield Fact(("offset", way, brief(abs(difference))), 22, told, weak=True)
    if isinstance(right, int) and given == int(given):
        difference = int(given) - right
        way = "large" if difference > 0 else "small"
        if difference:
            yield Fact(("offset", difference), 22, f"{case.label} is too {way} by {abs(difference):,}.", weak=True)
        for text, value in _products(case):
            for leading in _LEADING:
                if abs(difference) == leading * value:
                    told = f"{leading} · {text}" if leading > 1 else text
                    yield Fact(
                        ("offset", told, way), 16 + text.count("·"), f"{case.label} is too {way} by {told}.", weak=True
                    )
        yield from _terms(case, right, int(given))


def _triangles(case: Compared) -> Iterator[tuple[str, float]]:
    """Yield by what a number is too large if 1 to n are added up in place of n."""
    for name, size in case.sizes.items():
        if size > 1:
            yield f"({name} + 1)/2", (size + 1) / 2


def _terms(case: Compared, right: int, given: int) -> Iterator[Fact]:
    """Yield which product stands in another's place in the right number, or which one or two the wrong number is."""
    by_value: dict[int, list[tuple[int, str]]] = {}
    for text, value in _products(case, differences=False):
        for leading in _LEADING:
            told = f"{leading} · {text}" if leading > 1 else text
            by_value.setdefault(leading * value, []).append((told.count("·"), told))
    for size, told in by_value.get(given, ()):
        yield Fact(("is", told), 26 + size, f"In every case that is wrong, {case.label} is {told}.", weak=True)
    sizes = _sizes(case)
    for (name, size), (other, divisor) in itertools.permutations(sizes.items(), 2):
        if size == given * divisor:
            told = f"In every case that is wrong, {case.label} is {name} / {other}."
            yield Fact(("is", name, "/", other), 28, told, weak=True)
    for value, terms in by_value.items():
        for (size, told), (more, other) in itertools.product(terms, by_value.get(given - right + value, ())):
            if told != other:
                yield Fact(
                    ("in its place", told, other), 32 + size + more,
                    f"{case.label} is the right one with {other} in the place of {told}.", weak=True,
                )  # fmt: skip
        for (size, told), (more, other) in itertools.product(terms, by_value.get(given - value, ())):
            if told <= other:
                yield Fact(
                    ("sum", told, other), 44 + size + more,
                    f"In every case that is wrong, {case.label} is {told} + {other}.", weak=True,
                )  # fmt: skip


def _products(case: Compared, *, differences: bool = True) -> Iterator[tuple[str, int]]:
    """Yield (text, value) for the products of a case's sizes, "batch · seq² · d_model".

    Args:
        differences: whether a factor may also be by how much one size is larger than another, or than 1.
    """
    sizes = _sizes(case)
    for powers in itertools.product(range(_LARGEST_POWER + 1), repeat=min(len(sizes), 5)):
        used = [(name, power) for name, power in zip(sizes, powers, strict=False) if power]
        if 0 < len(used) <= _MOST_SIZES and sum(powers) <= _MOST_SIZES:
            text = " · ".join(name + {1: "", 2: "²", 3: "³"}[power] for name, power in used)
            product = math.prod(sizes[name] ** power for name, power in used)
            yield text, product
            for difference, number in _differences(sizes) if differences else ():
                yield f"{text} · {difference}", product * number


def _sizes(case: Compared) -> dict[str, int]:
    """Return the whole numbers that a case gives, by name, and what follows from them."""
    asked = {**(case.trial.call.init or {}), **case.trial.call.inputs}
    sizes = {name: value for name, value in asked.items() if type(value) is int and value > 0}
    if "num_heads" in sizes and "d_model" in sizes:
        sizes["d_head"] = case.sizes.get("d_head", 0) or sizes["d_model"] // sizes["num_heads"]
    sizes |= {f"bytes of {name}": value.itemsize for name, value in asked.items() if isinstance(value, torch.dtype)}
    return sizes


def _differences(sizes: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Yield by how much a product is too large if one size replaces another, or 1."""
    for name in ("num_heads", "seq"):
        if sizes.get(name, 0) > 1:
            yield f"({name} − 1)", sizes[name] - 1
    if sizes.get("d_model", 0) > sizes.get("d_head", 0) > 0:
        yield "(d_model − d_head)", sizes["d_model"] - sizes["d_head"]
