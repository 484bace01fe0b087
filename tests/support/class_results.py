"""A class's results, for tests of the report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from autograder.classroom.history import Grading, Why
from autograder.classroom.results import ClassResults, ExerciseResult, LearnerResult, MisconceptionCount, State
from autograder.outcomes import Outcome

NOON = datetime(2026, 9, 28, 12, 5, tzinfo=UTC)
HOSTILE = (
    '<script>document.title = "pwned"</script><img src=x onerror="document.title=\'pwned\'">'
    "\"'><svg onload=document.title='pwned'>\x1b[31mred\x1b[0m\x1b]8;;file:///etc/passwd\x07link\x1b]8;;\x07"
    "\x00\x08\x9b2J\u202eend"
)


HINT = "Your scores are √d_head times too large."
POINTS = {"attention_scores": 2.0, "causal_mask": 3.0, "MultiHeadAttention": 5.0}


def learner(
    student: str, *states: State, hand: bool = False, outcome: str = Outcome.GRADED, reason: str = ""
) -> LearnerResult:
    """Return a learner whose exercises ended in `states`, one message for each that is not right."""
    exercises = {}
    for (exercise, points), state in zip(POINTS.items(), states, strict=True):
        earned = {State.RIGHT: points, State.CARRIED: points, State.PARTLY: points / 2}.get(state, 0.0)
        right = state in (State.RIGHT, State.CARRIED)
        exercises[exercise] = ExerciseResult(
            earned, points, state, messages=() if right else (f"{exercise}: what came\nis not what was expected",)
        )
    score = sum(result.earned for result in exercises.values())
    return LearnerResult(student, outcome, reason, score, exercises, hand)


def unjudged(student: str, outcome: str, reason: str) -> LearnerResult:
    return LearnerResult(student, outcome, reason, None)


def results(*learners: LearnerResult, mistakes: tuple[MisconceptionCount, ...] = ()) -> ClassResults:
    return ClassResults("01_single_head", "One head", POINTS, learners, mistakes)


def hostile_class() -> ClassResults:
    """A class in which every text is an attack."""
    exercise = ExerciseResult(1.0, 2.0, State.PARTLY, (HOSTILE,), (HOSTILE, f"again {HOSTILE}"))
    return ClassResults(
        HOSTILE,
        HOSTILE,
        {HOSTILE: 2.0},
        (
            LearnerResult(HOSTILE, Outcome.TIMEOUT, HOSTILE, 1.0, {HOSTILE: exercise}),
            unjudged(f"other {HOSTILE}", Outcome.UNREADABLE, HOSTILE),
            unjudged(f"third {HOSTILE}", HOSTILE, HOSTILE),
        ),
        (MisconceptionCount(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,)),),
    )


def moving(student: str, *scores: float | None, why: Why = Why.RESUBMITTED) -> LearnerResult:
    whys = (Why.FIRST, *[why] * len(scores))
    history = tuple(
        Grading(f"2026-09-{day:02}T10:00:00+00:00", score, Outcome.GRADED, why)
        for day, (score, why) in enumerate(zip(scores, whys, strict=False), 1)
    )
    return replace(learner(student, State.RIGHT, State.RIGHT, State.RIGHT), history=history)
