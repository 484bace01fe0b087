"""The ways in which grading a submission can end."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How grading a submission ended.

    `NEEDS_REVIEW` means that the grader is, or may be, at fault: such a submission has no score, never a zero.
    """

    GRADED = "graded"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    UNREADABLE = "unreadable"
    NEEDS_REVIEW = "needs review"
