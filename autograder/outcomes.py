"""The ways in which grading a submission can end."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How grading a submission ended.

    `NEEDS_REVIEW` means that the fault is the grader's, or cannot be told: such a submission never gets a zero.
    """

    GRADED = "graded"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    UNREADABLE = "unreadable"
    NEEDS_REVIEW = "needs review"
