"""The grids show the tensors' own numbers, in the colours of their heads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from manyheads.pictures import style, theme
from manyheads.pictures.number_grids import draw_number_grids, number_grids
from tests.support.figures import assert_readable, texts

WORDS = ["the", "cat", "sat", "down"]
# (4, 1) + (6) -> (4, 6): the ten says which word, the one says which feature
X = 10 * torch.arange(4).view(4, 1) + torch.arange(6)
SPLIT = X.view(4, 2, 3).transpose(0, 1)  # (num_heads, seq, d_head)


def head_of(number: int) -> int:
    return number % 10 // 3


def numbers(figure: Figure) -> list[str]:
    return [text.get_text() for text in texts(figure) if text.get_text().isdigit()]


def meshes(figure: Figure) -> list[QuadMesh]:
    return [artist for axes in figure.axes for artist in axes.collections if isinstance(artist, QuadMesh)]


def expected(*tensors: Tensor) -> list[str]:
    return [f"{number:02d}" for tensor in tensors for number in tensor.flatten().tolist()]


def test_every_number_of_every_tensor_is_drawn_in_its_order() -> None:
    figure = draw_number_grids({"x": X, "split": SPLIT}, head_of, WORDS)

    assert numbers(figure) == expected(X, SPLIT)


def test_a_grid_is_drawn_for_each_head_and_named() -> None:
    figure = draw_number_grids({"x": X, "split": SPLIT}, head_of, WORDS)

    assert len(meshes(figure)) == 1 + len(SPLIT)
    said = [text.get_text() for text in texts(figure)]
    assert said.count("head 0") == said.count("head 1") == 1
    assert all(said.count(word) == 3 for word in WORDS)


def test_a_cell_has_a_tint_of_its_heads_colour_wherever_its_number_goes() -> None:
    def tint(head: int) -> np.ndarray:
        return np.array([*to_rgb(style.head_colour(head)), 0.3])

    figure = draw_number_grids({"view alone": X.view(2, 4, 3)}, head_of, WORDS)

    for mesh, block in zip(meshes(figure), X.view(2, 4, 3), strict=True):
        colours = np.asarray(mesh.get_array()).reshape(12, -1)
        for colour, number in zip(colours, block.flatten().tolist(), strict=True):
            assert colour == pytest.approx(tint(head_of(number)), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("title", ["x.view(1, 2, 4, 3)", "heads.transpose(1, 2)\n .reshape(1, 4, 6)"])
def test_the_picture_is_readable_and_fits_the_column(title: str) -> None:
    figure = draw_number_grids({"x": X, title: SPLIT, "split_heads(x, 2)": SPLIT}, head_of, WORDS)

    assert style.width_in_pixels(figure) <= style.WIDTH
    assert_readable(figure)


def test_numbers_can_be_read_on_every_heads_tint() -> None:
    figure = draw_number_grids({"x": torch.arange(12).view(1, 12)}, lambda number: number, ["twelve heads"])

    for *colour, opacity in np.asarray(meshes(figure)[0].get_array()).reshape(12, -1).tolist():
        red, green, blue = colour
        light = theme.blend((red, green, blue), opacity, theme.PAPER)
        dark = theme.blend(theme.on_dark((red, green, blue)), opacity, theme.DARK_PAPER)
        assert style.contrast(theme.INK, light) >= 4.5
        assert style.contrast(theme.DARK_INK, dark) >= 4.5


def test_in_a_cell_it_says_what_it_shows() -> None:
    shown = number_grids({"x": X}, head_of, WORDS, alt="the numbers of x").data

    assert shown is not None
    assert 'aria-label="the numbers of x"' in shown


@pytest.mark.parametrize("wrong", [X.float(), X.view(1, 1, 4, 6), X[0]])
def test_anything_but_a_grid_of_whole_numbers_is_refused_with_the_reason(wrong: Tensor) -> None:
    with pytest.raises(ValueError, match="whole numbers in 2 or 3 dimensions"):
        number_grids({"x": wrong}, head_of)
