"""The file layouts of LMSs' downloads, and of folders that people arranged themselves."""

from __future__ import annotations

from enum import StrEnum


class Layout(StrEnum):
    """The LMS that named a submitted file, or `PLAIN` if people named it."""

    CANVAS = "canvas"
    CANVAS_QUIZ = "canvas quiz"
    MOODLE = "moodle"
    EXCHANGE = "nbgrader's exchange"
    BLACKBOARD = "blackboard"
    BRIGHTSPACE = "brightspace"
    GRADESCOPE = "gradescope"
    SAKAI = "sakai"
    PLAIN = "plain"
