"""Shows which scores a mask lets through, and the weights that the learner's own layer makes of them.

Chapter 4 shows `mask_painter(MultiHeadAttention, padding_mask, causal_mask)`. Everything in the picture comes from the
learner's code, called at every redraw: the masks from their two functions, scores and weights from a layer of theirs
with random numbers. Nothing is trained here, and no traceback is ever shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from ..pictures import style, theme
from ..pictures.lettering import Lettering
from ..pictures.vector import Spot
from .explorer import Explorer, View
from .head_viewer import doubts_about_rows
from .learner_code import CannotDraw, ask, came, code, demand_finite, demand_shape

SENTENCE = ("The", "black", "cat", "sat", "on", "the", "mat", ".")
PAD = "pad"
SEQ = len(SENTENCE)
D_MODEL, NUM_HEADS = 16, 4
_SEED = 4

FUTURE, PADDING, BOTH = theme.FUTURE, theme.PADDING, theme.BOTH
_CELL = 39  # pixels, as all lengths here
_LEFT, _ABOVE, _BETWEEN = 58, 62, 90
_SMALL = 13


@dataclass(frozen=True, eq=False)
class Painting:
    """The contents of one picture.

    Args:
        tokens: the words and the padding, SEQ of them.
        future: bool (SEQ, SEQ), True where the causal mask blocks.
        padding: bool (SEQ, SEQ), True where the padding mask blocks.
        scores: (SEQ, SEQ) of one head, None if the layer lacks the parts that make them.
        weights: (SEQ, SEQ) of that head.
        head: which one.
    """

    tokens: tuple[str, ...]
    future: Tensor
    padding: Tensor
    scores: Tensor | None
    weights: Tensor
    head: int

    @property
    def blocked(self) -> Tensor:
        """Bool (SEQ, SEQ), True where a score does not survive."""
        return self.future | self.padding

    @property
    def lost(self) -> list[int]:
        """The rows in which nothing survives."""
        return self.blocked.all(dim=-1).nonzero().flatten().tolist()


def paint(
    layer_class: Callable[..., nn.Module],
    padding_mask: Callable[..., Tensor],
    causal_mask: Callable[..., Tensor],
    words: int,
    head: int,
    *,
    front: bool,
    causal: bool,
) -> Painting:
    """Ask the learner's code for masks and weights.

    Args:
        layer_class: the learner's `MultiHeadAttention`.
        words: how many of the SEQ places hold words; the others are padding.
        front: whether the padding comes before the words.
        causal: whether the future is blocked.
        head: the head to show.

    Raises:
        CannotDraw: if there are none to draw.
    """
    pads = (PAD,) * (SEQ - words)
    tokens = (*pads, *SENTENCE[:words]) if front else (*SENTENCE[:words], *pads)
    masks = []
    future = padding = torch.zeros(SEQ, SEQ, dtype=torch.bool)
    if causal:
        mask = _mask("causal_mask", causal_mask, (SEQ, SEQ), SEQ)
        future = ~mask
        masks.append(mask)
    if words < SEQ:
        mask = _mask("padding_mask", padding_mask, (1, 1, 1, SEQ), torch.tensor([words]), SEQ)
        mask = mask.flip(-1) if front else mask
        padding = ~mask[0, 0].expand(SEQ, SEQ)
        masks.append(mask)
    mask = (masks[0] & masks[1] if len(masks) == 2 else masks[0]) if masks else None
    scores, weights = _layer_at_work(layer_class, _vectors(tokens), mask, head)
    return Painting(tokens, future, padding, scores, weights, head)


def _mask(name: str, function: Callable[..., Tensor], shape: tuple[int, ...], *inputs: object) -> Tensor:
    mask = ask(name, function, *inputs)
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool or tuple(mask.shape) != shape:
        raise CannotDraw(f"{code(name)} should give a boolean tensor of shape {shape} here; {came(mask)}.")
    return mask.cpu()


def _vectors(tokens: tuple[str, ...]) -> Tensor:
    """Return (1, SEQ, D_MODEL): each word has its vector, and all padding the same one."""
    generator = torch.Generator().manual_seed(_SEED)
    table = 1.5 * torch.randn(SEQ + 1, D_MODEL, generator=generator)
    places = [SEQ if token == PAD else SENTENCE.index(token) for token in tokens]
    return table[places].unsqueeze(0)


def _layer_at_work(
    layer_class: Callable[..., nn.Module], x: Tensor, mask: Tensor | None, head: int
) -> tuple[Tensor | None, Tensor]:
    name = "MultiHeadAttention"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        layer = ask(name, layer_class, D_MODEL, NUM_HEADS)
    if not isinstance(layer, nn.Module):
        raise CannotDraw(f"{code(name)} should be a class derived from {code('nn.Module')}.")
    layer.eval()
    answer = ask(name, layer, x, None, None, mask)
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise CannotDraw(f"{code(name)} should return two tensors, (output, weights); {came(answer)}.")
    output, weights = answer
    demand_shape(f"The output of {code(name)}", output, tuple(x.shape))
    demand_shape(f"The weights of {code(name)}", weights, (1, NUM_HEADS, SEQ, SEQ))
    try:
        demand_finite(f"The weights of {code(name)}", weights)
    except CannotDraw as reason:
        lost = mask is not None and not mask.any(dim=-1).all()
        advice = " There are rows in which all is blocked: their weights should be 0." if lost else ""
        raise CannotDraw(f"{reason}{advice}") from None
    return _scores(layer, x, head), weights[0, head].detach().cpu().float()


def _scores(layer: nn.Module, x: Tensor, head: int) -> Tensor | None:
    """Return one head's scores, before any mask, None if the layer does not have the projections it should."""
    d_head = D_MODEL // NUM_HEADS
    mine = slice(head * d_head, (head + 1) * d_head)
    try:
        with torch.no_grad():
            # (1, SEQ, D_MODEL) -> (SEQ, d_head)
            q, k = (getattr(layer, name)(x)[0, :, mine] for name in ("w_q", "w_k"))
            return q @ k.T / math.sqrt(d_head)
    except Exception:  # a learner's layer may be built in any way
        return None


