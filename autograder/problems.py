"""Error messages: `Problem`, which ends a command with one clear line, and other exceptions in one line."""

from dataclasses import dataclass

from .safe_text import clean


class Problem(Exception):
    """An error that the user of the command line can fix. Its text says what is wrong and what to do."""


def one_line(error: BaseException) -> str:
    """Return an exception's class and the first line of its text, as a reason for people to read."""
    lines = clean(str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


@dataclass(frozen=True)
class Skipped:
    """A file or a row of a table that was not used, and the reason."""

    name: str
    reason: str
