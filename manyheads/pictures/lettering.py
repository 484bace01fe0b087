"""Many short words in one go: for a hundred numbers in cells, matplotlib's own text takes most of a redraw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.typing import ColorType


class Lettering(Artist):
    """Words in one line each, centred on their places, in the pixels of a figure.

    Args:
        words: (x, y, text, colour) in the data of `axes`.
        size: of the type, in pixels.
    """

    def __init__(self, axes: Axes, words: Sequence[tuple[float, float, str, ColorType]], size: float) -> None:
        super().__init__()
        self.set_zorder(5)  # above the axes, whose cells they are in
        self.words = list(words)
        self._size = size
        self._places: Any = axes.transData
        figure = axes.get_figure(root=True)
        assert figure is not None
        figure.add_artist(self)

    def draw(self, renderer: Any) -> None:
        """Draw all words. Called by matplotlib."""
        if not self.words:
            return
        font = FontProperties(family="DejaVu Sans", size=self._size)
        _, height, descent = renderer.get_text_width_height_descent("0", font, ismath=False)
        _, tall = renderer.get_canvas_width_height()
        places = self._places.transform([(x, y) for x, y, _, _ in self.words])
        gc = renderer.new_gc()
        for (x, y), (_, _, text, colour) in zip(places.tolist(), self.words, strict=True):
            gc.set_foreground(colour)
            width = renderer.get_text_width_height_descent(text, font, ismath=False)[0]
            # below the middle by half the height of a digit; the renderers count down from the top
            baseline = tall - y + (height - descent) / 2
            renderer.draw_text(gc, x - width / 2, baseline, text, font, 0)
        gc.restore()
