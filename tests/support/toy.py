"""The toy course, which has nothing to do with attention, and types of the fixtures that work with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.classroom.class_folder import ClassFolder

TOY_COURSE = Path(__file__).parents[1] / "toy_course"
TOY = "00_rows"
HandIn = Callable[[ClassFolder, str, Mapping[str, str]], Path]


@dataclass(frozen=True)
class Said:
    """The result of a command that was run in this process, without importing anything again."""

    code: int
    out: str
    err: str


Here = Callable[..., Said]
