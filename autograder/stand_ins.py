"""Makes stand-ins: the reference's own code of one exercise, as source that needs nothing around it.

`autograder.chapter` asks, for exams and for later chapters. Whoever builds on an exercise then measures and
differentiates the same operations, whether the code is the course's or their own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from .outline import outline


def self_contained(exercise: str, cells: Mapping[str, str]) -> str:
    """Return the statements of `cells` that `exercise` needs, directly or through others, in their order.

    Args:
        cells: source by label, in the lesson's order: the imports, then the reference solutions. What an earlier
            chapter built is imported from `manyheads.earlier` there, and here.
    """
    statements = [statement for source in cells.values() for statement in _statements(source)]
    wanted, needed = {exercise}, set[int]()
    again = True
    while again:
        again = False
        for place, statement in enumerate(statements):
            if place not in needed and outline(statement).binds & wanted:
                needed.add(place)
                wanted |= outline(statement).uses
                again = True
    return "\n".join(statements[place] for place in sorted(needed)) + "\n"


def _statements(source: str) -> Iterator[str]:
    """Yield the statements of a cell; an import of several names in parts, since not every name is needed."""
    lines = source.splitlines()
    for statement, (first, last) in zip(ast.parse(source).body, outline(source).spans, strict=True):
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                yield ast.unparse(ast.ImportFrom(statement.module, [alias], statement.level))
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                yield ast.unparse(ast.Import([alias]))
        else:
            yield "\n".join(lines[first - 1 : last])
