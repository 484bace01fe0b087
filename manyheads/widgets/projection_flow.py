"""Draws how a layer of parallel heads takes `x` apart and puts it together again, every tensor to scale.

A tensor is as tall as it has features and wider the more words there are; a head's scores and weights are squares.
So the picture shows that narrower heads take no more room, and that their squares do not shrink. Used by the projection
explorer; everything here can be called without a widget.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from ..pictures import style, theme
from .trace_layer import HeadRun, LayerRun, Shape

MOST_LANES = 12  # with more heads, the first few, an ellipsis and the last are drawn
_FIRST_FEW = 5
_TOP, _FLOW, _CAPTIONS, _COSTS = 58, 308, 62, 82  # heights in pixels, from top to bottom
_MIDDLE = _TOP + _FLOW / 2
_X, _QKV, _SCORES, _WEIGHTS, _HEAD_OUTPUT, _CONCAT, _OUTPUT = 56, 210, 322, 438, 548, 624, 726  # the place of each
_HAZE = 0.12  # how strong a band is that others cross
_BAR = 208  # the length of the longest bar
_PLAIN = style.PLAIN  # for parts that belong to no head


@dataclass(frozen=True)
class Flow:
    """What is drawn.

    Args:
        run: what the layer did
        one_head: the same layer with a single head, None if unknown
        wrong: by part ("q", "weights", "concat" …), the given shape and the expected one
    """

    run: LayerRun
    one_head: LayerRun | None = None
    wrong: Mapping[str, tuple[Shape, Shape]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Lane:
    """Where a head is drawn: around `centre`, with `room` for it, in pixels. `head` is None for the ellipsis."""

    head: int | None
    centre: float
    room: float


class _Shapes:
    """Collects polygons and lines, so that each kind is drawn at once: artists are what takes time in matplotlib."""

    def __init__(self) -> None:
        self.polygons: list[np.ndarray] = []
        self.faces: list[tuple[float, ...]] = []
        self.lines: list[Sequence[tuple[float, float]]] = []
        self.colours: list[str] = []

    def box(self, centre: float, middle: float, width: float, height: float, colour: str, alpha: float = 1) -> None:
        left, right, top, bottom = centre - width / 2, centre + width / 2, middle - height / 2, middle + height / 2
        self._polygon(np.array([(left, top), (right, top), (right, bottom), (left, bottom)]), colour, alpha)

    def band(
        self, left: float, right: float, start: tuple[float, float], end: tuple[float, float], colour: str, alpha: float
    ) -> None:
        """A band that swings from `start` (top and bottom) at `left` to `end` at `right`."""
        run = np.linspace(0, 1, 17)
        swing = run * run * (3 - 2 * run)
        x = left + (right - left) * run
        top, bottom = (one + (other - one) * swing for one, other in zip(start, end, strict=True))
        self._polygon(np.concatenate([np.stack([x, top], 1), np.stack([x, bottom], 1)[::-1]]), colour, alpha)

    def line(self, *points: tuple[float, float], colour: str) -> None:
        self.lines.append(points)
        self.colours.append(colour)

    def square(self, centre: float, middle: float, side: float, colour: str) -> None:
        """The outline of a square with a grid in it."""
        for step in np.linspace(-side / 2, side / 2, 5):
            self.line((centre + step, middle - side / 2), (centre + step, middle + side / 2), colour=colour)
            self.line((centre - side / 2, middle + step), (centre + side / 2, middle + step), colour=colour)

    def _polygon(self, corners: np.ndarray, colour: str, alpha: float) -> None:
        self.polygons.append(corners)
        self.faces.append(_rgba(colour, alpha))

    def draw(self, axes: Axes, linewidth: float = 1.0) -> None:
        axes.add_collection(PolyCollection(self.polygons, facecolors=self.faces, linewidths=0), autolim=False)
        axes.add_collection(LineCollection(self.lines, colors=self.colours, linewidths=linewidth), autolim=False)


def draw_flow(flow: Flow) -> Figure:
    """Draw the way from x to the output from left to right, one colour per head, and the costs below it."""
    with style.course():
        height = _TOP + _FLOW + _CAPTIONS + (0 if flow.run.stopped else _COSTS)
        figure = style.figure(height=height)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, style.WIDTH), ylim=(height, 0))
        axes.set_axis_off()
        _draw_flow(axes, flow.run)
        _write_shapes(axes, flow)
        _draw_costs(axes, flow)
    return figure


def _lanes(heads: int) -> list[_Lane]:
    places: list[int | None] = list(range(heads))
    if heads > MOST_LANES:
        places = [*range(_FIRST_FEW), None, heads - 1]
    room = _FLOW / len(places)
    return [_Lane(head, _TOP + room * (place + 0.5), room) for place, head in enumerate(places)]


def _draw_flow(axes: Axes, run: LayerRun) -> None:
    lanes, shapes = _lanes(len(run.heads)), _Shapes()
    unit, wide = _pixels_per_feature(run), _width(run.x[1])
    x_tall = run.x[-1] * unit
    shapes.box(_X, _MIDDLE, wide, x_tall, _PLAIN)
    segments = _segments(run, unit)
    for lane in lanes:
        if lane.head is None:
            continue
        head, colour = run.heads[lane.head], style.head_colour(lane.head)
        _draw_head(shapes, lane, head, colour, unit, wide, x_tall)
        if head.output is not None and run.concat is not None:
            start = _around(lane.centre, _tall(head.output, unit))
            left, right = _HEAD_OUTPUT + wide / 2, _CONCAT - wide / 2
            shapes.band(left, right, start, segments[lane.head], colour, 0.35)
    if run.concat is not None:
        _draw_end(shapes, run, segments, unit, wide)
    shapes.draw(axes)
    for lane in lanes:
        _name_lane(axes, lane, run, wide)
    for place, reached in ((_CONCAT, run.concat), (_OUTPUT, run.output)):
        if reached is None:
            axes.text(place, _MIDDLE, "?", size=34, weight="bold", color=style.WRONG, ha="center", va="center")


def _draw_head(
    shapes: _Shapes, lane: _Lane, head: HeadRun, colour: str, unit: float, wide: float, x_tall: float
) -> None:
    middle = lane.centre
    side = min(_side(head.q[1]), lane.room - 5)
    lane_ends = _around(middle, _tall(head.q, unit))
    shapes.band(_X + wide / 2, _QKV - 1.5 * wide - 4, _around(_MIDDLE, x_tall), lane_ends, colour, _HAZE)
    for step, shape in zip((-1, 0, 1), (head.q, head.k, head.v), strict=True):
        shapes.box(_QKV + step * (wide + 4), middle, wide, _tall(shape, unit), colour)
    if head.output is not None:
        left, right = _QKV + 1.5 * wide + 4, _HEAD_OUTPUT - wide / 2
        shapes.band(left, right, lane_ends, _around(middle, _tall(head.output, unit)), colour, _HAZE)
    if head.weights is None:
        return
    stops = [(_QKV + 1.5 * wide + 4, _SCORES - side / 2), (_SCORES + side / 2, _WEIGHTS - side / 2)]
    if head.output is not None:
        stops.append((_WEIGHTS + side / 2, _HEAD_OUTPUT - wide / 2))
    for begin, end in stops:
        shapes.line((begin + 3, middle), (end - 3, middle), colour=colour)
    for place, alpha in ((_SCORES, 0), (_WEIGHTS, 0.55)):
        shapes.box(place, middle, side, side, theme.PAPER)
        shapes.box(place, middle, side, side, colour, alpha)
        shapes.square(place, middle, side, colour)
    if head.output is not None:
        shapes.box(_HEAD_OUTPUT, middle, wide, _tall(head.output, unit), colour)


def _draw_end(shapes: _Shapes, run: LayerRun, segments: list[tuple[float, float]], unit: float, wide: float) -> None:
    for head, (top, bottom) in enumerate(segments):
        gap = 1 if bottom - top > 4 else 0
        colour = style.head_colour(head)
        shapes.box(_CONCAT, (top + bottom) / 2, wide, bottom - top - gap, colour)
        if run.output is not None:
            end = _around(_MIDDLE, run.output[-1] * unit)
            alpha = min(_HAZE, 1.2 / len(segments))
            shapes.band(_CONCAT + wide / 2, _OUTPUT - wide / 2, (top, bottom), end, colour, alpha)
    if run.output is not None:
        shapes.box(_OUTPUT, _MIDDLE, wide, run.output[-1] * unit, _PLAIN)


def _segments(run: LayerRun, unit: float) -> list[tuple[float, float]]:
    """Return where each head's part of the concatenated vector lies: top and bottom."""
    if run.concat is None:
        return []
    widths = [head.output[-1] if head.output else 0 for head in run.heads]
    if sum(widths) != run.concat[-1]:  # not simply side by side: the heads' parts are unknown
        widths = [run.concat[-1] / len(run.heads)] * len(run.heads)
    edges = _MIDDLE - run.concat[-1] * unit / 2 + unit * np.cumsum([0, *widths])
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _name_lane(axes: Axes, lane: _Lane, run: LayerRun, wide: float) -> None:
    if lane.head is None:
        hidden = len(run.heads) - _FIRST_FEW - 1
        axes.text(_SCORES, lane.centre, f"⋮   {hidden} more heads   ⋮", ha="center", va="center_baseline")
        return
    place = _QKV - 1.5 * wide - 12
    axes.text(place, lane.centre, f"head {lane.head}", ha="right", va="center_baseline", size=13)


