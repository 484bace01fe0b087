"""The first place where an answer departs from the right one. `comparison.py` finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .stage import Stage

_MOST = 6  # rows and columns of an excerpt


@dataclass(frozen=True)
class Excerpt:
    """Part of a tensor, expected and given, to be drawn.

    Args:
        place: which part, "scores[0, 1]".
        expected: rows of numbers.
        got: as many rows of numbers.
        differs: which of them differ.
    """

    place: str
    expected: tuple[tuple[float, ...], ...]
    got: tuple[tuple[float, ...], ...]
    differs: tuple[tuple[bool, ...], ...]


def excerpt(name: str, expected: Tensor, got: Tensor, close: Tensor) -> Excerpt | None:
    """Return the rows and columns around the first entry that differs; None for a single number.

    Args:
        expected: (..., rows, columns) or (columns,).
        got: of the same shape.
        close: which entries agree; at least one does not.
    """
    if expected.dim() == 0 or expected.numel() < 2:
        return None
    index = (~close).nonzero()[0].tolist()
    before, last = tuple(index[:-2]), index[-2:]
    begins = [max(0, min(at - _MOST // 2, size - _MOST)) for at, size in zip(last, expected.shape[-2:], strict=True)]
    cut = tuple(slice(begin, begin + _MOST) for begin in begins)

    def rows(tensor: Tensor) -> list[list[float]]:
        part = tensor.detach()[before + cut]
        return torch.atleast_2d(part).tolist()

    shown = [":" if size <= _MOST else f"{b}:{b + _MOST}" for b, size in zip(begins, expected.shape[-2:], strict=True)]
    inside = f"[{', '.join([*map(str, before), *shown])}]" if before or any(one != ":" for one in shown) else ""
    return Excerpt(
        f"{name}{inside}",
        tuple(tuple(map(float, row)) for row in rows(expected)),
        tuple(tuple(map(float, row)) for row in rows(got)),
        tuple(tuple(map(bool, row)) for row in rows(~close)),
    )


@dataclass(frozen=True)
class Divergence:
    """The first place where an answer departs from the right one.

    Args:
        stage: which comparison found it.
        sentence: what is wrong, with the output's name.
        expected: what was expected, "" if the sentence says it all.
        got: what the code returned.
        detail: one more line, such as how many entries differ.
        excerpt: returns numbers of both to draw, if there are any. Not called for most divergences.
    """

    stage: Stage
    sentence: str
    expected: str = ""
    got: str = ""
    detail: str = ""
    excerpt: Callable[[], Excerpt | None] | None = field(default=None, compare=False)
