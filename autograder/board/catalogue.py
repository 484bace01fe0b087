"""What the board knows of the course: exercises, their order, and the hints of the mistakes that checks can name.

Only names that are here are ever shown: nothing that a learner's machine sends can put other text onto the board.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..classroom.class_folder import ClassFolder


@dataclass(frozen=True)
class KnownExercise:
    """An exercise of the course.

    Args:
        name: the function or class that learners write.
        chapter: the title of its chapter.
        hints: the hint for each mistake that its checks can name.
    """

    name: str
    chapter: str
    hints: Mapping[str, str]


def catalogue(folder: ClassFolder, assignments: Sequence[str] = ()) -> dict[str, KnownExercise]:
    """Return the exercises of a class's chapters by name, in the course's order.

    Args:
        assignments: the chapters; by default, all.
    """
    known: dict[str, KnownExercise] = {}
    for assignment in assignments or folder.assignments():
        chapter = folder.chapter(assignment)
        for exercise in chapter.exercises.values():
            hints = {mistake.name: mistake.hint for mistake in exercise.misconceptions}
            known[exercise.name] = KnownExercise(exercise.name, chapter.title, hints)
    return known
