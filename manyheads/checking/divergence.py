"""The first place where an answer departs from the right one. `comparison.py` finds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Divergence:
    """The first place where an answer departs from the right one.

    Args:
        stage: which comparison found it, "ran" … "values".
        sentence: what is wrong, with the output's name.
        expected: what should have come, "" where the sentence says it all.
        got: what came.
        detail: one more line, such as how many entries differ.
    """

    stage: str
    sentence: str
    expected: str = ""
    got: str = ""
    detail: str = ""
