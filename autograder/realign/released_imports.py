"""Puts the release's imports back where a learner's notebook has them changed.

Every exercise relies on them, so one stray key in that cell would cost all points. `autograder.realign.realign` calls
this for a cell that takes their place and is not as it was handed out.
"""

from __future__ import annotations

import ast
import copy

from nbformat import NotebookNode

from ..notebook.lines import lines_of
from ..notebook.outline import outline, parse
from .pieces import Piece
from .release import Slot
from .repairs import CHECK_EDITED, Repair


def restore(piece: Piece, slot: Slot, repairs: list[Repair]) -> list[NotebookNode]:
    """Make the cell of `piece` the release's, and return cells that belong below it: what the learner had there.

    Where that does not parse, the lines of it that do, and import, are in a cell of their own.
    """
    source = piece.source
    if not _only_adds(source, slot.cell.source):
        repairs.append(Repair(CHECK_EDITED, "imports"))
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
    """Return whether `source` has every import of `released` once, and beside them nothing that looks like a slip."""
    there, wanted = (parse(text) for text in (source, released))
    if there is None or wanted is None:
        return False
    statements = [ast.dump(node) for node in there.body]
    bare = any(isinstance(node, ast.Expr) and isinstance(node.value, (ast.Name, ast.Constant)) for node in there.body)
    return not bare and all(statements.count(ast.dump(node)) == 1 for node in wanted.body)
