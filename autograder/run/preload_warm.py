"""Like `autograder.run.preload`, but starts a warm process first. `autograder.sandbox.fork_server` imports it."""

from ..sandbox import warm_process as warm

warm.start_shared()

from . import preload  # noqa: E402, F401
