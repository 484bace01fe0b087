"""The quizzes: no answer gives itself away by its length, and each explains itself."""

from __future__ import annotations

import re

import pytest

from autograder.course.chapter import REPOSITORY_ROOT, Chapter, read_chapters
from manyheads import quiz as quizzes
from manyheads.quiz import Question

CHAPTERS = read_chapters(REPOSITORY_ROOT / "solutions")


def questions(chapter: Chapter, monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    asked: list[Question] = []
    monkeypatch.setattr(quizzes, "quiz", lambda *shown: asked.extend(shown))
    for cell in chapter.cells:
        if cell.metadata.get("role") == "quiz":
            exec(cell.source, {})
    return asked


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_the_right_answer_is_never_the_longest(chapter: Chapter, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = questions(chapter, monkeypatch)

    assert len(asked) >= 4
    for question in asked:
        right, *wrong = sorted(question.answers, key=lambda answer: not answer.correct)
        assert not any(answer.correct for answer in wrong)
        assert len(right.text) <= max(len(answer.text) for answer in wrong), question.text


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_every_answer_is_explained_and_none_is_there_twice(chapter: Chapter, monkeypatch: pytest.MonkeyPatch) -> None:
    for question in questions(chapter, monkeypatch):
        answers = [answer.text for answer in question.answers]
        assert len(set(answers)) == len(answers) >= 3
        assert all(len(answer.feedback) > 10 for answer in question.answers)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_no_explanation_repeats_the_verdict_before_it(chapter: Chapter, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = re.compile(r"(yes|no|right|correct|wrong|true|false|not quite)\s*[.,:;!]", re.IGNORECASE)
    for question in questions(chapter, monkeypatch):
        assert [answer.feedback for answer in question.answers if verdict.match(answer.feedback)] == []
