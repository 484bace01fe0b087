"""The names that code looks up in the notebook's namespace are those that Python finds, in linear time."""

from __future__ import annotations

import ast
import statistics
import symtable
import textwrap
import time
import typing
import unittest.mock
from types import ModuleType

import pytest
import torch

from manyheads.source.forbidden_names import forbidden_name
from manyheads.source.scopes import global_reads


def by_symtable(source: str) -> set[str]:
    outermost = symtable.symtable(source, "<cell>", "exec")
    found, waiting = set(), [outermost]
    while waiting:
        table = waiting.pop()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (table is outermost or symbol.is_global()):
                found.add(symbol.get_name())
        waiting += table.get_children()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("module", [ast, statistics, textwrap, typing, unittest.mock, torch.functional, torch._ops])
def test_what_libraries_look_up_is_found_as_python_finds_it(module: ModuleType) -> None:
    assert module.__file__ is not None
    with open(module.__file__, encoding="utf-8") as file:
        statements = [ast.unparse(node) for node in ast.parse(file.read()).body]
    found = {text: set(global_reads(ast.parse(text).body[0])) for text in statements}
    assert found == {text: by_symtable(text) for text in statements}


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("def f(a, b=c, *d, e: g = 1) -> h:\n    return a + b + d + e + i", "c g h i"),
        ("def f():\n    x = 1\n    def g():\n        return x + y\n    return g", "y"),
        ("def f():\n    x = 1\n    def g():\n        global x\n        return x\n    return g", "x"),
        ("class C(B):\n    x = 1\n    y = x\n    def f(self):\n        return x", "B x"),
        ("f = lambda a: [a * b for c in d if c]", "b d"),
        ("def f(xs):\n    [y := x for x in xs]\n    return y", ""),
        ("def f(x):\n    match x:\n        case [a, *b]: return a, b\n        case {'k': c, **d}: return c, d", ""),
        ("class C:\n    def f(self):\n        return __hidden", "_C__hidden"),
        ("try:\n    a\nexcept E as e:\n    e", "E a e"),
        ("@d\nasync def f():\n    async with a as b:\n        return await b", "a d"),
    ],
)
def test_what_a_scope_has_of_its_own_is_not_looked_up(source: str, reads: str) -> None:
    assert global_reads(ast.parse(source).body[0]) == set(reads.split()) == by_symtable(source)


@pytest.mark.slow
def test_a_function_of_many_lambdas_takes_no_longer_than_its_length() -> None:
    def seconds(lambdas: int) -> float:
        node = ast.parse("def f():\n" + "".join(f" a{i} = lambda: b{i}\n" for i in range(lambdas))).body[0]
        started = time.process_time()
        assert global_reads(node) == {f"b{i}" for i in range(lambdas)}
        return time.process_time() - started

    short, long = (min(seconds(lambdas) for _ in range(3)) for lambdas in (2_000, 16_000))
    assert long < 3 * 8 * short, "Python's own takes 64 times as long, and not 8"


def test_a_long_cell_is_read_like_a_short_one() -> None:
    long = "def attend(q):\n    helper = 1\n" + "    # …\n" * 30_000 + "    return helper"
    beside = "\ndef helper(q):\n    return F.scaled_dot_product_attention(q, q, q)"
    forbids = ("scaled_dot_product_attention",)
    assert len(long) > 200_000
    assert forbidden_name(long + beside, forbids, "attend") is None, "its own name, and not the function's"
    assert forbidden_name(long.replace("helper = 1", "pass") + beside, forbids, "attend") is not None
