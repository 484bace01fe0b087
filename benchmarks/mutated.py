"""Makes wrong attempts out of right ones: one or two small edits of their syntax trees.

`explained.py` measures with them what a check says about unlisted mistakes. An edit is what a learner may
well have written instead: another operator, axis or constant, arguments swapped, a step left out, a method's sibling.
"""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

Edit = Callable[[Any], ast.AST | None]  # takes a node of a tree, returns what replaces it; None drops it

_OPERATORS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult, ast.Mod),
    ast.Mod: (ast.FloorDiv,),
    ast.MatMult: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.Lt: (ast.LtE, ast.Gt, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
_SIBLINGS = {
    "sum": ("mean", "max", "amax"),
    "mean": ("sum", "amax", "median"),
    "softmax": ("log_softmax", "sigmoid", "exp"),
    "tril": ("triu",),
    "triu": ("tril",),
    "cat": ("stack",),
    "stack": ("cat", "hstack"),
    "log": ("log2", "log10", "log1p", "exp"),
    "sqrt": ("abs", "square"),
    "exp": ("log",),
    "ones": ("zeros",),
    "zeros": ("ones",),
    "transpose": ("reshape", "swapdims"),
    "permute": ("reshape",),
    "reshape": ("view",),
    "view": ("reshape",),
    "unsqueeze": ("squeeze",),
    "chunk": ("split",),
    "split": ("chunk",),
    "masked_fill": ("masked_fill_",),
    "zero_": ("fill_",),
    "copy_": ("add_", "mul_"),
    "cosine_similarity": ("pairwise_distance",),
    "diagonal": ("tril",),
    "max": ("sum", "min"),
    "min": ("max",),
    "median": ("mean", "max"),
    "inf": ("pi", "e"),
    "w_q": ("w_k", "w_v", "w_o"),
    "w_k": ("w_q", "w_v"),
    "w_v": ("w_k", "w_q"),
    "w_o": ("w_v", "w_q"),
    "weight": ("bias",),
    "bias": ("weight",),
    "in_features": ("out_features",),
    "out_features": ("in_features",),
}


def mutated(source: str, draw: random.Random, edits: int = 1) -> tuple[str, str]:
    """Return `source` with `edits` of its places changed, and the changes in words; ("", "") where there is none."""
    tree, said = ast.parse(source), []
    for _ in range(edits):
        places = list(_places(tree))
        if not places:
            return "", ""
        # A kind of edit first, or names, of which there are most, would make up half of all.
        kind = draw.choice(sorted({kind for kind, _, _ in places}))
        _, number, edit = draw.choice([place for place in places if place[0] == kind])
        tree = copy.deepcopy(tree)
        before, after = _edited(tree, number, edit)
        if before == after:
            return "", ""
        said.append(f"{kind}: {before} -> {after or 'nothing'}")
    try:
        text = ast.unparse(ast.fix_missing_locations(tree))
        compile(text, "<mutant>", "exec")
    except (SyntaxError, ValueError, TypeError):
        return "", ""
    same = text == ast.unparse(ast.parse(source))
    return ("", "") if same else (text + "\n", "; ".join(said))


def _edited(tree: ast.AST, number: int, edit: Edit) -> tuple[str, str]:
    """Change the node of that number in place. Return its source before and after."""
    node = list(ast.walk(tree))[number]
    before = _brief(node)
    after = edit(copy.deepcopy(node))
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is node:
                setattr(parent, field, after)
            elif isinstance(value, list) and any(item is node for item in value):
                rest = [new for item in value for new in ([item] if item is not node else [after] if after else [])]
                setattr(parent, field, rest or [ast.Pass()])
    return before, "" if after is None else _brief(after)


def _brief(node: ast.AST) -> str:
    return " ".join(ast.unparse(ast.fix_missing_locations(node)).split())[:100]


def _places(tree: ast.AST) -> Iterator[tuple[str, int, Edit]]:
    """Yield every edit that can be made: its kind, the number of its node, and how it is made."""
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.Lambda))]
    names = sorted({name for function in functions for name in _names(function)})
    not_code = _annotations(tree)
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in not_code:
            for kind, edit in _edits(node, names):
                yield kind, number, edit


def _annotations(tree: ast.AST) -> set[int]:
    """Return the identity of every node that does nothing when the code runs: annotations and docstrings."""
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            found += [node.returns] if node.returns else []
            found += [arg.annotation for arg in ast.walk(node.args) if isinstance(arg, ast.arg) and arg.annotation]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found += [node]
        if isinstance(node, ast.AnnAssign):
            found += [node.annotation]
        if isinstance(node, (ast.Raise, ast.Assert)):
            found += [node]
    return {id(inner) for node in found for inner in ast.walk(node)}


