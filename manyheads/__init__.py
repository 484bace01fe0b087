"""Many Heads: what learners import. Checks, widgets and pictures for a course on multi-head attention."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import check
    from .notebook import setup, try_it

__version__ = "0.1.0"
__all__ = ["__version__", "check", "setup", "try_it"]
__path__ = [*__path__, f"{__path__[0]}/former_names"]  # modules are still found under their former names


def __getattr__(name: str) -> Any:
    """Import a module when it is used: it imports torch, which most of the grader's commands do not need."""
    if name == "check":
        return importlib.import_module(".check", __name__)
    if name in ("setup", "try_it"):
        return getattr(importlib.import_module(".notebook", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
