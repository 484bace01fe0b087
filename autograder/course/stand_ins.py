"""Makes stand-ins: the reference's own code of one exercise, as source that needs nothing around it.

`autograder.course.chapter` asks, for exams and for later chapters. Whoever builds on an exercise then measures and
differentiates the same operations, whether the code is the course's or their own.
"""

from __future__ import annotations

from collections.abc import Mapping

from manyheads.source.reached import reached


def self_contained(exercise: str, cells: Mapping[str, str]) -> str:
    """Return the statements of `cells` that `exercise` needs, directly or through others, in their order.

    Args:
        cells: source by label, in the lesson's order: the imports, then the reference solutions. What an earlier
            chapter built is imported from `manyheads.earlier` there, and here.
    """
    return "".join(f"{statement.text}\n" for statement in reached(cells.values(), exercise))
