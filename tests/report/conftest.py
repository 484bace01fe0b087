"""A class's results, which both tests of the report use."""

from __future__ import annotations

import pytest

from autograder.classroom.results import ClassResults, MisconceptionCount, State
from autograder.outcomes import Outcome
from tests.support.class_results import HINT, learner, results, unjudged


@pytest.fixture
def small_class() -> ClassResults:
    """Seven learners, five of them with scores: 10, 8, 7.5, 5 and 2 of 10."""
    return results(
        learner("ada", State.RIGHT, State.RIGHT, State.RIGHT),
        learner("bo", State.WRONG, State.RIGHT, State.CARRIED, hand=True),
        learner(
            "chen",
            State.RIGHT,
            State.RIGHT,
            State.PARTLY,
            outcome=Outcome.TIMEOUT,
            reason="cell 12 ran longer than 30 s",
        ),
        learner("dora", State.RIGHT, State.RIGHT, State.WRONG),
        learner("emeka", State.RIGHT, State.UNWRITTEN, State.UNKNOWN),
        unjudged("fay", Outcome.UNREADABLE, "no notebook inside"),
        unjudged("gus", Outcome.NEEDS_REVIEW, "the worker went away"),
        mistakes=(
            MisconceptionCount(
                "MultiHeadAttention", "left out the projection", "The heads never mix.", ("chen", "dora")
            ),
            MisconceptionCount("attention_scores", "forgot to scale", HINT, ("bo",)),
        ),
    )
