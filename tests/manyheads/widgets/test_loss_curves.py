"""The picture of chapter 7: losses as models train, and what they write."""

from __future__ import annotations

from typing import Any

import pytest

from manyheads.widgets import loss_curves
from manyheads.widgets.loss_curves import Curve, draw_curves
from tests.support.figures import assert_readable, texts


def test_each_curve_ends_with_its_name_and_number_and_none_covers_another() -> None:
    curves = [Curve(f"run {number}", [10, 20], [3.0, 2.0 + number / 100]) for number in range(8)]
    figure = draw_curves(curves, 20, {"counting": 2.5})

    said = [text.get_text() for text in texts(figure)]
    assert {f"{2 + number / 100:.2f}  run {number}" for number in range(8)} <= set(said)
    assert "counting" in said
    assert_readable(figure)


def test_it_says_in_words_what_it_draws() -> None:
    shown = loss_curves(["yours"], 20, {"yours": 2.5})
    note = shown.watch("yours")
    note(10, 3.0)
    note(20, 2.25)

    assert "yours: <b>2.25</b> nats after 20 steps (your guess: 2.50)" in shown.words.value
    assert shown.bar.value == 20


def test_training_again_begins_a_new_curve_and_new_samples() -> None:
    shown = loss_curves(["yours"], 20)
    note = shown.watch("yours")
    note(10, 3.0)
    note(20, 2.0)
    shown.wrote(20, "The <Queen>")
    assert "The &lt;Queen&gt;" in shown.samples.value
    note(10, 3.1)

    assert shown.curves["yours"].losses == [3.1]
    shown.wrote(10, "the the")
    assert "Queen" not in shown.samples.value


@pytest.mark.parametrize("guess", [0, -1.5, "low"])
def test_a_guess_that_is_no_loss_is_refused(guess: Any) -> None:
    with pytest.raises(ValueError, match="a guess is a loss in nats"):
        loss_curves(["yours"], 20, {"yours": guess})
