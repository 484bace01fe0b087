"""Finds the cells of a submission that cannot affect its grade. They are not run: a lesson's demonstrations, pictures,
widgets and trainings take most of a notebook's time.

`autograder.nbgrader_steps.execute.Execute` calls it before it runs a submission, and `autograder.hub.validate` where
learners press nbgrader's Validate. Everything that the learner wrote or changed runs. A lesson cell is left out only if
no cell that runs reads a name it binds or an object it may mutate. If the learner's code may look up names dynamically,
everything runs. This module reads source and never runs it.
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

# Code that uses one of these names may look up any other name dynamically.
_LOOKS_UP = {
    *("__builtins__", "__import__", "__main__", "builtins", "eval", "exec", "gc", "get_ipython", "globals"),
    *("importlib", "inspect", "locals", "runpy", "sys", "vars"),
}


@dataclass(frozen=True)
class _Names:
    """The names in one cell.

    Args:
        changes: names that it binds, or whose objects it may mutate.
        uses: all names that it mentions.
        imports: names that it imports.
        has_star: whether it has a star import, so that `changes` is incomplete.
    """

    changes: frozenset[str]
    uses: frozenset[str]
    imports: frozenset[str] = frozenset()
    has_star: bool = False


def left_out(cells: Sequence[NotebookNode], chapter: Chapter) -> frozenset[int]:
    """Return the indices of the cells that cannot affect the grade.

    Args:
        cells: the cells of the submission.
        chapter: its chapter.
    """
    return unneeded(cells, _demonstrations(chapter))


def unneeded(cells: Sequence[NotebookNode], lesson: Collection[str]) -> frozenset[int]:
    """Return the indices of those of the lesson's own cells that no other cell needs.

    Args:
        cells: the cells of a notebook.
        lesson: the sources of the lesson's cells that are neither exercises nor checks.
    """
    names = {index: _names(cell.source) for index, cell in enumerate(cells) if cell.cell_type == "code"}
    optional = {index for index in names if cells[index].source.strip() in lesson or is_set_up(cells[index].source)}
    running = names.keys() - optional
    if any(names[index].uses & _LOOKS_UP for index in running):
        return frozenset()
    modules = frozenset().union(*(found.imports for found in names.values()))
    while True:
        used = frozenset().union(*(names[index].uses for index in running))
        wanted = {index for index in optional - running if _is_wanted(names[index], used, modules)}
        if not wanted:
            return frozenset(optional - running)
        running |= wanted


def _is_wanted(names: _Names, used: Collection[str], modules: Collection[str]) -> bool:
    return names.has_star or any(name in used for name in names.changes if name in names.imports or name not in modules)


@lru_cache(maxsize=32)
def _demonstrations(chapter: Chapter) -> frozenset[str]:
    """Return the sources of the lesson's code cells that are neither exercises nor checks."""
    return frozenset(
        cell.source.strip()
        for cell in chapter.cells
        if cell.cell_type == "code" and not {"exercise", "check"} & cell.metadata.keys()
    )


@lru_cache(maxsize=2048)
def _names(source: str) -> _Names:
    tree = parse(source)
    if tree is None:  # the cell will not run, but other cells are still run for the names that it mentions
        return _Names(frozenset(), frozenset(re.findall(r"\w+", source)))
    try:
        table = symtable.symtable(ast.unparse(tree), "<cell>", "exec")
    except (
        SyntaxError,
        ValueError,
        RecursionError,
    ):  # e.g. `return` outside a function, which parses but does not compile
        return _Names(frozenset(), frozenset(re.findall(r"\w+", source)))
    symbols = list(_of_the_notebook(table))
    uses = {symbol.get_name() for symbol in symbols}
    imports = {symbol.get_name() for symbol in symbols if symbol.is_imported()}
    changes = {symbol.get_name() for symbol in symbols if symbol.is_assigned()} | imports
    has_star = False
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            has_star = has_star or any(alias.name == "*" for alias in node.names)
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            changes |= _base(node) & uses
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            changes |= _base(node.func) & uses  # a method such as words.append(…) may mutate its object
    return _Names(frozenset(changes), frozenset(uses), frozenset(imports), has_star)


def _of_the_notebook(table: symtable.SymbolTable) -> Iterator[symtable.Symbol]:
    """Yield the notebook's global names in a cell; parameters and local variables of functions are left out."""
    at_top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if at_top or symbol.is_global():
            yield symbol
    for inner in table.get_children():
        yield from _of_the_notebook(inner)


def _base(node: ast.expr) -> set[str]:
    """Return the leftmost name of `a.b[c].d` as a set; the empty set if that is a call or another expression."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()
