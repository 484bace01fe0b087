"""Shows what dividing by √d_head is good for: the spread of the scores q·k, and what softmax makes of it.

The first chapter shows `scaling_explorer()`; its numbers and its drawing work without the widget. Everything comes from
q and k drawn at random: nothing is chosen to look good.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, StepPatch
from torch import Tensor

from ..pictures import style, theme
from .explorer import Explorer, View

D_HEADS = tuple(2**power for power in range(11))  # 1, 2, 4 … 1024
QUERIES = 256
TOKENS = 8
_SEED = 0
_COLLAPSED = 0.95
_COLLAPSING = 0.70
_ROW = 1.85  # from the floor of the lower row to that of the upper one, where 1 is the tallest bar
_WIDEST_SCORE = 100  # about three standard deviations of the widest scores


@dataclass(frozen=True, eq=False)
class Softmax:
    """Scores and what softmax makes of them.

    Args:
        scores: (QUERIES, TOKENS)
        weights: (QUERIES, TOKENS), rows sum to 1
        spread: standard deviation of all the scores
        biggest: the biggest weight of the query that is shown
        gradient: the largest derivative of one of its weights by its own score, at most 0.25
    """

    scores: Tensor
    weights: Tensor
    spread: float
    biggest: float
    gradient: float


@dataclass(frozen=True, eq=False)
class ScalingNumbers:
    """The numbers for one d_head.

    Args:
        shown: index of the query that is shown: of all the QUERIES, the middle one by its biggest unscaled weight.
    """

    d_head: int
    shown: int
    unscaled: Softmax
    scaled: Softmax


@cache
def scaling_numbers(d_head: int) -> ScalingNumbers:
    """Draw q and k with independent features of mean 0 and variance 1, and take their scores, scaled and not."""
    generator = torch.Generator().manual_seed(_SEED)
    q = torch.randn(QUERIES, d_head, generator=generator)
    k = torch.randn(QUERIES, TOKENS, d_head, generator=generator)
    # (queries, tokens, d_head) @ (queries, d_head, 1) -> (queries, tokens)
    scores = (k @ q.unsqueeze(-1)).squeeze(-1)
    shown = int(scores.softmax(dim=-1).amax(dim=-1).median(dim=0).indices)
    return ScalingNumbers(
        d_head, shown, unscaled=_softmax(scores, shown), scaled=_softmax(scores / math.sqrt(d_head), shown)
    )


def _softmax(scores: Tensor, shown: int) -> Softmax:
    weights = scores.softmax(dim=-1)
    row = weights[shown].double()
    return Softmax(
        scores,
        weights,
        spread=float(scores.std()),
        biggest=float(row.max()),
        gradient=float((row * (1 - row)).max()),
    )


def draw_scaling(d_head: int) -> Figure:
    """Draw the scores (left) and one query's weights (right), without scaling (above) and with it (below)."""
    numbers = scaling_numbers(d_head)
    with style.course():
        figure = style.figure(height=380)
        # Two pairs of axes for two rows each, and numbers in place of ticks: both are what takes time in matplotlib.
        left, right = figure.add_axes((0.035, 0, 0.45, 1)), figure.add_axes((0.53, 0, 0.455, 1))
        left.set_xlim(-_WIDEST_SCORE, _WIDEST_SCORE)
        right.set_xlim(-0.6, TOKENS - 0.4)
        for axes in (left, right):
            axes.set_ylim(-0.6, _ROW + 1.5)
            axes.set_axis_off()
        for floor, name, softmax, colour in (
            (_ROW, "q·k", numbers.unscaled, style.WRONG),
            (0, f"q·k / √{d_head}", numbers.scaled, style.RIGHT),
        ):
            _draw_scores(left, floor, softmax.scores, numbers.shown, colour)
            _title(left, floor, f"{name}:  standard deviation {softmax.spread:.1f}", colour)
            _draw_weights(right, floor, softmax.weights[numbers.shown], colour)
            _title(right, floor, f"softmax of {name}", colour)
        for score in range(-_WIDEST_SCORE, _WIDEST_SCORE + 1, 50):
            style.write(left, score, -0.34, f"{score}".replace("-", "−"), ha="center")
        _caption(left, f"{QUERIES * TOKENS:,} scores; dots: one query, its largest numbered")
        _caption(right, f"weights of that query on {TOKENS} tokens")
    return figure


