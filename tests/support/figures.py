"""Checks the contents of a figure, and that they are readable."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

from matplotlib.figure import Figure
from matplotlib.text import Text

from manyheads.pictures import style
from manyheads.pictures.vector import plain
from manyheads.widgets.explorer import Explorer

SMALLEST_TYPE = 13  # pixels of a web page
_BETWEEN_WORDS = 3  # pixels, without which two words on a line read as one


def shown(explorer: Explorer) -> Figure:
    assert explorer.view.figure is not None, explorer.words.value
    return explorer.view.figure


def hides_its_picture(explorer: Explorer) -> bool:
    return explorer.view.figure is None and explorer.drawn == "" and "<svg" not in explorer.picture.value


def assert_is_a_picture(explorer: Explorer) -> None:
    """The widget shows SVG no wider than the column, with a label, and words below it."""
    *_, picture, words, _ = explorer.children
    assert explorer.drawn in picture.value
    root = ElementTree.fromstring(explorer.drawn)
    assert int(root.attrib["width"]) <= style.WIDTH
    assert "max-width: 100%" in root.attrib["style"]
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] in plain(words.value)
    assert "<p" in words.value


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
        apart = max(its_box.x0, other_box.x0) - min(its_box.x1, other_box.x1)
        upright = one.get_rotation() == other.get_rotation() == 0
        on_a_line = upright and abs(its_box.y0 - other_box.y0) < its_box.height / 2
        assert not on_a_line or apart >= _BETWEEN_WORDS, f"{one} runs into {other}: {apart:.1f}"
