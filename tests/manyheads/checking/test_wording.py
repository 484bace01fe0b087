"""The texts of a check, separate from its decision."""

from __future__ import annotations

import pytest
import torch

from manyheads.calling.call import Answer, Call
from manyheads.checking.exam import Trial
from manyheads.checking.sizes import sizes_of
from manyheads.checking.wording import Message, _describe_call, group


@pytest.mark.parametrize(
    ("related", "phrase"),
    [
        ((), ""),
        (("Each row sums to 1.", "And more."), "Each row sums to 1"),
        (
            ("It is √d_head times too large: 2.645.",),
            "It is √d_head times too large: 2.645",
        ),
        (("Every number is too large by 20261128.",), "Every number is too large by …"),
        (("Every number is too large by 1.61803.",), "Every number is too large by …"),
    ],
)
def test_a_group_is_the_first_relation_without_long_numbers(related: tuple[str, ...], phrase: str) -> None:
    assert group(related) == phrase


def test_a_message_is_lines_that_fit_a_notebook() -> None:
    message = Message("a " * 80, expected="b " * 80, mistake="c", hint="d", further=("e",), group="hidden", note="f")
    lines = str(message).splitlines()
    assert max(map(len, lines)) <= 84
    assert "hidden" not in str(message)
    assert [line for line in lines if line in ("c", "d", "e", "f")] == ["c", "d", "e", "f"]


def test_inputs_are_named_with_their_shapes_those_in_lists_too() -> None:
    call = Call({"x": torch.zeros(2, 3), "pieces": [torch.zeros(2, 1), torch.zeros(2, 4)], "heads": [1, 2]})

    assert _describe_call(call) == "x (2, 3), pieces [(2, 1), (2, 4)], heads [1, 2]"


def test_a_tuple_of_numbers_cannot_be_taken_for_a_shape() -> None:
    assert _describe_call(Call({"x": torch.zeros(2, 3), "heads": (2, 1)})) == "x (2, 3), heads the tuple (2, 1)"


def test_inputs_for_the_probe_alone_are_not_shown_and_a_device_is_a_word() -> None:
    call = Call({"seq": 3, "device": torch.device("meta"), "_key": 402292})

    assert _describe_call(call) == "seq 3, device meta"
    assert "_key" not in sizes_of(Trial("a case", {}, call, Answer(), {}))
