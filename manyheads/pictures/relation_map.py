"""Which head serves which relation, over many sentences: a small map for each model.

Chapter 2 draws the learner's own `head_specialisation` with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from . import style

_CELL, _GAP = 1.0, 0.75  # width of a cell, and the room between two maps


def draw_relation_maps(maps: Mapping[int, Tensor], relations: Sequence[str]) -> Figure:
    """Draw one map for each number of heads, side by side: a row per head, a column per relation.

    Args:
        maps: by number of heads, each (heads, relations), numbers from 0 to 1
        relations: the columns' titles, short words
    """
    tallest = max(len(one) for one in maps.values())
    across = len(relations) * _CELL + _GAP
    with style.course():
        figure = style.figure(height=90 + 42 * tallest)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-0.45 * _GAP, across * max(len(maps), 3) - 0.9 * _GAP), ylim=(tallest + 0.25, -1.75))
        axes.set_axis_off()
        for place, (num_heads, one) in enumerate(maps.items()):
            title = "1 head" if num_heads == 1 else f"{num_heads} heads"
            _draw_map(axes, place * across, one, relations, title)
    return figure


def _draw_map(axes: Axes, left: float, weights: Tensor, relations: Sequence[str], title: str) -> None:
    style.write(axes, left, -1.25, title, weight="bold", size=style.SIZE + 1, va="center")
    for column, relation in enumerate(relations):
        style.write(axes, left + column + 0.5, -0.25, relation, ha="center", va="baseline")
    edges = [left + column for column in range(len(relations) + 1)]
    for head, row in enumerate(weights.tolist()):
        colours = style.weight_colours(head)
        axes.pcolormesh(
            edges, [head, head + 1], [row], cmap=colours, vmin=0, vmax=1, edgecolors=style.GRID, linewidth=0.8
        )
        style.write(
            axes, left - 0.12, head + 0.5, str(head), ha="right", va="center_baseline", color=style.head_colour(head)
        )
        for column, weight in enumerate(row):
            ink = style.ink_on(colours(min(max(weight, 0.0), 1.0)))
            style.write(
                axes, left + column + 0.5, head + 0.5, f"{weight:.2f}", ha="center", va="center_baseline", color=ink
            )


def describe_relation_maps(maps: Mapping[int, Tensor], relations: Sequence[str]) -> str:
    """Return the picture's alternative text: a sentence per model on what each of its heads looks at most."""
    said = []
    for num_heads, one in maps.items():
        heads = ", ".join(
            f"head {head} {relations[max(range(len(row)), key=row.__getitem__)]} ({max(row):.2f})"
            for head, row in enumerate(one.tolist())
        )
        said.append(f"With {num_heads}: {heads}.")
    return " ".join(said)
