"""What a cell's source says before it runs: what it defines, whether it parses, whether it is a given stub.

Realignment asks, for every cell of every submission, in the process that grades the whole class. So nothing here
runs a learner's code, raises on any text, or takes long on a hostile one.
"""

from __future__ import annotations

import ast
import bisect
import hashlib
import warnings
from dataclasses import dataclass
from functools import lru_cache

from manyheads.source.magics import count, without_magics

from .lines import lines_of

_MOST_CHARACTERS = 50_000  # of a cell that is parsed; longer ones count as text that does not
_MOST_KEPT = 8192  # outlines: a submission's cells and statements are asked for again and again


@dataclass(frozen=True)
class Outline:
    """A cell's top level.

    Args:
        parses: whether it is Python, IPython's magics included.
        defines: functions and classes, lambdas with a name among them.
        binds: every name that gets a meaning: `defines`, assignments, imports.
        uses: every name that it reads, in functions too.
        only_imports: whether it does nothing but import.
        spans: first and last line of each statement, from 1, decorators included; empty where it does not parse.
        code: a digest of its statements without comments, layout and docstrings: equal for sources that do the same,
            "" where there is none.
    """

    parses: bool
    defines: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    only_imports: bool = False
    spans: tuple[tuple[int, int], ...] = ()
    code: str = ""

    def within(self, line: int) -> bool:
        """Return whether the line (from 1) goes on with a statement that began above it."""
        place = bisect.bisect_left(self.spans, (line,)) - 1  # the last statement that begins above it
        return place >= 0 and line <= self.spans[place][1]


@lru_cache(maxsize=_MOST_KEPT)
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
    return Outline(
        parses=True,
        defines=frozenset(defines),
        binds=frozenset(binds | defines),
        uses=frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)),
        only_imports=bool(tree.body) and all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in tree.body),
        spans=tuple((_first_line(node), node.end_lineno or node.lineno) for node in tree.body),
        code=_code(tree),
    )


@lru_cache(maxsize=_MOST_KEPT)
def meaning(source: str, name: str) -> str:
    """Return the `Outline.code` of the last statement in a cell's source that gives `name` a meaning, or ""."""
    for statement in reversed(statements(source)):
        if name in outline(statement).binds:
            return outline(statement).code
    return ""


def statements(source: str) -> list[str]:
    """Return the text of each statement of a cell's source, several on one line as one; [] where it does not parse."""
    lines = lines_of(source)
    texts: list[str] = []
    end = 0  # the last line that is in one of them
    for first, last in outline(source).spans:
        if first > end:
            texts.append("\n".join(lines[first - 1 : last]))
        elif last > end:
            texts[-1] += "\n" + "\n".join(lines[end:last])
        end = max(end, last)
    return texts


def starts_indented(source: str) -> bool:
    """Return whether the first line with text is indented: such a cell goes on with another one."""
    return next((line for line in lines_of(source) if line.strip()), "")[:1] in (" ", "\t")


def parse(source: str) -> ast.Module | None:
    """Return a cell's syntax tree, IPython's magics as the calls they stand for; None where it is not Python."""
    if len(source) > _MOST_CHARACTERS:
        return None
    with warnings.catch_warnings(action="ignore"):  # "\d" in a learner's string is no concern of the instructor's
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
        python = without_magics(source) if count(source) else None
        try:
            return None if python is None else ast.parse(python)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


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
    except (RecursionError, ValueError):  # nested too deeply; a number of more digits than Python writes out
        return ""
    return hashlib.sha256(dumped.encode(errors="backslashreplace")).hexdigest()  # half a surrogate pair is a text, too
