"""Imports the modules that workers need, so that forks inherit them. `autograder.sandbox.fork_server` imports it.

Nothing else may import it, because it changes the process: its signals, threads and garbage collector.
"""

import signal
import warnings

from ..sandbox.fork_server import keep_to_one_thread
from ..sandbox.inside import garbage

signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command alone
keep_to_one_thread()
# The fork server also reaps the warm process, and warns about its unknown pid. That is harmless: the next user of the
# warm process restarts it.
warnings.filterwarnings("ignore", message="forkserver: waitpid returned unexpected pid")

with garbage.none_while_importing():
    import distributed.nanny
    import distributed.worker  # noqa: F401

    from . import job as jobs  # noqa: F401
garbage.look_rarely()
