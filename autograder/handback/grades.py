"""The grades of a class for one assignment, as `autograder.handback.export` writes them into gradebooks.

A submission that a person must look at first has no grade yet: a fault that may be the grader's is never a zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..classroom.class_folder import ClassFolder
from ..classroom.person import Person
from ..classroom.results import class_results
from ..classroom.roster import roster
from ..outcomes import Outcome

NOT_SUBMITTED = "not submitted"


@dataclass(frozen=True)
class Grade:
    """One learner's grade.

    Args:
        person: the learner.
        score: points, with an instructor's changes and late penalties; None if there is no grade.
        outcome: how grading the submission ended, or "not submitted".
        reason: why there is no grade, in words.
        exercises: points by exercise, before late penalties; empty if nothing was graded.
    """

    person: Person
    score: float | None
    outcome: str
    reason: str = ""
    exercises: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Grades:
    """All grades for one assignment.

    Args:
        assignment: its name.
        title: the lesson's title.
        points: maximum points by exercise.
        grades: by student id, sorted.
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
        """Grades of learners who submitted but have no score yet."""
        return [grade for grade in self.grades.values() if grade.score is None and grade.outcome != NOT_SUBMITTED]

    @property
    def missing(self) -> list[Grade]:
        """Grades of learners without a submission."""
        return [grade for grade in self.grades.values() if grade.outcome == NOT_SUBMITTED]


def class_grades(folder: ClassFolder, assignment: str) -> Grades:
    """Return the grades for `assignment`, with people on the roster who submitted nothing."""
    people = {person.student: person for person in roster(folder)}
    results = class_results(folder, assignment)
    grades = {student: Grade(person, None, NOT_SUBMITTED) for student, person in people.items() if person.listed}
    for learner in results.learners:
        person = people.get(learner.student) or Person(learner.student, listed=False)
        score = learner.final_score
        if learner.outcome != Outcome.GRADED and not learner.changed_by_hand:
            score = None  # until a person has set a score in the formgrader
        earned = {name: result.earned for name, result in learner.exercises.items()}
        grades[learner.student] = Grade(person, score, learner.outcome, learner.reason, earned)
    return Grades(assignment, results.title, results.points, dict(sorted(grades.items())))
