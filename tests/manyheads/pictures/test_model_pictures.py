"""The pictures of a whole model, drawn without a model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from manyheads.pictures import style
from manyheads.pictures.model_pictures import draw_layer_map, draw_pairs, draw_silencing


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_a_layer_map_has_a_number_for_each_head() -> None:
    values = torch.arange(6.0).view(2, 3) / 10
    figure = draw_layer_map(values, "What heads do")
    assert {"0.00", "0.10", "0.20", "0.30", "0.40", "0.50", "layer 0", "layer 1", "0", "1", "2"} <= set(texts(figure))
    assert "What heads do" in texts(figure)
    [mesh] = [artist for artist in figure.axes[0].collections if isinstance(artist, QuadMesh)]
    assert mesh.get_clim() == pytest.approx((0, 0.5))


def test_a_layer_map_can_be_told_what_is_darkest_and_how_many_digits() -> None:
    figure = draw_layer_map(torch.tensor([[0.0123, 0.2]]), "", most=1.0, digits=3)
    assert {"0.012", "0.200"} <= set(texts(figure))
    [mesh] = [artist for artist in figure.axes[0].collections if isinstance(artist, QuadMesh)]
    assert mesh.get_clim() == (0, 1)


def test_a_layer_map_can_have_other_rows_and_numbers_below_0() -> None:
    figure = draw_layer_map(torch.tensor([[0.4, -0.001], [-0.2, 0.3]]), "", rows=("writer a", "writer b"))
    assert {"writer a", "writer b", "0.40", "0.00", "−0.20"} <= set(texts(figure))
    assert "layer 0" not in texts(figure)


def test_a_map_of_zeros_can_be_drawn() -> None:
    assert "layer 5" in style.drawing(draw_layer_map(torch.zeros(6, 12), "nothing"), "")


def test_bars_are_as_long_as_the_sentences_are_alike() -> None:
    figure = draw_pairs([("a cat", "a kitten"), ("a cat", "prices")], [0.8, -0.1])
    assert {"a cat", "a kitten", "prices", "0.80", "−0.10"} <= set(texts(figure))
    one, other = (bar.get_width() for bar in figure.axes[0].patches if isinstance(bar, Rectangle))
    assert one / other == pytest.approx(-8)


def test_a_guess_is_shown_at_its_bar_where_there_is_one() -> None:
    figure = draw_pairs([("a cat", "a kitten"), ("a cat", "prices")], [0.8, -0.1], [0.4, None])
    assert [text for text in texts(figure) if "guess" in text] == ["your guess: 0.40"]
    bar = next(bar for bar in figure.axes[0].patches if isinstance(bar, Rectangle))
    guessed = np.asarray(figure.axes[0].lines[0].get_xdata())[0]
    assert guessed == pytest.approx(bar.get_x() + bar.get_width() / 2)
    with pytest.raises(ValueError, match="between −1 and 1, and this is 40"):
        draw_pairs([("a cat", "a kitten")], [0.8], [40])


def test_each_curve_has_its_name_in_its_colour() -> None:
    figure = draw_silencing([0, 6, 12], {"least first": [1, 0.9, 0.5], "most first": [1, 0.6, 0.5]}, "Similarity")
    [axes] = figure.axes
    assert [(text.get_text(), text.get_color()) for text in axes.texts] == [
        (line_name, line.get_color()) for line_name, line in zip(("least first", "most first"), axes.lines, strict=True)
    ]
    assert axes.get_title(loc="left") == "Similarity"


@pytest.mark.slow
@pytest.mark.parametrize(
    "figure",
    [
        draw_layer_map(torch.rand(6, 12), "How much each head looks at the token before it"),
        draw_pairs(
            [("The black cat sat on the mat.", "We had lunch on the bank of the river.")] * 5, [0.5] * 5, [0.7, 1, 0]
        ),
        draw_silencing([0, 36, 72], {"least important first": [1, 0.9, 0.5]}, "Similarity"),
    ],
    ids=["map", "pairs", "silencing"],
)
def test_nothing_is_cut_off_and_all_is_readable(figure: Figure) -> None:
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    for axes in figure.axes:
        for text in axes.texts:
            box = text.get_window_extent()
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= width
            assert box.y1 <= height, text.get_text()
            assert text.get_fontproperties().get_size_in_points() >= 13
