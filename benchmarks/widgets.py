"""How long a widget takes from a moved control to its new picture, in milliseconds: `python benchmarks/widgets.py`.

Each redraw is a new setting, as under a learner's hand; what the browser adds is not in it.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator

from autograder.build import REPOSITORY_ROOT
from autograder.chapter import read_chapter
from manyheads.widgets import head_map, scaling_explorer
from manyheads.widgets.explorer import Explorer
from manyheads.widgets.head_map import TOKENS
from manyheads.widgets.scaling import D_HEADS, scaling_numbers

REDRAWS = 40
LIMIT = 100  # milliseconds
REFERENCE = read_chapter(REPOSITORY_ROOT / "solutions" / "01_single_head").namespace()


def redraws(explorer: Explorer, control: str, values: Iterator[object]) -> list[float]:
    """Return the milliseconds of each of REDRAWS redraws, after one that warms up."""
    taken = []
    for value in itertools.islice(values, REDRAWS + 1):
        scaling_numbers.cache_clear()
        start = time.perf_counter()
        explorer.controls[control].value = value
        taken.append(1000 * (time.perf_counter() - start))
    return taken[1:]


def main() -> None:
    """Print the median and the slowest of ten for each widget."""
    causal = head_map(REFERENCE["attention"], REFERENCE["causal_mask"])
    causal.controls["causal"].value = True
    rows = {
        "scaling_explorer": redraws(scaling_explorer(), "d_head", itertools.cycle(D_HEADS)),
        "head_map": redraws(
            head_map(REFERENCE["attention"], REFERENCE["causal_mask"]), "query", itertools.cycle(range(len(TOKENS)))
        ),
        "head_map, causal": redraws(causal, "query", itertools.cycle(range(len(TOKENS)))),
    }
    print(f"{'widget':<18} {'median ms':>10} {'9 in 10 under':>14}   limit {LIMIT} ms")
    for name, taken in rows.items():
        median, slow = statistics.median(taken), statistics.quantiles(taken, n=10)[-1]
        print(f"{name:<18} {median:>10.0f} {slow:>14.0f}   {'ok' if median < LIMIT else 'TOO SLOW'}")


if __name__ == "__main__":
    main()
