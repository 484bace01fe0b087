"""The picture of which tokens may come next."""

from __future__ import annotations

import torch

from manyheads.widgets import next_token_explorer
from manyheads.widgets.next_token import Reading, describe_next, draw_next
from tests.support.figures import assert_readable, hides_its_picture, shown, texts

NAMES = [f"·word{number}" for number in range(12)]
LOGITS = torch.arange(12.0).flip(0).repeat(3, 1)  # ·word0 is always the likeliest
READING = Reading([NAMES[4], NAMES[1], NAMES[0]], NAMES, LOGITS)


def test_the_likeliest_tokens_are_drawn_and_the_one_that_comes_is_marked() -> None:
    figure = draw_next(READING, 0, 1.0)

    said = [text.get_text() for text in texts(figure)]
    assert said[:3] == ["·word0", "63%", "·word1"]
    assert "23%  comes next" in said
    assert said[-1] == "under 1%"
    assert_readable(figure)


def test_a_low_temperature_makes_the_likeliest_likelier_and_the_other_a_surprise() -> None:
    warm, cold = (describe_next(READING, 0, temperature) for temperature in (1.0, 0.2))

    assert "63%" in warm[1]
    assert "99%" in cold[1]
    assert "number 2 of 12: a surprise of 1.5 nats" in warm[2]
    assert "a surprise of 5.0 nats" in cold[2]


def test_after_the_last_token_nothing_is_said_of_what_comes() -> None:
    assert len(describe_next(READING, 2, 1.0)) == 2


def test_the_model_is_asked_once_a_sentence() -> None:
    asked = list[str]()

    def read(sentence: str) -> Reading:
        asked.append(sentence)
        return READING

    explorer = next_token_explorer(read, ["one", "two"])
    explorer.controls["read_"].value = 2
    explorer.controls["sentence"].value = "two"
    explorer.controls["sentence"].value = "one"

    assert asked == ["one", "two"]
    assert shown(explorer) is not None
    assert explorer.controls["read_"].max == 3


def test_a_model_that_fails_is_said_and_not_drawn() -> None:
    def read(sentence: str) -> Reading:
        raise NotImplementedError

    explorer = next_token_explorer(read, ["one"])
    assert hides_its_picture(explorer)
    assert "is not written yet" in explorer.words.value
