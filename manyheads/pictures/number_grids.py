"""Shows where each number of a tensor goes: small tensors as grids of cells, coloured by the head a number is for.

Lessons call `number_grids` on tensors that they have just made; it draws the tensors' own numbers. Nothing here splits
or merges heads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from . import style, theme

_CELL = 36  # pixels, as all lengths here
_TITLE = 42  # two lines above the grids
_HEAD = 34  # a line above each head's grid
_TITLE_LETTER = 8.5  # how wide a letter of a title is
_LETTER = 8.6  # how wide a letter of a row's label is at most
_BESIDE = 34  # between two panels
_TINT = 0.3  # how much of the head's colour a cell has

HeadOf = Callable[[int], int]


def draw_number_grids(tensors: Mapping[str, Tensor], head_of: HeadOf, words: Sequence[str]) -> Figure:
    """Draw tensors of whole numbers side by side. Arguments as in `number_grids`."""
    panels = {title: _blocks(tensor) for title, tensor in tensors.items()}
    labels = 10 + _LETTER * max(map(len, words), default=0)
    titles = {title: _TITLE_LETTER * max(map(len, title.splitlines())) for title in panels}
    widths = {title: max(labels + _CELL * blocks[0].shape[1], titles[title]) for title, blocks in panels.items()}
    width = int(sum(widths.values()) + _BESIDE * (len(panels) - 1)) + 4
    height = _TITLE + max(sum(_HEAD + _CELL * len(block) for block in blocks) for blocks in panels.values()) + 4
    with style.course():
        figure = style.figure(width, height)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        left = 2.0
        for title, blocks in panels.items():
            _draw_title(axes, title, left + min(labels, widths[title] - titles[title]))
            top = _TITLE
            for head, block in enumerate(blocks):
                if tensors[title].dim() == 3:
                    _draw_head(axes, head, left + labels, top)
                _draw_block(axes, block, left + labels, top + _HEAD, head_of, words)
                top += _HEAD + _CELL * len(block)
            left += widths[title] + _BESIDE
    return figure


def number_grids(tensors: Mapping[str, Tensor], head_of: HeadOf, words: Sequence[str] = (), alt: str = "") -> HTML:
    """Return a picture of tensors of whole numbers, side by side, for display at the end of a cell.

    Args:
        tensors: by title, each (seq, d_model), or (num_heads, seq, d_head): then one grid per head, one below the
            other.
        head_of: returns the head that a number is for; its cell gets that head's colour.
        words: one label per row.
        alt: a description of the picture, for those who cannot see it.
    """
    return style.picture(draw_number_grids(tensors, head_of, words), alt)


def _blocks(tensor: Tensor) -> list[Tensor]:
    if tensor.dim() not in (2, 3) or tensor.is_floating_point():
        raise ValueError(f"a grid is drawn of whole numbers in 2 or 3 dimensions, not of {tuple(tensor.shape)}")
    return list(tensor) if tensor.dim() == 3 else [tensor]


def _draw_title(axes: Axes, title: str, left: float) -> None:
    for line, text in enumerate(title.splitlines()):
        style.write(axes, left, 12 + 19 * line, text, family="DejaVu Sans Mono", va="center")


def _draw_head(axes: Axes, head: int, left: float, top: float) -> None:
    colour = style.head_colour(head)
    style.write(axes, left, top + _HEAD - 8, f"head {head}", color=colour, weight="bold", va="baseline")


def _draw_block(axes: Axes, block: Tensor, left: float, top: float, head_of: HeadOf, words: Sequence[str]) -> None:
    rows, columns = block.shape
    numbers = block.tolist()
    colours = torch.tensor([[_tint(head_of(number)) for number in row] for row in numbers])
    axes.pcolormesh(
        [left + _CELL * column for column in range(columns + 1)],
        [top + _CELL * row for row in range(rows + 1)],
        colours.numpy(),
        edgecolors=theme.PAPER,
        linewidth=2,
    )
    for row, line in enumerate(numbers):
        middle = top + _CELL * (row + 0.5)
        if row < len(words):
            style.write(axes, left - 7, middle, words[row], ha="right", va="center_baseline")
        for column, number in enumerate(line):
            style.write(axes, left + _CELL * (column + 0.5), middle, f"{number:02d}", ha="center", va="center_baseline")


def _tint(head: int) -> list[float]:
    return [*to_rgb(style.head_colour(head)), _TINT]
