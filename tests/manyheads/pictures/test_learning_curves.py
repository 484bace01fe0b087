"""The picture of models while they train: losses, scores of heads, guesses, and its last state in a saved notebook."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from IPython.display import HTML

from manyheads.models.attention_only import Measurement
from manyheads.pictures.learning_curves import Curves, LearningCurves, draw_curves, learning_curves
from tests.support.figures import assert_readable, texts

pytestmark = pytest.mark.slow

TITLES = ("1 layer of 8 heads", "2 layers of 4 heads")


def measured(step: int, loss: float = 2.0, accuracy: float = 0.25, layers: int = 2) -> Measurement:
    weights = torch.arange(layers * 4.0).view(layers, 4, 1, 1) / 10
    return Measurement(step, loss, accuracy, weights)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is displayed in one place, from the first state to the last."""
    states: list[str] = []

    def display(first: HTML, *, display_id: bool) -> SimpleNamespace:
        assert display_id
        states.append(str(first.data))
        return SimpleNamespace(update=lambda html: states.append(str(html.data)))

    monkeypatch.setattr(sys.modules["manyheads.pictures.learning_curves"], "display", display)
    return states


def new(guesses: dict[str, float | None] | None = None) -> LearningCurves:
    return learning_curves(
        TITLES,
        100,
        lambda weights: weights[..., 0, 0],
        score_name="induction score",
        highest_loss=4.16,
        guesses=guesses,
    )


def test_it_begins_empty_and_follows_each_training(shown: list[str]) -> None:
    live = new()
    assert "Not trained yet." in shown[-1]

    live.watch(TITLES[1])(measured(0, loss=4.2))
    live.watch(TITLES[1])(measured(100, loss=0.6, accuracy=0.93))

    assert "2 layers of 4 heads, step 100: loss 0.60, 93.0% right" in shown[-1]
    assert "highest induction score 0.70, layer 1, head 3." in shown[-1]
    assert "1 layer" not in live.in_words()


@pytest.mark.slow
def test_what_is_shown_is_a_still_picture(shown: list[str]) -> None:
    new().watch(TITLES[0])(measured(100))

    assert shown[-1].count("<svg ") == 1
    assert "<script" not in shown[-1]


def test_a_guess_is_said_beside_the_result(shown: list[str]) -> None:
    live = new({TITLES[0]: 50, TITLES[1]: None})
    live.watch(TITLES[0])(measured(100, layers=1))

    assert "25.0% right (your guess: 50%)" in shown[-1]
    words = [text.get_text() for text in texts(draw_curves(list(live.runs.values()), 100, 4.16, "score"))]
    assert "right: 25.0%, your guess: 50%" in words


@pytest.mark.parametrize("guess", [101, -1, "half"])
def test_what_is_no_percentage_is_refused(shown: list[str], guess: Any) -> None:
    with pytest.raises(ValueError, match="a guess is a number of percent between 0 and 100"):
        new({TITLES[0]: guess})
    assert shown == []


def test_a_training_that_is_started_again_begins_anew(shown: list[str]) -> None:
    live = new()
    watch = live.watch(TITLES[0])
    for step in (0, 50, 100, 0, 10):
        watch(measured(step))

    assert live.runs[TITLES[0]].steps == [0, 10]
    assert len(live.runs[TITLES[0]].losses) == len(live.runs[TITLES[0]].scores) == 2


def test_the_last_step_is_always_drawn_and_others_only_now_and_then(
    shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["manyheads.pictures.learning_curves"]
    clock = SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(module, "time", clock)
    watch = new().watch(TITLES[0])

    for step in range(0, 101, 10):
        clock.now += 0.3 * module._PAUSE
        watch(measured(step))

    assert len(shown) == 1 + 2 + 1  # empty, every fourth of eleven, the last
    assert "step 100" in shown[-1]


def test_every_word_can_be_read() -> None:
    runs = [Curves(title, guess=0.3) for title in TITLES]
    for run, layers in zip(runs, (1, 3), strict=True):
        run.steps, run.losses = [0, 50, 100], [4.2, 3.9, 0.4]
        run.scores = [[[0.1 * step + 0.01 * head for head in range(4)]] * layers for step in range(3)]
        run.accuracy = 0.914

    figure = draw_curves(runs, 100, 4.16, "induction score")

    assert_readable(figure)
    below = [axes for axes in figure.axes if axes.get_ylim()[1] < 2]
    assert [len(axes.collections) for axes in below] == [1, 3]  # one for each layer
