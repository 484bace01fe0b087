"""The model of chapter 9: attention layers and nothing else, what its heads write, and how it is trained."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from manyheads.earlier import MultiHeadAttention
from manyheads.models import attention_only
from manyheads.models.attention_only import VOCABULARY, AttentionOnly, Measurement, as_text, measure, second_half_loss

D_MODEL, HEADS, BATCH, HALF = 12, 3, 2, 5
SEQ = 2 * HALF


def drawn(batch: int, half: int, vocabulary: int, generator: torch.Generator) -> Tensor:
    return torch.randint(vocabulary, (batch, half), generator=generator).repeat(1, 2)


@pytest.fixture
def model() -> AttentionOnly:
    torch.manual_seed(0)
    return AttentionOnly([MultiHeadAttention(D_MODEL, HEADS) for _ in range(2)], D_MODEL)


@pytest.fixture
def tokens() -> Tensor:
    return drawn(BATCH, HALF, VOCABULARY, torch.Generator().manual_seed(1))


def biases(model: AttentionOnly) -> Tensor:
    """Return the sum of all layers' biases of w_o, (d_model)."""
    return torch.stack([layer.get_parameter("w_o.bias") for layer in model.layers]).sum(dim=0)


def test_a_run_gives_the_logits_of_the_model(model: AttentionOnly, tokens: Tensor) -> None:
    logits, weights = model(tokens)

    torch.testing.assert_close(model.run(tokens)[0], logits)
    assert logits.shape == (BATCH, SEQ, VOCABULARY)
    assert weights.shape == (2, BATCH, HEADS, SEQ, SEQ)
    assert weights.triu(1).count_nonzero() == 0


def test_what_the_heads_write_adds_up_to_what_the_layers_say(model: AttentionOnly, tokens: Tensor) -> None:
    logits, outputs = model.run(tokens)

    # (layers, heads, batch, seq, d_model) -> (batch, seq, d_model)
    said = outputs.sum(dim=(0, 1)) + biases(model)
    torch.testing.assert_close(model.w_out(model.tokens(tokens) + said), logits)


def test_a_head_that_is_patched_with_its_own_output_changes_nothing(model: AttentionOnly, tokens: Tensor) -> None:
    logits, outputs = model.run(tokens)

    torch.testing.assert_close(model.run(tokens, (0, 2, outputs[0, 2]))[0], logits)


def test_a_patch_is_what_that_head_writes_and_what_comes_after_goes_by_it(model: AttentionOnly, tokens: Tensor) -> None:
    _, outputs = model.run(tokens)
    new = torch.randn_like(outputs[0, 1])

    patched, written = model.run(tokens, (0, 1, new))

    torch.testing.assert_close(written[0, 1], new)
    torch.testing.assert_close(written[0, [0, 2]], outputs[0, [0, 2]])
    assert not torch.allclose(written[1], outputs[1])
    said = written.sum(dim=(0, 1)) + biases(model)
    torch.testing.assert_close(model.w_out(model.tokens(tokens) + said), patched)


def test_a_silent_head_is_silent_as_in_chapter_6(model: AttentionOnly, tokens: Tensor) -> None:
    patched, _ = model.run(tokens, (1, 0, torch.zeros(BATCH, SEQ, D_MODEL)))

    with torch.no_grad():
        model.layers[1].get_parameter("w_o.weight")[:, : D_MODEL // HEADS] = 0
    torch.testing.assert_close(model(tokens)[0], patched)


def test_values_do_not_tell_places(model: AttentionOnly) -> None:
    """One token over and over: wherever a head looks, and from wherever places are counted, it hands over the same."""
    same = torch.full((1, SEQ), 7)

    (here, _), (there, _) = model(same), model(same, start=9)

    torch.testing.assert_close(here, there)
    torch.testing.assert_close(here, here[:, :1].expand_as(here))


def test_the_loss_counts_what_can_be_known(tokens: Tensor) -> None:
    sure = 50.0 * nn.functional.one_hot(tokens[:, 1:], VOCABULARY).float()
    logits = torch.cat([sure, sure[:, :1]], dim=1)
    assert second_half_loss(logits, tokens).item() == pytest.approx(0, abs=1e-6)

    logits[:, :HALF] = torch.randn(BATCH, HALF, VOCABULARY)  # what comes in the first half, or right after it
    assert second_half_loss(logits, tokens).item() == pytest.approx(0, abs=1e-6)
    assert second_half_loss(torch.zeros_like(logits), tokens).item() == pytest.approx(math.log(VOCABULARY))


def test_a_measurement_is_the_mean_of_all_tests(model: AttentionOnly, tokens: Tensor) -> None:
    longer = drawn(3, 7, VOCABULARY, torch.Generator().manual_seed(2))

    both = measure(model, [tokens, longer, tokens], step=4)

    losses = [second_half_loss(model(which)[0], which).item() for which in (tokens, longer, tokens)]
    assert both.step == 4
    assert both.loss == pytest.approx(sum(losses) / 3)
    torch.testing.assert_close(both.weights, model(longer)[1].mean(dim=1))


def few_steps(seed: int = 1) -> tuple[list[Measurement], list[tuple[int, ...]]]:
    """Train a small model for three steps; return what was measured, and the shapes that were drawn."""
    shapes: list[tuple[int, ...]] = []

    def draw(batch: int, half: int, vocabulary: int, generator: torch.Generator) -> Tensor:
        shapes.append((batch, half, vocabulary))
        return drawn(2, half, vocabulary, generator)

    torch.manual_seed(0)
    small = AttentionOnly([MultiHeadAttention(8, 2)], 8)
    measured: list[Measurement] = []
    attention_only.train(small, draw, measured.append, steps=3, seed=seed, halves=[4, 6])
    return measured, shapes


def test_training_is_the_same_each_time_and_another_one_for_another_seed() -> None:
    losses = [[one.loss for one in few_steps(seed)[0]] for seed in (1, 1, 2)]

    assert losses[0] == losses[1] != losses[2]


def test_training_draws_one_of_the_lengths_for_each_step_and_measures_first_and_last() -> None:
    measured, shapes = few_steps()

    assert [one.step for one in measured] == [0, 3]
    assert [half for _, half, _ in shapes[:3]] == [8, 12, 16]  # what is measured on
    assert {half for _, half, _ in shapes[3:]} <= {4, 6}
    assert len(shapes) == 6


def test_training_says_at_which_step_numbers_have_gone() -> None:
    class Broken(nn.Module):
        def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
            return value * math.nan, torch.zeros(len(value), 1, value.shape[1], value.shape[1])

    model = AttentionOnly([Broken()], D_MODEL)

    with pytest.raises(RuntimeError, match="the loss of step 1 is nan"):
        attention_only.train(
            model, lambda batch, half, vocabulary, generator: drawn(2, half, vocabulary, generator), steps=2
        )


def test_tokens_are_shown_as_symbols() -> None:
    assert as_text(torch.tensor([0, 25, 26, 52, VOCABULARY - 1])) == "AZa0/"