def _draw_scores(axes: Axes, floor: float, scores: Tensor, shown: int, colour: str) -> None:
    counts, edges = np.histogram(scores.numpy(), bins=100, range=(-_WIDEST_SCORE, _WIDEST_SCORE))
    heights = floor + counts / counts.max()
    # add_artist and not axes.stairs or axes.bar: those look for the limits of every patch, and ours are known.
    axes.add_artist(StepPatch(heights, edges, baseline=floor, fill=True, color=colour, linewidth=0, alpha=0.35))
    dots = scores[shown].clamp(-_WIDEST_SCORE, _WIDEST_SCORE)
    axes.axhline(floor - 0.18, color=style.QUIET, linewidth=1)
    axes.plot(dots.numpy(), [floor - 0.08] * TOKENS, "o", color=colour, markersize=7, markeredgecolor=theme.PAPER)
    largest = int(dots.argmax())
    style.write(axes, float(dots[largest]), floor + 0.02, f"{largest}", ha="center", weight="bold")


def _draw_weights(axes: Axes, floor: float, weights: Tensor, colour: str) -> None:
    for token, weight in enumerate(weights.tolist()):
        axes.add_artist(Rectangle((token - 0.375, floor), 0.75, weight, color=colour, linewidth=0))
    axes.axhline(floor, color=style.QUIET, linewidth=1)
    biggest = int(weights.argmax())
    for token, weight in enumerate(weights.tolist()):
        style.write(axes, token, floor - 0.2, f"{token}", ha="center", color=style.QUIET)
        if weight >= 0.05:
            emphasis = "bold" if token == biggest else "normal"
            style.write(axes, token, floor + weight + 0.04, f"{weight:.2f}", ha="center", weight=emphasis)


def _title(axes: Axes, floor: float, text: str, colour: str) -> None:
    style.write(axes, axes.get_xlim()[0], floor + 1.28, text, color=colour, weight="bold", size=style.SIZE + 1)


def _caption(axes: Axes, text: str) -> None:
    style.write(axes, sum(axes.get_xlim()) / 2, -0.54, text, ha="center")


def describe_scaling(d_head: int) -> tuple[str, str]:
    """Say in two paragraphs of HTML what `draw_scaling(d_head)` shows: without scaling, and with it."""
    numbers = scaling_numbers(d_head)
    return (
        f"<b>Without scaling</b>, scores have a standard deviation of {numbers.unscaled.spread:.1f} "
        f"(√{d_head} = {math.sqrt(d_head):.1f}), and {_verdict(numbers.unscaled)}",
        f"<b>Divided by √{d_head}</b>, they have a standard deviation of {numbers.scaled.spread:.1f}, "
        f"and {_verdict(numbers.scaled)}",
    )


def _verdict(softmax: Softmax) -> str:
    biggest = "more than 0.99" if softmax.biggest >= 0.995 else f"{softmax.biggest:.2f}"
    if softmax.biggest >= _COLLAPSED:
        state = f"softmax has collapsed: {biggest} on one token of {TOKENS}"
    elif softmax.biggest >= _COLLAPSING:
        state = f"softmax is collapsing: {biggest} on one token of {TOKENS}"
    else:
        state = f"softmax still spreads its weight: the biggest is {biggest}, of {TOKENS} tokens"
    gradient = "less than 0.001" if softmax.gradient < 0.001 else f"at most {softmax.gradient:.2g}"
    learns = ": hardly anything to learn from." if softmax.gradient < 0.05 else "."
    return f"{state}. The gradient of a weight by its score is {gradient}{learns}"


def scaling_explorer() -> Explorer:
    """Return the widget: a slider for d_head, the picture, and what it shows in words."""
    slider = widgets.SelectionSlider(
        options=D_HEADS,
        value=64,
        description="d_head",
        layout=widgets.Layout(width="460px"),
    )
    return Explorer(
        {"d_head": slider},
        rows=[["d_head"]],
        look=lambda d_head: View(draw_scaling(d_head), describe_scaling(d_head)),
    )
