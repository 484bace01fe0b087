"""Bins a class's scores for the report's bar chart."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from ..classroom.csv_table import number
from ..classroom.results import ClassResults

_MOST_BARS, _MOST_RANGES = 12, 8  # without the bar for full marks; more labels would not fit
_STEPS = tuple(step * 10**power for power in range(9) for step in (1, 2, 4, 5))


@dataclass(frozen=True)
class HistogramBar:
    """A bar of the score distribution. `label` is the short text below the bar; `words` says the same in full."""

    label: str
    words: str
    count: int


def histogram(results: ClassResults) -> list[HistogramBar]:
    """Return bars of equal width, and a last one for full marks alone."""
    full, scores = results.max_score, results.scores
    if not scores or full <= 0:
        return []
    whole = all(float(score).is_integer() for score in scores)
    width = next(step for step in _STEPS if full / step <= (_MOST_BARS if whole and step == 1 else _MOST_RANGES))
    bars = []
    for low in range(0, ceil(full), width):
        high = min(low + width, full)
        # Manual scores may be negative, or higher than full marks.
        count = sum((score >= low or low == 0) and score < high for score in scores)
        if whole and high - low <= 1:
            label = words = number(low)
        elif whole and float(high).is_integer():
            label, words = f"{low}–{number(high - 1)}", f"{low} to {number(high - 1)}"
        else:
            label, words = f"{low}–<{number(high)}", f"{low} to under {number(high)}"
        bars.append(HistogramBar(label, words, count))
    bars.append(HistogramBar(number(full), f"{number(full)} (full marks)", sum(score >= full for score in scores)))
    return bars


def axis(most: int) -> list[int]:
    """Return the axis ticks: evenly spaced whole numbers from 0 to at least `most`."""
    step = next(step for step in _STEPS if most / step <= 5)
    return [tick * step for tick in range(ceil(most / step) + 1)]
