"""The picture of chapter 7's positions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from manyheads.widgets import position_clocks
from manyheads.widgets.position_clocks import likeness, shown_pairs
from tests.support.figures import assert_readable, hides_its_picture, shown


def table(seq: int, d_model: int) -> Tensor:
    angle = torch.outer(torch.arange(seq), 10_000 ** (-torch.arange(0, d_model, 2) / d_model))
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


def test_likeness_depends_on_the_distance_alone() -> None:
    rows = table(64, 16)

    assert likeness(rows, 20)[23] == pytest.approx(likeness(rows, 40)[43], abs=1e-5)
    assert likeness(rows, 20)[20] == pytest.approx(1)


@pytest.mark.slow
def test_it_draws_the_learners_table_and_says_what_it_shows() -> None:
    explorer = position_clocks(table)
    explorer.controls["position"].value = 7

    assert_readable(shown(explorer))
    assert "the hands of position 7" in explorer.words.value
    assert "around again after 6.3 positions" in explorer.words.value


def test_more_pairs_than_fit_are_shown_from_the_first_to_the_last() -> None:
    assert shown_pairs(3) == [0, 1, 2]
    assert shown_pairs(32)[0] == 0
    assert shown_pairs(32)[-1] == 31
    assert len(shown_pairs(32)) == 8


def test_a_table_of_the_wrong_shape_is_said_and_not_drawn() -> None:
    explorer = position_clocks(lambda seq, d_model: table(seq, d_model).T)

    assert hides_its_picture(explorer)
    assert "should have the shape (64, 16); yours is a tensor of shape (16, 64)" in explorer.words.value
