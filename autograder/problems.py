"""How trouble is told: the exception that ends a command with a clear line, and other exceptions in one line."""

from dataclasses import dataclass

from .safe_text import clean


class Problem(Exception):
    """Something the person at the command line can mend. Its text says what is wrong and what to do."""


def one_line(error: BaseException) -> str:
    """Return an exception's kind and the first line of its text, for a reason that a person reads."""
    lines = clean(str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


@dataclass(frozen=True)
class Skipped:
    """What was not taken, a file or a row of a table, and why."""

    name: str
    reason: str
