"""How a grading run's processes look for garbage, which Python's references do not find: rarely.

`autograder.__main__`, `autograder.run.preload` and `autograder.sandbox.inside.zygote` import everything within
`none_while_importing`.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_NEW_OBJECTS = 20_000  # between two looks; by default 700, and grading a submission makes some ten thousand


@contextlib.contextmanager
def none_while_importing() -> Iterator[None]:
    """Look for no garbage within the block, and never among what is there at its end.

    Of 600,000 objects that imports make, 14,000 are garbage, and finding them takes half a second. Forks share the
    pages of the rest as long as nobody counts references in them.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def look_rarely() -> None:
    """Look less often from now on: for the processes that grade, not for those in which learners' code runs."""
    gc.set_threshold(_NEW_OBJECTS)
