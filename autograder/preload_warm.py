"""Imported by the fork server, see `autograder.fork_server`: `autograder.preload` with a warm process before it."""

from . import warm

warm.lend()

from . import preload  # noqa: E402, F401
