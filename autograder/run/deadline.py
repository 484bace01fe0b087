"""Ends this process if a submission occupies one of its threads for too long.

`autograder.run.job` judges each submission within `deadline`. A thread cannot be stopped from outside, for example
during one long call of Python's parser, so the whole process ends; `autograder.run.fan_out` then finds out which of its
submissions was the cause.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import threading
import time
from collections.abc import Generator

_lock = threading.Lock()
_due: dict[object, float] = {}  # the deadline of each active block, by the monotonic clock


@contextlib.contextmanager
def deadline(seconds: float) -> Generator[None]:
    """End the process immediately, with code 1, if the block takes more than `seconds` of wall time.

    Blocks in several threads have separate deadlines. They work even while a thread holds the interpreter's lock.
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
        if _due:  # faulthandler's timer works without the interpreter's lock; there is only one, so set the earliest
            left = max(0.001, min(_due.values()) - time.monotonic())
            faulthandler.dump_traceback_later(left, exit=True, file=_nowhere())
        else:
            faulthandler.cancel_dump_traceback_later()


def _nowhere() -> int:
    """Return a descriptor of the null device, to discard the traceback."""
    global _null
    if _null is None:
        _null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    return _null


_null: int | None = None