def _write_shapes(axes: Axes, flow: Flow) -> None:
    run, head = flow.run, flow.run.heads[0]
    below = _TOP + _FLOW + 18
    for place, operation in (
        (138, "w_q, w_k, w_v"),
        ((_QKV + _SCORES) / 2 + 6, "q·k / √d_head"),
        ((_SCORES + _WEIGHTS) / 2 + 20, "softmax"),
        ((_WEIGHTS + _HEAD_OUTPUT) / 2 + 6, "× v"),
        ((_CONCAT + _OUTPUT) / 2 + 4, "w_o"),
    ):
        axes.text(place, below, operation, ha="center", va="baseline", size=13, style="italic", color=style.QUIET)
    for place, name, part, shape in (
        (_QKV, "q, k, v", "q", head.q),
        (_SCORES, "scores", "weights", head.weights),
        (_WEIGHTS, "weights", "weights", head.weights),
        (_HEAD_OUTPUT, "output", "head output", head.output),
    ):
        _write_shape(axes, place, 16, name, part, shape, flow)
    for place, name, part, shape in (
        (_X, "x", "x", run.x),
        (_CONCAT, "concat", "concat", run.concat),
        (_OUTPUT, "output", "output", run.output),
    ):
        _write_shape(axes, place, below, name, part, shape, flow)


