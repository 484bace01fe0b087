"""The model in which learners train their own layers, and what chapters 3 and 4 claim about it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from autograder.course.chapter import REPOSITORY_ROOT, read_chapter
from manyheads.models import toy_grammar, toy_model
from manyheads.models.toy_grammar import ONE_ASKS
from manyheads.models.toy_model import D_MODEL, ToyModel

ParallelHeads = read_chapter(REPOSITORY_ROOT / "solutions" / "03_a_head_each").namespace()["ParallelHeads"]
CHAPTER_4 = read_chapter(REPOSITORY_ROOT / "solutions" / "04_all_heads_at_once").namespace()


class Theirs(nn.Module):
    def __init__(self, layer: nn.MultiheadAttention) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        output, weights = self.layer(x, x, x, key_padding_mask=~mask[:, 0, 0], average_attn_weights=False)
        assert weights is not None
        return output, weights


def trained(layer: nn.Module, seed: int, steps: int = toy_model.STEPS, *, heads_in_mask: bool = False) -> list[float]:
    torch.manual_seed(seed)
    model, accuracies = ToyModel(layer, heads_in_mask=heads_in_mask), list[float]()
    toy_model.train(model, ONE_ASKS, lambda _, accuracy: accuracies.append(accuracy), steps)
    return accuracies


def parallel_heads(num_heads: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return ParallelHeads(D_MODEL, num_heads)


@pytest.mark.slow
def test_the_learners_layer_tells_chapter_2s_story() -> None:
    one, four = (trained(parallel_heads(heads, 1), 1)[-1] for heads in (1, 4))

    assert one < 0.2
    assert four > 0.95


@pytest.mark.slow
@pytest.mark.thorough
def test_without_w_o_four_heads_do_as_well_here() -> None:
    layer = parallel_heads(4, 1)
    w_o = layer.get_submodule("w_o")
    assert isinstance(w_o, nn.Linear)
    nn.init.eye_(w_o.weight).requires_grad_(False)
    nn.init.zeros_(w_o.bias).requires_grad_(False)

    assert trained(layer, 1)[-1] > 0.95


@pytest.mark.slow
@pytest.mark.thorough
def test_two_heads_that_start_as_in_the_lesson_answer_two_questions() -> None:
    torch.manual_seed(1)
    model = ToyModel(ParallelHeads(D_MODEL, 2))
    toy_model.train(model, ONE_ASKS, lambda *_: None)

    least, *most = sorted(toy_model.right_answers(model, ONE_ASKS).float().mean(dim=0).tolist())

    assert least < 0.1
    assert min(most) > 0.9


@pytest.mark.slow
def test_torchs_layer_and_the_learners_learn_the_same_from_the_same_start() -> None:
    torch.manual_seed(1)
    theirs = nn.MultiheadAttention(D_MODEL, 4, batch_first=True)
    mine = CHAPTER_4["from_torch"](theirs)

    curves = [trained(layer, 2, steps=50, heads_in_mask=True) for layer in (mine, Theirs(theirs))]

    assert curves[0] == pytest.approx(curves[1], abs=0.01)
    assert not torch.allclose(mine.w_q.weight, CHAPTER_4["from_torch"](nn.MultiheadAttention(D_MODEL, 4)).w_q.weight)


def test_padding_is_hidden_from_the_layer() -> None:
    torch.manual_seed(0)
    model = ToyModel(ParallelHeads(D_MODEL, 2))
    short = toy_grammar.sentence("The black cat sat on the mat.")

    _, weights = model(short, ONE_ASKS)

    words = len(short.tokens())
    assert torch.equal(weights[..., words:], torch.zeros_like(weights[..., words:]))
    assert words < weights.shape[-1]


@pytest.mark.slow
def test_test_sentences_hold_pairs_that_no_training_sentence_has() -> None:
    pairs = [
        {(int(who), int(where)) for _, who, where in batch.answers}
        for batch in (toy_model.test_sentences(), toy_model.training_sentences())
    ]

    assert not pairs[0] & pairs[1]


def test_a_layer_that_cannot_learn_is_refused_in_a_sentence() -> None:
    class Empty(nn.Module):
        def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    with pytest.raises(RuntimeError, match="no parameters"):
        trained(Empty(), 1, steps=1)


def test_a_layer_that_gives_nan_is_refused_in_a_sentence() -> None:
    layer = parallel_heads(2, 1)
    nn.init.constant_(next(layer.parameters()), float("nan"))

    with pytest.raises(RuntimeError, match="the loss of step 1 is nan"):
        trained(layer, 1, steps=1)
