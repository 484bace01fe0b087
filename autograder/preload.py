"""Imported by the fork server, see `autograder.fork_server`: what a worker needs, for its forks to find.

Nothing else imports it: it changes the process that it is in.
"""

import os
import signal
import warnings

from .fork_server import ONE_THREAD

signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command alone
for _name, _value in ONE_THREAD.items():
    os.environ.setdefault(_name, _value)  # a fork has no other threads, and there are as many submissions as cores
# A warm process that has ended is not one of its workers; whoever needs it finds out and starts another.
warnings.filterwarnings("ignore", message="forkserver: waitpid returned unexpected pid")

import distributed.nanny  # noqa: E402
import distributed.worker  # noqa: E402, F401
import torch  # noqa: E402

from . import jobs  # noqa: E402, F401

torch.ones(2, 2, device="meta").triu()  # exams use tensors without data, and the first takes two seconds
