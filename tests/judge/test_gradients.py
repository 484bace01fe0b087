"""Gradients are part of an answer: inputs and parameters must get the reference's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from torch import Tensor

from autograder.course.chapter import Chapter
from autograder.course.exams import VISIBLE_SEED
from autograder.judge.judge import Judge
from autograder.judge.verdict import Verdict
from manyheads import check
from manyheads.calling import probe, wire
from manyheads.calling.call import Call
from tests.support.judging import asking
from tests.support.real_course import CHAPTERS

CHAPTER = {chapter.name: chapter for chapter in CHAPTERS}
FIRST, FOURTH = CHAPTER["01_single_head"], CHAPTER["04_all_heads_at_once"]


def judged(chapter: Chapter, prologue: str = "", **changed: str) -> dict[str, Verdict]:
    """Return the verdicts that are not passes, by graded cell."""
    judge = Judge(chapter, "gradients")
    namespace = chapter.namespace(changed)
    exec(prologue, namespace)
    for cell in chapter.graded_cells:
        judge.verdict_for(cell, asking(namespace), changed.get(cell.exercise, ""))
    return {verdict.grade_id: verdict for verdict in judge.verdicts if not verdict.earned}


ATTENTION = """
def attention(q, k, v, mask=None):
    weights = attention_weights(attention_scores(q, k), mask)
    return weights @ v, weights
"""
LAYER = """
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if num_heads < 1 or d_model % num_heads:
            raise ValueError(f"{d_model} features, {num_heads} heads")
        self.h = num_heads
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))
        self.drop = nn.Dropout(dropout)

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        q, k, v = (split_heads(y, self.h) for y in (self.w_q(query), self.w_k(key), self.w_v(value)))
        weights = self.drop(attention_weights(attention_scores(q, k), mask))
        return self.w_o(merge_heads(weights @ v)), weights
