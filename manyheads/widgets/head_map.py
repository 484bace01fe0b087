"""One head at work on one sentence, computed by the learner's own `attention` and `causal_mask`.

The first chapter shows `head_map(attention, causal_mask)`. It calls both at every redraw and never shows a traceback:
if one of them is missing or its result cannot be drawn, the widget says so in a line. The queries and keys are made by
hand, so that the reason for each weight is known; nothing here is learned.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import ipywidgets as widgets
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from ..pictures import style
from ..pictures.vector import Spot
from .explorer import Explorer, View
from .learner_code import CannotDraw, ask, came, code, demand_finite, demand_shape

Attention = Callable[..., tuple[Tensor, Tensor]]
CausalMask = Callable[..., Tensor]

# The two parts of the sentence are features too: by word class alone, "sat" could not tell "cat" from "mat".
_FIRST, _LAST = "“The black cat”", "“the mat”"
FEATURES = ("article", "adjective", "noun", "verb", "preposition", _FIRST, _LAST)  # d_head of them


@dataclass(frozen=True)
class Word:
    """A word of the sentence, by its features.

    Args:
        features: what it is, its key: each of these is 1, the others 0.
        asks: what it looks for, its query before it is made sharper.
    """

    text: str
    features: tuple[str, ...] = ()
    asks: Mapping[str, float] = field(default_factory=dict)


SENTENCE = (
    Word("The", ("article", _FIRST), {"noun": 1, _FIRST: 1}),
    Word("black", ("adjective", _FIRST), {"noun": 1, _FIRST: 1}),
    Word("cat", ("noun", _FIRST), {"adjective": 1, "article": 0.5, _FIRST: 1}),
    Word("sat", ("verb",), {"noun": 1, _FIRST: 1}),
    Word("on", ("preposition",), {"noun": 1, _LAST: 1}),
    Word("the", ("article", _LAST), {"noun": 1, _LAST: 1}),
    Word("mat", ("noun", _LAST), {"adjective": 1, "article": 0.5, _LAST: 1}),
    Word(".", (), {"verb": 1}),
)
TOKENS = tuple(word.text for word in SENTENCE)

_WORTH_A_NUMBER = 0.05  # smaller weights show by their colour only
_WORDS_ABOVE, _BARS_BELOW, _BAR_OF_1 = 1.4, 3.9, 2.3  # heights, in cells of the map
_HEIGHT, _LEFT, _ACROSS = 440, 0.115, 0.875  # the figure's height in pixels; where the map is, in widths of the figure

MADE_BY_HAND = "The vectors are made by hand for this picture; a trained head has to find its own."


def vectors(sharpness: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return q, k and v of the sentence, each (1, seq, d_head) with seq 8 and d_head 7.

    Args:
        sharpness: every query is multiplied by it.
    """
    k = torch.tensor([[float(feature in word.features) for feature in FEATURES] for word in SENTENCE])
    q = torch.tensor([[float(word.asks.get(feature, 0)) for feature in FEATURES] for word in SENTENCE])
    return sharpness * q.unsqueeze(0), k.unsqueeze(0), k.clone().unsqueeze(0)


def weights_of(attention: Attention, causal_mask: CausalMask, sharpness: float, *, causal: bool) -> Tensor:
    """Return the weights (seq, seq) that the learner's functions give for the sentence.

    Raises:
        CannotDraw: if there are none to draw.
    """
    mask = _mask_of(causal_mask) if causal else None
    q, k, v = vectors(sharpness)
    answer = ask("attention", attention, q, k, v, mask)
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise CannotDraw(f"{code('attention')} should return two tensors, (output, weights); {came(answer)}.")
    output, weights = answer
    demand_shape(f"The output of {code('attention')}", output, tuple(v.shape))
    demand_shape(f"The weights of {code('attention')}", weights, (*q.shape[:-1], k.shape[-2]))
    for name, tensor in (("output", output), ("weights", weights)):
        demand_finite(f"The {name} of {code('attention')}", tensor)
    return weights.detach().cpu().float().squeeze(0)


