"""Weights as maps of words by words: a row is the word that looks, a column the word that is looked at.

Chapter 1 draws one head's weights with it, at several moments side by side. Nothing here computes attention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from . import style

_LARGEST_CELL, _WITH_NUMBER = 46, 38  # pixels, as all lengths here: cells this large have their number in them
_LETTER = 9.2  # how wide a letter of a label is at most
_TITLE, _BESIDE = 26, 22  # a line above each map, and the room between two maps


def draw_weight_maps(maps: Mapping[str, Tensor | None], words: Sequence[str]) -> Figure:
    """Draw maps side by side, each below its title.

    Args:
        maps: by title, each (seq, seq), numbers from 0 to 1. None: an empty grid, for weights that are still to come.
        words: the labels of rows and columns, seq of them.
    """
    labels = 12 + _LETTER * max(map(len, words))
    room = style.WIDTH - labels - _BESIDE * (len(maps) - 1)
    cell = min(_LARGEST_CELL, room / (len(maps) * len(words)))
    top = _TITLE + labels
    with style.course():
        figure = style.figure(height=round(top + cell * len(words)) + 6)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, style.WIDTH), ylim=(top + cell * len(words) + 6, 0))
        axes.set_axis_off()
        for place, word in enumerate(words):
            style.write(axes, labels - 8, top + cell * (place + 0.5), word, ha="right", va="center_baseline")
        for place, (title, weights) in enumerate(maps.items()):
            left = labels + place * (cell * len(words) + _BESIDE)
            style.write(axes, left, _TITLE / 2, title, weight="bold", va="center")
            _draw_map(axes, weights, words, left, top, cell)
    return figure


def _draw_map(axes: Axes, weights: Tensor | None, words: Sequence[str], left: float, top: float, cell: float) -> None:
    for place, word in enumerate(words):
        style.write(axes, left + cell * (place + 0.5), top - 6, word, ha="center", va="bottom", rotation="vertical")
    rows = [[0.0] * len(words)] * len(words) if weights is None else weights.tolist()
    across = [left + cell * place for place in range(len(words) + 1)]
    down = [top + cell * place for place in range(len(words) + 1)]
    colours = style.weight_colours()
    axes.pcolormesh(across, down, rows, cmap=colours, vmin=0, vmax=1, edgecolors=style.GRID, linewidth=0.8)
    if weights is None or cell < _WITH_NUMBER:
        return
    for row, line in enumerate(rows):
        for column, weight in enumerate(line):
            ink = style.ink_on(colours(min(max(weight, 0.0), 1.0)))
            middle = left + cell * (column + 0.5), top + cell * (row + 0.5)
            style.write(axes, *middle, f"{weight:.2f}", ha="center", va="center_baseline", color=ink, size=13)


def describe_weight_maps(maps: Mapping[str, Tensor | None], words: Sequence[str]) -> str:
    """Return the picture's alternative text: where each word looks most, map by map."""
    said: list[str] = []
    for title, weights in maps.items():
        if weights is not None:
            looks = [f"{word} at {_most(row, words)}" for word, row in zip(words, weights.tolist(), strict=True)]
            said.append(f"{title}: {', '.join(looks)}.")
    return " ".join(said) or "Nothing yet."


def _most(row: Sequence[float], words: Sequence[str]) -> str:
    largest = max(row)
    return "all alike" if largest - min(row) < 0.005 else f"{words[row.index(largest)]} ({largest:.2f})"
