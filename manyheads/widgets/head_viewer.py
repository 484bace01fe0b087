"""Shows where each head of a layer looks, as lines between tokens or as one small map per head.

`head_viewer(MultiHeadAttention)` shows the learner's own layer with random weights, for any number of heads;
`model_head_viewer(weights, tokens)` shows a model with its layers. Both are one widget around a function from the
settings to what the heads attend to. The two drawings work without a widget.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from ..pictures import style
from ..pictures.vector import Spot
from .explorer import Explorer, View
from .learner_code import CannotDraw, ask, came, code, demand_finite, demand_shape

TOKENS = ("The", "black", "cat", "sat", "on", "the", "mat", ".")
SPECIAL = ("[CLS]", "[SEP]")
MOST_HEADS = len(style.HEAD_COLOURS)  # one colour a head
RANDOM = "The layer's weights and the words' vectors are random: nothing is learned here"

Choice = widgets.SelectionSlider | widgets.Dropdown | widgets.ToggleButtons

_SEED = 0
_SPREAD = 1.7  # of the words' vectors: with it, untrained heads give weights that differ plainly
_ALL = -1  # in place of a head's number
_SHOWN, _LEFT_OUT, _RESCALED = "shown", "left out", "left out, the rest rescaled to 1"

# All lengths below are pixels of the figure; y runs downwards.
_HEADER = 34
_TOKEN_ENDS, _LINES_START, _LINES_END, _TOKEN_STARTS, _STRIP = 122, 132, 382, 392, 504
_CELL_WITH_NUMBER = 34  # how wide a cell must be for "0.62"
_LINE_FROM, _FAINT_FROM = 0.02, 0.1  # smaller weights are not drawn: of the chosen token, of the others
_FAINT_HEADS = 4  # with more heads the others' lines would be a tangle, and take long to draw
_GAP = 12
_COLUMN_NAMES, _NAME = 54, 15.8  # how high names above columns are; how wide a row or column with a name must be
_ROW_NAMES = 58  # how wide names beside rows are
_TALLEST, _TALLEST_LARGE = 430, 400  # with its controls, it fits a laptop; names of a long sentence may need more
_SMALL_MAPS = 290  # how wide the small maps beside a large one are together
_MOST_SPOTS = 1200  # with more cells, the rows of a map say what their cells are
_MOST_SMALL_ROWS = 240  # with more rows, a small map says only which head it is of
_MOST_TOKENS = 32  # of a typed sentence: with more, nothing in the picture could be read


@dataclass(frozen=True, eq=False)
class Attending:
    """What every head of one layer does with one sentence.

    Args:
        tokens: seq of them
        weights: (num_heads, seq, seq), one row a query
    """

    tokens: tuple[str, ...]
    weights: Tensor


@dataclass(frozen=True)
class Start:
    """What is shown first: "lines" or "maps"; one head or, with None, all; from this token or the middle one."""

    view: str = "lines"
    head: int | None = None
    query: int | None = None


def head_viewer(
    layer_class: Callable[[int, int], Callable[[Tensor], tuple[Tensor, Tensor]]],
    tokens: Sequence[str] = TOKENS,
    d_model: int = 48,
    *,
    view: str = "lines",
) -> Explorer:
    """Return the widget for the learner's own layer, with a slider for its number of heads.

    Args:
        layer_class: `layer_class(d_model, num_heads)` makes a layer; `layer(x)` returns (output, weights). It is made
            and called for each setting.
        tokens: the sentence
        d_model: num_heads goes through its divisors up to MOST_HEADS
        view: what is shown first, "lines" or "maps"
    """
    divisors = [count for count in range(1, MOST_HEADS + 1) if d_model % count == 0]
    num_heads = widgets.SelectionSlider(
        options=divisors,
        value=4 if 4 in divisors else divisors[-1],
        description="num_heads",
        style={"description_width": "90px"},
        layout={"width": "370px"},
    )

    def attend(num_heads: int) -> Attending:
        return Attending(tuple(tokens), weights_of_layer(layer_class, num_heads, tokens, d_model))

    def says(num_heads: int) -> str:
        each = "one head has" if num_heads == 1 else f"each of the {num_heads} heads has"
        alike = "" if num_heads == 1 else ", and yet no two heads have the same weights"
        return f"d_model is {d_model}: {each} d_head = {d_model // num_heads} features. {RANDOM}{alike}."

    start = Start(view, query=tokens.index("sat") if "sat" in tokens else None)
    return _viewer(attend, {"num_heads": num_heads}, [["num_heads"]], says, start)


def model_head_viewer(
    weights: Tensor | Callable[[str], tuple[Sequence[str], Tensor]],
    tokens: Sequence[str] = (),
    *,
    sentences: Sequence[str] = (),
    view: str = "lines",
    layer: int = 0,
    head: int | None = None,
    query: int | None = None,
) -> Explorer:
    """Return the widget for a model with several layers.

    Args:
        weights: (layers, heads, seq, seq) with `tokens`, or a function from one of `sentences` to
            (tokens, weights), called once a sentence; one can be typed, too
        tokens: seq of them; [CLS] and [SEP] among them can be left out
        sentences: to choose from, if `weights` is a function
        view: what is shown first, "lines" or "maps"
        layer, head, query: what is shown first; `head` None for all of them, `query` None for the middle token
    """
    known: dict[str, tuple[tuple[str, ...], Tensor]] = {}

    def model(sentence: str) -> tuple[tuple[str, ...], Tensor]:
        if sentence not in known:
            answer = ask(_name_of(weights), weights, sentence) if callable(weights) else (tokens, weights)
            known[sentence] = _demand_model(answer, _name_of(weights) if callable(weights) else "weights")
        return known[sentence]

    slider = widgets.SelectionSlider(
        options=[layer],
        value=layer,
        description="layer",
        style={"description_width": "90px"},
        layout={"width": "370px"},
    )
    settings: dict[str, widgets.ValueWidget] = {"layer": slider}
    rows = [["layer"]]
    if callable(weights):
        settings["sentence"] = widgets.Dropdown(
            options=list(sentences),
            description="sentence",
            style={"description_width": "90px"},
            layout={"width": "430px"},
        )
        settings["typed"] = widgets.Text(
            placeholder="type a sentence, then press Enter; empty: the one above",
            continuous_update=False,
            description="or yours",
            style={"description_width": "90px"},
            layout={"width": "430px"},
        )
        rows[:0] = [["sentence", "typed"]]

    def attend(layer: int, sentence: str = "", typed: str = "") -> Attending:
        words, of_layers = model(typed.strip() or sentence)
        if typed.strip() and len(words) > _MOST_TOKENS:
            raise CannotDraw(f"That makes {len(words)} tokens; up to {_MOST_TOKENS} can be drawn.")
        layer = _offer(slider, [(str(index), index) for index in range(len(of_layers))], layer)
        return Attending(words, of_layers[layer])

    return _viewer(attend, settings, rows, lambda **_: "", Start(view, head, query))


def _viewer(
    attend: Callable[..., Attending],
    settings: Mapping[str, widgets.ValueWidget],
    rows: Sequence[Sequence[str]],
    says: Callable[..., str],
    start: Start,
) -> Explorer:
    """Return the widget around `attend`.

    Args:
        attend: called with the settings' values; may raise CannotDraw
        settings, rows: the controls of `attend`, and their layout
        says: further text about the settings, HTML
        start: the first values of the other controls
    """
    label = {"description_width": "90px"}
    show = widgets.ToggleButtons(
        options=["lines", "maps"],
        value=start.view,
        description="show",
        style={**label, "button_width": "72px"},
    )
    head = widgets.ToggleButtons(
        options=[("all", _ALL)],
        description="head",
        style={**label, "button_width": "40px"},
    )
    beside = widgets.Dropdown(options=[("none", _ALL)], description="and head", style=label, layout={"width": "164px"})
    large = widgets.Dropdown(options=[("0", 0)], description="large map", style=label, layout={"width": "164px"})
    query = widgets.SelectionSlider(
        options=[("", 0)],
        description="from token",
        style=label,
        layout={"width": "370px"},
    )
    special = widgets.Dropdown(
        options=[_SHOWN, _LEFT_OUT, _RESCALED],
        description="[CLS], [SEP]",
        style=label,
        layout={"width": "300px", "display": "none"},
    )
    first = [start]  # until something could be drawn

    def look(
        show_as: str,
        head_shown: int,
        head_beside: int,
        head_large: int,
        query_from: int,
        special_as: str,
        **values: object,
    ) -> View:
        try:
            attending = attend(**values)
        except CannotDraw as reason:
            return View(warning=str(reason))
        num_heads, seq = attending.weights.shape[:2]
        has_special = any(token in SPECIAL for token in attending.tokens)
        special.layout.display = None if has_special else "none"
        kept = [place for place in range(seq) if special_as == _SHOWN or attending.tokens[place] not in SPECIAL]
        if not kept:
            return View(warning="Nothing is left of this sentence without [CLS] and [SEP].")

        if first:
            begin = first.pop()
            head_shown = _ALL if begin.head is None else begin.head
            query_from = seq // 2 if begin.query is None else begin.query
        numbers = [(str(number), number) for number in range(num_heads)]
        head_shown = _offer(head, [("all", _ALL), *numbers], head_shown)
        head_beside = _offer(beside, [("none", _ALL), *numbers], head_beside)
        query_from = _offer(query, [(attending.tokens[place], place) for place in kept], query_from)
        heads = sorted({head_shown, head_beside} - {_ALL}) if head_shown != _ALL else list(range(num_heads))
        tokens, weights = _without(attending, kept, rescale=special_as == _RESCALED)
        one_is_large = show_as == "maps" and not every_map_has_names(len(heads), len(tokens))
        head_large = _offer(large, [(str(number), number) for number in heads], head_large)
        beside.layout.display = "none" if head_shown == _ALL else None
        large.layout.display = None if one_is_large else "none"
        place = kept.index(query_from)
        if show_as == "lines":
            figure, spots = (
                draw_lines(weights, tokens, place, heads),
                spots_of_lines(weights, tokens, place, heads, kept),
            )
        else:
            figure = draw_maps(weights, tokens, place, heads, head_large)
            spots = spots_of_maps(weights, tokens, place, heads, head_large, kept)
        words = [
            describe_heads(weights, tokens, place, heads),
            _says_of_special(attending, kept, query_from, heads, special_as) if has_special else "",
            says(**values),
        ]
        return View(
            figure,
            tuple(paragraph for paragraph in words if paragraph),
            doubts_about_rows(attending.weights),
            spots,
            _MAPS if show_as == "maps" else _LINES + (_FAINT if len(heads) <= _FAINT_HEADS else ""),
        )

    return Explorer(
        {
            **settings,
            "show_as": show,
            "special_as": special,
            "query_from": query,
            "head_shown": head,
            "head_beside": beside,
            "head_large": large,
        },
        rows=[
            ["show_as", "special_as"],
            *rows[:-1],
            [*rows[-1], "query_from"],
            ["head_shown", "head_beside", "head_large"],
        ],
        look=look,
    )


def _offer(control: Choice, options: list[tuple[str, int]], wanted: int) -> int:
    """Make `control` offer these options, choose `wanted` or the nearest to it, and return the choice."""
    chosen = min((value for _, value in options), key=lambda value: abs(value - wanted))
    if list(control.options) != options:
        control.options = options
    if control.value != chosen:
        control.value = chosen
    return chosen


# --- asking ---------------------------------------------------------------------------------------------------------


def weights_of_layer(
    layer_class: Callable[[int, int], Callable[[Tensor], tuple[Tensor, Tensor]]],
    num_heads: int,
    tokens: Sequence[str],
    d_model: int,
) -> Tensor:
    """Return the weights (num_heads, seq, seq) of the learner's layer, the same ones at each call.

    Raises:
        CannotDraw: if there are none to draw.
    """
    name = _name_of(layer_class)
    x = random_vectors(tokens, d_model).unsqueeze(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        layer = ask(name, layer_class, d_model, num_heads)
        if not callable(layer):
            raise CannotDraw(f"{code(f'{name}({d_model}, {num_heads})')} should be a layer; {came(layer)}.")
        if isinstance(layer, torch.nn.Module):
            layer.eval()
        answer = ask(name, layer, x)
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise CannotDraw(f"{code(name)} should return two tensors, (output, weights); {came(answer)}.")
    output, weights = answer
    seq = len(tokens)
    demand_shape(f"The output of {code(name)} for x of shape {tuple(x.shape)}", output, tuple(x.shape))
    demand_shape(
        f"The weights of {code(name)}, with {num_heads} {'head' if num_heads == 1 else 'heads'} on {seq} tokens,",
        weights,
        (1, num_heads, seq, seq),
    )
    demand_finite(f"The weights of {code(name)}", weights)
    return weights.detach().cpu().float().squeeze(0)


def random_vectors(tokens: Sequence[str], d_model: int) -> Tensor:
    """Return a vector for each token, (seq, d_model): one drawn for the word, plus one for its place."""
    generator = torch.Generator().manual_seed(_SEED)
    words = {token: torch.randn(d_model, generator=generator) for token in dict.fromkeys(t.lower() for t in tokens)}
    places = torch.randn(len(tokens), d_model, generator=generator)
    return _SPREAD * (torch.stack([words[token.lower()] for token in tokens]) + places) / math.sqrt(2)


def _demand_model(answer: object, name: str) -> tuple[tuple[str, ...], Tensor]:
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise CannotDraw(f"{code(name)} should return (tokens, weights); {came(answer)}.")
    tokens, weights = answer
    if not isinstance(weights, Tensor) or weights.dim() != 4 or weights.shape[2:] != (len(tokens), len(tokens)):
        raise CannotDraw(
            f"The weights of {len(tokens)} tokens should have the shape "
            f"(layers, heads, {len(tokens)}, {len(tokens)}); {came(weights)}."
        )
    demand_finite("The weights", weights)
    return tuple(str(token) for token in tokens), weights.detach().cpu().float()


def doubts_about_rows(weights: Tensor) -> str:
    """Say what is wrong with weights (…, seq, seq) that can be drawn; "" if nothing is."""
    if bool((weights < 0).any()):
        return f"Some of your weights are below 0 (the smallest is {float(weights.min()):.2f}); none should be."
    sums = weights.sum(dim=-1)
    if not torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        return (
            f"The rows of your weights add up to {float(sums.min()):.2f} … {float(sums.max()):.2f}; "
            f"each should add up to 1."
        )
    return ""


def _name_of(function: Callable[..., object]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _without(attending: Attending, kept: list[int], *, rescale: bool) -> tuple[list[str], Tensor]:
    """Return the tokens that are kept and the weights between them; rows of 0 stay so when they are rescaled."""
    weights = attending.weights[:, kept][:, :, kept]
    if rescale:
        weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-12)
    return [attending.tokens[place] for place in kept], weights


# --- drawing --------------------------------------------------------------------------------------------------------


def draw_lines(weights: Tensor, tokens: Sequence[str], query: int, heads: Sequence[int]) -> Figure:
    """Draw where `query` looks: a line to each token for each head, and beside the tokens a column of weights per head.

    Args:
        weights: (num_heads, seq, seq), one row a query
        tokens: seq of them
        query: index of the token whose lines are drawn strongly; those of the others are faint
        heads: the numbers of the heads to show
    """
    seq = len(tokens)
    row = _row_of_lines(seq)
    height = _HEADER + row * seq + 8
    with style.course():
        figure, axes = _canvas(height)
        middles = _HEADER + row * (np.arange(seq) + 0.5)
        axes.add_patch(
            Rectangle((4, middles[query] - row / 2 + 1), _LINES_START - 6, row - 2, color=style.GRID, linewidth=0)
        )
        lines = _lines(weights, query, heads, middles, row)
        if lines is not None:
            axes.add_collection(lines, autolim=False)
        cell = _cell_of_strip(heads)
        _draw_strip(axes, weights[:, query], heads, row, cell)
        style.write(axes, _TOKEN_ENDS, _HEADER - 12, "from", ha="right", color=style.QUIET)
        style.write(axes, _TOKEN_STARTS, _HEADER - 12, "to", color=style.QUIET)
        for place, token in enumerate(tokens):
            text, middle = _shortened(token, 12), middles[place]
            emphasis = "bold" if place == query else "normal"
            style.write(axes, _TOKEN_ENDS, middle, text, ha="right", va="center_baseline", weight=emphasis)
            style.write(axes, _TOKEN_STARTS, middle, text, va="center_baseline")
        style.write(axes, _STRIP - 8, _HEADER - 12, "head", ha="right", color=style.QUIET)
        for column, head in enumerate(heads):
            middle, colour = _STRIP + cell * (column + 0.5), style.head_colour(head)
            style.write(axes, middle, _HEADER - 12, str(head), ha="center", color=colour, weight="bold", size=13)
    return figure


def _row_of_lines(seq: int) -> float:
    return min(40.0, max(21.0, 364 / seq))


def _cell_of_strip(heads: Sequence[int]) -> float:
    return min(44.0, (style.WIDTH - 8 - _STRIP) / len(heads))


def spots_of_lines(
    weights: Tensor, tokens: Sequence[str], query: int, heads: Sequence[int], places: Sequence[int]
) -> tuple[Spot, ...]:
    """Return what the words and cells of `draw_lines` say under the mouse.

    Args:
        places: what to choose by a click on each token: its place in the whole sentence.
    """
    row, cell, one = _row_of_lines(len(tokens)), _cell_of_strip(heads), len(heads) == 1
    spots = []
    for place, token in enumerate(tokens):
        top, pick = _HEADER + row * place, f"query_from={places[place]}"
        gets = ", ".join(f"head {head} {float(weights[head, query, place]):.2f}" for head in heads)
        spots.append(Spot(4, top, _LINES_START - 4, row, f"where “{token}” looks", pick))
        says = f"“{tokens[query]}” looks at “{token}”: {gets}"
        spots.append(Spot(_TOKEN_STARTS - 6, top, _STRIP - _TOKEN_STARTS, row, says, pick))
        for column, head in enumerate(heads):
            says = _says_of_cell(weights, tokens, head, query, place)
            spots.append(Spot(_STRIP + column * cell, top, cell, row, says, pick))
    for column, head in enumerate(heads):
        says = "a click: all heads" if one else f"a click: head {head} alone"
        spots.append(Spot(_STRIP + column * cell, 2, cell, _HEADER - 4, says, f"head_shown={_ALL if one else head}"))
    return tuple(spots)


def _says_of_cell(weights: Tensor, tokens: Sequence[str], head: int, query: int, key: int) -> str:
    return f"head {head}: “{tokens[query]}” looks at “{tokens[key]}”: {float(weights[head, query, key]):.2f}"


def _lines(weights: Tensor, query: int, heads: Sequence[int], middles: np.ndarray, row: float) -> LineCollection | None:
    """Return the lines of these heads: each in its own lane, so that none hides behind another. None if there are
    none."""
    shown = weights[list(heads)].clamp(0, 1).numpy()
    lane = min(5.0, 0.6 * row / len(heads))
    lanes = lane * (np.arange(len(heads)) - (len(heads) - 1) / 2)
    colours = np.array([to_rgb(style.head_colour(head)) for head in heads])
    stands_out = np.arange(shown.shape[1]) == query
    least = np.where(stands_out, _LINE_FROM, _FAINT_FROM if len(heads) <= _FAINT_HEADS else np.inf)
    head, start, end = (shown >= least[:, None]).nonzero()
    weight = shown[head, start, end]
    order = np.lexsort((weight, start == query))  # the chosen token's strongest lines last, on top
    head, start, end, weight = head[order], start[order], end[order], weight[order]
    if not len(order):  # before 3.11, matplotlib cannot draw a collection of nothing
        return None
    segments = np.empty((len(order), 2, 2))
    segments[:, 0, 0], segments[:, 1, 0] = _LINES_START, _LINES_END
    segments[:, 0, 1], segments[:, 1, 1] = middles[start] + lanes[head], middles[end] + lanes[head]
    chosen = start == query
    opacity = np.where(chosen, 0.25 + 0.75 * weight, 0.25 * weight)
    return LineCollection(
        list(segments),
        colors=np.column_stack([colours[head], opacity]),
        linewidths=np.where(chosen, 0.8 + 5 * weight, 1.0),
        antialiaseds=chosen,  # smoothed, so many faint lines would take three times as long and as many bytes
        capstyle="round",
    )


def _draw_strip(axes: Axes, rows: Tensor, heads: Sequence[int], row: float, cell: float) -> None:
    """Draw the weights of one query, (num_heads, seq), as a column per head."""
    seq = rows.shape[1]
    shown = rows[list(heads)].clamp(0, 1).numpy()
    colours = np.stack([style.weight_colours(head)(weight) for head, weight in zip(heads, shown, strict=True)], axis=1)
    x, y = _STRIP + cell * np.arange(len(heads) + 1), _HEADER + row * np.arange(seq + 1)
    axes.add_collection(
        QuadMesh(np.stack(np.meshgrid(x, y), axis=-1), array=colours, edgecolors=style.GRID, linewidths=0.8),
        autolim=False,
    )
    if cell < _CELL_WITH_NUMBER:
        return
    for (place, column), weight in np.ndenumerate(shown.T):
        if weight >= 0.05:
            middle = _STRIP + cell * (column + 0.5), _HEADER + row * (place + 0.5)
            ink = style.ink_on(tuple(colours[place, column]))
            style.write(axes, *middle, f"{weight:.2f}", ha="center", va="center_baseline", color=ink, size=13)


@dataclass(frozen=True)
class _Map:
    """Where the map of one head is: its corner, and the width and height of a cell.

    Args:
        named: how many letters its rows and columns have for their names; 0 for none.
    """

    head: int
    left: float
    top: float
    wide: float
    high: float
    named: int

    @property
    def names_above(self) -> float:
        """How much room is above for the names of columns."""
        return {0: 0, 6: _COLUMN_NAMES, 8: 72, 10: 90}[self.named]


def _grid(count: int, seq: int) -> tuple[int, float, float] | None:
    """Return how many maps with names are side by side, and the width and height of their cells; None if there is no
    room for all the names."""
    best = None
    for columns in range(1, count + 1):
        rows = -(-count // columns)
        wide = ((style.WIDTH - 6 - (columns - 1) * _GAP) / columns - _ROW_NAMES) / seq
        high = ((_TALLEST - (rows - 1) * _GAP) / rows - 26 - _COLUMN_NAMES) / seq
        wide, high = min(wide, 2 * high), min(high, 1.5 * wide)
        if min(wide, high) >= _NAME and (best is None or min(wide, high) > min(best[1:])):
            best = columns, wide, high
    return best


def every_map_has_names(count: int, seq: int) -> bool:
    """Return whether there is room for `count` maps that all have the names of their rows and columns."""
    return count == 1 or _grid(count, seq) is not None


def _arranged(seq: int, heads: Sequence[int], large: int) -> list[_Map]:
    """Return where each head's map is. Where not all can have names, one is large and has them."""
    if len(heads) == 1:
        wide, high = min((style.WIDTH - 128) / seq, 40.0), max(_NAME, min(40.0, (_TALLEST_LARGE - 116) / seq))
        return [_Map(heads[0], 122, 116, wide, high, 10)]
    grid = _grid(len(heads), seq)
    if grid is not None:
        columns, wide, high = grid
        across, down = _ROW_NAMES + wide * seq + _GAP, 26 + _COLUMN_NAMES + high * seq + _GAP
        return [
            _Map(
                head,
                _ROW_NAMES + index % columns * across,
                26 + _COLUMN_NAMES + index // columns * down,
                wide,
                high,
                6,
            )
            for index, head in enumerate(heads)
        ]
    beside = (style.WIDTH - _SMALL_MAPS - 90) / seq >= _NAME
    left, top = 84.0, 98.0
    wide = (style.WIDTH - left - (_SMALL_MAPS + 24 if beside else 6)) / seq
    high = max(_NAME, min(wide, (_TALLEST_LARGE - top) / seq))
    one = _Map(large, left, top, wide, high, 8)
    columns = 3 if beside else 6
    width = (_SMALL_MAPS - 2 * _GAP) / 3 if beside else (style.WIDTH - 6 - 5 * _GAP) / 6
    rows = -(-len(heads) // columns)
    height = min(width, (top + high * seq) / rows - 24) if beside else width
    start, above = (style.WIDTH - _SMALL_MAPS - 2, 0.0) if beside else (0.0, top + high * seq + _GAP)
    small = [
        _Map(
            head,
            start + index % columns * (width + _GAP),
            above + 20 + index // columns * (height + 24),
            width / seq,
            height / seq,
            0,
        )
        for index, head in enumerate(heads)
    ]
    return [one, *small]


def draw_maps(
    weights: Tensor, tokens: Sequence[str], query: int, heads: Sequence[int], large: int | None = None
) -> Figure:
    """Draw one map per head, rows for queries and columns for keys. Arguments as in `draw_lines`.

    Args:
        large: the head whose map is large and has names, beside small ones of all heads, where there is no room for
            everyone's names; the first by default
    """
    seq = len(tokens)
    maps = _arranged(seq, heads, heads[0] if large is None else large)
    with style.course():
        figure, axes = _canvas(max(one.top + one.high * seq for one in maps) + 6)
        for one in maps:
            _draw_map(axes, weights[one.head], query, one)
            _name_map(axes, weights[one.head, query], tokens, query, one)
        if not maps[-1].named:
            chosen = next(small for small in maps[1:] if small.head == maps[0].head)
            box = (chosen.left - 4, chosen.top - 19), chosen.wide * seq + 8, chosen.high * seq + 23
            axes.add_patch(Rectangle(*box, fill=False, edgecolor=style.INK, linewidth=1.5))
        elif len(maps) == 1:
            _write_weights(axes, weights[heads[0], query], query, maps[0])
    return figure


def spots_of_maps(
    weights: Tensor, tokens: Sequence[str], query: int, heads: Sequence[int], large: int, places: Sequence[int]
) -> tuple[Spot, ...]:
    """Return what the maps of `draw_maps` say under the mouse. `places` as in `spots_of_lines`."""
    seq, spots = len(tokens), list[Spot]()
    maps = _arranged(seq, heads, large)
    named = [one for one in maps if one.named]
    by_cell = len(named) * seq**2 <= _MOST_SPOTS
    for one in maps:
        if not one.named:  # its rows have no names, so each says its own
            pick = f"head_large={one.head}"
            says = f"head {one.head}: “{tokens[query]}” looks most at {_most(weights[one.head, query], tokens)}"
            says += "\nrows and columns as in the large map; a click: large"
            spots.append(Spot(one.left, one.top - 18, one.wide * seq, one.high * seq + 18, says, pick))
            if len(heads) * seq <= _MOST_SMALL_ROWS:
                for row, token in enumerate(tokens):
                    says = f"head {one.head}: “{token}” looks most at {_most(weights[one.head, row], tokens)}"
                    box = one.left, one.top + row * one.high, one.wide * seq, one.high
                    spots.append(Spot(*box, f"{says}\na click: large", pick))
            continue
        alone = len(heads) == 1
        says, pick = ("a click: all heads", _ALL) if alone else (f"a click: head {one.head} alone", one.head)
        room = {6: _ROW_NAMES, 8: 84, 10: 122}[one.named]
        spots.append(Spot(one.left - room, one.top - one.names_above - 22, 70, 20, says, f"head_shown={pick}"))
        for row, token in enumerate(tokens):
            top, pick = one.top + row * one.high, f"query_from={places[row]}"
            spots.append(Spot(one.left - room, top, room - 2, one.high, f"where “{token}” looks", pick))
            if by_cell:
                spots += [
                    Spot(
                        one.left + column * one.wide,
                        top,
                        one.wide,
                        one.high,
                        _says_of_cell(weights, tokens, one.head, row, column),
                        pick,
                    )
                    for column in range(seq)
                ]
            else:
                says = f"head {one.head}: “{token}” looks most at {_most(weights[one.head, row], tokens)}"
                spots.append(Spot(one.left, top, one.wide * seq, one.high, says, pick))
    return tuple(spots)


def _draw_map(axes: Axes, weights: Tensor, query: int, one: _Map) -> None:
    """Draw the map of one head, (seq, seq), its query framed."""
    seq = len(weights)
    corners = np.meshgrid(one.left + one.wide * np.arange(seq + 1), one.top + one.high * np.arange(seq + 1))
    # Colours and not weights: matplotlib would go through masked arrays, which takes longer than the drawing.
    colours = style.weight_colours(one.head)(weights.clamp(0, 1).numpy())
    axes.add_collection(QuadMesh(np.stack(corners, axis=-1), array=colours), autolim=False)
    around = [
        [(one.left, top), (one.left + wide, top), (one.left + wide, top + tall), (one.left, top + tall)]
        for wide in (one.wide * seq,)
        for top, tall in ((one.top, one.high * seq), (one.top + one.high * query, one.high))
    ]
    axes.add_collection(
        PolyCollection(around, facecolors="none", edgecolors=[style.QUIET, style.INK], linewidths=[1, 2], zorder=3),
        autolim=False,
    )


def _name_map(axes: Axes, row: Tensor, tokens: Sequence[str], query: int, one: _Map) -> None:
    """Write the head above its map, and the names of rows and columns beside them."""
    colour = style.head_colour(one.head)
    if not one.named:
        style.write(axes, one.left, one.top - 5, f"head {one.head}", color=colour, weight="bold", size=13)
        return
    room = {6: _ROW_NAMES, 8: 84, 10: 122}[one.named]
    above, right = one.top - one.names_above - 8, one.left + one.wide * len(tokens)
    style.write(axes, one.left - room + 2, above, f"head {one.head}", color=colour, weight="bold", size=13)
    style.write(axes, right, above, _most(row, tokens), ha="right", size=13)
    for place, token in enumerate(tokens):
        emphasis = "bold" if place == query else "normal"
        middle = one.left + one.wide * (place + 0.5)
        style.write(
            axes, middle, one.top - 6, _shortened(token, one.named), rotation=90, ha="center", va="bottom", size=13
        )
        middle, text = one.top + one.high * (place + 0.5), _shortened(token, {6: 5, 8: 8, 10: 12}[one.named])
        style.write(axes, one.left - 8, middle, text, ha="right", va="center_baseline", weight=emphasis, size=13)


def _write_weights(axes: Axes, row: Tensor, query: int, one: _Map) -> None:
    """Write the weights of the chosen query into its row, where there is room."""
    if one.wide < _CELL_WITH_NUMBER:
        return
    for place, weight in enumerate(row.tolist()):
        if weight >= 0.05:
            ink = style.ink_on(style.weight_colours(one.head)(min(weight, 1.0)))
            at = one.left + one.wide * (place + 0.5), one.top + one.high * (query + 0.5)
            style.write(axes, *at, f"{weight:.2f}", ha="center", va="center_baseline", color=ink, size=13)


def _most(row: Tensor, tokens: Sequence[str]) -> str:
    """Return the token that a query looks at most, with its weight."""
    weight, place = row.max(dim=0)
    return f"{_shortened(tokens[int(place)], 6)} {float(weight):.2f}" if weight > 0 else "nothing"


def _canvas(height: float) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes, measured in pixels from the top left corner."""
    figure = style.figure(height=round(height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, style.WIDTH), ylim=(round(height), 0))
    axes.set_axis_off()
    return figure, axes


def _shortened(token: str, most: int) -> str:
    # A pair of $ would be read as a formula.
    return (token if len(token) <= most else token[: most - 1] + "…").replace("$", r"\$")


# --- words ----------------------------------------------------------------------------------------------------------

_CLICKS = " With the mouse: a click on a word looks from there, one on a head's name shows that head alone."
_LINES = (
    "The thicker a line, the bigger the weight. On the right are the same weights, a column per head; the stronger the "
    "colour, the bigger the weight." + _CLICKS
)
_FAINT = f" The faint lines are the other tokens' weights of {_FAINT_FROM} and more."
_MAPS = (
    "A row for each token that looks, a column for each token that is looked at, in the order of the sentence; "
    "the stronger the colour, the bigger the weight. The frame is the row of the chosen token. "
    "Where there is no room for all names, one map is large and has them; the small ones have the same rows and "
    "columns." + _CLICKS
)


def describe_heads(weights: Tensor, tokens: Sequence[str], query: int, heads: Sequence[int]) -> str:
    """Say in HTML where each head looks from `query`. Arguments as in `draw_lines`."""
    said = []
    for head in heads:
        row = weights[head, query]
        biggest = float(row.max())
        if biggest <= 0:
            said.append(f"{_head(head)} at nothing")
        elif float(row.min()) > biggest - 0.005 and len(row) > 1:
            said.append(f"{_head(head)} at all alike ({biggest:.2f})")
        else:
            place = int(row.argmax())
            name = "itself" if place == query else html.escape(tokens[place])
            said.append(f"{_head(head)} at <b>{name}</b> ({biggest:.2f})")
    return f"From <b>{html.escape(tokens[query])}</b>, most of all: {', '.join(said)}."


def _head(head: int) -> str:
    colour = f"var(--h{head % MOST_HEADS}, {style.head_colour(head)})"
    return f'<span style="color: {colour}">■</span>&nbsp;head&nbsp;{head}'


def _says_of_special(attending: Attending, kept: list[int], query: int, heads: Sequence[int], special_as: str) -> str:
    """Say how much of the chosen token's weight lies on [CLS] and [SEP], and what is shown of the rest."""
    rows = attending.weights[list(heads), query]
    on_special = rows.sum(dim=-1) - rows[:, kept].sum(dim=-1)
    if special_as == _SHOWN:
        on_special = rows[:, [token in SPECIAL for token in attending.tokens]].sum(dim=-1)
    low, high = float(on_special.min()), float(on_special.max())
    share = f"{low:.2f}" if high - low < 0.005 else f"between {low:.2f} and {high:.2f}"
    whose = "Of this token's weight" if len(heads) == 1 else "Of this token's weight, by head,"
    return f"{whose} {share} lies on [CLS] and [SEP]{_SPECIAL_WORDS[special_as]}"


_SPECIAL_WORDS = {
    _SHOWN: ".",
    _LEFT_OUT: "; they are left out, and the rest is shown as it is: a row no longer adds up to 1.",
    _RESCALED: (
        "; they are left out, and each row of the rest is divided by its sum, so that it adds up to 1 again. Where "
        "little was left, small weights now look big."
    ),
}
