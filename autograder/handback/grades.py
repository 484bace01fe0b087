"""The grade of everybody in a class for one assignment, as it may leave the class folder.

`autograder.handback.export` writes them into gradebooks. A submission that a person should look at first has no grade
yet, and nobody gets a zero for a fault that may be ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..classroom.class_folder import ClassFolder
from ..classroom.person import Person
from ..classroom.results import class_results
from ..classroom.roster import roster
from ..outcomes import Outcome

NOTHING = "nothing handed in"


@dataclass(frozen=True)
class Grade:
    """One learner's grade.

    Args:
        person: who.
        score: points, an instructor's changes and late penalties included; None where there is no grade to give.
        outcome: how the submission ended, or "nothing handed in".
        reason: why there is no grade, for a person.
        exercises: points by exercise, before late penalties; empty where nothing was graded.
    """

    person: Person
    score: float | None
    outcome: str
    reason: str = ""
    exercises: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Grades:
    """Everybody's grade for one assignment, by student id.

    Args:
        assignment: its name.
        title: the lesson's title.
        points: what each exercise is worth.
        grades: by student id, in order.
    """

    assignment: str
    title: str
    points: Mapping[str, float]
    grades: Mapping[str, Grade]

    @property
    def max_score(self) -> float:
        return sum(self.points.values())

    @property
    def open(self) -> list[Grade]:
        """Those that handed in and have no grade yet."""
        return [grade for grade in self.grades.values() if grade.score is None and grade.outcome != NOTHING]

    @property
    def missing(self) -> list[Grade]:
        """Those that handed nothing in."""
        return [grade for grade in self.grades.values() if grade.outcome == NOTHING]


def class_grades(folder: ClassFolder, assignment: str) -> Grades:
    """Gather everybody's grade for `assignment`, the roster's people included who handed nothing in."""
    people = {person.student: person for person in roster(folder)}
    results = class_results(folder, assignment)
    grades = {student: Grade(person, None, NOTHING) for student, person in people.items() if person.listed}
    for learner in results.learners:
        person = people.get(learner.student) or Person(learner.student, listed=False)
        score = learner.final_score
        if learner.outcome != Outcome.GRADED and not learner.changed_by_hand:
            score = None  # until a person has looked, and has set a score in the formgrader
        earned = {name: result.earned for name, result in learner.exercises.items()}
        grades[learner.student] = Grade(person, score, learner.outcome, learner.reason, earned)
    return Grades(assignment, results.title, results.points, dict(sorted(grades.items())))
