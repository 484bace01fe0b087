"""Tries, inside bubblewrap, each layer that seals a kernel, and prints which of them this machine gives.

`autograder.cli.doctor` runs it (`python -m autograder.sandbox.inside.try_layers`) and reads a JSON object a line:
`{"layer": …, "refused": why or ""}`. It does what `autograder.sandbox.inside.zygote` does for a kernel, in the same
order, without a kernel.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from typing import NoReturn

from . import namespaces
from .zygote import SCRATCH

NAMESPACES, PROCESSES, MEMORY_FOLDERS, JOINING, LIMITS, PRIVILEGES = LAYERS = (
    "namespaces for users, mounts, processes, network and IPC",
    "a /proc of its own",
    "folders in memory, with a size",
    "a way into these for a fork of the warm process",
    "limits for CPU time, memory, processes and files",
    "giving up privileges and system calls",
)


def main() -> None:
    """Try the layers from the outermost to the innermost, each in what the ones before it made."""
    line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        namespaces.new_user_namespace()
    except OSError as error:
        _tell(NAMESPACES, error)
        return
    if os.fork() == 0:
        line.close()
        _first_child(theirs)
    theirs.close()
    _, descriptors, _, _ = socket.recv_fds(line, 1, 1)
    if not descriptors:
        return
    [init] = descriptors
    try:
        namespaces.children_join(init)
        kernel = os.fork()
    except OSError as error:
        _tell(JOINING, error)
        return
    if kernel == 0:
        _try(JOINING, lambda: namespaces.join(init))
        _try(LIMITS, lambda: namespaces.set_limits(60, 2**31, processes=50, open_files=50, file_size=2**20))
        _try(PRIVILEGES, namespaces.give_up_privileges)
        os._exit(0)
    os.waitpid(kernel, 0)


def _first_child(line: socket.socket) -> NoReturn:
    _try(NAMESPACES, namespaces.new_namespaces)
    if os.fork() == 0:
        _try(PROCESSES, _own_processes)
        _try(MEMORY_FOLDERS, lambda: namespaces.memory_folder(SCRATCH, size=2**20, files=10))
        socket.send_fds(line, [b"1"], [os.pidfd_open(os.getpid())])
        line.recv(1)  # until all is tried
    os._exit(0)


def _own_processes() -> None:
    flags = namespaces.NO_SUID | namespaces.NO_DEVICES | namespaces.NO_PROGRAMS
    namespaces.mount("proc", "/proc", "proc", flags)
    namespaces.no_further_namespaces()


def _try(layer: str, action: Callable[[], object]) -> None:
    try:
        action()
        _tell(layer)
    except (OSError, ValueError, KeyError) as error:
        _tell(layer, error)


def _tell(layer: str, error: Exception | str = "") -> None:
    print(json.dumps({"layer": layer, "refused": str(error)}), flush=True)


if __name__ == "__main__":
    main()
