"""Many Heads: what learners import. Checks, widgets and pictures for a course on multi-head attention."""

from . import check
from .notebook import setup, try_it

__version__ = "0.1.0"
__all__ = ["__version__", "check", "setup", "try_it"]
