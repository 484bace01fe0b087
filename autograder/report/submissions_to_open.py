"""The submissions that a person should open: why, and what to do about each. The report puts them first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from ..classroom.results import NOT_GRADED, ClassResults
from ..outcomes import Outcome

BY_HAND = "score by hand"


@dataclass(frozen=True)
class Advice:
    """What an outcome means, and what an instructor does about it."""

    means: str
    do: str


# The most pressing first.
ADVICE = {
    Outcome.NEEDS_REVIEW: Advice(
        "The grader could not judge it. That is no fault of the learner, and no zero.",
        "Run autograder grade again. If it stays, open the notebook and give the points in the formgrader.",
    ),
    Outcome.CRASHED: Advice(
        "The notebook ended its own kernel. Checks that were not reached have no points.",
        "Open the feedback, find the cell that ends it, and tell the learner; a mended notebook is collected with "
        "--update and graded again.",
    ),
    Outcome.TIMEOUT: Advice(
        "A cell ran too long and was stopped. What could be judged has its points.",
        "Look for an endless loop. If the cell is honest and slow, raise c.Execute.timeout in nbgrader_config.py "
        "and run autograder grade --regrade.",
    ),
    Outcome.UNREADABLE: Advice(
        "The file could not be read as a notebook, so there is no score.",
        "Ask for the .ipynb file again, then run autograder collect --update and autograder grade.",
    ),
    BY_HAND: Advice(
        "A score that was set by hand stands over a newer judgement.",
        "Open it in the formgrader, where it waits for a grade, and keep or change the score.",
    ),
    Outcome.GRADED: Advice(
        "It has its score, and what happened while it ran is worth a look.",
        "Open it in the formgrader, read what it runs, and talk to the learner where it was no accident.",
    ),
    NOT_GRADED: Advice("It was handed in, and has not been graded yet.", "Run autograder grade."),
}


@dataclass(frozen=True)
class Concern:
    """Submissions to look at that ended in the same way for the same reason."""

    outcome: str
    advice: Advice
    reason: str
    students: tuple[str, ...]


def concerns(results: ClassResults) -> list[Concern]:
    """Gather the submissions that a person should open, the most pressing first."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for learner in results.learners:
        if learner.outcome != Outcome.GRADED or learner.reason:
            groups[learner.outcome, learner.reason].append(learner.student)
        if learner.hand_to_check:
            groups[BY_HAND, f"in {', '.join(learner.hand_to_check)}"].append(learner.student)
    order = {outcome: place for place, outcome in enumerate(ADVICE)}
    found = [
        Concern(outcome, ADVICE.get(outcome, Advice("", "Open the submission.")), reason, tuple(students))
        for (outcome, reason), students in groups.items()
    ]
    return sorted(found, key=lambda concern: (order.get(concern.outcome, -1), concern.students))