def _names(function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.arg) and node.arg != "self":
            yield node.arg
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _edits(node: ast.AST, names: list[str]) -> Iterator[tuple[str, Edit]]:
    """Yield the edits of one node, each with its kind."""
    match node:
        case ast.BinOp():
            for other in _OPERATORS.get(type(node.op), ()):
                yield "operator", lambda here, other=other: _with(here, op=other())
            yield "operands swapped", lambda here: _with(here, left=here.right, right=here.left)
            yield "term dropped", lambda here: here.left
        case ast.Compare(ops=[operator]):
            for other in _OPERATORS.get(type(operator), ()):
                yield "comparison", lambda here, other=other: _with(here, ops=[other()])
        case ast.BoolOp():
            for other in _OPERATORS.get(type(node.op), ()):
                yield "comparison", lambda here, other=other: _with(here, op=other())
        case ast.UnaryOp(operand=ast.Constant(value=int(value))) if isinstance(node.op, ast.USub):
            for other in (-value - 1, -value + 1, 0):
                yield "constant", lambda here, other=other: ast.Constant(other)
        case ast.UnaryOp():
            yield "sign or ~ dropped", lambda here: here.operand
        case ast.Constant(value=bool(value)):
            yield "constant", lambda here, other=not value: ast.Constant(other)
        case ast.Constant(value=int(value)):
            for other in (value + 1, value - 1):
                yield "constant", lambda here, other=other: ast.Constant(other)
        case ast.Constant(value=float(value)):
            for other in (1.0 if value == 0 else 0.0, value / 2 + 0.5):
                yield "constant", lambda here, other=other: ast.Constant(other)
        case ast.Attribute(attr=attr):
            for other in _SIBLINGS.get(attr, ()):
                yield "sibling", lambda here, other=other: _with(here, attr=other)
        case ast.Call():
            yield from _edits_of_call(node)
        case ast.Name(id=name, ctx=ast.Load()) if name in names:
            for other in names:
                if other != name:
                    yield "name", lambda here, other=other: ast.Name(other, ast.Load())
        case ast.Assign() | ast.AugAssign() | ast.Expr():
            yield "statement dropped", lambda here: None
        case ast.If():
            yield "condition inverted", lambda here: _with(here, test=ast.UnaryOp(ast.Not(), here.test))
            yield "statement dropped", lambda here: None
        case ast.Return(value=ast.Tuple(elts=elts)) if len(elts) > 1:
            yield "returned in another order", lambda here: ast.Return(_reversed(here.value))
            yield "returned in part", lambda here: ast.Return(here.value.elts[0])
        case ast.Slice(lower=lower, upper=upper) if lower or upper:
            yield "slice", lambda here: ast.Slice(None, here.upper)
            yield "slice", lambda here: ast.Slice(here.lower, None)
        case ast.comprehension():
            yield "order", lambda here: _with(here, iter=_expression(f"reversed(list({ast.unparse(here.iter)}))"))
        case _:
            return


def _edits_of_call(node: ast.Call) -> Iterator[tuple[str, Edit]]:
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    if owner is not None and getattr(owner, "id", "") not in ("torch", "math", "nn", "F", "self"):
        yield "method dropped", lambda here: here.func.value
    elif len(node.args) == 1:
        yield "call dropped", lambda here: here.args[0]
    for first in range(len(node.args) - 1):
        yield "arguments swapped", lambda here, first=first: _with(here, args=_swapped(here.args, first))
    for place in range(len(node.args)):
        if len(node.args) + len(node.keywords) > 1:
            yield "argument dropped", lambda here, place=place: _with(here, args=_without(here.args, place))
    for place in range(len(node.keywords)):
        yield "argument dropped", lambda here, place=place: _with(here, keywords=_without(here.keywords, place))


def _expression(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


def _with(node: ast.AST, **fields: object) -> ast.AST:
    for field, value in fields.items():
        setattr(node, field, value)
    return node


def _reversed(node: ast.Tuple) -> ast.Tuple:
    return ast.Tuple(node.elts[::-1], node.ctx)


def _swapped(items: list[ast.expr], first: int) -> list[ast.expr]:
    return [*items[:first], items[first + 1], items[first], *items[first + 2 :]]


def _without(items: list[Any], place: int) -> list[Any]:
    return items[:place] + items[place + 1 :]
