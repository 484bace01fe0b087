"""Imported by the fork server, see `autograder.fork_server`: what a worker needs, for its forks to find.

Nothing else imports it: it changes the process that it is in.
"""

import gc
import signal
import warnings

from .fork_server import keep_to_one_thread

signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command alone
keep_to_one_thread()
# A warm process that has ended is not one of its workers; whoever needs it finds out and starts another.
warnings.filterwarnings("ignore", message="forkserver: waitpid returned unexpected pid")

gc.disable()  # imports make hundreds of thousands of objects, and none of them is garbage
import distributed.nanny  # noqa: E402
import distributed.worker  # noqa: E402, F401

from . import jobs  # noqa: E402, F401

gc.freeze()
gc.enable()
