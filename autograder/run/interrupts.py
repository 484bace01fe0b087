"""Records Ctrl-C, so that none is lost.

Ctrl-C raises `KeyboardInterrupt` at an arbitrary point of the code. In a destructor Python prints the exception and
ignores it, and the run would continue. `autograder.run.grade` therefore checks after each submission, and the exception
is not printed.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Generator
from types import FrameType


@contextlib.contextmanager
def recorded() -> Generator[Callable[[], bool]]:
    """Leave Ctrl-C's effect unchanged, and yield a function that returns whether it was pressed in the block.

    Outside the main thread, or if Ctrl-C is ignored, it always returns False.
    """
    pressed = False
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: False
        return
    original = before

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        original(number, frame)

    tell = sys.unraisablehook

    def tell_others(ignored: sys.UnraisableHookArgs) -> None:
        if not isinstance(ignored.exc_value, KeyboardInterrupt):
            tell(ignored)

    signal.signal(signal.SIGINT, press)
    sys.unraisablehook = tell_others
    try:
        yield lambda: pressed
    finally:
        sys.unraisablehook = tell
        signal.signal(signal.SIGINT, before)
