"""Opens a file that somebody handed in: an ordinary one of a bearable size, and nothing else that a path may name.

A path may name a link to another's work or to a device without end, a pipe that nobody writes to, a socket, or a file
of gigabytes with nothing in it. `autograder.realign.read_submission` and `autograder.classroom.class_folder` read
submissions through here.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

MAX_BYTES = 50 * 2**20  # of a submitted notebook, outputs included
_NOTHING_ELSE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # should another take its place meanwhile


class NotAFile(Exception):
    """There is no file that can be read. Its text says what there is, completing "it …"."""


def why_not(path: Path) -> str:
    """Return why the file at `path` is not read, "" where it can be: it is looked at, and not opened."""
    try:
        status = path.lstat()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if stat.S_ISLNK(status.st_mode):
        return "is a link, and links are not followed"
    if not stat.S_ISREG(status.st_mode):
        return f"is {_kind(status.st_mode)}, and not a file"
    if status.st_size > MAX_BYTES:
        return f"has {status.st_size / 2**20:,.0f} MB, and {MAX_BYTES // 2**20} is the most"
    return "" if os.access(path, os.R_OK) else "cannot be read: Permission denied"


@contextlib.contextmanager
def open_untrusted(path: Path) -> Iterator[BufferedReader]:
    """Open the file at `path` for reading.

    Raises:
        NotAFile: if it is not an ordinary file of at most `MAX_BYTES`.
    """
    reason = why_not(path)
    if reason:
        raise NotAFile(reason)
    try:
        descriptor = os.open(path, _NOTHING_ELSE)
    except OSError as error:
        raise NotAFile(f"cannot be read: {error.strerror}") from error
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise NotAFile("has become something else")
        yield file


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
