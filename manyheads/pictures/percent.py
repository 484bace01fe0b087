"""Percentages: how a share is shown, and how a learner's guess is read."""

from __future__ import annotations


def percent(share: float) -> str:
    """Return a share of 0 … 1 as a percentage. Only 1 itself becomes 100 %."""
    text = f"{share:.1%}"
    return "99.9%" if text == "100.0%" and share < 1 else text


def guess_in_percent(share: float) -> str:
    """Return a guess as a percentage with no more digits than were typed: 0.5 is 50%."""
    return f"{100 * share:.4g}%"


def guessed_share(guess: object) -> float:
    """Return a guess, a number of percent, as a share of 0 … 1.

    Raises:
        ValueError: if it is not a number between 0 and 100.
    """
    if not isinstance(guess, (int, float)) or not 0 <= guess <= 100:
        raise ValueError(f"a guess is a number of percent between 0 and 100, and this is {guess!r}")
    return guess / 100
