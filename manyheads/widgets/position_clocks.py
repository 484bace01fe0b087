"""Shows the hands of the clocks that tell a position, and how alike all other positions are to it.

Chapter 7 shows `position_clocks(position_table)` with the learner's own table. The drawing works without the widget.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import ipywidgets as widgets
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from ..pictures import style
from .explorer import Explorer, View
from .learner_code import CannotDraw, ask, code, demand_finite, demand_shape

SEQ = 64
D_MODELS = (4, 8, 16, 32, 64)
_CLOCKS = 8  # that fit side by side


def draw_clocks(table: Tensor, position: int) -> Figure:
    """Draw the hands of one position above, and its likeness to every position below.

    Args:
        table: (seq, d_model), sines in the even columns, cosines in the odd ones.
    """
    pairs = shown_pairs(table.shape[1] // 2)
    with style.course():
        figure = style.figure(height=340)
        above = figure.add_axes((0.02, 0.56, 0.96, 0.42))
        above.set_axis_off()
        above.set_xlim(0, 2.5 * _CLOCKS)
        above.set_ylim(-1.9, 1.4)
        above.set_aspect("equal")
        for place, pair in enumerate(pairs):
            sine, cosine = table[position, 2 * pair].item(), table[position, 2 * pair + 1].item()
            middle = 1.25 + 2.5 * place
            above.add_patch(Circle((middle, 0), 1, fill=False, color=style.QUIET, linewidth=1.5))
            above.plot([middle, middle + sine], [0, cosine], color=style.RIGHT, linewidth=3.5)  # 0 points up
            style.write(above, middle, -1.6, f"pair {pair}", ha="center")
        below = figure.add_axes((0.08, 0.13, 0.9, 0.34))
        alike = likeness(table, position)
        below.bar(range(len(alike)), alike, width=0.8, color=style.GRID)
        below.bar([position], [alike[position]], width=0.8, color=style.RIGHT)
        below.set_xlim(-1, len(alike))
        below.set_ylim(min(-0.3, min(alike)) - 0.05, 1.05)
        below.set_xlabel(f"position: how alike is it to position {position}?")
        below.axhline(0, color=style.QUIET, linewidth=1)
    return figure


def shown_pairs(count: int) -> list[int]:
    """Return the numbers of the pairs whose clocks are drawn: all of them, or some from the first to the last."""
    if count <= _CLOCKS:
        return list(range(count))
    return [round(place * (count - 1) / (_CLOCKS - 1)) for place in range(_CLOCKS)]


def likeness(table: Tensor, position: int) -> list[float]:
    """Return the cosine of one row of `table`, (seq, d_model), with each row."""
    rows = table / table.norm(dim=1, keepdim=True).clamp(min=1e-9)
    return (rows @ rows[position]).tolist()


def describe_clocks(table: Tensor, position: int) -> tuple[str, str]:
    """Say in two paragraphs of HTML what `draw_clocks` shows."""
    d_model = table.shape[1]
    alike = likeness(table, position)
    neighbour = position + 1 if position + 1 < len(alike) else position - 1
    slow = 2 * math.pi * 10_000 ** ((d_model - 2) / d_model)
    return (
        f"<b>Above</b>, the hands of position {position}. Pair 0 is around again after {2 * math.pi:.1f} positions, "
        f"the last one after {slow:,.0f}.",
        f"<b>Below</b>, how alike each position is to it: its neighbour {neighbour} {alike[neighbour]:.2f}, position 0 "
        f"{alike[0]:.2f}, the last one {alike[-1]:.2f}. Move the position: the shape moves along.",
    )


def position_clocks(position_table: Callable[[int, int], Tensor]) -> Explorer:
    """Return the widget: sliders for the position and d_model, the picture, and what it shows in words.

    Args:
        position_table: the learner's, called with (seq, d_model).
    """

    def look(position: int, d_model: int) -> View:
        try:
            table = ask("position_table", position_table, SEQ, d_model)
            demand_shape(code(f"position_table({SEQ}, {d_model})"), table, (SEQ, d_model))
            demand_finite(code(f"position_table({SEQ}, {d_model})"), table)
        except CannotDraw as reason:
            return View(warning=str(reason))
        return View(draw_clocks(table.float(), position), describe_clocks(table.float(), position))

    layout = widgets.Layout(width="360px")
    return Explorer(
        {
            "position": widgets.IntSlider(value=20, min=0, max=SEQ - 1, description="position", layout=layout),
            "d_model": widgets.SelectionSlider(options=D_MODELS, value=16, description="d_model", layout=layout),
        },
        rows=[["position", "d_model"]],
        look=look,
    )
