"""A head's pairs of features as hands of clocks, which turn with the position of a word.

Chapter 8 shows `rotary_clocks()`; its numbers and its drawing can be had without the widget. Query and key are drawn at
random. Rotary positions are Su and others (2021), https://arxiv.org/abs/2104.09864.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import ipywidgets as widgets
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from ..pictures import style
from .explorer import Explorer, View

PAIRS = 4
D_HEAD = 2 * PAIRS
FURTHEST = 200  # places
_SEED = 2
_RADIUS, _ABOVE, _BELOW = 76, 70, 76  # pixels, as all lengths here
_STEP = style.WIDTH / PAIRS


@dataclass(frozen=True, eq=False)
class Turned:
    """A query and a key at their places.

    Args:
        query, key: (PAIRS, 2), each pair an arrow, turned.
        speeds: (PAIRS) radians a place.
        places: where the query and the key are.
    """

    query: Tensor
    key: Tensor
    speeds: Tensor
    places: tuple[int, int]

    @property
    def terms(self) -> Tensor:
        """(PAIRS) what each pair adds to the score."""
        return (self.query * self.key).sum(dim=-1)


@cache
def _arrows() -> tuple[Tensor, Tensor]:
    """Return a query and a key, (PAIRS, 2) each, that are not turned. Lengths are between 0.6 and 1."""
    generator = torch.Generator().manual_seed(_SEED)
    lengths, angles = torch.rand(2, 2, PAIRS, generator=generator)
    lengths, angles = 0.6 + 0.4 * lengths, 2 * math.pi * angles
    both = torch.stack([lengths * angles.cos(), lengths * angles.sin()], dim=-1)
    return both[0], both[1]


def turned(query_at: int, key_at: int) -> Turned:
    """Turn the query and the key by the angles of their places."""
    speeds = 10000 ** (-torch.arange(PAIRS) / PAIRS)

    def at(arrows: Tensor, place: int) -> Tensor:
        cos, sin = (place * speeds).cos(), (place * speeds).sin()
        first, second = arrows.unbind(dim=-1)
        return torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1)

    query, key = _arrows()
    return Turned(at(query, query_at), at(key, key_at), speeds, (query_at, key_at))


def draw_rotary_clocks(now: Turned) -> Figure:
    """Draw a clock for each pair, with the query's hand and the key's, and what the pair adds to the score."""
    width, height = style.WIDTH, _ABOVE + 2 * _RADIUS + _BELOW
    with style.course():
        figure = style.figure(width, height)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        for pair in range(PAIRS):
            _draw_clock(axes, now, pair)
        query, key = style.head_colour(0), style.head_colour(1)
        style.write(axes, 20, 20, f"query, at {now.places[0]}", color=query, weight="bold")
        style.write(axes, 220, 20, f"key, at {now.places[1]}", color=key, weight="bold")
        style.write(
            axes,
            width - 20,
            20,
            f"score, unscaled: {float(now.terms.sum()):.2f}".replace("-", "−"),
            ha="right",
            weight="bold",
        )
    return figure


def _draw_clock(axes: Axes, now: Turned, pair: int) -> None:
    x, y = _STEP * (pair + 0.5), _ABOVE + _RADIUS
    axes.add_artist(Circle((x, y), _RADIUS, facecolor="white", edgecolor=style.QUIET, linewidth=1.5))
    for arrows, colour, thick in ((now.key, style.head_colour(1), 4), (now.query, style.head_colour(0), 4)):
        to_x, to_y = (_RADIUS * float(part) for part in arrows[pair])
        # the picture's y grows downwards
        axes.plot([x, x + to_x], [y, y - to_y], color=colour, linewidth=thick, solid_capstyle="round")
        axes.plot([x + to_x], [y - to_y], "o", color=colour, markersize=9, markeredgecolor="white")
    style.write(axes, x, _ABOVE - 12, f"features {pair} and {pair + PAIRS}", ha="center")
    style.write(axes, x, y + _RADIUS + 26, f"{_speed(now, pair)} rad a place", ha="center", color=style.QUIET)
    term = f"{float(now.terms[pair]):+.2f}".replace("-", "−")
    style.write(axes, x, y + _RADIUS + 54, f"adds {term}", ha="center", weight="bold")


def _speed(now: Turned, pair: int) -> str:
    return f"{float(now.speeds[pair]):.3f}".rstrip("0").rstrip(".")


def describe_rotary_clocks(now: Turned) -> tuple[str, ...]:
    """Say in paragraphs of HTML what `draw_rotary_clocks` shows."""
    distance = now.places[0] - now.places[1]
    moved = "at the same place" if distance == 0 else f"{abs(distance)} places {'before' if distance < 0 else 'after'}"
    start = moved if distance == 0 else f"{moved} the key"
    angles = [f"{math.degrees(abs(distance) * float(speed)) % 360:.0f}°" if distance else "0°" for speed in now.speeds]
    return (
        f"<b>The query is {start}.</b> That turns the angle between the two hands by {', '.join(angles)} in the four "
        f"pairs, and by that alone the score depends on the places: it is "
        f"{float(now.terms.sum()):.2f}.".replace("-", "−"),
    )


def rotary_clocks() -> Explorer:
    """Return the widget: sliders for the places of the query and of the key, and one that moves both."""

    def slider(name: str, value: int, most: int) -> widgets.IntSlider:
        return widgets.IntSlider(
            value=value,
            min=0,
            max=most,
            description=name,
            style={"description_width": "initial"},
            layout={"width": "320px"},
        )

    def look(query: int, key: int, both: int) -> View:
        now = turned(query + both, key + both)
        return View(draw_rotary_clocks(now), describe_rotary_clocks(now))

    controls = {
        "query": slider("query at", 5, FURTHEST),
        "key": slider("key at", 2, FURTHEST),
        "both": slider("move both by", 0, FURTHEST),
    }
    return Explorer(controls, rows=[["query", "key"], ["both"]], look=look)
