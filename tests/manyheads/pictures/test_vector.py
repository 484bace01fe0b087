"""A figure becomes SVG for a page: shapes where they were drawn, colours the page's own, words that stay words."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import imread

from autograder.pages.safe_html import harmless_html
from manyheads.pictures import style, theme
from manyheads.pictures.vector import Spot, kept, plain

SVG = "{http://www.w3.org/2000/svg}"


def drawn(figure: Figure, *spots: Spot) -> ElementTree.Element:
    return ElementTree.fromstring(style.drawing(figure, "a picture", spots))


def elements(root: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    return list(root.iter(SVG + tag))


@pytest.fixture
def figure() -> Figure:
    """An empty figure of 200 × 100 pixels whose axes count them from the top left corner."""
    with style.course():
        empty = style.figure(200, 100)
        axes = empty.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, 200), ylim=(100, 0))
        axes.set_axis_off()
    return empty


def test_words_keep_to_the_end_by_which_they_were_placed(figure: Figure) -> None:
    (axes,) = figure.axes
    for place, align in enumerate(("left", "center", "right")):
        style.write(axes, 100, 20 + 25 * place, f"a <b> & {align}", ha=align, va="baseline", color=style.QUIET)

    words = elements(drawn(figure), "text")

    assert [word.text for word in words] == ["a <b> & left", "a <b> & center", "a <b> & right"]
    assert [word.get("text-anchor") for word in words] == [None, "middle", "end"]
    assert [float(word.attrib["x"]) for word in words] == pytest.approx([100, 100, 100], abs=0.5)
    assert [float(word.attrib["y"]) for word in words] == pytest.approx([20, 45, 70], abs=0.5)
    assert {word.get("fill") for word in words} == {"var(--quiet)"}


def test_lines_and_bars_are_where_they_were_drawn_in_the_themes_colours(figure: Figure) -> None:
    (axes,) = figure.axes
    axes.plot([10, 60], [20, 80], color=style.head_colour(3), linewidth=2)
    axes.add_collection(LineCollection([[(5, 5), (15, 5)]], colors=[(*np.array([0, 158, 115]) / 255, 0.5)]))
    axes.barh(50, 30, left=100, height=10, color=style.GRID)

    paths = {path.attrib["d"]: path.attrib for path in elements(drawn(figure), "path")}

    assert paths["M10 20L60 80"]["stroke"] == "var(--h3)"
    assert paths["M10 20L60 80"]["stroke-width"] == "2"
    assert paths["M5 5L15 5"]["stroke"] == "var(--h2)"
    assert paths["M5 5L15 5"]["stroke-opacity"] == "0.50"
    (bar,) = (look for look in paths.values() if look.get("fill") == "var(--grid)")
    corners = np.array([float(number) for number in re.findall(r"[\d.]+", bar["d"])]).reshape(-1, 2)
    assert corners.min(axis=0).tolist() == [100, 45]
    assert corners.max(axis=0).tolist() == [130, 55]


def test_cells_of_one_colour_are_one_path_and_a_weight_of_0_shows_the_paper(figure: Figure) -> None:
    (axes,) = figure.axes
    axes.pcolormesh([0, 10, 20], [0, 10, 20], [[0, 0.5], [0.5, 1]], cmap=style.weight_colours(1), vmin=0, vmax=1)

    paper, half, full = (path.attrib for path in elements(drawn(figure), "path"))

    assert (paper["d"], paper["fill"]) == ("M0 0h20v20h-20z", "var(--paper)")
    assert sorted(half["d"].split("z")) == ["", "M0 10h10v10h-10", "M10 0h10v10h-10"]
    assert (half["fill"], half["fill-opacity"]) == ("var(--h1)", "0.75")
    assert full["d"] == "M10 10h10v10h-10z"
    assert "fill-opacity" not in full


def test_an_image_is_the_right_way_up(figure: Figure) -> None:
    (axes,) = figure.axes
    axes.imshow([[1, 0], [0, 0]], cmap="gray", aspect="auto", interpolation="nearest", extent=(0, 200, 100, 0))

    (image,) = elements(drawn(figure), "image")

    dots = imread(io.BytesIO(base64.b64decode(image.attrib["href"].partition(",")[2])))
    assert dots.shape == (100, 200, 4)
    assert [float(dots[row, column, 0]) for row, column in ((10, 10), (10, 190), (90, 10))] == [1, 0, 0]


def test_what_goes_beyond_its_axes_is_cut_off(figure: Figure) -> None:
    axes = figure.add_axes((0.5, 0, 0.5, 1))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    axes.plot([0, 2], [0, 2], color=style.INK)

    (inner,) = elements(drawn(figure), "svg")[1:]

    assert [float(inner.attrib[name]) for name in ("x", "y", "width", "height")] == [100, 0, 100, 100]
    assert len(elements(inner, "path")) == 1


def test_a_chart_has_no_ground_of_its_own(figure: Figure) -> None:
    with style.course():
        figure.add_axes((0.2, 0.2, 0.6, 0.6)).plot([1, 2, 3], color=style.INK)

    assert figure.patch.get_visible()
    for path in elements(drawn(figure), "path"):
        assert path.get("fill") in ("none", "var(--quiet)", "var(--ink)")
    assert figure.patch.get_visible()


def test_a_formula_is_drawn(figure: Figure) -> None:
    before = len(elements(drawn(figure), "path"))
    figure.text(0.1, 0.5, r"$\sqrt{d}$")
    assert len(elements(drawn(figure), "path")) > before


def test_a_place_says_what_it_is_and_what_a_click_picks(figure: Figure) -> None:
    spot, silent = elements(drawn(figure, Spot(1, 2, 3, 4, "“<b>”: 0.62", "query=3"), Spot(5, 6, 7, 8, "x")), "rect")

    assert [spot.attrib[name] for name in ("x", "y", "width", "height")] == ["1", "2", "3", "4"]
    assert spot.attrib["data-pick"] == "query=3"
    assert spot[0].text == "“<b>”: 0.62"
    assert "data-pick" not in silent.attrib


def test_every_variable_has_a_value_on_a_light_and_on_a_dark_page(figure: Figure) -> None:
    named = {theme.INK, theme.QUIET, theme.GRID, theme.PAPER, theme.PLAIN, theme.FUTURE, theme.PADDING, theme.BOTH}

    light, dark = re.findall(r"\{(--[^}]*)\}", theme.STYLE)

    for colour in [*named, *theme.HEADS]:
        variable = theme.variable(colour.lower()).removeprefix("var(").removesuffix(")")
        assert f"{variable}:{colour};" in light
        assert f"{variable}:" in dark
    assert light != dark


def test_words_of_html_become_plain() -> None:
    assert plain("<b>a &lt; b</b>, <i>c</i>&nbsp;d < e > f") == "a < b, c d < e > f"


def test_where_no_svg_is_let_through_the_picture_is_an_image(figure: Figure) -> None:
    style.write(figure.axes[0], 100, 50, "here & now")
    shown = style.drawing(figure, "what it shows", [Spot(0, 0, 9, 9, "a spot")])

    page = harmless_html(kept(shown))  # of the pages with feedback
    rules = re.findall(r"\.([\w-]+)\{display:(\S+?)\}", kept(shown))  # of all other pages

    assert "<svg" not in page
    assert 'alt="what it shows" width="200" height="100"' in page
    [data] = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    image = ElementTree.fromstring(base64.b64decode(data))
    assert [text.text for text in elements(image, "text")] == ["here & now"]
    assert not elements(image, "title")
    (picture, visible), (its_image, hidden) = rules
    assert (visible, hidden) == ("block!important", "none!important")  # JupyterLab has rules for images, too
    assert f'<div class="{picture}" style="display: none"><svg' in kept(shown)
    assert f'<img class="{its_image}"' in kept(shown)
    figure.axes[0].plot([0, 200], [0, 100])
    assert picture not in kept(style.drawing(figure, "what it shows"))


@pytest.mark.slow
def test_a_picture_that_is_too_large_to_be_kept_twice_leaves_a_sentence(figure: Figure) -> None:
    for _ in range(2000):
        style.write(figure.axes[0], 100, 50, "here")
    assert "Trust Notebook" in kept(style.drawing(figure, ""))
    assert kept("") == ""
