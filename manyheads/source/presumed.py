"""Says whether a learner's code looks as a hint assumes.

Different code can give the same numbers. If the name of a mistake or its hint is about the code itself, the exercise
declares that as `shown_by`, and `manyheads.checking.diagnosis` asks here before it names the mistake.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache

from .reached import reached

_SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.MatMult: "@",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Not: "not",
    ast.Invert: "~",
    ast.BitXor: "^",
    ast.And: "and",
    ast.Or: "or",
}
_WORDS: dict[type[ast.AST], str] = {ast.Raise: "raise", ast.Assert: "assert"}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def shows(source: str, exercise: str, conditions: Sequence[str]) -> bool:
    """Return whether the code of `exercise` in `source` meets all `conditions`.

    Args:
        source: the learner's cells; other functions and classes count if the exercise uses them.
        conditions: each names words of which one must occur, `"exp|pow"`; with a function in front, only words in that
            function count, `"forward: Linear"`; for `"no softmax"` none may occur. A word is a name, an attribute, an
            argument's name, a whole number, an operator, `raise` or `assert`; `dropout()` for a call; `key is None` for
            a comparison with None; `== &` for a comparison of what & or | has joined; and for a test of an object's
            own truth, `if name`, or `if not` for the opposite.
    """
    if not conditions:
        return True
    words = _words(source, exercise)
    return words is not None and all(_holds(condition, words) for condition in conditions)


def _holds(condition: str, words: frozenset[tuple[str, str]]) -> bool:
    unwanted = condition.startswith("no ")
    place, _, names = condition.removeprefix("no ").rpartition(": ")
    return unwanted != any((place, name) in words for name in names.split("|"))


@lru_cache(maxsize=64)
def _words(source: str, exercise: str) -> frozenset[tuple[str, str]] | None:
    """Return the words of an exercise's code, each with its innermost function, and once more with ""."""
    used = reached([source], exercise)
    if not used:
        return None
    words = (_within(one.node, one.node.name if isinstance(one.node, _Function) else "") for one in used)
    return frozenset(word for some in words for word in some)


def _within(node: ast.AST, place: str) -> Iterator[tuple[str, str]]:
    """Yield all words below `node`, each with the innermost function around it and once more with ""."""
    waiting = [(child, place) for child in ast.iter_child_nodes(node)]
    while waiting:
        child, around = waiting.pop()
        for word in _word(child):
            yield "", word
            yield around, word
        inside = child.name if isinstance(child, _Function) else around
        waiting += [(below, inside) for below in ast.iter_child_nodes(child)]


def _joined(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr)


def _word(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Call):
        called = node.func
        name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
        yield f"{name}()"
    elif isinstance(node, ast.keyword) and node.arg is not None:
        yield node.arg
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield str(node.value)
    elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Name) and len(node.ops) == 1:
        if isinstance(node.comparators[0], ast.Constant) and node.comparators[0].value is None:
            yield f"{node.left.id} is None"
    elif isinstance(node, ast.Compare) and any(map(_joined, (node.left, *node.comparators))):
        yield "== &"
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        if isinstance(node.test, ast.Name | ast.Attribute | ast.Subscript):
            yield "if name"
        elif isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not):
            yield "if not"
    elif type(node) in _SIGNS:
        yield _SIGNS[type(node)]
    elif type(node) in _WORDS:
        yield _WORDS[type(node)]