def _write_shape(axes: Axes, place: float, y: float, name: str, part: str, shape: Shape | None, flow: Flow) -> None:
    axes.text(place, y, name, ha="center", va="baseline", weight="bold")
    if shape is None:
        return
    came, expected = flow.wrong.get(part, (shape, None))
    colour = style.INK if expected is None else style.WRONG
    axes.text(place, y + 18, in_brackets(came), ha="center", va="baseline", size=13, color=colour)
    if expected is not None:
        axes.text(place, y + 35, f"≠ {in_brackets(expected)}", ha="center", va="baseline", size=13, color=colour)


def _draw_costs(axes: Axes, flow: Flow) -> None:
    run = flow.run
    if run.stopped:
        return
    shapes, top = _Shapes(), _TOP + _FLOW + _CAPTIONS + 14
    runs = [run, flow.one_head] if flow.one_head and len(run.heads) > 1 else [run]
    for left, text, costs in (
        (92, f"{run.parameters:,} parameters", _parameters),
        (324, f"{in_words(run.flops)} FLOPs", _flops),
        (556, f"{in_bytes(run.score_bytes)} of scores", _score_bytes),
    ):
        axes.text(left, top, text, weight="bold", va="baseline", size=style.SIZE + 1)
        unit = _BAR / max(1, *(sum(costs(one)) for one in runs))
        for row, one in enumerate(runs):
            lengths = [cost * unit for cost in costs(one)]
            _draw_bar(shapes, left, top + 22 + 26 * row, lengths)
            if row == 0 and lengths[-1] > 36:
                place = left + sum(lengths) - lengths[-1] / 2
                ink = style.ink_on(_PLAIN)
                axes.text(place, top + 22, "w_o", ha="center", va="center_baseline", size=13, color=ink)
    for row, one in enumerate(runs):
        heads = f"{len(one.heads)} heads" if len(one.heads) > 1 else "1 head"
        axes.text(80, top + 22 + 26 * row, heads, ha="right", va="center_baseline")
    shapes.draw(axes)


