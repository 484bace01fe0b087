"""Imported by the fork server: `autograder.run.preload` with a warm process before it."""

from ..sandbox import warm_process as warm

warm.lend()

from . import preload  # noqa: E402, F401
