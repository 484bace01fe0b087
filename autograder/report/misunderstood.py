"""Computes what a class misunderstood: pass rates, where learners are stuck, and mistakes that recur or co-occur.

All of it is computed from the class's results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from ..classroom.results import ClassResults, ExerciseResult, LearnerResult, State

_MOST_PAIRS = 8
_UNSOLVED_STATES = (
    State.PARTLY,
    State.WRONG,
    State.UNWRITTEN,
    State.UNKNOWN,
    State.RIGHT,  # this and the next if a manual score took points
    State.CARRIED,
)


@dataclass(frozen=True)
class ExerciseShare:
    """One exercise's pass rate.

    Args:
        exercise: its name.
        solved: the number of learners with all its points.
        judged: the number of learners for whom it was judged.
        rate: `solved / judged`, None if it was judged for nobody.
        carried: how many of the solved were judged with stand-ins.
        rest: the states of the others, each with its count.
        unsolved_by: the students who did not solve it.
        stuck: those of them who solved neither this exercise nor any later one.
    """

    exercise: str
    solved: int
    judged: int
    rate: float | None
    carried: int
    rest: tuple[tuple[State, int], ...]
    unsolved_by: tuple[str, ...]
    stuck: tuple[str, ...]


@dataclass(frozen=True)
class Occurrence:
    """An exercise in which a mistake was made: the assignment's title, the exercise, and the number of learners."""

    title: str
    exercise: str
    count: int


@dataclass(frozen=True)
class Crossing:
    """One mistake that was made in several exercises.

    Args:
        name: the mistake.
        occurrences: the exercises in which it was made, in the course's order.
        learners: how many made it.
        again: how many made it in more than one exercise.
    """

    name: str
    occurrences: tuple[Occurrence, ...]
    learners: int
    again: int


@dataclass(frozen=True)
class Pair:
    """Two mistakes made by the same learners, each as (exercise, mistake), with the number of these learners."""

    one: tuple[str, str]
    other: tuple[str, str]
    count: int


def solved(result: ExerciseResult) -> bool:
    return result.earned >= result.points


def exercise_shares(results: ClassResults) -> list[ExerciseShare]:
    """Return the pass rate and the states of each exercise, in the lesson's order."""
    stopped = {learner.student: _stopped_at(learner) for learner in results.learners}
    shares = []
    for exercise in results.points:
        judged = {
            learner.student: learner.exercises[exercise]
            for learner in results.learners
            if exercise in learner.exercises
        }
        others = {student: result for student, result in judged.items() if not solved(result)}
        states = Counter(result.state for result in others.values())
        shares.append(
            ExerciseShare(
                exercise,
                solved=len(judged) - len(others),
                judged=len(judged),
                rate=results.pass_rate(exercise),
                carried=sum(result.state == State.CARRIED and solved(result) for result in judged.values()),
                rest=tuple((state, states[state]) for state in _UNSOLVED_STATES if states[state]),
                unsolved_by=tuple(others),
                stuck=tuple(student for student in others if stopped[student] == exercise),
            )
        )
    return shares


def crossings(shown: Sequence[ClassResults]) -> list[Crossing]:
    """Return the mistakes that were made in several exercises, those of most learners first."""
    occurrences: dict[str, list[Occurrence]] = {}
    made: dict[str, Counter[str]] = {}
    for results in shown:
        order = list(results.points)
        for mistake in sorted(results.misconceptions, key=lambda mistake: order.index(mistake.exercise)):
            here = Occurrence(results.title, mistake.exercise, len(mistake.students))
            occurrences.setdefault(mistake.name, []).append(here)
            made.setdefault(mistake.name, Counter()).update(mistake.students)
    found = [
        Crossing(name, tuple(where), len(made[name]), sum(times > 1 for times in made[name].values()))
        for name, where in occurrences.items()
        if len(where) > 1
    ]
    return sorted(found, key=lambda crossing: (-crossing.learners, -len(crossing.occurrences)))


def pairs(results: ClassResults) -> list[Pair]:
    """Return the pairs of mistakes that at least two learners made together, the commonest first."""
    together: Counter[tuple[tuple[str, str], tuple[str, str]]] = Counter()
    for learner in results.learners:
        own = [(name, mistake) for name, done in learner.exercises.items() for mistake in done.misconceptions]
        together.update(combinations(own, 2))
    return [Pair(one, other, count) for (one, other), count in together.most_common(_MOST_PAIRS) if count > 1]


def _stopped_at(learner: LearnerResult) -> str | None:
    """Return the first exercise after a learner's last solved one, None if the last exercise is solved."""
    found = None
    for exercise, result in learner.exercises.items():
        found = None if solved(result) else found or exercise
    return found
