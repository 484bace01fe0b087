"""The walk of a block over the scores: its numbers are those of attention, and its picture says what it shows."""

from __future__ import annotations

import math

import pytest
import torch
from matplotlib.figure import Figure

from manyheads.widgets.block_walk import BLOCKS, KEYS, QUERIES, block_walk, describe_block_walk, draw_block_walk, walk
from tests.support.figures import assert_readable, texts

every_step = pytest.mark.parametrize(
    ("block", "done"), [(block, done) for block in BLOCKS for done in range(KEYS // block + 1)]
)


def said(figure: Figure) -> list[str]:
    return [text.get_text() for text in texts(figure)]


@every_step
def test_what_is_carried_is_the_largest_score_and_the_sum_of_all_keys_so_far(block: int, done: int) -> None:
    now = walk(block, done)

    seen = now.scores[:, : done * block]
    largest = seen.amax(dim=-1) if done else torch.full((QUERIES,), -math.inf)
    assert torch.equal(now.largest, largest)
    torch.testing.assert_close(now.total, torch.exp(seen - largest[:, None]).sum(dim=-1))


@pytest.mark.parametrize("block", BLOCKS)
def test_after_the_last_block_it_is_the_sum_that_softmax_divides_by(block: int) -> None:
    now = walk(block, KEYS // block)

    assert now.finished
    shares = torch.exp(now.scores - now.largest[:, None])
    torch.testing.assert_close(shares / now.total[:, None], now.scores.softmax(dim=-1))
    assert "the sums are the same" in " ".join(describe_block_walk(now))


def test_the_sum_shrinks_where_the_largest_score_rises_and_nowhere_else() -> None:
    for done in range(2, KEYS // 2 + 1):
        before, now = walk(2, done - 1), walk(2, done)
        assert torch.equal(now.shrink < 1, now.largest > before.largest)


@pytest.mark.slow
@every_step
def test_the_picture_is_readable_and_shows_one_block_of_scores(block: int, done: int) -> None:
    now = walk(block, done)
    figure = draw_block_walk(now)

    assert_readable(figure)
    scores = [f"{float(now.scores[row, key]):z.1f}".replace("-", "−") for row in range(QUERIES) for key in now.seen]
    assert [text for text in said(figure) if text in scores][: len(scores)] == scores or not done
    assert len(now.seen) == (block if done else 0)


def test_there_is_no_block_beyond_the_last() -> None:
    with pytest.raises(ValueError, match="12 keys have no 4 blocks of 4"):
        walk(4, 4)


def test_the_slider_follows_the_size_of_a_block() -> None:
    widget = block_walk()
    used, block = widget.controls["used"], widget.controls["block"]

    used.value = 4
    block.value = 6

    assert used.max == 2
    assert used.value == 2
    assert "All keys are done" in widget.words.value
    used.value = 0
    assert "No block has been used yet" in widget.words.value
