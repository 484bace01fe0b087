"""Turns a cell's magics and shell lines into Python, as IPython does before it runs a cell.

All code that reads a learner's source uses it. IPython reads the whole cell once for each magic, so a cell with very
many magics is not read at all.
"""

from __future__ import annotations

import re

from IPython.core.inputtransformer2 import TransformerManager

_MOST = 50  # magics of a cell
_MOST_READ = 400_000  # characters times magics: takes about a second
_ASSIGNED = re.compile(r"=\s*+[%!]")


def without_magics(source: str) -> str | None:
    """Return `source` as Python. None if it has too many magics, or one that never ends: then it is not code."""
    magics = count(source)
    if magics > _MOST or magics * len(source) > _MOST_READ:
        return None
    try:
        return TransformerManager().transform_cell(source)
    except (SyntaxError, ValueError, RuntimeError, MemoryError):  # RuntimeError: magics that never end
        return None


def count(source: str) -> int:
    """Return how many lines IPython may read differently from Python: `%time f()`, `!ls`, `f?`, `files = !ls`, `/f
    x`."""
    return sum(map(_is_magic, source.split("\n")))


def _is_magic(line: str) -> bool:
    line = line.strip()
    return line.startswith(("%", "!", "?", ",", ";", "/")) or line.endswith("?") or _ASSIGNED.search(line) is not None
