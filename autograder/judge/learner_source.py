"""Collects the source that a learner wrote for each exercise, from the whole notebook.

`autograder.nbgrader_steps.execute.Execute` calls it before it runs a submission, and the judge searches the source for
forbidden names. It reads source and never runs it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from nbformat import NotebookNode

from ..course.notebooks import EXERCISE_PREFIX, grade_id
from ..notebook.outline import outline, statements


def sources(notebook: NotebookNode, exercises: Collection[str]) -> dict[str, str]:
    """Return, by exercise, the source of all cells that define it, and of the helpers in other cells that it uses.

    Other exercises do not count as helpers, because they have their own rules.
    """
    cells = [(grade_id(cell), cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    helpers = _Helpers(cells, exercises)
    return {exercise: _source_of(cells, exercise, helpers) for exercise in exercises}


def _source_of(cells: Sequence[tuple[str, str]], exercise: str, helpers: _Helpers) -> str:
    """Return the source of one exercise and its helpers.

    Args:
        cells: nbgrader's id and the source of each cell.
    """
    marker_line = f"{EXERCISE_PREFIX}{exercise}\n"
    own = {
        index: source
        for index, (name, source) in enumerate(cells)
        if name == exercise or source.startswith(marker_line) or exercise in outline(source).binds
    }
    return "\n".join([*own.values(), *helpers.of(own)])


class _Helpers:
    """The statements of a notebook by the names that they bind, read once for all exercises."""

    def __init__(self, cells: Sequence[tuple[str, str]], exercises: Collection[str]) -> None:
        self._exercises = frozenset(exercises)
        self._reads = [outline(source).reads for _, source in cells]
        self._statements: list[tuple[int, str, frozenset[str]]] = []  # index of the cell, text, names that it reads
        self._binders: dict[str, list[int]] = {}  # by name, indices into the statements
        for index, (_, source) in enumerate(cells):
            for statement in statements(source):
                found = outline(statement)
                for name in found.binds - self._exercises:
                    self._binders.setdefault(name, []).append(len(self._statements))
                self._statements.append((index, statement, found.reads))

    def of(self, own: Collection[int]) -> list[str]:
        """Return the statements outside the cells `own` that bind names which these cells read, directly or indirectly.

        They are in the order in which they are found.
        """
        found: dict[str, None] = {}
        known = set(self._exercises)
        wanted = [name for index in own for name in self._reads[index]]
        while wanted:
            name = wanted.pop()
            if name in known:
                continue
            known.add(name)
            for number in self._binders.get(name, ()):
                index, statement, reads = self._statements[number]
                if index not in own and statement not in found:
                    found[statement] = None
                    wanted += reads
        return list(found)


def ready_made(source: str, granted: Collection[str]) -> str | None:
    """Return the name of a stand-in of the course that `source` uses without permission, or None.

    Args:
        granted: the exercises of earlier chapters, which may be imported from `manyheads.earlier`.
    """
    if not any(word in source for word in ("earlier", "stand_in")):
        return None
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "manyheads.earlier":
            # `whose` is allowed: a lesson's first cell uses it to print whose code the chapter continues with
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
