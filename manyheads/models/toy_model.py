"""Chapter 2's model around any attention layer, so that learners can train the layer that they have built.

The words of the toy language get vectors, one attention layer lets them look at each other, and one `nn.Linear` for
each question reads the answer at the word that asks it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from ..threads import one_thread
from .toy_grammar import LONGEST, QUESTIONS, VOCABULARY, Game, Sentences, sentences

D_MODEL = 48  # as in chapter 2
STEPS, BATCH = 250, 128


class ToyModel(nn.Module):
    """A model of one attention layer for the toy language.

    Args:
        layer: called as `layer(x, mask=mask)` with x (batch, seq, D_MODEL); returns (output, weights), of the shapes
            (batch, seq, D_MODEL) and (batch, num_heads, seq, seq).
        heads_in_mask: whether the layer's mask has a dimension for heads: (batch, 1, 1, seq) and not (batch, 1, seq).
    """

    def __init__(self, layer: nn.Module, *, heads_in_mask: bool = False) -> None:
        super().__init__()
        self.word = nn.Embedding(len(VOCABULARY), D_MODEL)
        self.position = nn.Embedding(LONGEST, D_MODEL)
        self.layer = layer
        self.answer = nn.ModuleList(nn.Linear(D_MODEL, len(VOCABULARY)) for _ in QUESTIONS)
        self.heads_in_mask = heads_in_mask

    def forward(self, batch: Sentences, game: Game) -> tuple[Tensor, Tensor]:
        """Return the scores of each word as an answer, (batch, questions, vocabulary), and the layer's weights."""
        x = self.word(batch.words) + self.position.weight  # (batch, seq, d_model)
        mask = batch.mask.unsqueeze(1) if self.heads_in_mask else batch.mask
        output, weights = self.layer(x, mask=mask)
        each = torch.arange(len(batch))
        scores = [
            answer(output[each, askers])
            for answer, askers in zip(self.answer, batch.asking_positions(game).T, strict=True)
        ]
        return torch.stack(scores, dim=1), weights


@cache
def test_sentences() -> Sentences:
    """Return chapter 2's thousand test sentences, whose pairs of nouns are in no training sentence."""
    return sentences(1_000, seed=3, held_out=True)


@cache
def training_sentences() -> Sentences:
    """Return chapter 2's hundred thousand training sentences, enough for 781 steps."""
    return sentences(100_000, seed=2)


def right_answers(model: ToyModel, game: Game) -> Tensor:
    """Return which answers to the test sentences are right: bool (sentences, questions)."""
    with torch.no_grad():
        scores, _ = model(test_sentences(), game)
    return scores.argmax(dim=-1) == test_sentences().answers


def accuracy(model: ToyModel, game: Game) -> float:
    """Return the share of test sentences with all three answers right."""
    return right_answers(model, game).all(dim=1).float().mean().item()


@one_thread()  # so small a model is slower where several threads wait for each other
def train(model: ToyModel, game: Game, watch: Callable[[int, float], None], steps: int = STEPS) -> None:
    """Train `model` as chapter 2 does, with the same sentences, and call `watch` with (steps done, accuracy).

    Raises:
        RuntimeError: if the layer gives the optimizer nothing to learn, or something that is not a number.
    """
    learned = list(model.layer.parameters())
    if not learned:
        raise RuntimeError("the layer has no parameters, so there is nothing to train")
    others = [parameter for name, parameter in model.named_parameters() if not name.startswith("layer.")]
    optimizer = torch.optim.AdamW([{"params": others, "lr": 0.02}, {"params": learned, "lr": 0.002}])
    watch(0, accuracy(model, game))
    for step in range(1, steps + 1):
        batch = training_sentences()[(step - 1) * BATCH : step * BATCH]
        scores, _ = model(batch, game)
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), batch.answers.flatten())
        if not loss.isfinite():
            raise RuntimeError(f"the loss of step {step} is {loss.item()}: the layer's output is not finite")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 25 == 0:
            watch(step, accuracy(model, game))
