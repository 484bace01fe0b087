"""Opens submitted files safely: only regular files up to a size limit.

A submitted path could also be a link to another learner's work or to an endless device, a pipe without a writer, a
socket, or a sparse file of gigabytes. `autograder.realign.read_submission` and `autograder.classroom.class_folder`
open submissions with this module.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Generator
from io import BufferedReader
from pathlib import Path

MAX_BYTES = 50 * 2**20  # size of a submitted notebook, outputs included
# Follow no link and wait for no writer, even if the file is replaced between the check and the open.
_SAFE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotAFile(Exception):
    """The path cannot be read as a regular file. The text completes a sentence that starts with "it"."""


def why_not(path: Path) -> str:
    """Return why the file at `path` cannot be read, or "" if it can. The file is not opened."""
    try:
        status = path.lstat()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if stat.S_ISLNK(status.st_mode):
        return "is a symbolic link, and links are not followed"
    if not stat.S_ISREG(status.st_mode):
        return f"is {_kind(status.st_mode)}, not a regular file"
    if status.st_size > MAX_BYTES:
        return f"has {status.st_size / 2**20:,.0f} MB, and the limit is {MAX_BYTES // 2**20} MB"
    return "" if os.access(path, os.R_OK) else "cannot be read: Permission denied"


@contextlib.contextmanager
def open_untrusted(path: Path) -> Generator[BufferedReader]:
    """Open the file at `path` for reading.

    Raises:
        NotAFile: if it is not a regular file of at most `MAX_BYTES`.
    """
    reason = why_not(path)
    if reason:
        raise NotAFile(reason)
    try:
        descriptor = os.open(path, _SAFE_FLAGS)
    except OSError as error:
        raise NotAFile(f"cannot be read: {error.strerror}") from error
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise NotAFile("was replaced while it was being opened")
        yield file


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
