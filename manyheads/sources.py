"""Finds forbidden names in a learner's source by its syntax tree. Used at the learner's side and the grader's.

It reads source and never runs it. Comments and docstrings may say what they like.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable


def forbidden_name(source: str, forbids: Iterable[str]) -> str | None:
    """Return the first name of `forbids` that `source` uses, or None.

    A name counts when it is read, imported, an attribute (`F.name`) or a whole string (`getattr(F, "name")`).
    Source that does not parse uses nothing: running it says what is wrong with it.
    """
    forbidden = set(forbids)
    try:
        tree = ast.parse(_without_magics(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
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
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    return []


def _without_magics(source: str) -> str:
    """Blank IPython's line magics and shell lines: they are not Python, and would hide the rest."""
    lines = (("" if line.lstrip()[:1] in ("%", "!") else line) for line in source.splitlines())
    return "\n".join(lines)
