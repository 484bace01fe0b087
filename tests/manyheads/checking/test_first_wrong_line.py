"""Up to which line a wrong solution is right: what is said of it, and that all of it is true."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pytest
import torch

from autograder.course.chapter import Chapter
from autograder.course.milestones import with_milestones
from manyheads.calling import probe
from manyheads.calling.steps import Recording, Step
from manyheads.checking import first_wrong_line
from manyheads.checking.comparison import first_divergence
from manyheads.checking.exam import Exam
from manyheads.checking.exam_files import all_exams
from tests.manyheads.attempts import ATTEMPTS, Attempt
from tests.support.mutants import mutants
from tests.support.real_course import CHAPTERS


def chapter_of(number: str) -> Chapter:
    return next(chapter for chapter in CHAPTERS if chapter.name.startswith(number))


@lru_cache
def judges(chapter: Chapter, exercise: str) -> Exam:
    """The visible cases with the milestones' own numbers, as the judge has them of its secret ones."""
    reference = chapter.namespace()
    words = chapter.exercises[exercise].milestones
    return with_milestones(all_exams()[exercise], words, reference[exercise], reference)


def recorded(exam: Exam, namespace: Mapping[str, Any]) -> list[tuple[Any, Recording]]:
    for trial in exam.trials:  # as a check does first: what is imported at a first call is not recorded
        probe.run(namespace[exam.exercise], trial.call, exam.probe, namespace=namespace)
    return [probe.record(namespace[exam.exercise], trial.call, exam.probe, namespace) for trial in exam.trials]


def namespace_with(chapter: Chapter, attempt: Attempt) -> dict[str, Any]:
    namespace = chapter.namespace({attempt.exercise: attempt.source})
    exec(compile(attempt.helpers, "<another cell>", "exec"), namespace)
    return namespace


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=[f"{one.exercise}: {one.style}" for one in ATTEMPTS])
@pytest.mark.parametrize("whose", ["learner", "judge"])
def test_it_is_said_up_to_which_line_an_attempt_is_right(attempt: Attempt, whose: str) -> None:
    chapter = chapter_of(attempt.chapter)
    exam = all_exams()[attempt.exercise] if whose == "learner" else judges(chapter, attempt.exercise)
    text = first_wrong_line.explain(exam, recorded(exam, namespace_with(chapter, attempt)))
    place = 0
    for part in attempt.said:
        found = text.lower().find(part.lower(), place)
        assert found >= 0, f"{part!r} is not in {text!r}"
        place = found + len(part)
    if not attempt.said:
        assert text == ""


@pytest.mark.parametrize("chapter", CHAPTERS, ids=[chapter.name for chapter in CHAPTERS])
def test_nothing_is_said_of_right_solutions(chapter: Chapter) -> None:
    for exercise, alternative in chapter.alternatives():
        exam = all_exams()[exercise.name]
        namespace = chapter.namespace({exercise.name: alternative.code})
        assert first_wrong_line.explain(exam, recorded(exam, namespace)) == "", f"{exercise.name}: {alternative.name}"


_RIGHT = re.compile(r"[Ll]ine (\d+)(?: of (\w[\w.]*))?, `[^`]*`, (gives|computes) the right (\w+)")
_NONE = re.compile(r"Next should come the (\w+),[^;]*; none of your lines gives these numbers")


MUTATED = [("01", "attention"), ("01", "SingleHeadAttention"), ("04", "split_heads"), ("06", "sink_score")]


@pytest.mark.parametrize(("number", "exercise"), MUTATED)
def test_all_that_is_said_of_mutants_is_true(number: str, exercise: str) -> None:
    """Each claim is computed again from the steps and the reference's own numbers, with none of what made it."""
    chapter = chapter_of(number)
    sealed, whole = all_exams()[exercise], judges(chapter, exercise)
    sources = [chapter.reference[exercise], *(one.code for one in chapter.exercises[exercise].alternatives)]
    said = 0
    for source in [one for right in sources for one in mutants(right)][::10]:
        try:
            given = recorded(sealed, chapter.namespace({exercise: source}))
        except Exception:  # not even the cell runs
            continue
        text = first_wrong_line.explain(sealed, given)
        if not text:
            continue
        said += 1
        wrong = [index for index, (trial, (answer, _)) in enumerate(zip(whole.trials, given, strict=True))
                 if first_divergence(whole, trial, answer, "outputs") is not None]  # fmt: skip
        assert wrong, f"{text}\n{source}"
        trial, (_, recording) = whole.trials[wrong[0]], given[wrong[0]]
        numbers = {one.words: one.numbers for one in trial.milestones}
        for line, _, _, noun in _RIGHT.findall(text):
            rights = [value for words, value in numbers.items() if words.startswith(f"the {noun}")]
            values = [step.value for step in recording.steps if step.line == int(line)]
            rounds = [torch.stack(values)] if len({value.shape for value in values}) == 1 else []
            assert any(_same_entries(right, value) for right in rights for value in (*values, *rounds)), (
                f"{text}\n{source}"
            )
        for noun in _NONE.findall(text):
            rights = [value for words, value in numbers.items() if words.startswith(f"the {noun}")]
            assert not all(
                any(step.value.shape == right.shape and torch.allclose(step.value.double(), right.double())
                    for step in recording.steps) for right in rights
            ), f"{text}\n{source}"  # fmt: skip
    assert said


def _same_entries(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.numel() != other.numel():
        return False
    ordered = [value.double().flatten().sort().values for value in (one, other)]
    return torch.allclose(ordered[0], ordered[1], rtol=1e-3, atol=1e-4, equal_nan=True)


def test_steps_that_lie_change_no_more_than_words() -> None:
    exam = judges(chapter_of("01"), "attention")
    answer = exam.trials[0].right
    wrong = type(answer)(value=tuple(torch.zeros_like(part) for part in answer.value))  # type: ignore[union-attr]
    lies = [
        Step(1, "</pre><script>alert(1)</script>" * 3, "f" * 200, "`" * 50, 0, place, milestone.numbers)
        for place, milestone in enumerate(exam.trials[0].milestones)
    ]
    extremes = [torch.full((5,), float("nan")), torch.tensor([float("inf")]), torch.zeros(0, 3), torch.ones(2, 2, 2)]
    lies += [Step(10**6, "x", "y", "z", 9, 9, value) for value in extremes]
    text = first_wrong_line.explain(exam, [(wrong, Recording(tuple(lies), True))] * len(exam.trials))
    assert len(text) < 2000


def test_a_milestone_that_is_missing_in_an_incomplete_recording_is_not_called_missing() -> None:
    chapter, attempt = chapter_of("06"), next(one for one in ATTEMPTS if one.exercise == "sink_score")
    exam = judges(chapter, "sink_score")
    given = [(answer, Recording(recording.steps, False))
             for answer, recording in recorded(exam, namespace_with(chapter, attempt))]  # fmt: skip
    assert "none of your lines" not in first_wrong_line.explain(exam, given)
