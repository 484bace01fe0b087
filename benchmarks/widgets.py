"""How long a widget takes from a moved control to its new picture: `python benchmarks/widgets.py [NAME…]`.

Each redraw is a new setting, as under a learner's hand. It ends when the new picture and the words below it are sent;
what the browser adds is not in it. Measured are the processor's milliseconds, so that what else runs on the machine
counts less, and beside them those of the clock. The limit holds for the median and for nine redraws in ten.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from autograder.course.chapter import REPOSITORY_ROOT, read_chapter
from manyheads.models.published import PUBLISHED
from manyheads.models.toy_grammar import LONGEST, ONE_ASKS, VOCABULARY, Game, Sentences, sentences
from manyheads.widgets import (
    cache_explorer,
    head_map,
    head_viewer,
    mask_painter,
    model_head_viewer,
    projection_explorer,
    rotary_clocks,
    scaling_explorer,
    sentence_explorer,
)
from manyheads.widgets.explorer import Explorer
from manyheads.widgets.head_map import TOKENS
from manyheads.widgets.scaling import D_HEADS, scaling_numbers

REDRAWS = 40
LIMIT = 100  # milliseconds


@dataclass(frozen=True)
class Moved:
    """A widget, and the control that is moved to each of the values in turn.

    Args:
        before: other controls that are set first
    """

    make: Callable[[], Explorer]
    control: str
    values: Sequence[object]
    before: tuple[tuple[str, object], ...] = ()


@cache
def solved(chapter: str) -> dict[str, Any]:
    """Return what the reference solutions of `chapter` define."""
    return read_chapter(REPOSITORY_ROOT / "solutions" / chapter).namespace()


def of_chapter_1() -> Explorer:
    one = solved("01_single_head")
    return head_map(one["attention"], one["causal_mask"])


def of_chapter_4() -> Explorer:
    return head_viewer(solved("04_all_heads_at_once")["MultiHeadAttention"])


def painter() -> Explorer:
    four = solved("04_all_heads_at_once")
    return mask_painter(four["MultiHeadAttention"], four["padding_mask"], four["causal_mask"])


def explorer_of_chapter_3() -> Explorer:
    three = solved("03_a_head_each")
    return projection_explorer(three["head_width"], three["ParallelHeads"])


def sentences_of_chapter_2() -> Explorer:
    """Models that look and answer at random: what takes the time is the picture."""

    def model(num_heads: int) -> Callable[[Sentences, Game], tuple[Tensor, Tensor]]:
        def answer(batch: Sentences, game: Game) -> tuple[Tensor, Tensor]:
            scores = torch.randn(len(batch), 3, len(VOCABULARY))
            return scores, torch.randn(len(batch), num_heads, LONGEST, LONGEST).softmax(dim=-1)

        return answer

    examples = sentences(8, seed=0)
    return sentence_explorer({n: model(n) for n in (1, 2, 3, 4)}, [examples[r : r + 1] for r in range(8)], ONE_ASKS)


def cache_of_chapter_8() -> Explorer:
    return cache_explorer(solved("08_attention_today")["kv_cache_bytes"])


def of_a_model() -> Explorer:
    """A model as large as MiniLM: 6 layers of 12 heads, on 16 tokens."""
    scores = 3 * torch.randn(6, 12, 16, 16, generator=torch.Generator().manual_seed(0))
    return model_head_viewer(scores.softmax(dim=-1), ["[CLS]", *(TOKENS * 2)[:14], "[SEP]"])


# A widget of another chapter is one more line.
WIDGETS = {
    "scaling_explorer": Moved(scaling_explorer, "d_head", D_HEADS),
    "head_map": Moved(of_chapter_1, "query", range(len(TOKENS))),
    "head_map, causal": Moved(of_chapter_1, "query", range(len(TOKENS)), (("causal", True),)),
    "sentence_explorer": Moved(sentences_of_chapter_2, "place", range(1, 9), (("num_heads", 4),)),
    "projection_explorer": Moved(explorer_of_chapter_3, "num_heads", (1, 2, 4, 8, 16, 32)),
    "projection_explorer, seq": Moved(explorer_of_chapter_3, "seq", (5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560)),
    "head_viewer, lines": Moved(of_chapter_4, "num_heads", (1, 2, 3, 4, 6, 8, 12)),
    "head_viewer, maps": Moved(of_chapter_4, "num_heads", (1, 2, 3, 4, 6, 8, 12), (("show_as", "maps"),)),
    "mask_painter": Moved(painter, "head", range(4)),
    "mask_painter, both": Moved(painter, "words", range(9), (("causal", True),)),
    "rotary_clocks": Moved(rotary_clocks, "both", range(0, 200, 20)),
    "cache_explorer": Moved(cache_of_chapter_8, "model", PUBLISHED),
    "model, lines": Moved(of_a_model, "layer", range(6)),
    "model, maps": Moved(of_a_model, "query_from", range(16), (("show_as", "maps"),)),
    "model, one head": Moved(of_a_model, "layer", range(6), (("show_as", "maps"), ("head_shown", 3))),
}


def redraws(moved: Moved) -> list[tuple[float, float]]:
    """Return the milliseconds of the processor and of the clock of REDRAWS redraws, after one that warms up."""
    explorer = moved.make()
    for control, value in moved.before:
        explorer.controls[control].value = value
    ends: list[tuple[float, float]] = []
    for sent in (explorer.picture, explorer.words):
        sent.observe(lambda _: ends.append((time.process_time(), time.perf_counter())), names="value")
    taken = []
    values = itertools.cycle(moved.values)
    while len(taken) <= REDRAWS:
        value = next(values)
        if explorer.controls[moved.control].value == value:
            continue
        scaling_numbers.cache_clear()
        ends.clear()
        processor, clock = time.process_time(), time.perf_counter()
        explorer.controls[moved.control].value = value
        processor_end, clock_end = ends[-1]
        taken.append((1000 * (processor_end - processor), 1000 * (clock_end - clock)))
    return taken[1:]


def main() -> int:
    """Print a line for each widget, or each whose name begins with an argument; 1 if one of them is too slow."""
    wanted = sys.argv[1:]
    width = max(map(len, WIDGETS)) + 2
    print(f"{'widget':<{width}}{'median':>8}{'9 in 10':>9}{'by the clock':>14}   ms; limit {LIMIT}")
    too_slow = False
    for name, moved in WIDGETS.items():
        if wanted and not name.startswith(tuple(wanted)):
            continue
        processor, clock = zip(*redraws(moved), strict=True)
        median, slow = statistics.median(processor), statistics.quantiles(processor, n=10)[-1]
        too_slow |= slow >= LIMIT
        verdict = "ok" if slow < LIMIT else "TOO SLOW"
        print(f"{name:<{width}}{median:>8.0f}{slow:>9.0f}{statistics.median(clock):>14.0f}   {verdict}")
    return int(too_slow)


if __name__ == "__main__":
    raise SystemExit(main())
