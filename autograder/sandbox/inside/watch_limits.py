"""What init does while a learner's kernel runs: see that all its processes together keep within their limits.

Called by `autograder.sandbox.inside.zygote` in PID 1 of the kernel's namespaces; when it returns, init ends and with it
everything. Limits of a single process are the kernel's business (`autograder.sandbox.inside.namespaces.set_limits`).
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
_EVERY = 0.05  # seconds between two looks
_BUFFER = 212_992  # bytes that one socket sends before somebody has read them, by Linux's default
_DATAGRAMS, _MOST_LETTERS = b"0002", 11  # of /proc/net/unix: sockets that several others may send to
_TICKS = os.sysconf("SC_CLK_TCK")  # a second


def until_the_end(kernel: int, line: socket.socket, limits: dict[str, Any]) -> str:
    """Wait until the kernel ends, `line` is closed at its other end, or a limit is passed. Return which.

    Args:
        kernel: a pidfd of its process.
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
        # The quick sum counts what a child shares with its parent twice; the exact one takes milliseconds a process.
        if sum(map(_memory, processes)) > most and sum(map(_own_memory, processes)) > most:
            return OUT_OF_MEMORY


def _in_sockets() -> int:
    """Return how many bytes may lie in the sockets in here, those included that lie in another socket themselves.

    What lies there belongs to no process, and nothing tells how much it is. No socket's buffer can be enlarged.
    """
    with open("/proc/net/unix", "rb") as file:
        sockets = sum(_MOST_LETTERS if row.split()[4] == _DATAGRAMS else 1 for row in file)
    with open("/proc/net/netlink", "rb") as file:
        return _BUFFER * (sockets + sum(1 for _ in file))


def _reap() -> None:
    """Take away processes whose parent ended before them: they count against the limit until somebody does."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _cpu_seconds(processes: Iterable[str]) -> float:
    """Return the CPU time that was used so far by `processes` and by those that they, or this one, have reaped.

    One that has ended, and whose parent had said that it would not care, is in no sum any more.
    """
    reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = 0
    for process in processes:
        # suppress: it has just ended
        with contextlib.suppress(OSError), open(f"/proc/{process}/stat", "rb") as file:
            after_name = file.read().rpartition(b")")[2].split()  # a name may hold anything
            ticks += sum(map(int, after_name[11:15]))  # its own and its reaped children's
    return reaped.ru_utime + reaped.ru_stime + ticks / _TICKS


def _memory(process: str) -> int:
    """Return the bytes that a process uses, all that it shares included.

    Any of its threads can tell, unless it has ended, as the first may before the others.
    """
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):
            with contextlib.suppress(OSError):
                used = _bytes(f"{process}/task/{thread}/status", (b"RssAnon:", b"RssShmem:", b"VmSwap:", b"VmPTE:"))
                if used:
                    return used
    return 0


def _own_memory(process: str) -> int:
    """Return the bytes that a process uses: its part of those that it shares, or all of them where it hides which."""
    try:
        own = _bytes(f"{process}/smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:"))
        return own + _bytes(f"{process}/status", (b"VmPTE:",))
    except OSError:
        return _memory(process)


def _bytes(file_name: str, rows: tuple[bytes, ...]) -> int:
    with open(f"/proc/{file_name}", "rb") as file:
        return 1024 * sum(int(row.split()[1]) for row in file if row.startswith(rows))
