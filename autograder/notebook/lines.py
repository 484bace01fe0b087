"""Splits source into lines as Python's parser does.

`str.splitlines` also splits at form feeds, U+0085, U+2028 and others, which are ordinary characters for the parser: a
comment that contains one continues after it.
"""

from __future__ import annotations


def lines_of(source: str) -> list[str]:
    """Return the lines of `source`, without line ends."""
    if "\r" in source:
        source = source.replace("\r\n", "\n").replace("\r", "\n")
    lines = source.split("\n")
    if not lines[-1]:  # no empty line after a final line end
        lines.pop()
    return lines
