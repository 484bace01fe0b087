"""Imported by the fork server, see `autograder.sandbox.fork_server`: what a worker needs, for its forks to find.

Nothing else imports it: it changes the process that it is in.
"""

import signal
import warnings

from ..sandbox.fork_server import keep_to_one_thread
from ..sandbox.inside import garbage

signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command alone
keep_to_one_thread()
# A warm process that has ended is not one of its workers; whoever needs it finds out and starts another.
warnings.filterwarnings("ignore", message="forkserver: waitpid returned unexpected pid")

with garbage.none_while_importing():
    import distributed.nanny
    import distributed.worker  # noqa: F401

    from . import job as jobs  # noqa: F401
garbage.look_rarely()
