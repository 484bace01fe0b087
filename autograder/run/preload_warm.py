"""Imported by the fork server, see `autograder.sandbox.fork_server`: `autograder.run.preload` with a warm process before it."""

from ..sandbox import warm_process as warm

warm.lend()

from . import preload  # noqa: E402, F401
