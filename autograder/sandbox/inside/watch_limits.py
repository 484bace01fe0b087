"""Watches the limits of a learner's kernel: those on all its processes together.

`autograder.sandbox.inside.zygote` calls it in init, PID 1 of the kernel's namespaces; when it returns, init and all
other processes end. The system enforces the limits of single processes
(`autograder.sandbox.inside.namespaces.set_limits`).
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import time
from collections.abc import Iterable
from typing import Any

KERNEL_ENDED, OUT_OF_TIME, OUT_OF_CPU, OUT_OF_MEMORY, NOT_WANTED = "itself", "time", "cpu", "memory", "not wanted"
_EVERY = 0.05  # seconds between checks
_BUFFER = 212_992  # bytes of unread data that one socket may have sent, by Linux's default
_DATAGRAMS, _MOST_SENDERS = b"0002", 11  # datagram sockets in /proc/net/unix, which may get data from several others
_TICKS = os.sysconf("SC_CLK_TCK")  # per second


def until_the_end(kernel: int, line: socket.socket, limits: dict[str, Any]) -> str:
    """Wait until the kernel ends, the other end of `line` is closed, or a limit is exceeded. Return which.

    Args:
        kernel: a pidfd of the kernel's process.
        line: the socket to the grader.
        limits: `seconds`, `cpu_seconds` and `memory_mb` of `autograder.sandbox.limits.Limits`.
    """
    deadline = time.monotonic() + limits["seconds"]
    poll = select.poll()
    poll.register(kernel, select.POLLIN)
    poll.register(line, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll(1000 * _EVERY):
            if descriptor == line.fileno():
                return NOT_WANTED
            return KERNEL_ENDED
        _reap()
        if time.monotonic() > deadline:
            return OUT_OF_TIME
        processes = [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]
        if _cpu_seconds(processes) > limits["cpu_seconds"]:
            return OUT_OF_CPU
        most = limits["memory_mb"] * 2**20 - _in_sockets()
        # The fast sum counts pages shared by parent and child twice; the exact one takes milliseconds per process.
        if sum(map(_memory, processes)) > most and sum(map(_own_memory, processes)) > most:
            return OUT_OF_MEMORY


def _in_sockets() -> int:
    """Return the maximum number of bytes in the buffers of all sockets, including sockets that were sent via others.

    These buffers belong to no process, and the system does not report their content. Their size cannot be increased
    inside the sandbox.
    """
    with open("/proc/net/unix", "rb") as file:
        sockets = sum(_MOST_SENDERS if row.split()[4] == _DATAGRAMS else 1 for row in file)
    with open("/proc/net/netlink", "rb") as file:
        return _BUFFER * (sockets + sum(1 for _ in file))


def _reap() -> None:
    """Reap processes whose parent ended first: until then they count towards the limit on processes."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _cpu_seconds(processes: Iterable[str]) -> float:
    """Return the CPU time used so far by `processes` and by the children that they or this process have reaped.

    Missing: the time of children whose parent ignores SIGCHLD; the kernel reaps them without accounting.
    """
    reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = 0
    for process in processes:
        # suppress: the process may have ended meanwhile
        with contextlib.suppress(OSError), open(f"/proc/{process}/stat", "rb") as file:
            after_name = file.read().rpartition(b")")[2].split()  # a name may contain any characters
            ticks += sum(map(int, after_name[11:15]))  # of the process and its reaped children
    return reaped.ru_utime + reaped.ru_stime + ticks / _TICKS


def _memory(process: str) -> int:
    """Return the memory of a process in bytes, including shared pages.

    It can be read from any thread that has not ended; the first thread may end before the others.
    """
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):
            with contextlib.suppress(OSError):
                used = _bytes(f"{process}/task/{thread}/status", (b"RssAnon:", b"RssShmem:", b"VmSwap:", b"VmPTE:"))
                if used:
                    return used
    return 0


def _own_memory(process: str) -> int:
    """Return the memory of a process in bytes, counting shared pages proportionally, or fully if that is unreadable."""
    try:
        own = _bytes(f"{process}/smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:"))
        return own + _bytes(f"{process}/status", (b"VmPTE:",))
    except OSError:
        return _memory(process)


def _bytes(file_name: str, rows: tuple[bytes, ...]) -> int:
    with open(f"/proc/{file_name}", "rb") as file:
        return 1024 * sum(int(row.split()[1]) for row in file if row.startswith(rows))