def draw_mask_painter(painting: Painting) -> Figure:
    """Draw the scores that survive (left) and the weights that come of them (right)."""
    width = 2 * (_LEFT + SEQ * _CELL) + _BETWEEN - _LEFT + 4
    height = _ABOVE + SEQ * _CELL + 48
    with style.course():
        figure = style.figure(width, height)
        # One pair of axes in pixels, and words in place of ticks: both are what takes time in matplotlib.
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        right = _LEFT + SEQ * _CELL + _BETWEEN
        _draw_scores(axes, painting, _LEFT)
        _draw_weights(axes, painting, right)
        for left in (_LEFT, right):
            _draw_tokens(axes, painting.tokens, left)
            for row in painting.lost:
                corner = (left, _ABOVE + row * _CELL)
                axes.add_patch(
                    Rectangle(corner, SEQ * _CELL, _CELL, fill=False, edgecolor=style.INK, linewidth=2.5, zorder=3)
                )
        _draw_legend(axes, _LEFT, height - 26)
    return figure


def _draw_scores(axes: Axes, painting: Painting, left: float) -> None:
    ground = torch.tensor(
        [
            [
                to_rgb(BOTH if future and pad else FUTURE if future else PADDING if pad else theme.PAPER)
                for future, pad in zip(*row, strict=True)
            ]
            for row in zip(painting.future.tolist(), painting.padding.tolist(), strict=True)
        ]
    )
    _draw_cells(axes, left, ground.numpy())
    style.write(axes, left, 18, "scores that survive", weight="bold", size=style.SIZE + 1)
    minus_infinity = {(row, column): "−∞" for row, column in painting.blocked.nonzero().tolist()}
    _write(axes, left, minus_infinity, [style.INK] * len(minus_infinity))
    if painting.scores is not None:
        scores = {
            (row, column): style.signed(float(painting.scores[row, column]))
            for row, column in (~painting.blocked).nonzero().tolist()
        }
        _write(axes, left, scores, [style.INK] * len(scores))


