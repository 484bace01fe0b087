"""The process from which local workers are forked, so that their common modules are imported only once.

It is `multiprocessing`'s fork server; Dask starts workers with it, see `autograder.run.cluster`. The command line makes
it a fork of the command itself, and starts the warm process, which takes longest, before the command's imports.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Collection, Sequence
from itertools import pairwise
from multiprocessing import forkserver, resource_tracker, util
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

from . import warm_process as warm
from .bubblewrap import ONE_THREAD

_WORKER, _AND_WARM = "autograder.run.preload", "autograder.run.preload_warm"


def is_for(arguments: Sequence[str]) -> bool:
    """Return whether a command with these `arguments` will run submissions in local workers."""
    command, options = (arguments[0], set(arguments[1:])) if arguments else ("", set[str]())
    elsewhere = any(option.startswith("--scheduler") for option in options) or "--help" in options
    handed_in = command == "grade" and any(Path(option, "submitted").is_dir() for option in options)
    one = command == "gradescope" and "--prepare" not in options
    return (handed_in or one or command == "demo") and not elsewhere


def prepare(*, sandbox: bool) -> None:
    """Prepare a command that will call `fork`. Call it before the command's imports.

    Args:
        sandbox: whether to start a warm process that all workers share.
    """
    keep_to_one_thread()
    if sandbox:
        warm.start_shared()


def keep_to_one_thread() -> None:
    """Prevent libraries that are imported later from starting threads, unless the environment sets a number.

    Forks would lack these threads, and at least as many submissions as cores run at once.
    """
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)


def fork() -> None:
    """Start the fork server as a fork of this process, which must have one thread and the workers' imports."""
    resource_tracker.ensure_running()  # started before the patch, because it must be a new Python
    with mock.patch.object(util, "spawnv_passfds", _fork):
        begin(sandbox=False)


def _fork(_program: str, command: Sequence[str], descriptors: Sequence[int]) -> int:
    """Replace `spawnv_passfds`: run `python -c …` in a fork instead of a new Python."""
    child = os.fork()
    if child == 0:
        _run(command, descriptors)
    return child


def _run(command: Sequence[str], descriptors: Sequence[int]) -> NoReturn:
    """Run the code of `python -c` in `command` as a new Python would, to the extent that `multiprocessing` needs it.

    Since Python 3.13.15 and 3.14.8, arguments follow the code.
    """
    try:
        _close_all_but({0, 1, 2, *descriptors, *warm.shared_descriptors()})
        code = command.index("-c") + 1
        sys.argv = ["-c", *command[code + 1 :]]
        exec(command[code], {"__name__": "__main__"})
    except Exception:
        traceback.print_exc()  # as a new Python would
    finally:
        os._exit(0)  # skip the command's exit handlers


def _close_all_but(descriptors: Collection[int]) -> None:
    """Close inherited descriptors that a new Python would not have.

    One of them signals, by being closed, that the command has ended.
    """
    for before, after in pairwise([*sorted(descriptors), os.sysconf("SC_OPEN_MAX")]):
        if before + 1 < after:  # closerange(0, 0) closes everything
            os.closerange(before + 1, after)


def begin(*, sandbox: bool = True) -> None:
    """Start the fork server in a new Python, unless it is running, without waiting for it.

    Args:
        sandbox: whether it starts a warm process that all workers share.
    """
    forkserver.set_forkserver_preload([_AND_WARM if sandbox else _WORKER])
    forkserver.ensure_running()


def is_running() -> bool:
    """Return whether the fork server was started and not ended."""
    server: Any = forkserver._forkserver  # no public API gives its process
    return server._forkserver_pid is not None


def end() -> None:
    """End the fork server and the shared warm process.

    The next worker starts new ones, with the environment variables set then.
    """
    warm.end_shared()
    server: Any = forkserver._forkserver
    if is_running():
        os.kill(server._forkserver_pid, signal.SIGTERM)  # otherwise it would wait for workers that do not end
        server._stop()
