"""Tries, inside bubblewrap, each layer that seals a kernel, and prints which of them this machine gives.

`autograder.doctor` runs it (`python -m autograder.layers`) and reads a JSON object a line: `{"layer": …, "refused":
why or ""}`. It does what `autograder.zygote` does for a kernel, in the same order, without a kernel.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from . import namespaces
from .zygote import SCRATCH

NAMESPACES, PROCESSES, MEMORY_FOLDERS, LIMITS, PRIVILEGES = LAYERS = (
    "namespaces for users, mounts, processes, network and IPC",
    "a /proc of its own",
    "folders in memory, with a size",
    "limits for CPU time, memory, processes and files",
    "giving up privileges and system calls",
)


def main() -> None:
    """Try the layers from the outermost to the innermost, each in what the ones before it made."""
    _try(NAMESPACES, namespaces.new_namespaces)
    child = os.fork()
    if child == 0:
        _try(PROCESSES, _own_processes)
        _try(MEMORY_FOLDERS, lambda: namespaces.memory_folder(SCRATCH, size=2**20, files=10))
        _try(LIMITS, lambda: namespaces.set_limits(60, 2**31, processes=50, open_files=50, file_size=2**20))
        _try(PRIVILEGES, namespaces.give_up_privileges)
        os._exit(0)
    os.waitpid(child, 0)


def _own_processes() -> None:
    flags = namespaces.NO_SUID | namespaces.NO_DEVICES | namespaces.NO_PROGRAMS
    namespaces.mount("proc", "/proc", "proc", flags)
    namespaces.no_further_namespaces()


def _try(layer: str, action: Callable[[], object]) -> None:
    try:
        action()
        refused = ""
    except (OSError, ValueError, KeyError) as error:
        refused = str(error)
    print(json.dumps({"layer": layer, "refused": refused}), flush=True)


if __name__ == "__main__":
    main()
