"""The course's chapters, and a parameter for tests of each."""

from __future__ import annotations

import pytest

from autograder.course.chapter import REPOSITORY_ROOT, read_chapters

CHAPTERS = read_chapters(REPOSITORY_ROOT / "solutions")
chapters = pytest.mark.parametrize("chapter", CHAPTERS, ids=[chapter.name for chapter in CHAPTERS])
SECRET = "a class's own seed"  # one for all tests: setting a chapter's exams takes seconds, and the same are kept


def chapters_of_every_run(*names: str) -> pytest.MarkDecorator:
    """A parameter `chapter`: those that are named in every run, the others every night."""
    every = [pytest.param(one, id=one.name, marks=[pytest.mark.thorough] * (one.name not in names)) for one in CHAPTERS]
    return pytest.mark.parametrize("chapter", every)
