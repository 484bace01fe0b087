"""Restores the release's imports in a learner's notebook.

Every exercise relies on them, so one typing error in that cell would cost all points. `autograder.realign.realign`
calls this for an imports cell that differs from the released one.
"""

from __future__ import annotations

import ast
import copy

from nbformat import NotebookNode

from ..notebook.lines import lines_of
from ..notebook.outline import outline, parse
from .pieces import Piece
from .release import Slot
from .repairs import Kind, Repair


def restore(piece: Piece, slot: Slot, repairs: list[Repair]) -> list[NotebookNode]:
    """Replace the cell of `piece` by the released one, and return the cells to add below it, with the learner's code.

    If that code does not parse, its valid imports are repeated in a separate cell.
    """
    source = piece.source
    if not _only_adds(source, slot.cell.source):
        repairs.append(Repair(Kind.CHECK_EDITED, "imports"))
    piece.cell.source = slot.cell.source
    known = {line.strip() for line in ("", *lines_of(slot.cell.source))}
    others = [line for line in lines_of(source) if line.strip() not in known]
    below = [source] if others else []
    if below and not outline(source).parses and (lines := [line for line in others if outline(line).only_imports]):
        below.insert(0, "\n".join(lines))
    return [_cell(piece, text) for text in below]


def _cell(piece: Piece, source: str) -> NotebookNode:
    cell = copy.deepcopy(piece.cell)
    cell.pop("id", None)
    cell.source = source
    return cell


def _only_adds(source: str, released: str) -> bool:
    """Return whether `source` has each import of `released` exactly once, and no bare name or constant, e.g. a typo."""
    there, wanted = (parse(text) for text in (source, released))
    if there is None or wanted is None:
        return False
    statements = [ast.dump(node) for node in there.body]
    bare = any(isinstance(node, ast.Expr) and isinstance(node.value, (ast.Name, ast.Constant)) for node in there.body)
    return not bare and all(statements.count(ast.dump(node)) == 1 for node in wanted.body)
