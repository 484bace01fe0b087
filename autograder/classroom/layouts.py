"""The layouts in which learners' files come out of an LMS, or lie where people put them."""

from __future__ import annotations

from enum import StrEnum


class Layout(StrEnum):
    """Who named a file that was handed in."""

    CANVAS = "canvas"
    CANVAS_QUIZ = "canvas quiz"
    MOODLE = "moodle"
    EXCHANGE = "nbgrader's exchange"
    BLACKBOARD = "blackboard"
    BRIGHTSPACE = "brightspace"
    GRADESCOPE = "gradescope"
    SAKAI = "sakai"
    PLAIN = "plain"