def _draw_weights(axes: Axes, painting: Painting, left: float) -> None:
    colours = style.weight_colours(painting.head)
    grounds = colours(painting.weights.clamp(0, 1).numpy())
    _draw_cells(axes, left, grounds)
    title = f"weights of head {painting.head}"
    style.write(axes, left, 18, title, weight="bold", size=style.SIZE + 1, color=style.head_colour(painting.head))
    _cross(axes, left, painting.weights == 0)
    weights = {
        (row, column): f"{float(painting.weights[row, column]):.2f}".removeprefix("0")
        for row, column in (painting.weights != 0).nonzero().tolist()
    }
    _write(axes, left, weights, [style.ink_on(tuple(grounds[place].tolist())) for place in weights])


def _cross(axes: Axes, left: float, where: Tensor) -> None:
    """Put a cross into all cells in which `where` is True."""
    rows, columns = (place.numpy() + 0.5 for place in where.nonzero(as_tuple=True))
    axes.plot(
        left + _CELL * columns, _ABOVE + _CELL * rows, linestyle="none", marker="x", color=style.QUIET, markersize=6
    )


def _draw_cells(axes: Axes, left: float, colours: np.ndarray) -> None:
    edges = [_CELL * place for place in range(SEQ + 1)]
    axes.pcolormesh(
        [left + edge for edge in edges],
        [_ABOVE + edge for edge in edges],
        colours,
        edgecolors=style.GRID,
        linewidth=0.8,
    )


def _write(axes: Axes, left: float, numbers: Mapping[tuple[int, int], str], colours: Sequence[str]) -> None:
    """Write a number into each cell (row, column)."""
    words = [
        (left + _CELL * (column + 0.5), _ABOVE + _CELL * (row + 0.5), number, colour)
        for ((row, column), number), colour in zip(numbers.items(), colours, strict=True)
    ]
    Lettering(axes, words, _SMALL)


def _draw_tokens(axes: Axes, tokens: tuple[str, ...], left: float) -> None:
    for place, token in enumerate(tokens):
        colour = style.QUIET if token == PAD else style.INK
        middle = _CELL * (place + 0.5)
        style.write(axes, left - 6, _ABOVE + middle, token, ha="right", va="center_baseline", color=colour)
        style.write(axes, left + middle, _ABOVE - 8, token, ha="center", va="baseline", color=colour, size=_SMALL)


def _draw_legend(axes: Axes, left: float, top: float) -> None:
    for offset, colour, name in ((0, FUTURE, "future"), (96, PADDING, "padding"), (200, BOTH, "both")):
        axes.add_patch(Rectangle((left + offset, top), 18, 18, facecolor=colour))
        style.write(axes, left + offset + 25, top + 9, name, va="center_baseline")
    style.write(axes, left + SEQ * _CELL + _BETWEEN, top + 9, "× : exactly 0", va="center_baseline")


def spots_of_mask_painter(painting: Painting, words: int, *, front: bool) -> tuple[Spot, ...]:
    """Return what the cells say under the mouse. A click on the name of a column lets the sentence end there.

    Args:
        words: how many of the SEQ places hold words.
        front: whether the padding comes before them.
    """
    spots = []
    lefts = _LEFT, _LEFT + SEQ * _CELL + _BETWEEN
    pads = SEQ - words if front else 0
    for left in lefts:
        for column in range(SEQ):
            count = min(SEQ, max(column - pads, 0) + 1)
            spots.append(
                Spot(
                    left + column * _CELL,
                    _ABOVE - 26,
                    _CELL,
                    24,
                    f"a click: {count} {'word' if count == 1 else 'words'}, the rest is padding",
                    f"words={count}",
                )
            )
    for row in range(SEQ):
        for column in range(SEQ):
            pair = f"“{painting.tokens[row]}” ({row}) and “{painting.tokens[column]}” ({column})"
            reasons = [
                reason
                for reason, mask in (("the future", painting.future), ("padding", painting.padding))
                if bool(mask[row, column])
            ]
            if reasons:
                score = f"blocked, since it is {' and '.join(reasons)}"
            elif painting.scores is not None:
                score = f"score {style.signed(float(painting.scores[row, column]))}"
            else:
                score = "not blocked"
            top = _ABOVE + row * _CELL
            weight = f"weight {float(painting.weights[row, column]):.2f}"
            for left, says in zip(lefts, (score, weight), strict=True):
                spots.append(Spot(left + column * _CELL, top, _CELL, _CELL, f"{pair}: {says}"))
    return tuple(spots)


