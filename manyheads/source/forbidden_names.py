"""Finds forbidden names in a learner's source by its syntax tree. Learner's check and grader both use it.

It reads source and never runs it. Names in comments and docstrings do not count.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import lru_cache

from .reached import reached

_DEEPEST = 20  # of strings that are joined
_LONGEST = 20_000  # characters of a joined string: a short source can produce gigabytes


def forbidden_name(source: str, forbids: Iterable[str], exercise: str) -> str | None:
    """Return the first name of `forbids` that the code of `exercise` in `source` uses, or None.

    Other code, such as the learner's own comparison with torch's function, counts only if the exercise uses it. A name
    counts when it is read, imported, an attribute (`F.name`), a whole string (`getattr(F, "name")`), also one joined
    from constants, or a word of a string that is run as code. `manyheads.calling.forbidden_calls` catches calls that
    the source hides.
    """
    forbidden = frozenset(forbids)
    return _first(source, forbidden, exercise) if forbidden else None


@lru_cache(maxsize=32)  # an exercise's two checks read the same source
def _first(source: str, forbidden: frozenset[str], exercise: str) -> str | None:
    for statement in reached([source], exercise):
        for node in ast.walk(statement.node):
            for name in _names(node):
                if name in forbidden:
                    return name
    return None


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [node.attr]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [part for alias in node.names for part in alias.name.split(".")]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("exec", "eval", "compile"):
        return [word for argument in node.args for word in re.findall(r"\w+", _text(argument) or "")]
    text = _text(node)
    return [text] if text is not None else []


def _text(node: ast.AST, depth: int = 0) -> str | None:
    """Return the string value of `node` if it is a constant, or joined from constants by `+`, an f-string, join, format
    or a slice. None for anything else.
    """
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if depth > _DEEPEST:
        return None
    parts: list[str | None] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [_text(node.left, depth + 1), _text(node.right, depth + 1)]
    elif isinstance(node, ast.JoinedStr):
        parts = [_text(part.value if isinstance(part, ast.FormattedValue) else part, depth + 1) for part in node.values]
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        whole = _text(node.value, depth + 1)
        bounds = [_integer(bound) for bound in (node.slice.lower, node.slice.upper, node.slice.step)]
        return whole[slice(*bounds)] if whole is not None and bounds[2] != 0 else None
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _joined(node.func, node.args, depth + 1)
    known = [part for part in parts if part is not None]
    return _put_together("", known) if parts and len(known) == len(parts) else None


def _put_together(between: str, parts: list[str]) -> str | None:
    length = sum(map(len, parts)) + len(between) * (len(parts) - 1)
    return between.join(parts) if length <= _LONGEST else None


def _joined(function: ast.Attribute, arguments: list[ast.expr], depth: int) -> str | None:
    """Return the value of `"…".join([…])` or `"{}…".format(…)` if all parts are constants."""
    start = _text(function.value, depth)
    if start is None or not arguments:
        return None
    items = arguments
    if function.attr == "join" and isinstance(arguments[0], (ast.List, ast.Tuple)):
        items = arguments[0].elts
    texts = [_text(item, depth) for item in items]
    known = [text for text in texts if text is not None]
    if len(known) < len(texts):
        return None
    if function.attr == "join":
        return _put_together(start, known if items is not arguments else list(known[0]))
    if function.attr == "format" and start.count("{") == start.count("{}") == len(known):
        return _put_together("", [part for pair in zip(start.split("{}"), [*known, ""], strict=True) for part in pair])
    return None


def _integer(node: ast.AST | None) -> int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _integer(node.operand)
        return None if value is None else -value
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None
