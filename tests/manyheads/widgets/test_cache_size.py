"""The memory of a model's keys and values is what the learner's function says, and is drawn to scale."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from matplotlib.patches import Rectangle

from manyheads.models.published import PUBLISHED, Published
from manyheads.widgets.cache_size import GIB, cache_explorer, describe_cache, draw_cache, gib, need
from tests.support.figures import assert_readable, hides_its_picture

BY_NAME = {model.name: model for model in PUBLISHED}
every_model = pytest.mark.parametrize("model", PUBLISHED, ids=BY_NAME)


def count(batch: int, num_layers: int, kv_heads: int, seq: int, d_head: int, dtype: torch.dtype) -> int:
    return 2 * batch * num_layers * kv_heads * seq * d_head * dtype.itemsize


@every_model
def test_a_published_models_heads_can_be_shared_out(model: Published) -> None:
    assert model.num_heads % model.num_kv_heads == 0
    assert model.source


@pytest.mark.slow
@every_model
@pytest.mark.parametrize(("share", "batch"), [(1, 1), (4, 1024)])
def test_the_picture_is_readable_whatever_is_chosen(model: Published, share: int, batch: int) -> None:
    assert_readable(draw_cache(need(count, model, model.context // share, batch, 16, torch.bfloat16)))


def test_numbers_are_those_of_the_paper_on_llama() -> None:
    """Llama 3.1 8B keeps 128 KiB a word: 2 · 32 layers · 8 heads · 128 numbers of 2 bytes."""
    now = need(count, BY_NAME["Llama 3.1 8B"], 131_072, 1, 80, torch.bfloat16)

    assert now.published.cache == 16 * GIB
    assert [(way.kv_heads, way.cache // GIB) for way in now.ways] == [(32, 64), (8, 16), (1, 2)]
    assert [now.gpus(way) for way in now.ways] == [1, 1, 1]
    assert now.gpus(need(count, BY_NAME["Llama 3.1 8B"], 131_072, 8, 80, torch.bfloat16).published) == 2


def test_bars_are_drawn_to_one_scale() -> None:
    now = need(count, BY_NAME["Llama 2 70B"], 4096, 64, 80, torch.bfloat16)
    rectangles = [one for one in draw_cache(now).axes[0].get_children() if isinstance(one, Rectangle)]
    wide = [one.get_width() for one in rectangles if one.get_height() == 34]

    sizes = [size for way in now.ways for size in (now.weights, way.cache)]
    assert [width / size for width, size in zip(wide, sizes, strict=True)] == pytest.approx([wide[0] / sizes[0]] * 6)


def test_a_model_that_shares_nothing_is_not_drawn_twice() -> None:
    now = need(count, BY_NAME["GPT-2"], 1024, 1, 16, torch.bfloat16)

    assert [(way.name, way.kv_heads) for way in now.ways] == [("as published", 12), ("all heads share one", 1)]
    assert "they fit on one gpu" in " ".join(describe_cache(now)).lower()


def test_another_model_brings_its_own_lengths_of_text() -> None:
    explorer = cache_explorer(count)
    before = explorer.drawn

    explorer.controls["model"].value = BY_NAME["Llama 3.1 405B"]

    assert explorer.controls["context"].value == 131_072
    assert "131,072 words" in explorer.words.value
    assert explorer.drawn != before
    explorer.controls["model"].value = BY_NAME["GPT-2"]
    assert explorer.controls["context"].value == 1024


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda *sizes: None, "yours returns nothing"),
        (lambda *sizes: 1.5, "yours is of type float"),
        (lambda batch: 0, "stopped with"),
    ],
)
def test_what_cannot_be_drawn_is_explained_in_one_line(wrong: Any, said: str) -> None:
    explorer = cache_explorer(wrong)

    assert hides_its_picture(explorer)
    assert said in explorer.words.value


def test_sizes_are_told_in_three_digits() -> None:
    assert [gib(round(size * GIB)) for size in (0.0117, 1.5, 15.25, 99.96, 2048)] == [
        "0.0117 GiB",
        "1.5 GiB",
        "15.2 GiB",
        "100 GiB",
        "2,048 GiB",
    ]
