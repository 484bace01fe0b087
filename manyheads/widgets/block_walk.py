"""Attention a block of keys at a time: what is seen of the scores, and what is carried from one block to the next.

Chapter 5 shows `block_walk()`; its numbers and its drawing can be had without the widget. The scores are drawn at
random. Online softmax is Milakov and Gimelshein (2018), https://arxiv.org/abs/1805.02867.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from ..pictures import style, theme
from ..pictures.vector import Spot
from .explorer import Explorer, View

QUERIES, KEYS = 6, 12
BLOCKS = (2, 3, 4, 6, 12)  # divisors of KEYS
_SEED = 3
_CELL = 37  # pixels, as all lengths here
_LEFT, _ABOVE, _BETWEEN, _COLUMN = 74, 64, 28, 76


@dataclass(frozen=True, eq=False)
class Walk:
    """What is known of each query after some blocks of keys.

    Args:
        scores: (QUERIES, KEYS), all of them.
        block: how many keys a block has.
        done: how many blocks have been used.
        largest: (QUERIES) the largest score so far; −∞ before the first block.
        shrink: (QUERIES) what the last block multiplied the older sum with.
        total: (QUERIES) the sum of e to the power of (score − largest), so far.
    """

    scores: Tensor
    block: int
    done: int
    largest: Tensor
    shrink: Tensor
    total: Tensor

    @property
    def seen(self) -> range:
        """The keys of the block that was used last; empty before the first."""
        return range(max(self.done - 1, 0) * self.block, self.done * self.block)

    @property
    def finished(self) -> bool:
        return self.done * self.block == KEYS


@cache
def _scores() -> Tensor:
    generator = torch.Generator().manual_seed(_SEED)
    return 2 * torch.randn(QUERIES, KEYS, generator=generator)


def walk(block: int, done: int) -> Walk:
    """Use the first `done` blocks of `block` keys each, one after the other.

    Raises:
        ValueError: if there are not so many blocks.
    """
    if not 0 <= done * block <= KEYS:
        raise ValueError(f"{KEYS} keys have no {done} blocks of {block}")
    scores = _scores()
    largest, total, shrink = torch.full((QUERIES,), -math.inf), torch.zeros(QUERIES), torch.zeros(QUERIES)
    for begin in range(0, done * block, block):
        here = scores[:, begin : begin + block]
        new = torch.maximum(largest, here.amax(dim=-1))
        shrink = torch.exp(largest - new)
        total = total * shrink + torch.exp(here - new[:, None]).sum(dim=-1)
        largest = new
    return Walk(scores, block, done, largest, shrink, total)


def draw_block_walk(now: Walk) -> Figure:
    """Draw the scores, of which only one block is there, and the three numbers of each query."""
    right = _LEFT + KEYS * _CELL + _BETWEEN
    width, height = right + 3 * _COLUMN + 4, _ABOVE + QUERIES * _CELL + 40
    with style.course():
        figure = style.figure(width, height)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        style.write(axes, _LEFT, 18, "scores: a row for each query, a column for each key", weight="bold")
        _draw_scores(axes, now)
        for row in range(QUERIES):
            middle = _ABOVE + _CELL * (row + 0.5)
            style.write(axes, _LEFT - 8, middle, f"query {row}", ha="right", va="center_baseline")
        for key in range(KEYS):
            style.write(axes, _LEFT + _CELL * (key + 0.5), _ABOVE - 8, str(key), ha="center")
        _draw_carried(axes, now, right)
        _draw_legend(axes, _ABOVE + QUERIES * _CELL + 24)
    return figure


def _draw_scores(axes: Axes, now: Walk) -> None:
    colours = [
        style.head_colour(0) if key in now.seen else style.GRID if key < now.seen.start else theme.PAPER
        for key in range(KEYS)
    ]
    axes.pcolormesh(
        [_LEFT + _CELL * key for key in range(KEYS + 1)],
        [_ABOVE + _CELL * row for row in range(QUERIES + 1)],
        np.array([[to_rgb(colour) for colour in colours]] * QUERIES),
        edgecolors=style.PLAIN,
        linewidth=0.8,
    )
    for row in range(QUERIES):
        for key in now.seen:
            score = now.scores[row, key]
            style.write(
                axes,
                _LEFT + _CELL * (key + 0.5),
                _ABOVE + _CELL * (row + 0.5),
                style.signed(float(score)),
                ha="center",
                va="center_baseline",
                color=style.ink_on(style.head_colour(0)),
                size=13,
                weight="bold" if score == now.largest[row] else "normal",
            )


def _draw_carried(axes: Axes, now: Walk, left: float) -> None:
    style.write(axes, left, 18, "carried along", weight="bold")
    columns = (("largest", now.largest), ("shrink by", now.shrink), ("sum", now.total))
    for place, (name, numbers) in enumerate(columns):
        x = left + place * _COLUMN + _COLUMN - 10
        style.write(axes, x, _ABOVE - 8, name, ha="right", color=style.QUIET if name == "shrink by" else style.INK)
        for row in range(QUERIES):
            number = float(numbers[row])
            if name == "shrink by" and now.done < 2:
                text = "–"
            elif name == "largest":
                text = "−∞" if math.isinf(number) else style.signed(number)
            else:
                text = f"{number:.2f}"
            rose = name == "shrink by" and now.done > 1 and number < 1
            style.write(
                axes,
                x,
                _ABOVE + _CELL * (row + 0.5),
                text,
                ha="right",
                va="center_baseline",
                color=style.WRONG if rose else style.QUIET if name == "shrink by" else style.INK,
                weight="bold" if rose else "normal",
            )


def _draw_legend(axes: Axes, middle: float) -> None:
    for offset, colour, name in (
        (0, style.head_colour(0), "in memory now"),
        (160, style.GRID, "used and forgotten"),
        (350, theme.PAPER, "not computed yet"),
    ):
        left = _LEFT + offset
        axes.add_artist(Rectangle((left, middle - 9), 18, 18, facecolor=colour, edgecolor=style.PLAIN, linewidth=0.8))
        style.write(axes, left + 25, middle, name, va="center_baseline")


def spots_of_block_walk(now: Walk) -> tuple[Spot, ...]:
    """Return what the scores say under the mouse. A click on a key uses the blocks up to its own."""
    spots = []
    for row in range(QUERIES):
        for key in range(KEYS):
            state = "not computed yet"
            if key in now.seen:
                state = f"{float(now.scores[row, key]):.1f}".replace("-", "−") + ", in memory now"
            elif key < now.seen.start:
                state = "used and forgotten"
            left, top = _LEFT + key * _CELL, _ABOVE + row * _CELL
            says = f"score of query {row} and key {key}: {state}"
            spots.append(Spot(left, top, _CELL, _CELL, says, f"used={key // now.block + 1}"))
    return tuple(spots)


def describe_block_walk(now: Walk) -> tuple[str, ...]:
    """Say in paragraphs of HTML what `draw_block_walk` shows."""
    if not now.done:
        return (
            "<b>No block has been used yet.</b> The largest score so far is −∞ and the sum is 0, for each query.",
            "Move the slider: each step computes the scores of one block of keys.",
        )
    first, last = now.seen.start, now.seen.stop - 1
    keys = f"key {first}" if first == last else f"keys {first} to {last}"
    paragraphs = [
        f"<b>In memory are the scores of {keys}</b>: {QUERIES * now.block} of all {QUERIES * KEYS} numbers. For each "
        f"query, three things are carried on: the largest score so far, the sum of its shares, and the sum of the "
        f"values, each times its share, which is not drawn."
    ]
    risen = [row for row in range(QUERIES) if float(now.shrink[row]) < 1]
    if now.done > 1 and risen:
        row = min(risen, key=lambda row: float(now.shrink[row]))
        *others, last_risen = map(str, risen)
        whose = f"queries {', '.join(others)} and {last_risen}" if others else f"query {last_risen}"
        paragraphs.append(
            f"This block has a new largest score for {whose}. What query {row} had summed "
            f"before is multiplied by e to the power of (old largest − new largest) = {float(now.shrink[row]):.2f}."
        )
    elif now.done > 1:
        paragraphs.append("No query has found a larger score in this block, so nothing is brought up to date.")
    if now.finished:
        exact = torch.exp(now.scores - now.scores.amax(dim=-1, keepdim=True)).sum(dim=-1)
        difference = float((now.total - exact).abs().max())
        same = "the same" if difference < 1e-5 else f"off by {difference:.1e}"
        paragraphs.append(
            f"<b>All keys are done.</b> Computed from whole rows at once, the sums are {same}. Dividing by them is the "
            f"last step."
        )
    return tuple(paragraphs)


def block_walk() -> Explorer:
    """Return the widget: a slider for the blocks that have been used, and a choice of how many keys a block has."""
    used = widgets.IntSlider(
        value=2,
        min=0,
        max=KEYS // 3,
        description="blocks used",
        style={"description_width": "initial"},
        layout={"width": "340px"},
    )
    block = widgets.ToggleButtons(
        options=[(str(size), size) for size in BLOCKS],
        value=3,
        description="keys in a block",
        style={"button_width": "48px", "description_width": "initial"},
        layout={"margin": "2px 24px 2px 2px"},  # else the last size reads as part of the slider's name
    )

    def look(block: int, used: int) -> View:
        slider.max = KEYS // block
        now = walk(block, min(used, KEYS // block))
        return View(draw_block_walk(now), describe_block_walk(now), spots=spots_of_block_walk(now))

    slider = used
    return Explorer({"block": block, "used": used}, rows=[["block", "used"]], look=look)
