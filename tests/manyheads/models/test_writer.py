"""How chapter 7's models are trained, and what is left of them without a part."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder.course.chapter import REPOSITORY_ROOT, read_chapter
from manyheads.models import writer

CHAPTER = read_chapter(REPOSITORY_ROOT / "solutions" / "07_a_model_that_writes").namespace()
VOCABULARY, CONTEXT = 11, 7
# A text in which each token follows from the one before it
TEXT = torch.arange(600) * 3 % VOCABULARY


def model(num_layers: int = 2) -> Any:
    torch.manual_seed(0)
    return CHAPTER["TinyGPT"](VOCABULARY, CONTEXT, 8, 2, num_layers)


def train(one: nn.Module, steps: int = 60) -> list[float]:
    losses = list[float]()
    writer.train(
        one, CHAPTER["next_token_loss"], TEXT, lambda _, loss: losses.append(loss), steps=steps, context=CONTEXT
    )
    return losses


@pytest.mark.slow
def test_a_model_learns_and_training_is_the_same_each_time() -> None:
    first, second = train(model()), train(model())

    assert first == second
    assert first[-1] < first[0] - 1


def test_the_loss_of_a_text_is_the_mean_over_its_excerpts() -> None:
    one = model()
    rows = TEXT[:595].view(85, CONTEXT)
    with torch.no_grad():
        expected = CHAPTER["next_token_loss"](one(rows), rows).item()

    assert writer.loss_on(one, CHAPTER["next_token_loss"], TEXT, CONTEXT) == pytest.approx(expected, rel=1e-5)


def test_a_loss_that_is_not_finite_stops_the_training() -> None:
    with pytest.raises(RuntimeError, match="the loss of step 1 is nan"):
        writer.train(
            model(), lambda logits, _: logits.sum() * torch.nan, TEXT, lambda *_: None, steps=2, context=CONTEXT
        )


def test_excerpts_are_from_anywhere_in_the_text_and_as_long_as_the_context() -> None:
    drawn = writer.draw(torch.arange(CONTEXT + 1), CONTEXT, 50, torch.Generator().manual_seed(0))

    assert drawn.shape == (50, CONTEXT)
    assert set(drawn[:, 0].tolist()) == {0, 1}


@torch.no_grad()
def test_each_part_is_really_taken_away() -> None:
    tokens = torch.tensor([[3, 5, 5, 1]])
    without = {part: model() for part in writer.PARTS}
    for part, one in without.items():
        writer.take_away(part, one)
    block: Any = without["residual stream"].blocks[0]
    x = torch.randn(1, 4, 8)

    # Without positions the same token twice in a row, with nothing else to see, is the same.
    alike = without["positions"](torch.tensor([[5, 5, 5]]))
    torch.testing.assert_close(alike[:, 0], alike[:, 2])
    assert all(layer(x).abs().max() == 0 for layer in (b.feed_forward for b in without["feed-forward"].blocks))
    assert not any(isinstance(layer, nn.LayerNorm) for layer in without["norm"].modules())
    inner = block.block
    attended: Tensor = inner.attention(inner.norm_1(x))[0]
    torch.testing.assert_close(block(x), inner.feed_forward(inner.norm_2(attended)))
    for part, one in without.items():
        assert not torch.allclose(one(tokens), model()(tokens)), part


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(ValueError, match="there is no part 'gelu'"):
        writer.take_away("gelu", model())
