"""Finds that a wrong answer is a step too early or too late, an input, another output, or the right one with a term."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .compared import ENOUGH, Compared, Fact, quoted
from .parts import mask_of

Function = Callable[[Tensor], Tensor]

# What was done to the right numbers once too often: (name, what it does, whether zeros are all that it can hide).
_ONCE_TOO_OFTEN: tuple[tuple[str, Function], ...] = (
    ("the exponential of the right one", torch.exp),
    ("the logarithm of the right one", torch.log),
    ("the square of the right one", torch.square),
    ("the square root of the right one", torch.sqrt),
    ("the right one without its sign", torch.abs),
    ("the right one with negative numbers cut off at 0", torch.relu),
    ("1 divided by the right one", torch.reciprocal),
    ("1 minus the right one", lambda x: 1 - x),
    ("the right one plus 1", lambda x: 1 + x),
    ("the sigmoid of the right one", torch.sigmoid),
    ("the right one, rounded to a whole number", torch.round),
)
# What turns the wrong numbers into the right ones: a step that was left out.
_LEFT_OUT: tuple[tuple[str, Function], ...] = (
    ("a softmax over the last dimension makes the right numbers of them", lambda x: x.softmax(-1)),
    ("dividing each row by its sum makes the right numbers of them", lambda x: x / x.sum(-1, keepdim=True)),
    ("their squares are the right numbers", torch.square),
    ("their absolute values are the right numbers", torch.abs),
)


def facts(case: Compared) -> Iterator[Fact]:
    """Yield what was done to a tensor that should not have been, or what was left out."""
    if case.pair is None or case.is_boolean:
        if case.pair is not None:
            yield from _of_boolean(case)
        return
    right, given = case.pair
    label, weak = case.label, not case.enough
    if given.isfinite().all() and (given == given.flatten()[0]).all() and right.numel() > 1:
        number = given.flatten()[0].item() + 0.0  # no minus before a 0
        yield Fact(("constant", round(number, 6)), 19, f"Every number of {label} is {number:.4g}.", weak=weak)
        yield Fact(("constant",), 27, f"All numbers of {label} are the same.", weak=weak)
        return
    others = given[given != 0]
    if 1 < len(others) < given.numel() and others.isfinite().all() and (others == others[0]).all():
        number = others[0].item()
        yield Fact(
            ("constant but for 0", round(number, 6)), 28, f"Every number of {label} is 0 or {number:.4g}.", weak=weak
        )
    for told, function in _ONCE_TOO_OFTEN:
        if case.agree(given, function(right)):
            yield Fact(("too often", told), 13, f"Every number of {label} is {told}.", weak=weak)
    for axis, name in ((-1, "last dimension"), (-2, "last dimension but one")):
        if right.ndim >= -axis and right.shape[axis] > 1 and case.agree(given, right.softmax(axis)):
            yield Fact(
                ("softmax", axis), 11, f"{label} is the softmax of the right numbers, over its {name}.", weak=weak
            )
    for told, function in _LEFT_OUT:
        if given.isfinite().all() and case.agree(function(given), right) and not case.agree(given, right):
            yield Fact(("left out", told), 12, f"A last step is missing in {label}: {told}.", weak=weak)
    for name, other in known(case):
        if case.agree(given, other):
            yield Fact(("is", name), 10, f"{label} is {name}.", weak=weak)
        for sign, verb in ((1, "added to it"), (-1, "taken away from it")):
            if other.shape != right.shape and not _fits(other, right):
                continue
            if not case.agree(right, right + sign * other) and case.agree(given, right + sign * other):
                yield Fact(("term", name, sign), 14, f"{label} is the right one with {name} {verb}.", weak=weak)
        if other.shape == right.shape and case.agree(given, right * other) and not (given == 0).all():
            yield Fact(
                ("product", name), 14, f"{label} is the right one, multiplied by {name}, entry by entry.", weak=weak
            )
    yield from _linear(case, right, given)
    yield from _sums(case, right, given)
    yield from _precision(case, right, given)


def _fits(term: Tensor, right: Tensor) -> bool:
    """Return whether a smaller tensor, such as a bias, can be added to the right one."""
    return 0 < term.ndim < right.ndim and term.shape == right.shape[-term.ndim :] and term.numel() > 1


def known(case: Compared) -> Iterator[tuple[str, Tensor]]:
    """Yield the inputs, parameters and other right outputs of the case, by name."""
    for name, tensor in case.tensors.items():
        yield f"the input {name}" if name in case.trial.call.inputs else name, tensor
    for name, value in case.others.items():
        if name != case.label and isinstance(value, Tensor) and not value.is_meta:
            yield f"what {quoted(name)} should be", value.double()
    q, k = case.tensors.get("q"), case.tensors.get("k")
    if q is not None and k is not None and q.ndim >= 2 and q.ndim == k.ndim and q.shape[-1] == k.shape[-1]:
        yield from _steps(case, q, k)
    scores = case.tensors.get("scores")
    if scores is not None:
        yield "the softmax of all scores, as if there were no mask", scores.softmax(-1)


def _steps(case: Compared, q: Tensor, k: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield the steps of attention that the inputs q, k and v allow, under other names than the right outputs."""
    try:
        products = q @ k.transpose(-2, -1)
    except RuntimeError:
        return
    scores = products / math.sqrt(q.shape[-1])
    yield "the products of q and k, not yet scaled", products
    yield from _scaled_otherwise(case, products)
    yield "the scaled scores, before the softmax", scores
    if mask_of(case) is not None or case.trial.call.inputs.get("is_causal"):
        yield "the softmax of all scores, as if there were no mask", scores.softmax(-1)
    v = case.tensors.get("v")
    if v is not None and v.shape[:-1] == k.shape[:-1]:
        yield "the scores times v, without a softmax", scores @ v
        if mask_of(case) is not None or case.trial.call.inputs.get("is_causal"):
            yield "what comes out without a mask", scores.softmax(-1) @ v
        yield "what comes out of products that are not scaled, without a mask", products.softmax(-1) @ v


