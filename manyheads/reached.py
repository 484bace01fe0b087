"""Finds, in what a learner wrote, the statements that one exercise's code uses: its own, and those of its helpers.

The look for forbidden names, the choice between two explanations, and what is kept for later chapters all go by it. It
reads source and never runs it; so it may miss what a program hides, and what it finds need not run.
"""

from __future__ import annotations

import ast
import symtable
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from IPython.core.inputtransformer2 import TransformerManager

_MOST_CHARACTERS = 200_000  # of source that is parsed
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Statement:
    """One statement of a cell's top level.

    Args:
        text: its source, decorators included.
        binds: the names that it gives a meaning to.
        reads: the names that it uses.
        anew: whether it says all by itself what it binds, so that what was bound to these names before is gone.
    """

    node: ast.stmt
    text: str
    binds: frozenset[str]
    reads: frozenset[str]
    anew: bool


@lru_cache(maxsize=512)
def statements(source: str) -> tuple[Statement, ...]:
    """Return a cell's statements, magics and shell lines as the Python they become; none where it is not Python."""
    if len(source) > _MOST_CHARACTERS:  # more than anybody writes for an exercise
        return ()
    try:
        with warnings.catch_warnings(action="ignore"):  # "\d" in a string is no concern of whoever checks
            source = TransformerManager().transform_cell(source)
            body = ast.parse(source).body
        lines = source.split("\n")
        return tuple(_statement(node, lines) for node in body)
    except (SyntaxError, ValueError, RuntimeError, MemoryError):  # RuntimeError: magics that never end
        return ()


def reached(cells: Iterable[str], name: str, leaving_out: Collection[str] = ()) -> list[Statement]:
    """Return the statements that give `name` its meaning, and the names that they use in turn, in their order.

    Args:
        cells: sources in the order in which they ran; where a name is bound anew, the last one counts.
        leaving_out: names that are not followed.
    """
    every = [statement for source in cells for statement in statements(source)]
    wanted, seen, needed = [name], set(leaving_out) - {name}, set[int]()
    while wanted:
        read = wanted.pop()
        if read in seen:
            continue
        seen.add(read)
        places = [place for place, statement in enumerate(every) if read in statement.binds]
        begins = max((place for place in places if every[place].anew), default=0)
        for place in places:
            if place >= begins and place not in needed:
                needed.add(place)
                wanted += every[place].reads
    return [every[place] for place in sorted(needed)]


def _statement(node: ast.stmt, lines: Sequence[str]) -> Statement:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    text = "\n".join(lines[first - 1 : node.end_lineno])
    defines = isinstance(node, _Function | ast.ClassDef)
    binds = {node.name} if defines else set(_bound(node))
    reads = frozenset(_global(symtable.symtable(text, "<cell>", "exec")))
    around = {part.id for decorator in decorators for part in ast.walk(decorator) if isinstance(part, ast.Name)}
    simple = defines or isinstance(node, ast.Assign | ast.Import | ast.ImportFrom)
    return Statement(node, text, frozenset(binds), reads, anew=simple and not binds & (around if defines else reads))


def _bound(node: ast.stmt) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.alias):
            yield (part.asname or part.name).partition(".")[0]
        elif isinstance(part, _Function | ast.ClassDef):
            yield part.name


def _global(table: symtable.SymbolTable, outermost: bool = True) -> Iterator[str]:
    """Yield the names that are looked up among the notebook's: not what a function has of its own."""
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (outermost or symbol.is_global()):
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _global(inner, outermost=False)
