"""The process that this machine's workers are forks of. It imports, once, what each of them would import by itself.

It is `multiprocessing`'s fork server; Dask starts its workers in it, see `autograder.cluster`. The command line begins
it before its own imports, so that the two, and the warm process, get ready side by side.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

_WORKER, _AND_WARM = "autograder.preload", "autograder.preload_warm"


def begin(sandbox: bool = True) -> None:
    """Start it if it does not run, and do not wait for it.

    Args:
        sandbox: whether it is to start a warm process, which all workers then share.
    """
    forkserver.set_forkserver_preload([_AND_WARM if sandbox else _WORKER])
    forkserver.ensure_running()


def begin_for(arguments: Sequence[str]) -> None:
    """Start it if the command line given by `arguments` will run submissions in workers of this machine's."""
    command, options = (arguments[0], set(arguments[1:])) if arguments else ("", set[str]())
    elsewhere = any(option.startswith("--scheduler") for option in options) or "--help" in options
    handed_in = command == "grade" and any(Path(option, "submitted").is_dir() for option in options)
    if (handed_in or command == "demo") and not elsewhere:
        begin(sandbox="--no-sandbox" not in options)


def end() -> None:
    """End it, with its warm process. The next worker starts another, in the environment of that time."""
    server: Any = forkserver._forkserver  # type: ignore[attr-defined]  # there is no other way to its process
    if server._forkserver_pid is not None:
        os.kill(server._forkserver_pid, signal.SIGTERM)  # left alone, it would wait for workers that do not end
        server._stop()
