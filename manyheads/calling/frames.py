"""Says whose code a frame runs: the learner's cells', the course's or a library's.

It goes by the names that the code sees, never by a file's path: libraries are in `site-packages`, in `dist-packages`,
in a zip, in a checkout or beside the notebook, and a cell is not in a file at all.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from types import CodeType, FrameType, FunctionType
from typing import Any

_COURSE = __name__.partition(".")[0]
LEARNERS_OWN = f"{_COURSE}.own_"  # the names of the modules that `manyheads.earlier` makes of saved exercises


def is_the_courses(frame: FrameType) -> bool:
    """Return whether the frame runs this package's code, a probe's or a stand-in's."""
    name = str(frame.f_globals.get("__name__"))
    return name.partition(".")[0] == _COURSE and not name.startswith(LEARNERS_OWN)


def is_the_learners(frame: FrameType, namespace: Mapping[str, Any]) -> bool:
    """Return whether the frame runs code of a cell.

    Args:
        namespace: the names that the learner's cells see.
    """
    if frame.f_globals is namespace:
        return True
    # A module with a spec was imported, so it has a file of its own.
    return not is_the_courses(frame) and frame.f_globals.get("__spec__") is None


def namespace_of(target: Any) -> Mapping[str, Any]:
    """Return the names that the code of a function or class sees."""
    try:
        target = inspect.unwrap(target)
    except ValueError:  # it wraps itself
        return {}
    functions = [target, *vars(target).values()] if isinstance(target, type) else [target]
    for function in functions:
        if isinstance(function, FunctionType):
            return function.__globals__
    return vars(sys.modules.get(getattr(target, "__module__", None) or "", object)) if functions else {}


def code_of(code: CodeType) -> set[CodeType]:
    """Return `code` and every function's code in it."""
    inner = [code_of(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return {code}.union(*inner)
