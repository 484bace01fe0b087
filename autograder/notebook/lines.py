"""The lines of a source as Python counts them.

`str.splitlines` also ends a line at a form feed, U+0085, U+2028 and others. To Python they are characters like any
other: a comment that holds one goes on behind it.
"""

from __future__ import annotations


def lines_of(source: str) -> list[str]:
    """Return the lines of `source`, without their ends."""
    if "\r" in source:
        source = source.replace("\r\n", "\n").replace("\r", "\n")
    lines = source.split("\n")
    if not lines[-1]:  # a last line that ends is not followed by another
        lines.pop()
    return lines
