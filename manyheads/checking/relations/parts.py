"""Finds the part of a wrong answer that is right: rows, heads, sentences, what a mask blocks or lets through."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..wording import joined
from .compared import Compared, Fact, telling

_MOST_ENTRIES = 12  # along a dimension, of which the right ones are listed


def facts(case: Compared) -> Iterator[Fact]:
    """Yield for each region that holds all wrong entries that the rest is right."""
    if case.pair is None:
        return
    right, given = case.pair
    wrong = case.wrong_places()
    nans = given.isnan()
    if nans.any() and right.isfinite().all():
        yield from _not_numbers(case, nans)
    if right.numel() > 1 and (wrong.all() or (given == given.flatten()[0]).all()):
        return
    for key, rank, sentence, region in _regions(case, right, wrong):
        if not region.any() or (wrong & ~region).any():
            continue
        if region.all():  # it cannot contradict
            if right.numel() == 1:
                yield Fact(("right but for", key), rank + 8, sentence, weak=True)
            continue
        rest = right[~region]
        # A region that is mostly right says little about where the mistake is.
        mostly = (wrong & region).sum().item() * 2 >= region.sum().item()
        told = sentence if sentence.endswith(".") else f"{case.label} is right everywhere but {sentence}."
        yield Fact(
            ("right but for", key),
            rank + (0 if mostly else 8),
            told,
            weak=not telling(rest, is_boolean=case.is_boolean),
        )


def right_entries(case: Compared) -> str:
    """Return which heads, rows, sentences or the like of a wrong tensor are right in this case, or ""."""
    if case.pair is None or case.pair[0].numel() < 2 or _is_coarse(case.right):
        return ""
    right, wrong = case.pair[0], case.wrong_places()
    found: list[tuple[int, str]] = []
    for axis in range(-right.ndim, 0):
        size = right.shape[axis]
        by_entry = wrong.movedim(axis, 0).reshape(size, -1)
        departs = by_entry.any(1)
        good, bad = (~departs).nonzero().flatten().tolist(), departs.nonzero().flatten().tolist()
        rest = right.movedim(axis, 0)[good]
        if not good or size > _MOST_ENTRIES or not telling(rest, is_boolean=case.is_boolean):
            continue
        item = case.item(axis)
        items = item.replace("entry", "entries", 1) if item.startswith("entry") else f"{item}s"
        of = "counted from 0" if item != "sentence" else "of the batch, counted from 0"
        are = "are" if len(bad) > 1 else "is"
        told = (
            f"In this case the {items} {_listed(good)} of {case.label} are right, and {_listed(bad)} {are} not ({of})."
            if len(good) > 1
            else f"In this case {item} {good[0]} of {case.label} is right, and the others are not ({of})."
        )
        found.append((int((~by_entry[departs]).sum()), told))  # the fewer right ones among the wrong, the better
    return min(found)[1] if found else ""


def _is_coarse(value: object) -> bool:
    """Return whether numbers have half precision: there, which of them are right is up to rounding."""
    return isinstance(value, Tensor) and value.dtype in (torch.bfloat16, torch.float16)


def _listed(places: list[int]) -> str:
    """Return numbers in words, neighbours as a range: "0, 2 and 4 to 7"."""
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    told = [text for run in runs for text in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))]
    return joined(told)


def _not_numbers(case: Compared, nans: Tensor) -> Iterator[Fact]:
    mask = mask_of(case)
    blocked = None if mask is None else _rows(case, ~mask.any(-1), nans.shape)
    if blocked is not None and blocked.any() and torch.equal(nans, blocked.expand(nans.shape)):
        yield Fact(
            ("nan", "blocked rows"), 12,
            f"{case.label} is NaN exactly where the mask blocks every key of a query: such a row divides 0 by 0.",
        )  # fmt: skip


def mask_of(case: Compared) -> Tensor | None:
    """Return the mask of the call, True where a query may attend, or None."""
    mask = case.trial.call.inputs.get("mask")
    if isinstance(mask, Tensor) and mask.dtype == torch.bool and mask.ndim >= 1:
        return mask
    return None


def _rows(case: Compared, rows: Tensor, shape: torch.Size) -> Tensor | None:
    """Return which entries lie in `rows` (…, seq_q) of an output (…, seq_q, anything), None if they do not fit."""
    tries = [rows[..., None]]
    if rows.ndim > 1 and rows.shape[-2] == 1 and len(shape) == rows.ndim:
        tries.append(rows.squeeze(-2)[..., None])  # (batch, 1, seq_q): without heads
    for region in tries:
        try:
            fits = region.shape[-2] == shape[-2] if len(shape) > 1 else False
            return region.expand(shape) if fits else None
        except RuntimeError:
            continue
    return None


def _regions(case: Compared, right: Tensor, wrong: Tensor) -> Iterator[tuple[object, int, str, Tensor]]:
    """Yield (key, rank, where in words or a whole sentence, which entries): all regions that have a name."""
    shape = right.shape
    for axis in range(-right.ndim, 0):
        size = shape[axis]
        if size < 2 and right.numel() > 1:
            continue
        item = case.item(axis)
        departs = wrong.movedim(axis, 0).reshape(size, -1).any(1)  # each of the items
        index = torch.arange(size).view([-1 if place == axis else 1 for place in range(-right.ndim, 0)])
        for name, place in (("first", 0), ("last", size - 1)):
            only = (index == place).expand(shape)
            yield (axis, name), 30, f"in the {name} {item}", only
            told = f"In {case.label}, the {name} {item} is right, and the others are not."
            if size > 1 and departs.sum() == size - 1 and not departs[place]:
                yield (axis, "not", name), 31, told, ~only
    if right.ndim > 1 and shape[-1] == shape[-2] and shape[-1] > 2:
        square = torch.ones(shape, dtype=torch.bool)
        yield "diagonal", 26, "on the diagonal", square.tril() & square.triu()
        yield "above", 28, "above the diagonal", square.triu(1)
        yield "below", 28, "below the diagonal", square.tril(-1)
        yield "above or on", 29, "on and above the diagonal", square.triu()
        yield "below or on", 29, "on and below the diagonal", square.tril()
    mask = mask_of(case)
    if mask is None:
        return
    rows = _rows(case, ~mask.any(-1), shape)
    if rows is not None:
        yield "blocked rows", 24, "for queries of which the mask blocks every key", rows
    rows = _rows(case, ~mask.all(-1), shape)
    if rows is not None:
        yield "touched rows", 33, "for queries of which the mask blocks some key", rows
    if mask.ndim > 1 and right.ndim > 1 and mask.shape[-1] == shape[-1] and mask.shape[-2] in (1, shape[-2]):
        try:
            places = mask.expand(shape)
        except RuntimeError:
            return
        yield "blocked", 25, "in the places that the mask blocks", ~places
        yield "open", 27, "in the places that the mask leaves open", places
