"""The process that this machine's workers are forks of: what they all import is imported once.

It is `multiprocessing`'s fork server; Dask starts its workers in it, see `autograder.run.cluster`. For the command line
it is itself a fork of the command, and the warm process, which takes longest, gets ready while the command imports.
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
    """Return whether the command line given by `arguments` will run submissions in workers of this machine's."""
    command, options = (arguments[0], set(arguments[1:])) if arguments else ("", set[str]())
    elsewhere = any(option.startswith("--scheduler") for option in options) or "--help" in options
    handed_in = command == "grade" and any(Path(option, "submitted").is_dir() for option in options)
    one = command == "gradescope" and "--prepare" not in options
    return (handed_in or one or command == "demo") and not elsewhere


def prepare(sandbox: bool) -> None:
    """Do what comes before the imports of a command that will call `fork`.

    Args:
        sandbox: whether a warm process is to be started, which all workers then share.
    """
    keep_to_one_thread()
    if sandbox:
        warm.lend()


def keep_to_one_thread() -> None:
    """Have libraries that are imported from here on start no threads, unless somebody has set how many.

    A fork would not have them, and there are as many submissions as cores.
    """
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)


def fork() -> None:
    """Start it as a fork of this process, which must have one thread, and has imported what workers need."""
    resource_tracker.ensure_running()  # it is started in the same way, and is to be a Python of its own
    with mock.patch.object(util, "spawnv_passfds", _fork):
        begin(sandbox=False)


def _fork(_program: str, command: Sequence[str], descriptors: Sequence[int]) -> int:
    """Take the place of `spawnv_passfds`: run `python -c …` in a fork in place of a new Python."""
    child = os.fork()
    if child == 0:
        _be(command, descriptors)
    return child


def _be(command: Sequence[str], descriptors: Sequence[int]) -> NoReturn:
    """Do what a new Python would do that is started by `command`, as far as `multiprocessing` needs it.

    Since Python 3.13.15 and 3.14.8 this process's own arguments follow the code: they are data.
    """
    try:
        _close_all_but({0, 1, 2, *descriptors, *warm.lent_descriptors()})
        code = command.index("-c") + 1
        sys.argv = ["-c", *command[code + 1 :]]
        exec(command[code], {"__name__": "__main__"})
    except Exception:
        traceback.print_exc()  # as a new Python would
    finally:
        os._exit(0)  # nothing that the command has to do at its end is done here


def _close_all_but(kept: Collection[int]) -> None:
    """Close what a new Python would not have got. One of it tells, by closing, that the command has ended."""
    for before, after in pairwise([*sorted(kept), os.sysconf("SC_OPEN_MAX")]):
        if before + 1 < after:  # closerange(0, 0) closes everything
            os.closerange(before + 1, after)


def begin(sandbox: bool = True) -> None:
    """Start it, in a new Python, if it does not run, and do not wait for it.

    Args:
        sandbox: whether it is to start a warm process, which all workers then share.
    """
    forkserver.set_forkserver_preload([_AND_WARM if sandbox else _WORKER])
    forkserver.ensure_running()


def is_running() -> bool:
    """Return whether it was started and not ended."""
    server: Any = forkserver._forkserver  # type: ignore[attr-defined]  # there is no other way to its process
    return server._forkserver_pid is not None


def end() -> None:
    """End it, with the warm process. The next worker starts another, in the environment of that time."""
    warm.take_back()
    server: Any = forkserver._forkserver  # type: ignore[attr-defined]
    if is_running():
        os.kill(server._forkserver_pid, signal.SIGTERM)  # left alone, it would wait for workers that do not end
        server._stop()
