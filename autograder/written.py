"""What a learner wrote for one exercise, wherever in the notebook it stands: what the look for forbidden names reads.

`autograder.nbgrader_steps.Execute` asks it before it runs a submission. It reads source and never runs it.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Collection, Sequence

from nbformat import NotebookNode

from .outline import outline, statements
from .source_notebook import EXERCISE_MARK, grade_id


def sources(notebook: NotebookNode, exercises: Collection[str]) -> dict[str, str]:
    """Return, by exercise, the source of every cell in which the learner writes it, wherever it stands, and of the
    helpers that it calls from other cells. Another exercise is no helper: it has its own rules.
    """
    cells = [(grade_id(cell), cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    return {exercise: _source_of(cells, exercise, exercises) for exercise in exercises}


def _source_of(cells: Sequence[tuple[str, str]], exercise: str, exercises: Collection[str]) -> str:
    """Return what `sources` says of one exercise.

    Args:
        cells: nbgrader's name and the source of each.
    """
    mark = f"{EXERCISE_MARK}{exercise}\n"
    own: list[str] = []
    others: list[str] = []
    for name, source in cells:
        written = name == exercise or source.startswith(mark) or exercise in outline(source).binds
        (own if written else others).append(source)
    return "\n".join([*own, *_helpers(own, others, exercises)])


def _helpers(own: Sequence[str], others: Sequence[str], exercises: Collection[str]) -> list[str]:
    """Return the statements of `others` that give a meaning to a name that `own` reads, directly or through others."""
    binders: dict[str, list[str]] = {}  # by name
    for statement in itertools.chain.from_iterable(map(statements, others)):
        for name in outline(statement).binds:
            binders.setdefault(name, []).append(statement)
    found: dict[str, None] = {}  # in the order in which they are needed
    known = set(exercises)
    wanted = [name for source in own for name in outline(source).uses]
    while wanted:
        name = wanted.pop()
        if name not in known:
            known.add(name)
            new = [statement for statement in binders.get(name, ()) if statement not in found]
            found |= dict.fromkeys(new)
            wanted += [used for statement in new for used in outline(statement).uses]
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
