"""What hints and answers of the lessons say comes out is what comes out."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from manyheads.models.published import PUBLISHED
from manyheads.widgets.cache_size import Need, need
from tests.support.real_course import CHAPTERS

NAMES: dict[str, dict[str, Any]] = {chapter.name: chapter.namespace() for chapter in CHAPTERS}
ONE, TWO, THREE, FIVE = (NAMES[name] for name in ("01_single_head", "02_why_many_heads", "03_a_head_each", "05_gpu"))

# the six words of chapter 1's section "Set a head by hand": noun, verb, early
WORDS = torch.tensor([[0.0, 0, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]])
CAT, SAT, MAT = 1, 2, 5


def weights_set_by_hand(looks_for: list[list[float]], offers: list[list[float]]) -> torch.Tensor:
    w_q, w_k = torch.tensor(looks_for), torch.tensor(offers)
    queries, keys, values = ONE["project"](WORDS[None], w_q, w_k, w_k)
    return ONE["attention"](queries, keys, values)[1][0]


def test_at_first_the_head_set_by_hand_looks_at_both_nouns_alike() -> None:
    weights = weights_set_by_hand([[0.0, 0], [1, 0], [0, 0]], [[1.0, 0], [0, 0], [0, 0]])

    assert weights[SAT, CAT] == weights[SAT, MAT] < 0.5


def test_with_the_answer_it_finds_cat_and_with_the_second_one_cat_finds_sat_too() -> None:
    once = weights_set_by_hand([[0.0, 0], [6, 6], [0, 0]], [[1.0, 0], [0, 0], [0, 1]])
    twice = weights_set_by_hand([[-6.0, -6], [6, 6], [0, 0]], [[1.0, 0], [-1, -1], [0, 1]])

    assert f"{once[SAT, CAT]:.2f}" == "0.97"
    assert min(twice[SAT, CAT], twice[CAT, SAT]) > 0.95


def test_the_table_of_chapter_1_is_what_attention_gives() -> None:
    query, keys = torch.tensor([[1.0, 1]]), torch.tensor([[1.0, -1], [2, 1], [-1, 0]])

    output, weights = ONE["attention"](query, keys, torch.tensor([[0.0, 0], [10, 0], [0, 10]]))

    assert ONE["attention_scores"](query, keys)[0].tolist() == pytest.approx([0, 2.12, -0.71], abs=0.005)
    assert weights[0].tolist() == pytest.approx([0.10, 0.85, 0.05], abs=0.005)
    assert output[0].tolist() == pytest.approx([8.5, 0.5], abs=0.05)


def test_numbers_in_hints_are_right() -> None:
    assert ONE["attention_scores"](torch.ones(2, 5, 4), torch.ones(2, 3, 4)).unique().tolist() == [2]
    assert TWO["compare_head_counts"](lambda num_heads: num_heads / 10, [4, 1]) == {4: 0.4, 1: 0.1}
    shares = TWO["mix_ups"](torch.tensor([[1, 2], [2, 1], [1, 1]]), torch.tensor([[1, 2]] * 3))
    assert shares.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    entropy = TWO["attention_entropy"](torch.tensor([[[[0.5, 0.5, 0.0]]]]))
    assert entropy.item() == pytest.approx(math.log(2)) == pytest.approx(0.693, abs=0.0005)
    assert sum(p.numel() for p in THREE["make_heads"](512, 8).parameters()) == 787_968
    assert THREE["attention_parameters"](4, 2) == 80
    assert sum(p.numel() for p in THREE["ParallelHeads"](4, 2).w_o.parameters()) == 20
    assert THREE["attention_flops"](1, 3, 4, 2) == 528
    assert FIVE["score_matrix_bytes"](1, 2, 3, torch.float32) == 72


def test_the_hands_of_chapter_8_stand_where_its_answer_says() -> None:
    speeds = 10000.0 ** (-2 * torch.arange(4) / 8)  # as in the widget, whose heads are 8 wide

    one, fifty, hundred = (torch.rad2deg(places * speeds) for places in (1, 50, 100))
    assert [round(angle) for angle in one.tolist()[:2]] == [57, 6]
    assert one[2:].max() < 1
    assert [round(angle) for angle in fifty.tolist()[1:]] == [286, 29, 3]
    assert fifty[0].item() == pytest.approx(8 * 360 - 15, abs=0.5)
    assert (hundred - fifty)[1] > 180
    assert 20 < (hundred - fifty)[2] < 180
    assert (hundred - fifty)[3] < 5


def test_as_many_texts_fit_on_a_gpu_as_chapter_8_says() -> None:
    of = {model.name: model for model in PUBLISHED}

    def needed(name: str, batch: int, context: int) -> Need:
        return need(NAMES["08_attention_today"]["kv_cache_bytes"], of[name], context, batch, 80, torch.bfloat16)

    for name, context, most in (("Llama 2 7B", 4096, 33), ("Llama 3.1 8B", 131_072, 4)):
        gpus = [now.gpus(now.published) for now in (needed(name, most, context), needed(name, most + 1, context))]
        assert gpus == [1, 2]
    large = needed("Llama 3.1 405B", 1, 131_072)
    assert [(way.cache // 2**30, large.gpus(way)) for way in large.ways[:2]] == [(1008, 23), (63, 11)]
    assert large.weights < large.ways[0].cache


def test_what_even_weights_score_in_chapters_7_and_9_is_what_they_say() -> None:
    six, nine = NAMES["06_inside_a_real_model"], NAMES["09_heads_that_work_together"]

    def even(seq: int) -> torch.Tensor:
        seen = torch.ones(1, 1, seq, seq).tril()
        return seen / seen.sum(dim=-1, keepdim=True)

    assert f"{six['previous_token_score'](even(32)).item():.2f}" == "0.10"
    assert f"{six['sink_score'](even(32)).item():.2f}" == "0.13"
    assert f"{nine['induction_score'](even(24)).item():.3f}" == "0.056"
