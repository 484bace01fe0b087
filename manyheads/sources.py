"""Finds forbidden names in a learner's source by its syntax tree. Used at the learner's side and the grader's.

It reads source and never runs it. Comments and docstrings may say what they like.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from IPython.core.inputtransformer2 import TransformerManager


def forbidden_name(source: str, forbids: Iterable[str]) -> str | None:
    """Return the first name of `forbids` that `source` uses, or None.

    A name counts when it is read, imported, an attribute (`F.name`) or a whole string (`getattr(F, "name")`).
    In source that does not parse, every word counts.
    """
    forbidden = set(forbids)
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))  # magics and shell lines become Python
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # What does not parse does not run either, so a word is as good as a use.
        return next((word for word in re.findall(r"\w+", source) if word in forbidden), None)
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


def defines(source: str, name: str) -> bool:
    """Return whether a cell gives `name` a meaning at its top level: by def, class, import or assignment."""
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name == name:
            return True
        if isinstance(node, (ast.Import, ast.ImportFrom)) and any((a.asname or a.name) == name for a in node.names):
            return True
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(part, ast.Name) and part.id == name for t in targets for part in ast.walk(t)):
                return True
    return False
