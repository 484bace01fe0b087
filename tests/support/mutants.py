"""Wrong solutions by the hundred: right ones with one small edit of their syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.MatMult: ast.Mult,
}


def mutants(source: str) -> Iterator[str]:
    """Yield edits of `source`, each with one change, in a fixed order. Most are wrong, a few are still right."""
    tree = ast.parse(source)
    for place, node in enumerate(ast.walk(tree)):
        for change in range(_changes(node)):
            edited = copy.deepcopy(tree)
            target = list(ast.walk(edited))[place]
            if _change(edited, target, change):
                yield ast.unparse(ast.fix_missing_locations(edited))


def _changes(node: ast.AST) -> int:
    match node:
        case ast.Constant(value=int()) if not isinstance(node.value, bool):
            return 3
        case ast.BinOp() | ast.Call() | ast.UnaryOp():
            return 2
        case ast.Name(ctx=ast.Load()):
            return 2
        case ast.Assign() | ast.If():
            return 1
        case _:
            return 0


def _change(tree: ast.Module, node: ast.AST, change: int) -> bool:
    match node:
        case ast.Constant(value=int(value)):
            node.value = (value + 1, value - 1, 0)[change]
            return node.value != value
        case ast.BinOp():
            if change == 0:
                node.left, node.right = node.right, node.left
            else:
                node.op = _OPERATORS.get(type(node.op), ast.Add)()
            return True
        case ast.UnaryOp():
            return change == 0 and _replace(tree, node, node.operand)
        case ast.Call(func=ast.Attribute(value=inner)):  # a step left out: x.transpose(1, 2) becomes x
            return change == 0 and not isinstance(inner, ast.Name) and _replace(tree, node, inner)
        case ast.Call(args=[first, *_]):
            return change == 0 and _replace(tree, node, first)
        case ast.Name():
            names = sorted(
                {
                    other.id
                    for other in ast.walk(tree)
                    if isinstance(other, ast.Name) and isinstance(other.ctx, ast.Store)
                }
                | {other.arg for other in ast.walk(tree) if isinstance(other, ast.arg) and other.arg != "self"}
            )
            if node.id not in names or len(names) < 2:
                return False
            node.id = names[(names.index(node.id) + 1 + change) % len(names)]
            return True
        case ast.If():
            return _replace(tree, node, ast.Pass())
        case _:
            return False


def _replace(tree: ast.Module, old: ast.AST, new: ast.AST) -> bool:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
                return True
            if isinstance(value, list) and any(item is old for item in value):
                setattr(parent, field, [new if item is old else item for item in value])
                return True
    return False
