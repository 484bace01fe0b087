"""What a learner wrote for one exercise, wherever in the notebook it stands: what the look for forbidden names reads.

`autograder.nbgrader_steps.execute.Execute` asks it before it runs a submission. It reads source and never runs it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from nbformat import NotebookNode

from ..course.notebooks import EXERCISE_MARK, grade_id
from ..notebook.outline import outline, statements


def sources(notebook: NotebookNode, exercises: Collection[str]) -> dict[str, str]:
    """Return, by exercise, the source of every cell in which the learner writes it, wherever it stands, and of the
    helpers that it calls from other cells. Another exercise is no helper: it has its own rules.
    """
    cells = [(grade_id(cell), cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    helpers = _Helpers(cells, exercises)
    return {exercise: _source_of(cells, exercise, helpers) for exercise in exercises}


def _source_of(cells: Sequence[tuple[str, str]], exercise: str, helpers: _Helpers) -> str:
    """Return what `sources` says of one exercise.

    Args:
        cells: nbgrader's name and the source of each.
    """
    mark = f"{EXERCISE_MARK}{exercise}\n"
    own = {
        place: source
        for place, (name, source) in enumerate(cells)
        if name == exercise or source.startswith(mark) or exercise in outline(source).binds
    }
    return "\n".join([*own.values(), *helpers.of(own)])


class _Helpers:
    """What the cells of a notebook give a meaning to, statement by statement. Each is read once for all exercises."""

    def __init__(self, cells: Sequence[tuple[str, str]], exercises: Collection[str]) -> None:
        self._exercises = frozenset(exercises)
        self._uses = [outline(source).uses for _, source in cells]
        self._statements: list[tuple[int, str, frozenset[str]]] = []  # cell, text, names that it reads
        self._binders: dict[str, list[int]] = {}  # by name, places among the statements
        for place, (_, source) in enumerate(cells):
            for statement in statements(source):
                found = outline(statement)
                for name in found.binds - self._exercises:
                    self._binders.setdefault(name, []).append(len(self._statements))
                self._statements.append((place, statement, found.uses))

    def of(self, own: Collection[int]) -> list[str]:
        """Return the statements of other cells than `own` that give a meaning to a name that these read, directly or
        through others, in the order in which they are needed.
        """
        found: dict[str, None] = {}
        known = set(self._exercises)
        wanted = [name for place in own for name in self._uses[place]]
        while wanted:
            name = wanted.pop()
            if name in known:
                continue
            known.add(name)
            for number in self._binders.get(name, ()):
                place, statement, uses = self._statements[number]
                if place not in own and statement not in found:
                    found[statement] = None
                    wanted += uses
        return list(found)


def ready_made(source: str, granted: Collection[str]) -> str | None:
    """Return what `source` takes ready-made from the course's own stand-ins, None where it takes none.

    Args:
        granted: the exercises of earlier chapters: `manyheads.earlier` is there for these. What is being learnt now,
            or later, is not to be had there.
    """
    if not any(word in source for word in ("earlier", "stand_in")):
        return None
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "manyheads.earlier":
            # whose: a lesson's first cell prints with it whose code its chapter goes on with
            taken = [alias.name for alias in node.names if alias.name not in granted and alias.name != "whose"]
        elif isinstance(node, ast.ImportFrom) and node.module == "manyheads":
            taken = [alias.name for alias in node.names if alias.name == "earlier"]
        elif isinstance(node, ast.Import):
            taken = [alias.name for alias in node.names if alias.name == "manyheads.earlier"]
        elif isinstance(node, ast.Constant):
            taken = [node.value] if node.value in ("manyheads.earlier", "stand_in", "earlier") else []
        else:
            taken = ["stand_in"] if isinstance(node, ast.Attribute) and node.attr == "stand_in" else []
        if taken:
            return taken[0]
    return None
