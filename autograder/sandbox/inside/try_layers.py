"""Tries each layer of the sandbox inside bubblewrap, and prints which of them work on this machine.

`autograder.sandbox.requirements` runs it (`python -m autograder.sandbox.inside.try_layers`) and reads one JSON object
per line: `{"layer": …, "refused": why or ""}`. It takes the same steps as `autograder.sandbox.inside.zygote`, in the
same order, but starts no kernel.
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
    "a separate /proc",
    "folders in memory with a maximum size",
    "joining these namespaces from a fork of the warm process",
    "limits on CPU time, memory, processes and files",
    "giving up privileges and system calls",
)


def main() -> None:
    """Try the layers from the outermost to the innermost, each within the previous ones."""
    line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        namespaces.new_user_namespace()
    except OSError as error:
        _report(NAMESPACES, error)
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
        _report(JOINING, error)
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
        line.recv(1)  # wait until the other layers were tried
    os._exit(0)


def _own_processes() -> None:
    flags = namespaces.NO_SUID | namespaces.NO_DEVICES | namespaces.NO_PROGRAMS
    namespaces.mount("proc", "/proc", "proc", flags)
    namespaces.no_further_namespaces()


def _try(layer: str, action: Callable[[], object]) -> None:
    try:
        action()
        _report(layer)
    except (OSError, ValueError, KeyError) as error:
        _report(layer, error)


def _report(layer: str, error: Exception | str = "") -> None:
    print(json.dumps({"layer": layer, "refused": str(error)}), flush=True)


if __name__ == "__main__":
    main()
