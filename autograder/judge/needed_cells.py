"""Which cells of a submission the grade can depend on. The others are not run: a lesson's own demonstrations, pictures,
widgets and trainings are most of what a notebook computes.

`autograder.nbgrader_steps.execute.Execute` asks before it runs anything. Whatever the learner wrote or changed runs,
always. A cell of the lesson is left out only where nothing that runs has a use for a name that it gives a meaning to,
or for an object that it changes; and where the learner's code might look names up in a way that its source does not
show, everything runs. It reads source and never runs it.
"""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from nbformat import NotebookNode

from ..course.chapter import Chapter
from ..course.notebooks import is_set_up
from ..notebook.outline import parse

# Whoever uses one of these may find any name by its text.
_LOOKS_UP = {"__builtins__", "__import__", "__main__", "builtins", "eval", "exec", "gc", "get_ipython", "globals"}
_LOOKS_UP |= {"importlib", "inspect", "locals", "runpy", "sys", "vars"}


@dataclass(frozen=True)
class _Names:
    """The names in one cell.

    Args:
        gives: those that it gives a meaning to, or whose objects it may change.
        uses: all that it mentions.
        imports: those that it imports.
        takes_all: whether it imports everything from somewhere, so that `gives` is not the whole.
    """

    gives: frozenset[str]
    uses: frozenset[str]
    imports: frozenset[str] = frozenset()
    takes_all: bool = False


def left_out(cells: Sequence[NotebookNode], chapter: Chapter) -> frozenset[int]:
    """Return the places of the cells that no grade depends on.

    Args:
        cells: the submission's.
        chapter: the lesson that it is of.
    """
    lesson = _demonstrations(chapter)
    names = {place: _names(cell.source) for place, cell in enumerate(cells) if cell.cell_type == "code"}
    optional = {place for place in names if cells[place].source.strip() in lesson or is_set_up(cells[place].source)}
    running = names.keys() - optional
    if any(names[place].uses & _LOOKS_UP for place in running):
        return frozenset()
    modules = frozenset().union(*(found.imports for found in names.values()))
    while True:
        used = frozenset().union(*(names[place].uses for place in running))
        wanted = {place for place in optional - running if _is_wanted(names[place], used, modules)}
        if not wanted:
            return frozenset(optional - running)
        running |= wanted


def _is_wanted(names: _Names, used: Collection[str], modules: Collection[str]) -> bool:
    return names.takes_all or any(name in used for name in names.gives if name in names.imports or name not in modules)


@lru_cache(maxsize=32)
def _demonstrations(chapter: Chapter) -> frozenset[str]:
    """Return the sources of the lesson's code cells in which nothing is exercised or checked."""
    return frozenset(
        cell.source.strip()
        for cell in chapter.cells
        if cell.cell_type == "code" and not {"exercise", "check"} & cell.metadata.keys()
    )


@lru_cache(maxsize=2048)
def _names(source: str) -> _Names:
    tree = parse(source)
    if tree is None:  # it will not run either; what it mentions is kept for it all the same
        return _Names(frozenset(), frozenset(re.findall(r"\w+", source)))
    try:
        table = symtable.symtable(ast.unparse(tree), "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError):  # `return` outside a function: it parses, and does not compile
        return _Names(frozenset(), frozenset(re.findall(r"\w+", source)))
    symbols = list(_of_the_notebook(table))
    uses = {symbol.get_name() for symbol in symbols}
    imports = {symbol.get_name() for symbol in symbols if symbol.is_imported()}
    gives = {symbol.get_name() for symbol in symbols if symbol.is_assigned()} | imports
    takes_all = False
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            takes_all = takes_all or any(alias.name == "*" for alias in node.names)
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            gives |= _base(node) & uses
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            gives |= _base(node.func) & uses  # words.append(…): it may change what stands before the dot
    return _Names(frozenset(gives), frozenset(uses), frozenset(imports), takes_all)


def _of_the_notebook(table: symtable.SymbolTable) -> Iterator[symtable.Symbol]:
    """Yield what a cell knows of the notebook's own names; a function's parameters and variables are its own."""
    at_top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if at_top or symbol.is_global():
            yield symbol
    for inner in table.get_children():
        yield from _of_the_notebook(inner)


def _base(node: ast.expr) -> set[str]:
    """Return the name at the very left of `a.b[c].d`; what a call returns has none."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()
