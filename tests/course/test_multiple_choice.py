"""A graded question is an exercise without inputs, whose message never gives the right letter away."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autograder.course.chapter import Chapter, read_chapter
from autograder.course.exams import set_exams
from manyheads.calling import probe
from manyheads.calling.call import Call
from manyheads.checking import diagnosis
from manyheads.checking.diagnosis import Finding
from manyheads.checking.exam import Check
from tests.support.toy import TOY_COURSE

QUESTION = '''

# %% exercise="answer_rows"
def answer_rows() -> str:
    """Which way do rows run? a) down  b) across  c) both"""
    ### BEGIN SOLUTION
    return "b"
    ### END SOLUTION


# %% check="answer_rows.shapes" points=1
check.shapes(answer_rows)

# %% check="answer_rows.outputs" points=1
check.outputs(answer_rows)
'''
DECLARED = """
from autograder.declare import multiple_choice

EXERCISES.append(
    multiple_choice(
        "answer_rows",
        right="b",
        wrong={
            "a": ("took a row for a column", "Turn your head."),
            "c": ("took a row for a matrix", "One thing at a time."),
        },
    )
)
"""


@pytest.fixture(scope="module")
def chapter(tmp_path_factory: pytest.TempPathFactory) -> Chapter:
    """The toy chapter with a question at its end."""
    folder = shutil.copytree(TOY_COURSE, tmp_path_factory.mktemp("asks") / "course") / "solutions" / "00_rows"
    for name, text in (("lesson.py", QUESTION), ("exercises/__init__.py", DECLARED)):
        path: Path = folder / name
        path.write_text(path.read_text() + text)
    return read_chapter(folder)


def examined(chapter: Chapter, answer: object, check: Check) -> Finding | None:
    exam = set_exams(chapter, "seed")["answer_rows"]
    answers = [probe.run(lambda: answer, trial.call, exam.probe) for trial in exam.trials]
    return diagnosis.examine(exam, answers, check)


@pytest.mark.parametrize("answer", ["b", "B", " b) ", "(b)", "b."])
def test_the_right_letter_passes_however_it_is_written(chapter: Chapter, answer: str) -> None:
    assert examined(chapter, answer, Check.SHAPES) is None
    assert examined(chapter, answer, Check.OUTPUTS) is None


def test_a_wrong_letter_names_the_thought_behind_it_and_not_the_right_letter(chapter: Chapter) -> None:
    finding = examined(chapter, "a", Check.OUTPUTS)
    assert finding is not None
    assert finding.misconception == "took a row for a column"
    assert "if you took a row for a column" in str(finding.message)
    assert "Turn your head." in str(finding.message)
    assert "Expected" not in str(finding.message)
    assert "'b'" not in str(finding.message)


@pytest.mark.parametrize("answer", ["", "across", "b: across", "a good question", "bb"])
def test_an_answer_without_a_letter_is_explained(chapter: Chapter, answer: str) -> None:
    finding = examined(chapter, answer, Check.SHAPES)
    assert finding is not None
    assert str(finding.message).startswith("Answer with the letter alone, in quotes")


def test_a_letter_without_quotes_is_explained(chapter: Chapter) -> None:
    exam = set_exams(chapter, "seed")["answer_rows"]
    answers = [probe.run(lambda: b, Call({}), exam.probe)]  # pyrefly: ignore[unknown-name]  # noqa: F821
    finding = diagnosis.examine(exam, answers, Check.SHAPES)
    assert finding is not None
    assert str(finding.message).startswith('Put the letter in quotes: "b".')


@pytest.mark.parametrize("check", Check)
def test_a_letter_that_is_not_a_choice_lists_the_choices(chapter: Chapter, check: Check) -> None:
    finding = examined(chapter, "x", check)
    assert finding is not None
    assert finding.misconception is None
    assert str(finding.message).strip() == "'x' is not one of the answers: choose one of a, b, c."


@pytest.mark.parametrize("answer", [None, 2, ["b"]])
def test_something_else_than_a_letter_fails_both_checks(chapter: Chapter, answer: object) -> None:
    for check in Check:
        finding = examined(chapter, answer, check)
        assert finding is not None
        assert "'b'" not in str(finding.message)
