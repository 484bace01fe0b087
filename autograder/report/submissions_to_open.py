"""The submissions that need a person's attention, with the reason and what to do. The report lists them first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from ..classroom.results import NOT_GRADED, ClassResults
from ..outcomes import Outcome

BY_HAND = "score by hand"


@dataclass(frozen=True)
class Advice:
    """What an outcome means, and what an instructor should do about it."""

    means: str
    do: str


# The most urgent first.
ADVICE = {
    Outcome.NEEDS_REVIEW: Advice(
        "The grader could not judge it. This is not the learner's fault, and not a zero.",
        "Run autograder grade again. If that does not help, open the notebook and set the points in the formgrader.",
    ),
    Outcome.CRASHED: Advice(
        "The notebook's code ended its kernel. Checks that were not reached have no points.",
        "Open the feedback, find the cell that ends the kernel, and tell the learner. Collect a corrected notebook "
        "with --update and grade again.",
    ),
    Outcome.TIMEOUT: Advice(
        "A cell ran too long and was stopped. Checks that could be judged have their points.",
        "Look for an endless loop. If the cell is merely slow, raise c.Execute.timeout in nbgrader_config.py "
        "and run autograder grade --regrade.",
    ),
    Outcome.UNREADABLE: Advice(
        "The file could not be read as a notebook, so there is no score.",
        "Ask for the .ipynb file again, then run autograder collect --update and autograder grade.",
    ),
    BY_HAND: Advice(
        "A score that was set by hand overrides a newer verdict.",
        "Open it in the formgrader, where it is marked as needing a manual grade, and confirm or change the score.",
    ),
    Outcome.GRADED: Advice(
        "It has a score, but something unusual happened while it ran.",
        "Open it in the formgrader and read its code. Talk to the learner if it does not look like an accident.",
    ),
    NOT_GRADED: Advice("It was submitted, but has not been graded yet.", "Run autograder grade."),
}


@dataclass(frozen=True)
class Concern:
    """Submissions that need attention, with the same outcome and reason."""

    outcome: str
    advice: Advice
    reason: str
    students: tuple[str, ...]


def concerns(results: ClassResults) -> list[Concern]:
    """Return the submissions that need a person's attention, the most urgent first."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for learner in results.learners:
        if learner.outcome != Outcome.GRADED or learner.reason:
            groups[learner.outcome, learner.reason].append(learner.student)
        if learner.manual_scores_to_check:
            groups[BY_HAND, f"in {', '.join(learner.manual_scores_to_check)}"].append(learner.student)
    order = {outcome: rank for rank, outcome in enumerate(ADVICE)}
    found = [
        Concern(outcome, ADVICE.get(outcome, Advice("", "Open the submission.")), reason, tuple(students))
        for (outcome, reason), students in groups.items()
    ]
    return sorted(found, key=lambda concern: (order.get(concern.outcome, -1), concern.students))
