"""Ctrl-C that is not lost.

It raises `KeyboardInterrupt` wherever Python happens to be. In a destructor Python prints the error and drops it, and
a run that somebody wanted to stop goes on. `autograder.run.grade` asks after each submission whether that has happened.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def noted() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C do within the block what it does, and yield a function that tells whether it was pressed.

    Where this is not the main thread, or Ctrl-C is ignored, it never was.
    """
    pressed = False
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: False
        return
    go_on = before

    def press(number: int, frame: object) -> None:
        nonlocal pressed
        pressed = True
        go_on(number, frame)  # type: ignore[arg-type]

    signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
