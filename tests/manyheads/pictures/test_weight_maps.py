"""Maps of weights: what is drawn is what was given, readable, and said in words."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from manyheads.pictures.weight_maps import describe_weight_maps, draw_weight_maps
from tests.support.figures import assert_readable, texts

WORDS = ("The", "cat", "sat", "on", "the", "mat")
WEIGHTS = torch.arange(36.0).view(6, 6).softmax(dim=-1)


def test_a_row_is_the_word_that_looks_and_every_cell_has_its_number() -> None:
    figure = draw_weight_maps({"step 0": WEIGHTS}, WORDS)

    (mesh,) = figure.axes[0].collections
    assert np.asarray(mesh.get_array()) == pytest.approx(WEIGHTS.numpy())
    assert sorted(text.get_text() for text in texts(figure) if "." in text.get_text()) == sorted(
        f"{weight:.2f}" for weight in WEIGHTS.flatten().tolist()
    )
    assert_readable(figure)


def test_four_maps_fit_side_by_side_and_one_that_is_still_to_come_is_empty() -> None:
    maps = {"step 0": WEIGHTS, "step 20": WEIGHTS, "step 40": WEIGHTS, "step 100": None}
    words = ("0", "1", "flag", "3", "4", "5", "6")
    seven = dict.fromkeys(maps, torch.full((7, 7), 1 / 7)) | {"step 100": None}

    figure = draw_weight_maps(seven, words)

    assert_readable(figure)
    assert [float(np.asarray(mesh.get_array()).max()) for mesh in figure.axes[0].collections] == pytest.approx(
        [1 / 7, 1 / 7, 1 / 7, 0]
    )


def test_the_words_say_where_each_word_looks_most() -> None:
    weights = torch.tensor([[0.9, 0.1], [0.5, 0.5]])

    assert describe_weight_maps({"before": weights, "after": None}, ("cat", "sat")) == (
        "before: cat at cat (0.90), sat at all alike."
    )
    assert describe_weight_maps({"after": None}, ("cat", "sat")) == "Nothing yet."