"""
ADDED = "scores + torch.zeros(scores.shape).masked_fill(~mask, -math.inf)"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exercise", "source", "told"),
    [
        (
            "attention_weights",
            "def attention_weights(scores, mask=None):\n    if mask is not None:\n"
            "        scores = scores.masked_fill(~mask, -math.inf)\n    return scores.softmax(-1).nan_to_num_(0.0)",
            "in place",
        ),
        (
            "attention_weights",
            f"def attention_weights(scores, mask=None):\n    if mask is not None:\n        scores = {ADDED}\n"
            "    return scores.softmax(-1).nan_to_num(0.0)",
            "not finite",
        ),
        ("attention_weights", "attention_weights = torch.no_grad()(attention_weights)", "No gradient flows back"),
        ("attention", f"@torch.no_grad(){ATTENTION}", "No gradient flows back from output and weights"),
        ("attention", f"@torch.inference_mode(){ATTENTION}", "No gradient flows back from output and weights"),
        ("attention", ATTENTION.replace("weights @ v,", "weights.detach() @ v,"), "from output to q"),
        ("attention", ATTENTION.replace("weights @ v,", "weights @ v.data,"), "to v"),
        ("attention", ATTENTION.replace("weights @ v,", "(weights @ v).detach(),"), "to v"),
        ("attention_scores", "attention_scores = lambda q, k: torch.tensor((q @ k.mT / q.shape[-1] ** .5).tolist(), "
                             "dtype=q.dtype)", "No gradient flows back"),
    ],
)  # fmt: skip
def test_a_cut_gradient_costs_its_own_exercise_alone(exercise: str, source: str, told: str) -> None:
    changed = {} if source.startswith(exercise) else {exercise: source}
    lost = judged(FIRST, source if not changed else "", **changed)
    assert {name: verdict.stage for name, verdict in lost.items()} == {f"{exercise}-outputs": "gradient"}
    assert told in lost[f"{exercise}-outputs"].message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("self.w_q(query)", "self.w_q(query).detach()", "to w_q.weight"),
        ("self.w_k(key)", "nn.functional.linear(key, self.w_k.weight.data, self.w_k.bias)", "w_k.weight"),
        ("self.drop = ", "self.w_v.requires_grad_(False)\n        self.drop = ", "w_v"),
        (
            "attention_weights(attention_scores(q, k), mask)",
            "(attention_scores(q, k) + (0 if mask is None else torch.zeros(mask.shape).masked_fill(~mask, -math.inf)))"
            ".softmax(-1).nan_to_num(0.0)",
            "not finite",
        ),
        ("@ v)), weights", ".data @ v)), weights", "to w_q.weight"),
    ],
)  # fmt: skip
def test_every_parameter_of_a_layer_must_learn(before: str, after: str, told: str) -> None:
    assert before in LAYER
    lost = judged(FOURTH, MultiHeadAttention=LAYER.replace(before, after))
    assert {name: verdict.stage for name, verdict in lost.items()} == {"MultiHeadAttention-outputs": "gradient"}
    assert told in lost["MultiHeadAttention-outputs"].message


@pytest.mark.slow
@pytest.mark.parametrize("after", ["weights", "weights.detach()", "weights.data"])
def test_weights_may_be_handed_out_detached(after: str) -> None:
    assert judged(FOURTH, MultiHeadAttention=LAYER.replace("@ v)), weights", f"@ v)), {after}")) == {}


@pytest.mark.slow
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_what_the_notebook_has_set_does_not_matter(mode: Callable[[], AbstractContextManager[None]]) -> None:
    assert judged(FIRST) == {}
    with mode():
        assert judged(FIRST) == {}


def test_the_learners_own_check_says_the_same() -> None:
    namespace = FIRST.namespace({"attention": f"@torch.no_grad(){ATTENTION}"})
    namespace["check"] = check
    exec("check.shapes(attention)", namespace)
    with pytest.raises(check.CheckFailed, match="No gradient flows back"):
        exec("check.outputs(attention)", namespace)
    exec("check.outputs(SingleHeadAttention)", namespace)


@pytest.mark.slow
def test_untrained_values_need_no_gradient() -> None:
    entropy = "def attention_entropy(weights):\n    p = weights.numpy()\n    return torch.from_numpy(" \
        "-np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(-1))\nimport numpy as np"  # fmt: skip
    assert judged(CHAPTER["02_why_many_heads"], attention_entropy=entropy) == {}


def test_an_input_is_changed_in_place_without_an_error() -> None:
    def doubles(x: Tensor) -> Tensor:
        x *= 2
        return x

    answer = probe.run(doubles, Call({"x": torch.ones(3)}, cotangent=1.5))
    assert answer.changed == ("x",)
    assert answer.gradients is not None
    assert answer.gradients.failure is None


def test_gradients_travel_as_data() -> None:
    answer = probe.run(lambda x, y: (x * y, x.detach()), Call({"x": torch.ones(3), "y": 2}, cotangent=1.5))
    packer = wire.Packer()
    back = wire.Unpacker(packer.tensors).answer if (packed := packer.answer(answer)) else None
    assert back is not None
    gradients = back(packed).gradients
    assert gradients is not None
    of_product, of_detached = gradients.by_output
    assert of_detached is None
    assert of_product is not None
    torch.testing.assert_close(of_product["x"], 2 * torch.tensor([1.5, 3.0, 4.5]).cos())


@pytest.mark.slow
def test_every_exercise_that_is_learned_through_is_asked_for_its_gradients() -> None:
    """Wherever there are masks, cases with a fully blocked row and with a mask have gradients."""
    asked = {
        name: [trial.name for trial in exam.trials if trial.right.gradients is not None]
        for chapter in CHAPTERS
        for name, exam in Judge(chapter, VISIBLE_SEED).exams.items()
    }
    for name in ("attention_weights", "attention", "SingleHeadAttention", "ParallelHeads", "MultiHeadAttention",
                 "fast_attention"):  # fmt: skip
        assert any("may attend to nothing" in case or "all is blocked" in case for case in asked[name]), name
    assert asked["causal_mask"] == asked["head_width"] == asked["sink_score"] == []
