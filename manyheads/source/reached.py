"""Finds the statements that one exercise's code uses: its own, and those of its helpers.

Used to look for forbidden names, to choose between two explanations, to save exercises for later chapters and to make
the course's stand-ins. It reads source and never runs it: it may miss what a program hides, and a statement that it
finds need not run.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .magics import without_magics
from .scopes import global_reads

_MOST_CHARACTERS = 500_000  # characters of source that is parsed: a submission has no more
_MOST_KEPT = 20_000  # characters of source whose statements are cached: they take a hundred times as much memory
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Statement:
    """One statement of a cell's top level; an import of several names counts as several, since not every name is
    needed.

    Args:
        text: its source, decorators included; the whole line if nothing else is on it.
        binds: the names that it binds.
        reads: the names that it reads.
        anew: whether it replaces what was bound to these names before.
    """

    node: ast.stmt
    text: str
    binds: frozenset[str]
    reads: frozenset[str]
    anew: bool


def statements(source: str) -> tuple[Statement, ...]:
    """Return a cell's statements, with magics and shell lines as Python; none if it is not Python."""
    if len(source) > _MOST_CHARACTERS:  # more than an exercise needs
        return ()
    return _kept_statements(source) if len(source) <= _MOST_KEPT else _statements(source)


def _statements(source: str) -> tuple[Statement, ...]:
    source = source.replace("\r\n", "\n").replace("\r", "\n")  # as Python counts lines
    body = _parsed(source)
    if body is None:
        source = without_magics(source) or ""
        body = _parsed(source) or []
    return tuple(part for node, text in zip(body, _texts(body, source), strict=True) for part in _parts(node, text))


_kept_statements = lru_cache(maxsize=512)(_statements)


def _parsed(source: str) -> list[ast.stmt] | None:
    with warnings.catch_warnings(action="ignore"):  # a warning about "\d" in a string is not for here
        try:
            return ast.parse(source).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def reached(cells: Iterable[str], name: str, leaving_out: Collection[str] = ()) -> list[Statement]:
    """Return the statements that give `name` its meaning, and the names that they use in turn, in their order.

    Args:
        cells: sources in the order in which they ran; if a name is replaced, the last one counts.
        leaving_out: names that are not followed.
    """
    every = [statement for source in cells for statement in statements(source)]
    binders: dict[str, list[int]] = {}
    for place, statement in enumerate(every):
        for bound in statement.binds:
            binders.setdefault(bound, []).append(place)
    wanted, seen, needed = [name], set(leaving_out) - {name}, set[int]()
    while wanted:
        read = wanted.pop()
        if read in seen:
            continue
        seen.add(read)
        places = binders.get(read, ())
        begins = max((place for place in places if every[place].anew), default=0)
        for place in places:
            if place >= begins and place not in needed:
                needed.add(place)
                wanted += every[place].reads
    return [every[place] for place in sorted(needed)]


def _texts(body: Sequence[ast.stmt], source: str) -> Iterator[str]:
    """Yield the text of each statement: whole lines, or part of a line that has several statements and may be very
    long."""
    lines = source.split("\n")
    shared: dict[int, bytes] = {}  # lines with several statements: columns count bytes

    def part(number: int, begins: int = 0, ends: int | None = None) -> str:
        if number not in shared:
            shared[number] = lines[number - 1].encode()
        return shared[number][begins:ends].decode()

    firsts = [min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))]) for node in body]
    lasts = [node.end_lineno or node.lineno for node in body]
    for place, (node, first, last) in enumerate(zip(body, firsts, lasts, strict=True)):
        begins = node.col_offset if place and lasts[place - 1] == first else 0
        ends = node.end_col_offset if last in firsts[place + 1 : place + 2] else None
        if not begins and ends is None:
            yield "\n".join(lines[first - 1 : last])
        elif first == last:
            yield part(first, begins, ends)
        else:
            yield "\n".join([part(first, begins), *lines[first : last - 1], part(last, 0, ends)])


def _parts(node: ast.stmt, text: str) -> Iterator[Statement]:
    if isinstance(node, ast.Import | ast.ImportFrom) and len(node.names) > 1:
        for alias in node.names:
            one = (
                ast.Import([alias])
                if isinstance(node, ast.Import)
                else ast.ImportFrom(node.module, [alias], node.level)
            )
            yield _statement(one, ast.unparse(one))
    else:
        yield _statement(node, text)


def _statement(node: ast.stmt, text: str) -> Statement:
    defines = isinstance(node, _Function | ast.ClassDef)
    binds = {node.name} if defines else set(_bound(node))
    reads = _read(node)
    decorators = getattr(node, "decorator_list", [])
    around = {part.id for decorator in decorators for part in ast.walk(decorator) if isinstance(part, ast.Name)}
    simple = defines or isinstance(node, ast.Assign | ast.ImportFrom) or _is_whole(node)
    return Statement(node, text, frozenset(binds), reads, anew=simple and not binds & (around if defines else reads))


def _is_whole(node: ast.stmt) -> bool:
    """Return whether an import replaces its name: `import torch.nn` adds to an existing `torch`."""
    return isinstance(node, ast.Import) and all(alias.asname or "." not in alias.name for alias in node.names)


def _bound(node: ast.stmt) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.alias):
            yield (part.asname or part.name).partition(".")[0]
        elif isinstance(part, _Function | ast.ClassDef):
            yield part.name


def _read(node: ast.stmt) -> frozenset[str]:
    """Return the names that are looked up in the notebook's namespace: not a function's local names."""
    try:
        return global_reads(node)
    except RecursionError:  # nested very deeply: all names in it
        return frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
