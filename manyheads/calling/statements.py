"""Finds the statement that a frame is running, as it is written: its first line's number, and its beginning.

`steps.py` names a learner's lines by it.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import FrameType

_LONGEST = 48  # characters of a statement that are shown


@dataclass(frozen=True)
class Statement:
    """A statement, or the head of one that holds others.

    Args:
        line: the number of its first line, in its cell or file.
        source: its text on one line; where that is long, what it binds or how it begins, and "…".
    """

    line: int
    source: str


def statement_at(frame: FrameType) -> Statement:
    """Return the statement that `frame` is running."""
    line = frame.f_lineno
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
    found = _statements("".join(lines)).get(line)
    if found is not None:
        return found
    return Statement(line, _shortened(lines[line - 1]) if 0 < line <= len(lines) else "")


@lru_cache(maxsize=64)
def _statements(source: str) -> dict[int, Statement]:
    """Return each line's statement."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[int, Statement] = {}
    for node in _in_order(tree):
        first, last = node.lineno, node.end_lineno or node.lineno
        body = [inner.lineno for inner in ast.iter_child_nodes(node) if isinstance(inner, ast.stmt)]
        if body:  # its head only
            last = max(first, min(body) - 1)
        statement = Statement(first, _brief(node, source) if not body else _shortened(source.splitlines()[first - 1]))
        found.update(dict.fromkeys(range(first, last + 1), statement))
    return found


def _in_order(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield all statements, those that hold others before what they hold."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.stmt):
            yield inner
        yield from _in_order(inner)


def _brief(node: ast.stmt, source: str) -> str:
    whole = " ".join((ast.get_source_segment(source, node) or "").split())
    if len(whole) <= _LONGEST:
        return whole
    match node:
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
            return f"{_shortened(ast.unparse(target))} = …"
        case ast.Return():
            return "return …"
        case _:
            return _shortened(whole)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"