def _scaled_otherwise(case: Compared, products: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield what q, k and v give with another scale than 1/√d_head, under the mask of the case."""
    v, mask, size = case.tensors.get("v"), mask_of(case), case.tensors["q"].shape[-1]
    if v is None or v.shape[-2] != products.shape[-1]:
        return
    blocked = torch.zeros(products.shape, dtype=torch.bool)
    try:
        if mask is not None:
            blocked |= ~mask
        if case.trial.call.inputs.get("is_causal"):
            blocked |= ~torch.ones(products.shape[-2:], dtype=torch.bool).tril()
        for told, factor in (
            ("are not scaled", 1.0),
            ("are multiplied by √d_head", math.sqrt(size)),
            ("are multiplied by d_head", size),
            ("are divided by d_head", 1 / size),
            ("are divided by half of d_head", 2 / size),
        ):
            weights = (products * factor).masked_fill(blocked, -torch.inf).softmax(-1).nan_to_num(0.0)
            yield f"what comes out if the products of q and k {told}", weights @ v
    except RuntimeError:  # a mask of another shape
        return


def _of_boolean(case: Compared) -> Iterator[Fact]:
    assert case.pair is not None
    right, given = case.pair
    weak = right.numel() < 4 or len(right.unique()) < 2
    if torch.equal(given, 1 - right):
        yield Fact(("turned round",), 10, f"{case.label} has True and False swapped everywhere.", weak=weak)
    for value in (0, 1):
        if (given == value).all():
            yield Fact(("all", value), 19, f"Every entry of {case.label} is {bool(value)}.", weak=weak)
    extra = bool(((given == 1) & (right == 0)).any())
    lacking = bool(((given == 0) & (right == 1)).any())
    if extra != lacking and len(given.unique()) > 1:
        told = (
            "is True in places that should be False, and nowhere False where it should be True"
            if extra
            else "is False in places that should be True, and nowhere True where it should be False"
        )
        yield Fact(("one way", extra), 60, f"{case.label} {told}.", weak=right.numel() < 9)


def _linear(case: Compared, right: Tensor, given: Tensor) -> Iterator[Fact]:
    """Yield whether one of the layer's own linear maps was left out, or made once too often."""
    state = case.trial.call.state or {}
    for name in [name.removesuffix(".weight") for name in state if name.endswith(".weight")]:
        weight, bias = state[f"{name}.weight"].double(), state.get(f"{name}.bias")
        if weight.ndim != 2 or weight.shape[0] != right.shape[-1]:
            continue
        shift = 0 if bias is None else bias.double()
        if weight.shape[1] == given.shape[-1]:
            if case.agree(given @ weight.T + shift, right):
                yield Fact(("before", name), 10, f"{case.label} is what {name} should still be applied to.")
            if case.agree(given, right @ weight.T + shift):
                yield Fact(("again", name), 10, f"{case.label} is the right one with {name} applied once more.")
        if bias is not None and case.agree(given, right - shift):
            yield Fact(("no bias", name), 9, f"{case.label} is right except that the bias of {name} is missing.")


def _sums(case: Compared, right: Tensor, given: Tensor) -> Iterator[Fact]:
    """Yield along which dimension the numbers sum to 1, where the right rows do, or do not."""
    if not right.is_floating_point() or right.ndim < 2 or right.shape[-1] < 2 or not given.isfinite().all():
        return
    rows = right.sum(-1)
    if (right < 0).any() or not ((rows - 1).abs() < 1e-3).logical_or(rows.abs() < 1e-6).all() or not rows.any():
        return
    full = rows > 0.5
    sums = given.sum(-1)[full]
    if not ((sums - 1).abs() < 1e-3).all():
        for axis in range(-right.ndim, -1):
            along = given.sum(axis)
            ones = ((along - 1).abs() < 1e-3).logical_or(along.abs() < 1e-6).all() and along.any()
            if right.shape[axis] > 1 and ones:
                what = "Its columns do" if axis == -2 else f"They do along {case.dimension(axis)}"
                yield Fact(
                    ("sums to 1", axis),
                    47,
                    f"The rows of {case.label} should sum to 1. {what}, as after a softmax over the wrong dimension.",
                    weak=not case.enough,
                )
        low, high = sums.min().item(), sums.max().item()
        told = f"{low:.3g}" if high - low < 1e-3 else f"{low:.3g} to {high:.3g}"
        yield Fact(
            ("rows do not sum",),
            80,
            f"Each row of {case.label} should sum to 1. Yours sum to {told}.",
            weak=not case.enough,
        )
    elif full.any() and (given < 0).any():
        yield Fact(("negative",), 79, f"{case.label} has negative numbers, and weights are never negative.")
    mask = mask_of(case)
    if mask is not None and mask.ndim > 1 and mask.shape[-1] == right.shape[-1]:
        try:
            blocked = ~mask.expand(right.shape)
        except RuntimeError:
            return
        if blocked.any() and (given[blocked] != 0).all():
            yield Fact(
                ("blocked not 0",),
                70,
                f"{case.label} is not 0 in any place that the mask blocks.",
                weak=int(blocked.sum()) < ENOUGH,
            )
        if blocked.any() and (~blocked).any() and not given[~blocked].any() and given.any():
            yield Fact(
                ("open are 0",),
                23,
                f"{case.label} is 0 in every place that the mask leaves open.",
                weak=int((~blocked).sum()) < ENOUGH,
            )


def _precision(case: Compared, right: Tensor, given: Tensor) -> Iterator[Fact]:
    if not given.isfinite().all() or len(right.unique()) < 3:
        return
    for dtype in (torch.bfloat16, torch.float16):
        if isinstance(case.right, Tensor) and case.right.dtype == dtype:
            continue  # it is meant to be rounded
        if not case.agree(given, right) and torch.equal(given.float(), given.to(dtype).float()):
            spacing = 8 * torch.finfo(dtype).eps
            if torch.isclose(given, right, rtol=spacing, atol=spacing * right.abs().max().item()).all():
                yield Fact(
                    ("half", dtype), 24,
                    f"{case.label} holds the right numbers in the precision of {str(dtype).removeprefix('torch.')} "
                    "only: somewhere they were rounded to it.",
                )  # fmt: skip
                return
