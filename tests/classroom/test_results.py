"""What the report and the feedback are made of, gathered from a class's records."""

from __future__ import annotations

from autograder.classroom.results import ExerciseResult, LearnerResult, State, _misconceptions
from autograder.course.chapter import Chapter


def test_a_mistake_that_was_renamed_since_keeps_the_hint_that_its_learners_got(toy: Chapter) -> None:
    exercise, known = next(toy.misconceptions())
    message = (
        "The numbers are not right.\n\nExpected  1\nGot       2\n\n"
        "This is what comes out if you went by a former name. This hint is\nlonger than a line.\n\nMore."
    )
    results = {
        "ada": ExerciseResult(0, 1, State.WRONG, ("went by a former name",), (message,)),
        "bo": ExerciseResult(0, 1, State.WRONG, (known.name,), ("Something else.",)),
        "dora": ExerciseResult(0, 1, State.WRONG, ("forgot all",), ("No hint here.",)),
    }
    learners = tuple(LearnerResult(name, "graded", "", 0, {exercise.name: one}) for name, one in results.items())
    hints = {one.name: one.hint for one in _misconceptions(toy, learners)}
    assert hints == {
        "went by a former name": "This hint is longer than a line.",
        known.name: known.hint,
        "forgot all": "",
    }
