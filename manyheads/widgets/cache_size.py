"""How much memory the keys and values of a published model take, beside that of a GPU.

Chapter 8 shows `cache_explorer(kv_cache_bytes)`, which counts with the learner's own function; its drawing works
without the widget.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import ipywidgets as widgets
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..models.published import PUBLISHED, Published
from ..pictures import style, theme
from .explorer import Explorer, View
from .learner_code import CannotDraw, ask, came, code

GIB = 2**30
GPUS = (16, 24, 40, 80, 141)  # GiB
_BAR, _ROW, _TOP = 34, 84, 70  # pixels, as all lengths here
_LEFT, _WIDE = 20, style.WIDTH - 190


@dataclass(frozen=True)
class Way:
    """One way to share keys and values among heads.

    Args:
        name: "as published".
        kv_heads: heads that have keys and values of their own.
        cache: bytes of all keys and values.
    """

    name: str
    kv_heads: int
    cache: int


@dataclass(frozen=True)
class Need:
    """What a model needs in memory, in bytes.

    Args:
        weights: of all parameters, two bytes each.
        ways: with so many keys and values; what is published is among them.
        gpu: what one GPU has.
    """

    model: Published
    context: int
    batch: int
    weights: int
    ways: tuple[Way, ...]
    gpu: int

    def gpus(self, way: Way) -> int:
        """Return how many GPUs have memory enough."""
        return max(1, math.ceil((self.weights + way.cache) / self.gpu))

    @property
    def published(self) -> Way:
        return next(way for way in self.ways if way.kv_heads == self.model.num_kv_heads)


def need(
    count: Callable[..., object], model: Published, context: int, batch: int, gpu: int, dtype: torch.dtype
) -> Need:
    """Ask the learner's function `count` for the bytes of the cache.

    Args:
        gpu: its memory in GiB.
        dtype: of the keys and values.

    Raises:
        CannotDraw: if it has no answer, or one that is not a number of bytes.
    """
    names = {model.num_heads: "each head its own", 1: "all heads share one", model.num_kv_heads: "as published"}
    ways = []
    for kv_heads in sorted(names, reverse=True):
        cache = ask("kv_cache_bytes", count, batch, model.num_layers, kv_heads, context, model.d_head, dtype)
        if isinstance(cache, bool) or not isinstance(cache, int) or cache < 0:
            raise CannotDraw(f"{code('kv_cache_bytes')} should return a whole number; {came(cache)}.")
        ways.append(Way(names[kv_heads], kv_heads, cache))
    return Need(model, context, batch, round(2e9 * model.billions), tuple(ways), gpu * GIB)


def draw_cache(now: Need) -> Figure:
    """Draw a bar of weights and cache for each way to share, all to one scale, and where one GPU's memory ends."""
    width, height = style.WIDTH, _TOP + _ROW * len(now.ways) + 44
    scale = _WIDE / max(now.gpu, *(now.weights + way.cache for way in now.ways))
    with style.course():
        figure = style.figure(width, height)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        bottom = _TOP + _ROW * len(now.ways) - 10
        axes.add_artist(
            Rectangle((_LEFT, _TOP - 20), now.gpu * scale, bottom - _TOP + 20, facecolor=theme.FUTURE, linewidth=0)
        )
        style.write(axes, _LEFT, 30, f"grey: the memory of one GPU, {gib(now.gpu)}", weight="bold")
        for row, way in enumerate(now.ways):
            _draw_way(axes, now, way, _TOP + _ROW * row, scale)
        for x, colour, words in (
            (_LEFT, style.QUIET, f"weights, {gib(now.weights)}"),
            (_LEFT + 260, style.head_colour(0), "keys and values"),
        ):
            axes.add_artist(Rectangle((x, bottom + 14), 18, 18, facecolor=colour, linewidth=0))
            style.write(axes, x + 26, bottom + 23, words, va="center_baseline")
    return figure


