"""Checks the contents of a figure, and that they are readable."""

from __future__ import annotations

import itertools

from matplotlib.figure import Figure
from matplotlib.text import Text

from manyheads.widgets.explorer import Explorer

SMALLEST_TYPE = 13  # pixels of a web page


def shown(explorer: Explorer) -> Figure:
    assert explorer.view.figure is not None, explorer.words.value
    return explorer.view.figure


def hides_its_picture(explorer: Explorer) -> bool:
    return explorer.view.figure is None and explorer.image.layout.display == "none"


def texts(figure: Figure) -> list[Text]:
    return [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]


def assert_readable(figure: Figure) -> None:
    """Every word is large enough, inside the figure, and clear of every other word."""
    figure.canvas.draw()
    boxes = {text: text.get_window_extent() for text in texts(figure)}
    assert len(boxes) >= 8
    for text, box in boxes.items():
        assert text.get_fontproperties().get_size_in_points() >= SMALLEST_TYPE, text
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, f"{text} is cut off"
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, f"{text} is cut off"
    for (one, its_box), (other, other_box) in itertools.combinations(boxes.items(), 2):
        assert not its_box.overlaps(other_box), f"{one} stands on {other}"
