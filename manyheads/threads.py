"""Limits torch's threads to the cores that are not in use.

In a matrix product, one thread that waits for a busy core holds up all the others: the call can then take hundreds of
times as long. `manyheads.check` takes its share when it is imported, lessons train small models with one thread, and
`autograder` runs as many submissions at once as there are cores. A number that the user has set is never changed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

_SAID = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_CGROUPS = Path("/sys/fs/cgroup")
_set: int | None = None  # the number that this module set last


def cores() -> int:
    """Return how many cores this process may use, by its CPU affinity and its quota."""
    return max(1, math.ceil(min(_allowed(), _quota())))


def free_cores() -> int:
    """Return how many of `cores()` are idle, by the load of the last minute; at least 1."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    # The load is the whole machine's. If this process may use only some cores, their share of the load counts.
    busy = min(1.0, load / (os.cpu_count() or 1))
    return max(1, round(cores() * (1 - busy)))


def limit(count: int) -> None:
    """Have torch use at most `count` threads from now on, unless the user has set a number."""
    global _set
    import torch  # the grader's commands use this module without torch

    if not _user_has_said(torch.get_num_threads()):
        _set = min(count, torch.get_num_threads())
        torch.set_num_threads(_set)


def take_share() -> None:
    """Have torch use no more threads than there are free cores, unless the user has set a number."""
    limit(free_cores())


@contextmanager
def one_thread() -> Generator[None]:
    """Have torch use one thread within the block: a small model gains nothing from more, and loses by waiting.

    If the user has set a number, it stays. It is also a decorator: `@one_thread()`.
    """
    global _set
    import torch

    before, set_before = torch.get_num_threads(), _set
    limit(1)
    try:
        yield
    finally:
        if torch.get_num_threads() == _set:  # nothing else has changed the number meanwhile
            torch.set_num_threads(before)
            _set = set_before


def _user_has_said(threads: int) -> bool:
    """Whether the user has set torch's number of threads: by an environment variable, or because it is not torch's
    default, one for each core or for each pair of hyperthreads.
    """
    return any(os.environ.get(name) for name in _SAID) or threads not in (_set, _allowed(), math.ceil(_allowed() / 2))


def _allowed() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quota() -> float:
    """Return how many cores' time the control groups of this process allow; infinity if they set no limit."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return math.inf
    lowest = math.inf
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:  # version 2
            lowest = min(lowest, *(_version_2(folder) for folder in _with_parents(_CGROUPS, group)))
        elif "cpu" in controllers.split(","):
            lowest = min(lowest, *(_version_1(folder) for folder in _with_parents(_CGROUPS / "cpu", group)))
    return lowest


def _with_parents(root: Path, group: str) -> Iterator[Path]:
    """Yield a group's folder and those above it: each of them may set a limit. In a container they may be missing."""
    folder = root / group.lstrip("/")
    yield folder
    while folder != root:
        folder = folder.parent
        yield folder


def _version_2(folder: Path) -> float:
    try:
        quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return math.inf


def _version_1(folder: Path) -> float:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        period = int((folder / "cpu.cfs_period_us").read_text(encoding="ascii"))
        return quota / period if quota > 0 else math.inf
    except (OSError, ValueError):
        return math.inf