def _draw_way(axes: Axes, now: Need, way: Way, top: float, scale: float) -> None:
    start = 0
    for size, colour in ((now.weights, style.QUIET), (way.cache, style.head_colour(0))):
        axes.add_artist(Rectangle((_LEFT + start * scale, top + 18), size * scale, _BAR, facecolor=colour, linewidth=0))
        start += size
    weight = "bold" if way is now.published else "normal"
    heads = "1 head of keys" if way.kv_heads == 1 else f"{way.kv_heads} heads of keys"
    style.write(axes, _LEFT, top + 10, f"{way.name}: {heads}", weight=weight)
    gpus = now.gpus(way)
    number = "1 GPU" if gpus == 1 else f"{gpus:,} GPUs"
    style.write(axes, style.WIDTH - 12, top + 30, gib(way.cache), ha="right", weight=weight)
    style.write(axes, style.WIDTH - 12, top + 52, number, ha="right", color=style.QUIET)


def gib(size: int) -> str:
    """Return `size` bytes in GiB, with three digits."""
    number = size / GIB
    return f"{number:,.0f} GiB" if number >= 99.95 else f"{number:.3g} GiB"


def describe_cache(now: Need) -> tuple[str, ...]:
    """Say in paragraphs of HTML what `draw_cache` shows."""
    model, way = now.model, now.published
    texts = "one text" if now.batch == 1 else f"{now.batch:,} texts"
    first = (
        f"<b>{model.name}</b> has {model.num_layers} layers and {model.num_heads} heads, {way.kv_heads} of them with "
        f"keys and values of their own. For {texts} of {now.context:,} words these take <b>{gib(way.cache)}</b>, "
        f"beside weights of {gib(now.weights)}."
    )
    gpus = now.gpus(way)
    if gpus == 1:
        second = f"They fit on one GPU: {gib(now.gpu - now.weights - way.cache)} are left."
    else:
        second = f"Together that is the memory of {gpus:,} GPUs of {gib(now.gpu)}."
    others = " ".join(f"If {_as_verb(other)}: {gib(other.cache)}." for other in now.ways if other is not way)
    return first, f"{second} {others}".strip()


def _as_verb(way: Way) -> str:
    return "each head had its own" if way.kv_heads > 1 else "all heads shared one"


def cache_explorer(kv_cache_bytes: Callable[..., object]) -> Explorer:
    """Return the widget: a model, how long the texts are and how many there are, and a GPU.

    Args:
        kv_cache_bytes: the learner's function; its answers are drawn.
    """
    first = next(model for model in PUBLISHED if model.name == "Llama 2 7B")
    model = widgets.Dropdown(
        options=[(one.name, one) for one in PUBLISHED], value=first, description="model", **_wide()
    )
    gpu = widgets.Dropdown(
        options=[(f"{size} GiB", size) for size in GPUS], value=80, description="memory of a GPU", **_wide()
    )
    words = widgets.SelectionSlider(
        options=_contexts(first), value=first.context, description="words in a text", **_wide()
    )
    batch = widgets.SelectionSlider(
        options=[2**power for power in range(11)], value=1, description="texts at once", **_wide()
    )
    dtype = widgets.Dropdown(
        options=[("bfloat16, 2 bytes", torch.bfloat16), ("8 bits, 1 byte", torch.float8_e4m3fn)],
        value=torch.bfloat16,
        description="a number of the cache",
        **_wide(),
    )

    def look(model: Published, gpu: int, context: int, batch: int, dtype: torch.dtype) -> View:
        if words.options[-1] != model.context:
            words.options = _contexts(model)
            context = words.value = model.context
        try:
            now = need(kv_cache_bytes, model, context, batch, gpu, dtype)
        except CannotDraw as error:
            return View(warning=str(error))
        return View(draw_cache(now), describe_cache(now))

    return Explorer(
        {"model": model, "gpu": gpu, "context": words, "batch": batch, "dtype": dtype},
        rows=[["model", "gpu"], ["context", "batch"], ["dtype"]],
        look=look,
    )


def _wide() -> dict[str, dict[str, str]]:
    return {"style": {"description_width": "initial"}, "layout": {"width": "360px"}}


def _contexts(model: Published) -> list[int]:
    """Return lengths of text up to the model's longest, each twice the one before."""
    lengths = [model.context]
    while lengths[0] > 128:
        lengths.insert(0, lengths[0] // 2)
    return lengths
