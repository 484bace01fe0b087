"""What init does while a learner's kernel runs: see that all its processes together keep within their limits.

Called by `autograder.zygote` in PID 1 of the kernel's namespaces; when it returns, init ends and with it everything.
Limits of a single process are the kernel's business (`autograder.namespaces.set_limits`).
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

KERNEL_ENDED, OUT_OF_TIME, OUT_OF_CPU, OUT_OF_MEMORY, NOT_WANTED = "itself", "time", "cpu", "memory", "not wanted"
_EVERY = 0.05  # seconds between two looks
_TICKS = os.sysconf("SC_CLK_TCK")  # a second


def until_the_end(kernel: int, line: socket.socket, limits: dict[str, Any]) -> str:
    """Wait until process `kernel` ends, `line` is closed at its other end, or a limit is passed. Return which.

    Args:
        limits: `seconds`, `cpu_seconds` and `memory_mb` of `autograder.limits.Limits`.
    """
    deadline = time.monotonic() + limits["seconds"]
    poll = select.poll()
    poll.register(os.pidfd_open(kernel), select.POLLIN)
    poll.register(line, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll(1000 * _EVERY):
            if descriptor == line.fileno():
                return NOT_WANTED
            return _how_it_ended(kernel)
        _reap(kernel)
        if time.monotonic() > deadline:
            return OUT_OF_TIME
        cpu_seconds, memory = _used()
        if cpu_seconds > limits["cpu_seconds"]:
            return OUT_OF_CPU
        if memory > limits["memory_mb"] * 2**20:
            return OUT_OF_MEMORY


def _how_it_ended(kernel: int) -> str:
    _, status = os.waitpid(kernel, 0)
    by_cpu = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU
    return OUT_OF_CPU if by_cpu else KERNEL_ENDED


def _reap(kernel: int) -> None:
    """Take away processes whose parent ended before them: they count against the limit until somebody does."""
    with contextlib.suppress(ChildProcessError):
        while True:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None or ended.si_pid == kernel:  # the kernel's own end is asked for elsewhere
                return
            os.waitpid(ended.si_pid, 0)


def _used() -> tuple[float, int]:
    """Return CPU seconds used so far, and bytes of memory in use, by all processes in this PID namespace but init."""
    reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds, memory = reaped.ru_utime + reaped.ru_stime, 0
    for process in _processes():
        with contextlib.suppress(OSError):  # it has just ended
            with open(f"/proc/{process}/stat", "rb") as file:
                after_name = file.read().rpartition(b")")[2].split()  # a name may hold anything
            cpu_seconds += sum(map(int, after_name[11:15])) / _TICKS  # its own and its reaped children's
            with open(f"/proc/{process}/status", "rb") as file:
                for row in file:
                    if row.startswith((b"RssAnon:", b"RssShmem:")):
                        memory += 1024 * int(row.split()[1])
    return cpu_seconds, memory


def _processes() -> Iterator[str]:
    return (name for name in os.listdir("/proc") if name.isdigit() and name != "1")
