"""What becomes of an error of the course's own while it explains a learner's: silence for learners, not for us.

`probe.py` and `steps.py` explain what code has done, whose values may be anything. An explanation that fails must not
cost the answer, so its error is dropped. With the environment variable `MANYHEADS_DEBUG` set, as in the tests, it is
raised where the course's code made it.
"""

from __future__ import annotations

import os
import traceback

from .frames import is_the_courses

VARIABLE = "MANYHEADS_DEBUG"
_debugging = bool(os.environ.get(VARIABLE))  # read once: a learner's code may change the environment


def is_raised(error: Exception) -> bool:
    """Return whether an error that was caught is to be raised: for developers, if the course's own code made it.

    One that a learner's value made, such as an object whose `__repr__` fails, is no fault of the course's. Nor is one
    that memory or the depth of calls has ended.
    """
    if isinstance(error, (RecursionError, MemoryError)):
        return False
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return _debugging and bool(frames) and is_the_courses(frames[-1])
