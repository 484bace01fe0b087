"""Finds the statements that one exercise's code uses: its own, and those of its helpers.

The look for forbidden names, the choice between two explanations, what is kept for later chapters and the course's own
stand-ins all go by it. It reads source and never runs it; so it may miss what a program hides, and what it finds need
not run.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .magics import without_magics
from .scopes import global_reads

_MOST_CHARACTERS = 500_000  # of source that is parsed: a submission has no more
_MOST_KEPT = 20_000  # of source whose statements are kept: they take a hundred times as much memory
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Statement:
    """One statement of a cell's top level; an import of several names is as many, since not every name is needed.

    Args:
        text: its source, decorators included; of a line that it has to itself, all.
        binds: the names that it gives a meaning to.
        reads: the names that it uses.
        anew: whether it says all by itself what it binds, so that what was bound to these names before is gone.
    """

    node: ast.stmt
    text: str
    binds: frozenset[str]
    reads: frozenset[str]
    anew: bool


def statements(source: str) -> tuple[Statement, ...]:
    """Return a cell's statements, magics and shell lines as the Python they become; none where it is not Python."""
    if len(source) > _MOST_CHARACTERS:  # more than anybody writes for an exercise
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
    with warnings.catch_warnings(action="ignore"):  # "\d" in a string is no concern of whoever checks
        try:
            return ast.parse(source).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def reached(cells: Iterable[str], name: str, leaving_out: Collection[str] = ()) -> list[Statement]:
    """Return the statements that give `name` its meaning, and the names that they use in turn, in their order.

    Args:
        cells: sources in the order in which they ran; where a name is bound anew, the last one counts.
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
    """Yield the text of each statement: whole lines, but where several stand on one, which may be a very long one."""
    lines = source.split("\n")
    shared: dict[int, bytes] = {}  # lines of several statements: columns count bytes

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
    """Return whether an import binds all that its name holds: `import torch.nn` adds to what `torch` is already."""
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
    """Return the names that are looked up among the notebook's: not what a function has of its own."""
    try:
        return global_reads(node)
    except RecursionError:  # nested very deeply: all that it names
        return frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
