"""The one look of every figure in this course: sizes, colours and how a figure becomes a picture.

Widgets and lessons draw inside `course()` on a figure from `figure()` and turn it into a picture with `png()` or
`picture()`. Nothing here imports pyplot, so no figure stays open and no setting of the learner's is changed.
"""

from __future__ import annotations

import base64
import html
import struct
import zlib
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from IPython.display import HTML
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from .word_cache import Canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text
    from matplotlib.typing import ColorType, RcKeyType

# Head 0 is blue in every chapter. The first four colours are Okabe and Ito's, the others were searched for: on
# white each has a contrast of 3 or more, and any two can be told apart with protanopia, deuteranopia and
# tritanopia. With more than about six heads in one figure, write the head's number beside its colour as well.
HEAD_COLOURS = (
    "#0072B2",  # blue
    "#D55E00",  # vermilion
    "#009E73",  # bluish green
    "#CC79A7",  # pink
    "#A40C5E",  # wine
    "#8177E4",  # lavender
    "#52451B",  # olive
    "#910CF4",  # violet
    "#945F51",  # brick
    "#00362C",  # bottle green
    "#321546",  # aubergine
    "#000000",  # black
)
INK = "#222222"  # words and outlines
QUIET = "#5C5C5C"  # axes and secondary text
GRID = "#DDDDDD"
WRONG = HEAD_COLOURS[1]
RIGHT = HEAD_COLOURS[0]

# Figures are laid out in the pixels of a web page: at 72 dots per inch, one point of type is one such pixel. They
# are rendered with twice as many, to be crisp on dense screens.
SIZE = 14  # the type size of labels, in pixels; ticks have it too, titles are a little larger
WIDTH = 780  # pixels: the room for output in a notebook column of 900
_PER_INCH = 72
_DENSITY = 2

_SETTINGS: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": SIZE,
    "axes.titlesize": SIZE + 1,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": SIZE,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": SIZE,
    "ytick.labelsize": SIZE,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}


def course() -> AbstractContextManager[None]:
    """Return a context in which all drawings have the course's look."""
    return matplotlib.rc_context(_SETTINGS)


def figure(width: int = WIDTH, height: int = 360) -> Figure:
    """Return an empty figure of `width` × `height` pixels of a web page, unknown to pyplot."""
    empty = Figure(figsize=(width / _PER_INCH, height / _PER_INCH), dpi=_DENSITY * _PER_INCH)
    Canvas(empty)
    return empty


def write(axes: Axes, x: float, y: float, words: str, **how: Any) -> Text:
    """Write `words` at x, y of `axes`, as `axes.text` does, but not clipped to them: it takes a third of the time."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure.text(x, y, words, transform=axes.transData, **how)


def signed(number: float) -> str:
    """Return `number` with one decimal and a true minus sign, and 0 without any."""
    return f"{number:z.1f}".replace("-", "−")


def png(drawn: Figure) -> bytes:
    """Return `drawn`, a figure from `figure()`, as a PNG with two dots for each pixel of its layout."""
    canvas = drawn.canvas
    if not isinstance(canvas, FigureCanvasAgg):
        raise TypeError("png() takes a figure that was made by manyheads.pictures.style.figure()")
    with course():
        canvas.draw()
    return _encoded(np.asarray(canvas.buffer_rgba()))


def _encoded(dots: np.ndarray) -> bytes:
    """Return `dots`, (height, width, 4), as a PNG.

    Pillow tries five filters on every row, in half the time of a redraw. In a figure, most rows are like the row
    above them: the one filter "up" makes zeros of those, which the fastest compression packs well.
    """
    height, width, _ = dots.shape
    rows = dots.reshape(height, 4 * width)
    filtered = np.empty((height, 1 + 4 * width), np.uint8)
    filtered[:, 0] = 2  # "up"
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # 8 bits a channel, red, green, blue and alpha
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.data, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def width_in_pixels(drawn: Figure) -> int:
    """Return how wide `drawn` should be shown, in pixels of a web page."""
    return round(drawn.get_figwidth() * _PER_INCH)


def picture(drawn: Figure, alt: str) -> HTML:
    """Return `drawn` for display at the end of a cell.

    Args:
        alt: a description of the picture, for those who cannot see it.
    """
    data = base64.b64encode(png(drawn)).decode()
    return HTML(
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" '
        f'style="width: {width_in_pixels(drawn)}px; max-width: 100%; height: auto">'
    )


def head_colour(head: int) -> str:
    """Return the colour of head `head`, the same in every chapter."""
    return HEAD_COLOURS[head % len(HEAD_COLOURS)]


@cache
def weight_colours(head: int = 0) -> Colormap:
    """Return the colours of attention weights from 0 to 1: white, then ever more of the head's own colour."""
    full = to_rgb(head_colour(head))
    dark = tuple(0.55 * channel for channel in full)
    return LinearSegmentedColormap.from_list(f"weights of head {head}", ["white", full, dark])


def ink_on(colour: ColorType) -> str:
    """Return the colour of words on a ground of `colour`, white or black: their contrast is 4.5 or more."""
    return max("white", "black", key=lambda ink: contrast(ink, colour))


def contrast(one: ColorType, other: ColorType) -> float:
    """Return the contrast of two colours as WCAG 2 defines it: 1 for none, 21 for black on white."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: ColorType) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
