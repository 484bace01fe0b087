"""Ends this process when a piece of work holds one of its threads for longer than it may.

`autograder.run.job` has a submission judged within `deadline`. A thread cannot be stopped from outside, least of all in
the middle of one long call of Python's own parser; so the process ends, and `autograder.run.fan_out` finds out which of
its submissions it was.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import threading
import time
from collections.abc import Iterator

_lock = threading.Lock()
_due: dict[object, float] = {}  # of each block that is at work, by the monotonic clock


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """End the process, with code 1 and at once, if the block takes more than `seconds` of wall time.

    Blocks of several threads have a deadline each. It holds even where a thread lets no other run.
    """
    key = object()
    _set(key, time.monotonic() + seconds)
    try:
        yield
    finally:
        _set(key, None)


def _set(key: object, when: float | None) -> None:
    with _lock:
        if when is None:
            del _due[key]
        else:
            _due[key] = when
        if _due:  # a timer of the interpreter's that needs no turn of it: the one there is, for who is due first
            left = max(0.001, min(_due.values()) - time.monotonic())
            faulthandler.dump_traceback_later(left, exit=True, file=_nowhere())
        else:
            faulthandler.cancel_dump_traceback_later()


def _nowhere() -> int:
    """Return a descriptor on which nobody reads whose code stood where."""
    global _null
    if _null is None:
        _null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    return _null


_null: int | None = None
