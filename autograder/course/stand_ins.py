"""Makes stand-ins: the reference solution of one exercise as self-contained source.

`autograder.course.chapter` uses them for exams and for later chapters. Since a stand-in is the reference's own code,
exercises that build on it measure and differentiate the same operations as with a learner's correct solution.
"""

from __future__ import annotations

from collections.abc import Mapping

from manyheads.source.reached import reached


def self_contained(exercise: str, cells: Mapping[str, str]) -> str:
    """Return the statements of `cells` that `exercise` needs, directly or indirectly, in their order.

    Args:
        cells: source by label, in the lesson's order: the imports, then the reference solutions. Exercises of earlier
            chapters are imported from `manyheads.earlier`, and stay imports.
    """
    return "".join(f"{statement.text}\n" for statement in reached(cells.values(), exercise))
