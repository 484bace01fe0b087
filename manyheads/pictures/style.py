"""The one look of every figure in this course: sizes, colours and how a figure becomes a picture.

Widgets and lessons draw inside `course()` on a figure from `figure()` and turn it into a picture with `picture()`: SVG,
in the colours of the page's theme. Nothing here imports pyplot, so no figure stays open and no setting of the learner's
is changed.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any

import matplotlib
from IPython.display import HTML
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb, to_rgba
from matplotlib.figure import Figure

from . import theme
from .theme import GRID as GRID
from .theme import HEADS as HEAD_COLOURS
from .theme import INK as INK
from .theme import PLAIN as PLAIN
from .theme import QUIET as QUIET
from .theme import contrast as contrast
from .vector import Spot, kept, plain, svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.text import Text
    from matplotlib.typing import ColorType, RcKeyType

WRONG = HEAD_COLOURS[1]
RIGHT = HEAD_COLOURS[0]

# Figures are laid out in the pixels of a web page: at 72 dots per inch, one point of type is one such pixel.
SIZE = 14  # the type size of labels, in pixels; ticks have it too, titles are a little larger
WIDTH = 780  # pixels: the room for output in a notebook column of 900
_PER_INCH = 72

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
    "axes.facecolor": "none",
}


def course() -> AbstractContextManager[None]:
    """Return a context in which all drawings have the course's look."""
    return matplotlib.rc_context(_SETTINGS)


def figure(width: int = WIDTH, height: int = 360) -> Figure:
    """Return an empty figure of `width` × `height` pixels of a web page, unknown to pyplot."""
    empty = Figure(figsize=(width / _PER_INCH, height / _PER_INCH), dpi=_PER_INCH)
    FigureCanvasAgg(empty)  # to measure words with
    return empty


def write(axes: Axes, x: float, y: float, words: str, **how: Any) -> Text:
    """Write `words` at x, y of `axes`, as `axes.text` does, but not clipped to them: it takes a third of the time."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure.text(x, y, words, transform=axes.transData, **how)


def signed(number: float) -> str:
    """Return `number` with one decimal and a true minus sign, and 0 without any."""
    return f"{number:z.1f}".replace("-", "−")


def drawing(drawn: Figure, label: str, spots: Sequence[Spot] = ()) -> str:
    """Return `drawn`, a figure from `figure()`, as an SVG element for a page.

    Args:
        label: what the picture shows, as plain text, for those who cannot see it.
        spots: places that say something under the mouse.
    """
    if drawn.dpi != _PER_INCH:
        raise TypeError("a picture is made of a figure from manyheads.pictures.style.figure()")
    with course():
        return svg(drawn, label, spots)


def width_in_pixels(drawn: Figure) -> int:
    """Return how wide `drawn` is shown, in pixels of a web page."""
    return round(drawn.get_figwidth() * _PER_INCH)


def picture(drawn: Figure, alt: str) -> HTML:
    """Return `drawn` for display at the end of a cell.

    Args:
        alt: a description of the picture, for those who cannot see it; tags of HTML in it are left out.
    """
    return HTML(kept(drawing(drawn, plain(alt))))


def head_colour(head: int) -> str:
    """Return the colour of head `head`, the same in every chapter."""
    return HEAD_COLOURS[head % len(HEAD_COLOURS)]


@cache
def weight_colours(head: int = 0) -> Colormap:
    """Return the colours of attention weights from 0 to 1: ever more of the head's own colour over the page's."""
    full = to_rgb(head_colour(head))
    # The page shows through: by 0.9 at a weight of 0.05, by 0.25 at 0.5, and not at all at 1.
    steps = [(step / 32, (*full, 1 - (1 - step / 32) ** 2)) for step in range(33)]
    return LinearSegmentedColormap.from_list(f"weights of head {head}", steps)


def ink_on(colour: ColorType) -> str:
    """Return the colour of words on a ground of `colour`, which may be see-through: black or white.

    On a dark page, where the same ground is another colour, it may be the other of the two. The contrast is 4.5 or
    more.
    """
    *full, opacity = to_rgba(colour)
    red, green, blue = full
    return theme.ink_on(
        theme.blend((red, green, blue), opacity, theme.PAPER),
        theme.blend(theme.on_dark((red, green, blue)), opacity, theme.DARK_PAPER),
    )
