"""Settings of Python's cyclic garbage collector for the processes of a grading run.

`autograder.__main__`, `autograder.run.preload` and `autograder.sandbox.inside.zygote` import their modules within
`none_while_importing`.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator

_NEW_OBJECTS = (
    20_000  # between collections; the default is about 700, and grading a submission makes about ten thousand
)


@contextlib.contextmanager
def none_while_importing() -> Generator[None]:
    """Disable the collector within the block, and freeze all objects that exist at its end.

    Of the 600,000 objects made by the imports, 14,000 are garbage, and finding them takes a fifth of the start's CPU
    time. The collector would also write to all objects, so that forks could not share their pages: frozen objects make
    a submission 10 % cheaper.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def look_rarely() -> None:
    """Run the collector less often from now on. For processes that grade, not for those that run learners' code."""
    gc.set_threshold(_NEW_OBJECTS)