def _mask_of(causal_mask: CausalMask) -> Tensor:
    seq = len(TOKENS)
    without = "Untick “causal” to see the picture without a mask."
    try:
        mask = ask("causal_mask", causal_mask, seq)
    except CannotDraw as reason:
        raise CannotDraw(f"{reason} {without}") from None
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.shape != (seq, seq):
        raise CannotDraw(
            f"{code(f'causal_mask({seq})')} should be a boolean tensor of shape ({seq}, {seq}); {came(mask)}. {without}"
        )
    return mask


def draw_head_map(weights: Tensor, tokens: Sequence[str], query: int) -> Figure:
    """Draw all the weights as a map and, below it, the row of one query as bars, column under column.

    Args:
        weights: (seq, seq), one row per query
        tokens: the labels of rows and columns
        query: index of the row to highlight
    """
    seq = len(tokens)
    with style.course():
        figure = style.figure(height=_HEIGHT)
        # One pair of axes for everything, and words in place of ticks: both are what takes time in matplotlib.
        # Its unit is a cell of the map; y runs downwards.
        axes = figure.add_axes((_LEFT, 0, _ACROSS, 1))
        axes.set(xlim=(0, seq), ylim=(seq + _BARS_BELOW, -_WORDS_ABOVE))
        axes.set_axis_off()
        _draw_map(axes, weights, tokens, query)
        _draw_row(axes, weights[query], tokens[query])
    return figure


def spots_of_head_map(weights: Tensor, tokens: Sequence[str]) -> tuple[Spot, ...]:
    """Return what the picture says under the mouse: the weight of each cell; a click chooses its row."""
    seq = len(tokens)
    left, wide = style.WIDTH * _LEFT, style.WIDTH * _ACROSS / seq
    high = _HEIGHT / (seq + _BARS_BELOW + _WORDS_ABOVE)
    top = _WORDS_ABOVE * high
    words = [
        Spot(0, top + row * high, left, high, f"where “{token}” looks", f"query={row}")
        for row, token in enumerate(tokens)
    ]
    cells = [
        Spot(
            left + column * wide,
            top + row * high,
            wide,
            high,
            f"“{tokens[row]}” looks at “{tokens[column]}”: {_short(float(weights[row, column]))}",
            f"query={row}",
        )
        for row in range(seq)
        for column in range(seq)
    ]
    return (*words, *cells)


def _draw_map(axes: Axes, weights: Tensor, tokens: Sequence[str], query: int) -> None:
    seq, colours = len(tokens), style.weight_colours()
    axes.pcolormesh(weights.numpy(), cmap=colours, vmin=0, vmax=1, edgecolors=style.GRID, linewidth=0.8)
    rows, columns = (weights == 0).nonzero(as_tuple=True)
    axes.plot((columns + 0.5).numpy(), (rows + 0.5).numpy(), "x", color=style.QUIET, markersize=7)
    for row, column in (weights >= _WORTH_A_NUMBER).nonzero().tolist():
        weight = float(weights[row, column])
        colour = style.ink_on(colours(min(max(weight, 0.0), 1.0)))
        style.write(axes, column + 0.5, row + 0.5, f"{weight:.2f}", ha="center", va="center_baseline", color=colour)
    axes.add_patch(
        Rectangle((0, query), seq, 1, fill=False, edgecolor=style.WRONG, linewidth=3, clip_on=False, zorder=3)
    )
    for place, token in enumerate(tokens):
        emphasis = "bold" if place == query else "normal"
        style.write(axes, -0.08, place + 0.5, token, ha="right", va="center_baseline", weight=emphasis)
        style.write(axes, place + 0.5, -0.2, token, ha="center", va="baseline")
    style.write(axes, -0.88, seq / 2, "this word …", rotation=90, ha="center", va="center")
    crosses = " (× where the weight is exactly 0)" if len(rows) else ""
    style.write(axes, seq / 2, -0.85, f"… looks at this word{crosses}", ha="center", va="baseline")


def _draw_row(axes: Axes, row: Tensor, token: str) -> None:
    floor = len(row) + _BARS_BELOW - 0.2
    places = [column + 0.5 for column in range(len(row))]
    heights = (row * _BAR_OF_1).tolist()
    style.write(axes, 0, len(row) + 0.75, f"where “{token}” looks", weight="bold", size=style.SIZE + 1)
    for place, height in zip(places, heights, strict=True):
        axes.add_artist(Rectangle((place - 0.3, floor), 0.6, -height, color=style.head_colour(0), linewidth=0))
    axes.axhline(floor, color=style.QUIET, linewidth=1)
    for place, height, weight in zip(places, heights, row.tolist(), strict=True):
        style.write(axes, place, floor - max(height, 0) - 0.12, _short(weight), ha="center", va="baseline")


