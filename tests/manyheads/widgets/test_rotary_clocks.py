"""Hands of clocks that turn with a word's position: their score depends on the distance alone."""

from __future__ import annotations

import pytest
import torch

from manyheads.widgets.rotary_clocks import PAIRS, describe_rotary_clocks, draw_rotary_clocks, rotary_clocks, turned
from tests.support.figures import assert_readable, texts


def test_at_position_0_nothing_is_turned_and_a_place_turns_the_first_pair_by_one_radian() -> None:
    start, one = turned(0, 0), turned(1, 0)

    before, after = (torch.atan2(now.query[0, 1], now.query[0, 0]) for now in (start, one))
    assert (after - before).remainder(2 * torch.pi).item() == pytest.approx(1.0, abs=1e-5)
    torch.testing.assert_close(start.key, one.key)
    assert start.speeds.tolist() == pytest.approx([1, 0.1, 0.01, 0.001])


@pytest.mark.parametrize("both", [1, 17, 200])
def test_moving_both_changes_no_pairs_term(both: int) -> None:
    torch.testing.assert_close(turned(7 + both, 2 + both).terms, turned(7, 2).terms, atol=1e-4, rtol=0)
    assert (turned(8, 2).terms - turned(7, 2).terms).abs().max() > 0.1


@pytest.mark.parametrize("places", [(0, 0), (5, 2), (3, 190), (400, 400)])
def test_the_picture_is_readable_and_says_what_each_pair_adds(places: tuple[int, int]) -> None:
    now = turned(*places)
    figure = draw_rotary_clocks(now)

    assert_readable(figure)
    said = [text.get_text() for text in texts(figure)]
    assert sum(text.startswith("adds ") for text in said) == PAIRS
    assert f"score, unscaled: {float(now.terms.sum()):.2f}".replace("-", "−") in said


def test_words_say_how_far_apart_they_are() -> None:
    assert "3 places after the key" in describe_rotary_clocks(turned(5, 2))[0]
    assert "3 places before the key" in describe_rotary_clocks(turned(2, 5))[0]
    assert "at the same place" in describe_rotary_clocks(turned(4, 4))[0]


def test_every_slider_moves_something() -> None:
    explorer = rotary_clocks()
    for name in ("query", "key", "both"):
        before = explorer.drawn
        explorer.controls[name].value += 3
        assert explorer.drawn != before
