"""A cache of drawn words: most words of a changing picture stay the same.

`style.figure()` draws on this canvas. Shaping and rasterising letters is half of what matplotlib does for a figure of
ours; the copies, kept for the whole session, are taken at the same fraction of a dot, so the picture stays the same.
Only matplotlib's public classes and methods are used.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.colors import to_hex
from matplotlib.font_manager import FontProperties

_COPIES = 2000  # of some 10 kB each
_STEPS = 64  # a dot: FreeType places letters no finer
_MARGIN = 4  # dots around a word: a slanted letter may lean out of its box; even, see draw_text


class Canvas(FigureCanvasAgg):
    """An Agg canvas that remembers its words."""

    _size: tuple[float, float, float] | None = None

    def get_renderer(self) -> RendererAgg:
        """Return the renderer of this canvas' figure, the same one until the figure changes its size."""
        width, height = self.get_width_height(physical=True)
        size = width, height, self.figure.dpi
        if self._size != size:
            self.renderer = _Renderer(*size)
            self._size = size
        return self.renderer


class _Renderer(RendererAgg):
    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: Any) -> tuple[float, float, float]:
        if ismath:
            return super().get_text_width_height_descent(s, prop, ismath)
        return _measured(s, _Font(prop), self.dpi)

    def draw_text(
        self,
        gc: GraphicsContextBase,
        x: float,
        y: float,
        s: str,
        prop: FontProperties,
        angle: float,
        ismath: Any = False,
        mtext: Any = None,
    ) -> None:
        if ismath or angle or gc.get_alpha() != 1 or not gc.get_antialiased():
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
            return
        # The even dot at or left of x and at or above y, and how many steps further: before 3.11, matplotlib rounds a
        # word's position, halves to the even dot.
        left, right_by = divmod(round(x * _STEPS), 2 * _STEPS)
        top, down_by = divmod(round(y * _STEPS), 2 * _STEPS)
        copy, below = _drawn(s, _Font(prop), self.dpi, to_hex(gc.get_rgb(), keep_alpha=True), right_by, down_by)
        # draw_image counts from the bottom.
        self.draw_image(gc, 2 * left - _MARGIN, int(self.height) - 2 * top - below, copy)


class _Font:
    """Font properties as a key: their value at the time, since matplotlib's own may change later."""

    def __init__(self, prop: FontProperties) -> None:
        self.prop = prop.copy()
        self._hash = hash(prop)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Font) and self._hash == other._hash


@lru_cache(_COPIES)
def _measured(s: str, font: _Font, dpi: float) -> tuple[float, float, float]:
    return RendererAgg(1, 1, dpi).get_text_width_height_descent(s, font.prop, ismath=False)


@lru_cache(_COPIES)
def _drawn(s: str, font: _Font, dpi: float, colour: str, right_by: int, down_by: int) -> tuple[np.ndarray, int]:
    """Return the dots of a word, from the bottom to the top, and how many of their rows are below its baseline."""
    width, height, descent = _measured(s, font, dpi)
    below = math.ceil(descent) + _MARGIN + 2
    above = 2 * math.ceil((height - descent) / 2) + _MARGIN
    scratch = RendererAgg(math.ceil(width) + 2 * _MARGIN + 2, above + below, dpi)
    gc = scratch.new_gc()
    gc.set_foreground(colour)
    scratch.draw_text(gc, _MARGIN + right_by / _STEPS, above + down_by / _STEPS, s, font.prop, 0)
    return np.array(scratch.buffer_rgba())[::-1].copy(), below