def _short(weight: float) -> str:
    return "0" if weight == 0 else f"{weight:.2f}"


def describe_head_map(weights: Tensor, tokens: Sequence[str], query: int) -> str:
    """Say in words where the query looks. Arguments as in `draw_head_map`."""
    row = weights[query].tolist()
    order = sorted(range(len(row)), key=lambda place: -row[place])
    seen = [place for place in order if row[place] > 0]
    word = f"<b>{html.escape(tokens[query])}</b>"
    if not seen:
        return f"{word} looks at no word at all."
    names = [_name(tokens, place, query) for place in seen]
    if len(seen) > 1 and row[seen[0]] - row[seen[-1]] < 0.005:
        return f"{word} looks at {len(seen)} words alike, {row[seen[0]]:.2f} each."
    sentence = f"{word} looks most at <b>{names[0]}</b> ({row[seen[0]]:.2f})"
    if len(seen) == 1 or row[seen[1]] < 0.01:
        return sentence + "."
    and_then = "and as much at" if row[seen[0]] - row[seen[1]] < 0.005 else "then at"
    return sentence + f", {and_then} {names[1]} ({row[seen[1]]:.2f})."


def _name(tokens: Sequence[str], place: int, query: int) -> str:
    return "itself" if place == query else html.escape(tokens[place])


def _asks(word: Word) -> str:
    """Say what the word's hand-made query looks for."""
    parts = [f"a word of {name}" for name in word.asks if name in (_FIRST, _LAST)]
    kinds = [
        f"{'less so, ' if strength < 1 else ''}{'an' if name[0] in 'aeiou' else 'a'} {name}"
        for name, strength in word.asks.items()
        if name not in (_FIRST, _LAST)
    ]
    return f"Its query asks for {' or, '.join(kinds)}{', and for ' + parts[0] if parts else ''}."


def _doubts(weights: Tensor, *, causal: bool) -> str:
    """Say what is wrong with weights that can be drawn; "" if nothing is."""
    sums = weights.sum(dim=-1)
    if causal and bool(weights.triu(1).any()):
        return "“causal” is ticked, but words still look at later words: their weights should be exactly 0."
    if not torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        return (
            f"The rows of your weights add up to {float(sums.min()):.2f} … {float(sums.max()):.2f}; "
            f"each should add up to 1."
        )
    return ""


def head_map(attention: Attention, causal_mask: CausalMask) -> Explorer:
    """Return the widget: the weights of one head on "The black cat sat on the mat .".

    Args:
        attention: `attention(q, k, v, mask=None) -> (output, weights)`
        causal_mask: `causal_mask(seq) -> mask`, boolean (seq, seq), True where a query may attend
    """

    def look(query: int, sharpness: float, *, causal: bool) -> View:
        try:
            weights = weights_of(attention, causal_mask, sharpness, causal=causal)
        except CannotDraw as reason:
            return View(warning=str(reason))
        return View(
            draw_head_map(weights, TOKENS, query),
            (f"{describe_head_map(weights, TOKENS, query)} {_asks(SENTENCE[query])}", MADE_BY_HAND),
            warning=_doubts(weights, causal=causal),
            spots=spots_of_head_map(weights, TOKENS),
        )

    controls = {
        "query": widgets.ToggleButtons(
            options=[(text, place) for place, text in enumerate(TOKENS)],
            value=TOKENS.index("sat"),
            description="Look from",
            style={"button_width": "66px", "description_width": "initial"},
        ),
        "causal": widgets.Checkbox(
            value=False, description="causal: no looking at later words", indent=False, layout={"width": "300px"}
        ),
        "sharpness": widgets.IntSlider(
            value=8,
            min=0,
            max=16,
            description="sharpness",
            style={"description_width": "initial"},
            layout={"width": "420px"},
        ),
    }
    return Explorer(controls, rows=[["query"], ["sharpness", "causal"]], look=look)
