"""Finds the code that writes into a tensor it was given, where an answer has shown that some code does."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .reached import reached

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_MOST_TEXT = 60  # characters


def first_write(source: str, exercise: str, name: str) -> str:
    """Return the first piece of code of `exercise` in `source` that writes into its argument `name`, "" if unknown.

    Nothing is returned if the name may stand for something else by then.
    """
    for function in _functions(source, exercise, name):
        events = sorted(_events(function, name), key=lambda event: (event[0].end_lineno, event[0].end_col_offset))
        node, writes = next(iter(events), (None, False))
        if node is not None and writes:
            text = " ".join(ast.unparse(node).split())
            return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]} …"
    return ""


def _functions(source: str, exercise: str, name: str) -> Iterator[_Function]:
    """Yield the exercise's own functions with an argument of that name: the function itself, or a class's methods."""
    for statement in reached([source], exercise):
        node = statement.node
        methods = node.body if isinstance(node, ast.ClassDef) else [node]
        for function in methods if exercise in statement.binds else ():
            if isinstance(function, _Function) and function.name != "__init__":
                given = function.args
                if any(each.arg == name for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)):
                    yield function


def _events(function: _Function, name: str) -> Iterator[tuple[ast.stmt | ast.expr, bool]]:
    """Yield (node, True) for code that writes into what `name` stands for, (node, False) where it is bound anew."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, _Function | ast.ClassDef | ast.Lambda):  # another scope, or one that may never run
            continue
        waiting += ast.iter_child_nodes(node)
        match node:
            case ast.AugAssign(target=target) if _of(target) == name:
                yield node, True
            case ast.Assign(targets=targets) if any(_is_entry(target, name) for target in targets):
                yield node, True
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=attr)) if owner == name and _in_place(attr):
                yield node, True
            case ast.Call(keywords=keywords) if any(each.arg == "out" and _is(each.value, name) for each in keywords):
                yield node, True
            case ast.Assign() | ast.AnnAssign() | ast.For() | ast.With() | ast.NamedExpr():
                if any(isinstance(each, ast.Name) and each.id == name for each in _bound(node)):
                    yield node, False
            case _:
                pass


def _bound(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is below the targets of an assignment, a loop or a block."""
    for field in ("targets", "target", "optional_vars", "items"):
        below = getattr(node, field, [])
        for target in below if isinstance(below, list) else [below]:
            yield from ast.walk(target)


def _is_entry(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Subscript) and _of(target) == name


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _in_place(method: str) -> bool:
    return method.endswith("_") and not method.startswith("_")


def _of(node: ast.expr) -> str:
    """Return the name that an expression is, or takes entries of: x, x[0], x[..., :2]."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