def describe_mask_painter(painting: Painting) -> tuple[str, ...]:
    """Say in paragraphs of HTML what `draw_mask_painter` shows."""
    future, padding = painting.future, painting.padding
    survive = int((~painting.blocked).sum())
    counts = [
        f"{int(count)} {what}"
        for count, what in (
            ((future & ~padding).sum(), "in the future"),
            ((padding & ~future).sum(), "on padding"),
            ((future & padding).sum(), "on both"),
        )
        if count
    ]
    if counts:
        paragraphs = [f"<b>{survive} of {SEQ * SEQ} scores survive.</b> Blocked are {', '.join(counts)}."]
    else:
        paragraphs = [f"<b>Nothing is blocked</b>: all {SEQ * SEQ} scores survive."]
    if painting.lost:
        which = "Every row" if len(painting.lost) == SEQ else f"{_rows(painting.lost)}, framed,"
        ends = "has" if len(painting.lost) in (1, SEQ) else "have"
        paragraphs.append(
            f"{which} {ends} nothing left to look at: nothing but −∞. Softmax makes NaN of that, 0 divided by 0; "
            f"a weight of 0 for everything is what we want."
        )
    if PAD in painting.tokens:
        paragraphs.append(
            f"The rows of <i>{PAD}</i> are computed like all others. Nobody reads what comes out of them."
        )
    paragraphs.append("The numbers are random, since nothing is trained: look at where the weights are, not how large.")
    return tuple(paragraphs)


def _rows(places: list[int]) -> str:
    numbers = [str(place) for place in places]
    if len(numbers) == 1:
        return f"Row {numbers[0]}"
    return f"Rows {', '.join(numbers[:-1])} and {numbers[-1]}"


def _doubts(painting: Painting, words: int, *, front: bool, causal: bool) -> str:
    """Say what is wrong with masks and weights that can be drawn; "" if nothing is."""
    place = torch.arange(SEQ)
    if causal and not torch.equal(painting.future, place > place[:, None]):
        return f"{code('causal_mask')} should block the future and nothing else. Run its check in chapter 1."
    is_pad = place < SEQ - words if front else place >= words
    if not torch.equal(painting.padding, is_pad.expand(SEQ, SEQ)):
        return f"{code('padding_mask')} should block the padding and nothing else. Run its check."
    if bool(painting.weights[painting.blocked].any()):
        return "Blocked words still get some weight: their weights should be exactly 0."
    return doubts_about_rows(painting.weights[~painting.blocked.all(dim=-1)])


def mask_painter(
    MultiHeadAttention: Callable[..., nn.Module],
    padding_mask: Callable[..., Tensor],
    causal_mask: Callable[..., Tensor],
) -> Explorer:
    """Return the widget: masks over the scores of one sentence, and the weights that a layer makes of them.

    Args:
        MultiHeadAttention: `MultiHeadAttention(d_model, num_heads)`, called with (query, key, value, mask)
        padding_mask: `padding_mask(lengths, seq) -> mask`, boolean (batch, 1, 1, seq)
        causal_mask: `causal_mask(seq) -> mask`, boolean (seq, seq)
    """

    def look(words: int, head: int, *, front: bool, causal: bool) -> View:
        try:
            painting = paint(MultiHeadAttention, padding_mask, causal_mask, words, head, front=front, causal=causal)
        except CannotDraw as reason:
            return View(warning=str(reason))
        return View(
            draw_mask_painter(painting),
            describe_mask_painter(painting),
            warning=_doubts(painting, words, front=front, causal=causal),
            spots=spots_of_mask_painter(painting, words, front=front),
        )

    controls = {
        "words": widgets.IntSlider(
            value=SEQ,
            min=0,
            max=SEQ,
            description="words",
            style={"description_width": "initial"},
            layout={"width": "340px"},
        ),
        "front": widgets.Checkbox(value=False, description="padding in front", indent=False, layout={"width": "180px"}),
        "causal": widgets.Checkbox(
            value=False, description="causal: no looking at later words", indent=False, layout={"width": "300px"}
        ),
        "head": widgets.ToggleButtons(
            options=[(f"head {head}", head) for head in range(NUM_HEADS)],
            value=0,
            description="weights of",
            style={"button_width": "80px", "description_width": "initial"},
        ),
    }
    return Explorer(controls, rows=[["words", "front", "causal"], ["head"]], look=look)
