"""The largest tensor that code makes is the one that takes memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from manyheads.calling.made_tensors import LargestTensor

ROWS = torch.randn(6, 4)


@pytest.mark.parametrize(
    ("code", "numbers"),
    [
        (lambda: ROWS @ ROWS.T, 36),
        (lambda: ROWS.transpose(0, 1)[:2], 24),  # a view: at most what lies behind it
        (lambda: ROWS[:1] * 2, 4),
        (lambda: torch.zeros(1).expand(1000), 1),
        (lambda: (torch.zeros(1).expand(1000) + 1)[:3], 1000),
        (lambda: torch.ones(50, dtype=torch.bool), 50),
        (lambda: torch.empty(7, 9, device="meta"), 63),
        (lambda: torch.zeros(3).new_zeros(20).split(2), 20),
        (lambda: 5, 0),
    ],
)
def test_it_is_counted(code: Callable[[], object], numbers: int) -> None:
    with LargestTensor() as made:
        code()

    assert made.numbers == numbers


def test_what_autograd_saves_and_makes_counts_as_well() -> None:
    weight = torch.ones(5, 5, requires_grad=True)

    with LargestTensor() as made:
        (torch.ones(5) @ weight).sum().backward()

    assert made.numbers == 25


def test_nothing_counts_outside() -> None:
    with LargestTensor() as made:
        pass
    torch.zeros(100)

    assert made.numbers == 0