# What each head costs, and at the end what is left: w_o.
def _parameters(run: LayerRun) -> list[float]:
    heads = [head.parameters for head in run.heads]
    return [*heads, max(0, run.parameters - sum(heads))]


def _flops(run: LayerRun) -> list[float]:
    heads = [head.flops for head in run.heads]
    return [*heads, max(0, run.flops - sum(heads))]


def _score_bytes(run: LayerRun) -> list[float]:
    return [run.score_bytes / len(run.heads)] * len(run.heads) + [0]


def _draw_bar(shapes: _Shapes, left: float, middle: float, lengths: Sequence[float]) -> None:
    """A bar of the heads' parts, each in the head's colour, and of the plain part of w_o at the end."""
    for head, length in enumerate(lengths):
        last = head == len(lengths) - 1
        wide = length - (1 if length > 4 else 0)  # a hair of white between two heads, if there is room
        shapes.box(left + wide / 2, middle, wide, 16, _PLAIN if last else style.head_colour(head))
        left += length


def draw_remainder(d_model: int, num_heads: int) -> Figure:
    """Draw `d_model` features shared out among `num_heads` heads, and those that are left over."""
    share, rest = divmod(d_model, num_heads)
    with style.course():
        figure = style.figure(height=190)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, style.WIDTH), ylim=(190, 0))
        axes.set_axis_off()
        shapes, left, top, room = _Shapes(), 30.0, 96, 640.0
        unit = room / d_model
        for head in range(num_heads):
            shapes.box(left + share * unit / 2, top, share * unit - 2, 56, style.head_colour(head))
            ink = style.ink_on(style.head_colour(head))
            axes.text(left + share * unit / 2, top, f"{share}", ha="center", va="center_baseline", color=ink)
            left += share * unit
        over = max(rest * unit, 8)
        shapes.box(left + 12 + over / 2, top, over, 56, _PLAIN)
        shapes.draw(axes)
        axes.text(30, 30, f"{d_model} features, {num_heads} heads of {share}", weight="bold", va="baseline")
        axes.text(30, 160, f"{num_heads} × {share} = {num_heads * share}", va="baseline")
        axes.text(
            left + 12 + over, 160, f"{rest} left over", color=style.WRONG, weight="bold", ha="right", va="baseline"
        )
    return figure


def in_words(number: int) -> str:
    """Return a large number as one reads it: "34.1 million"."""
    for size, name in ((10**9, "billion"), (10**6, "million")):
        if number >= size:
            return f"{number / size:.3g} {name}"
    return f"{number:,}"


def in_bytes(number: int) -> str:
    """Return an amount of memory as one reads it: "8.19 kB"."""
    for size, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if number >= size:
            return f"{number / size:.3g} {name}"
    return f"{number} bytes"


def in_brackets(shape: Shape) -> str:
    """Return a shape as one writes it: "(1, 16, 512)"."""
    return f"({', '.join(map(str, shape))})"


def _pixels_per_feature(run: LayerRun) -> float:
    sides = [shape[-1] for shape in (run.x, run.concat, run.output) if shape is not None]
    by_head = [max(head.q[-1], head.k[-1], head.v[-1], (head.output or head.v)[-1]) for head in run.heads]
    tall = 230 + (_FLOW - 236) * min(1, math.log(run.x[-1] / 24) / math.log(768 / 24))
    unit = tall / max(*sides, sum(by_head))
    if len(run.heads) <= MOST_LANES:  # no head is taller than its lane, even if it is wider than the others
        unit = min(unit, (_FLOW / len(run.heads) - 1) / max(by_head))
    return unit


def _tall(shape: Shape, unit: float) -> float:
    return max(2.0, shape[-1] * unit)


def _around(middle: float, tall: float) -> tuple[float, float]:
    return middle - tall / 2, middle + tall / 2


def _side(seq: int) -> float:
    """Return the side of a square of `seq` × `seq` scores."""
    return 12 + 2 * math.log2(seq)


def _width(seq: int) -> float:
    """Return how wide a tensor of `seq` words is drawn: it grows by the same step with each doubling."""
    return min(24.0, 9 + 1.5 * math.log2(seq))


def _rgba(colour: str, alpha: float) -> tuple[float, ...]:
    return (*style.to_rgb(colour), alpha)
