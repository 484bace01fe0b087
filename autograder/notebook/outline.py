"""The outline of a cell's source: whether it parses, the names that it binds and reads, a digest of its code.

Realignment and the judge use it for every cell of every submission. Nothing here runs a learner's code, raises an
exception for any text, or takes long for a hostile one.
"""

from __future__ import annotations

import ast
import bisect
import hashlib
import warnings
from dataclasses import dataclass
from functools import lru_cache

from manyheads.source.magics import count, without_magics
from manyheads.source.scopes import global_reads

from .lines import lines_of

_MOST_CHARACTERS = 50_000  # longer cells count as source that does not parse
_CACHE_SIZE = 8192  # outlines; those of a submission's cells and statements are needed many times


@dataclass(frozen=True)
class Outline:
    """The top level of a cell's source.

    Args:
        parses: whether it is Python, possibly with IPython's magics.
        defines: names of functions and classes, including lambdas that are assigned to a name.
        binds: all names that it binds: `defines`, assignments, imports.
        uses: all names in it, including those in functions.
        reads: the names that it looks up in the notebook: not what is local to a function, class or comprehension.
        only_imports: whether it consists of imports.
        spans: first and last line of each statement, from 1, including decorators; empty if it does not parse.
        code: a digest of its syntax tree, ignoring comments, layout and docstrings; "" if it does not parse.
    """

    parses: bool
    defines: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    only_imports: bool = False
    spans: tuple[tuple[int, int], ...] = ()
    code: str = ""

    def within(self, line: int) -> bool:
        """Return whether the line (from 1) continues a statement that begins on an earlier line."""
        index = bisect.bisect_left(self.spans, (line,)) - 1  # the last statement that begins on an earlier line
        return index >= 0 and line <= self.spans[index][1]


@lru_cache(maxsize=_CACHE_SIZE)
def outline(source: str) -> Outline:
    """Return the outline of a cell's source."""
    tree = parse(source)
    if tree is None:
        return Outline(parses=False)
    defines, binds = set(), set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            defines.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            binds |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
            binds |= names
            if isinstance(node.value, ast.Lambda):
                defines |= names
    uses = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return Outline(
        parses=True,
        defines=frozenset(defines),
        binds=frozenset(binds | defines),
        uses=uses,
        reads=_reads(tree, otherwise=uses),
        only_imports=bool(tree.body) and all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in tree.body),
        spans=tuple((_first_line(node), node.end_lineno or node.lineno) for node in tree.body),
        code=_code(tree),
    )


@lru_cache(maxsize=_CACHE_SIZE)
def meaning(source: str, name: str) -> str:
    """Return the `Outline.code` of the last statement in a cell's source that binds `name`, or ""."""
    for statement in reversed(statements(source)):
        if name in outline(statement).binds:
            return outline(statement).code
    return ""


def statements(source: str) -> list[str]:
    """Return the text of each statement of a cell's source; [] if it does not parse.

    Statements that share a line are one text.
    """
    lines = lines_of(source)
    texts: list[str] = []
    end = 0  # the last line in `texts`
    for first, last in outline(source).spans:
        if first > end:
            texts.append("\n".join(lines[first - 1 : last]))
        elif last > end:
            texts[-1] += "\n" + "\n".join(lines[end:last])
        end = max(end, last)
    return texts


def starts_indented(source: str) -> bool:
    """Return whether the first non-empty line is indented, so that the cell continues another one."""
    return next((line for line in lines_of(source) if line.strip()), "")[:1] in (" ", "\t")


def parse(source: str) -> ast.Module | None:
    """Return a cell's syntax tree, with IPython's magics as calls; None if it is not Python."""
    if len(source) > _MOST_CHARACTERS:
        return None
    with warnings.catch_warnings(action="ignore"):  # e.g. about "\d" in a learner's string
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
        python = without_magics(source) if count(source) else None
        try:
            return None if python is None else ast.parse(python)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _reads(tree: ast.Module, otherwise: frozenset[str]) -> frozenset[str]:
    """Return `Outline.reads`, or `otherwise` if the code is nested too deeply for that."""
    try:
        found = global_reads(tree)
    except RecursionError:
        return otherwise
    # `x += 1` reads x: at the top level, and where x is declared global
    targets = [node.target for node in tree.body if isinstance(node, ast.AugAssign)]
    changed = {target.id for target in targets if isinstance(target, ast.Name)}
    declared = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    return found | changed | declared


def _first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _code(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    try:
        dumped = ast.dump(tree)
    except (RecursionError, ValueError):  # nested too deeply, or an integer with too many digits
        return ""
    return hashlib.sha256(dumped.encode(errors="backslashreplace")).hexdigest()  # strings may contain lone surrogates
