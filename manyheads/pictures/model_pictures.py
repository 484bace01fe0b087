"""Pictures of a whole model: a number for each head, how alike sentences are, what is left as heads are silenced.

Chapter 6 draws them. Each function returns a figure of `style.py`; none needs a model or a widget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from . import style

_CELL = 40  # pixels: the height of a layer's row
_ABOVE = 62  # title and the heads' numbers


def draw_layer_map(
    values: Tensor, title: str, *, most: float | None = None, digits: int = 2, rows: Sequence[str] = ()
) -> Figure:
    """Draw a number for each head: a row for each layer, a column for each head, the darker the larger.

    Args:
        values: (layers, heads); those below 0 are white, as 0 is
        most: the value that is drawn darkest, the largest by default
        digits: after the point
        rows: what the rows are, if not layers
    """
    names = rows or [f"layer {layer}" for layer in range(len(values))]
    layers, heads = values.shape
    most = most or max(float(values.max()), 1e-12)
    colours = style.weight_colours()
    height = _ABOVE + _CELL * layers + 8
    with style.course():
        figure = style.figure(height=height)
        axes = _canvas(figure, left=74, above=_ABOVE, width=style.WIDTH - 84, height=_CELL * layers)
        axes.set(xlim=(0, heads), ylim=(layers, 0))
        axes.pcolormesh(values.detach().numpy(), cmap=colours, vmin=0, vmax=most, edgecolors=style.GRID, linewidth=0.8)
        for layer in range(layers):
            axes.text(-0.01 * heads, layer + 0.5, names[layer], ha="right", va="center_baseline")
            for head in range(heads):
                value = float(values[layer, head])
                ink = style.ink_on(colours(min(value / most, 1.0)))
                text = f"{value:z.{digits}f}".replace("-", "−")
                axes.text(head + 0.5, layer + 0.5, text, ha="center", va="center_baseline", color=ink, size=13)
        for head in range(heads):
            axes.text(head + 0.5, -0.18, str(head), ha="center", color=style.QUIET)
        axes.text(-0.01 * heads, -0.18, "head", ha="right", color=style.QUIET)
        axes.text(0, -0.95, title, weight="bold", size=style.SIZE + 1)
    return figure


def draw_pairs(pairs: Sequence[tuple[str, str]], similarity: Sequence[float], guesses: Sequence[Any] = ()) -> Figure:
    """Draw a bar for each pair of sentences, as long as they are alike.

    Args:
        pairs: the sentences
        similarity: of each pair, −1 … 1
        guesses: what somebody expected of each pair, −1 … 1, a dashed line; None, or fewer of them: nothing

    Raises:
        ValueError: if a guess is not a number between −1 and 1.
    """
    for guess in guesses:
        if guess is not None and not (isinstance(guess, (int, float)) and -1 <= guess <= 1):
            raise ValueError(f"a guess is a number between −1 and 1, and this is {guess!r}")
    row, start, full = 54, 400, 300  # pixels
    with style.course():
        figure = style.figure(height=row * len(pairs) + 12)
        axes = _canvas(figure, left=0, above=0, width=style.WIDTH, height=row * len(pairs) + 12)
        axes.set(xlim=(0, style.WIDTH), ylim=(row * len(pairs) + 12, 0))
        for place, ((one, other), value) in enumerate(zip(pairs, similarity, strict=True)):
            middle = row * (place + 0.5) + 6
            axes.text(start - 16, middle - 10, one, ha="right", va="center_baseline")
            axes.text(start - 16, middle + 11, other, ha="right", va="center_baseline")
            axes.barh(middle, full * value, left=start, height=26, color=style.head_colour(0))
            said = f"{value:.2f}".replace("-", "−")
            axes.text(start + full * max(value, 0) + 8, middle, said, va="center_baseline", weight="bold")
            guess = guesses[place] if place < len(guesses) else None
            if guess is not None:
                across, right = start + full * guess, guess > 0.7  # where there is no room behind the line
                top = middle + 12 if 0 <= guess - max(value, 0) < 0.18 else middle - 18  # not through the value
                axes.plot([across] * 2, [top, middle + 25], color=style.WRONG, linewidth=1.5, linestyle="--")
                axes.text(
                    across + (-4 if right else 4),
                    middle + 20,
                    f"your guess: {guess:.2f}",
                    size=13,
                    ha="right" if right else "left",
                    va="center_baseline",
                    color=style.WRONG,
                )
        axes.plot([start, start], [0, row * len(pairs) + 12], color=style.QUIET, linewidth=1)
    return figure


def draw_silencing(counts: Sequence[int], similarity: Mapping[str, Sequence[float]], what: str) -> Figure:
    """Draw how alike a model's embeddings stay as ever more of its heads are silenced.

    Args:
        counts: how many heads are silent
        similarity: for each order of silencing, by its name, the similarity at each count
        what: of the vertical axis
    """
    with style.course():
        figure = style.figure(height=330)
        axes = figure.add_axes((0.09, 0.17, 0.64, 0.72))
        for place, (name, values) in enumerate(similarity.items()):
            colour = style.head_colour(place)
            axes.plot(counts, values, "o-", color=colour, linewidth=2.5, markersize=6)
            # The lines meet at their ends, so their names are beside the picture.
            axes.text(1.03, 0.9 - 0.14 * place, name, color=colour, weight="bold", transform=axes.transAxes)
        axes.set(xlabel="heads silenced", ylim=(min(0.4, *map(min, similarity.values())) - 0.02, 1.02))
        axes.set_title(what)
        axes.grid(axis="y", color=style.GRID)
    return figure


def _canvas(figure: Figure, *, left: int, above: int, width: int, height: int) -> Axes:
    """Return bare axes on this part of `figure`, given in its pixels."""
    full_width, full_height = style.width_in_pixels(figure), figure.get_figheight() * 72
    axes = figure.add_axes(
        (left / full_width, 1 - (above + height) / full_height, width / full_width, height / full_height)
    )
    axes.set_axis_off()
    return axes
