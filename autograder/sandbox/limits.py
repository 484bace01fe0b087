"""The limits on resources of one submission. `c.Execute.limits` in a class's `nbgrader_config.py` changes them.

Inside the sandbox they are enforced by `autograder.sandbox.inside.watch_limits` and
`autograder.sandbox.inside.namespaces`. `autograder.sandbox.run_cells` enforces the limit on output, the only one that
also works with `--no-sandbox`. The time limit of a single cell is nbgrader's own `c.Execute.timeout`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..problems import Problem

MB = 2**20  # bytes


@dataclass(frozen=True)
class Limits:
    """The limits of one submission, for all its processes together unless stated otherwise.

    Args:
        seconds: wall time of the kernel, which is then killed ("timeout").
        cpu_seconds: CPU time, user and system. The kernel is then killed ("timeout").
        memory_mb: private memory. Memory that importing torch reserves but does not touch, 765 MB with a CUDA build,
            does not count. A single process that requests more gets a `MemoryError`, which the learner sees at their
            cell; if several use more together, all are killed within about a tenth of a second ("crashed").
        processes: number of processes and threads; starting more fails. A kernel alone has about 15.
        open_files: number of open files and sockets of one process.
        file_mb: size of one file; writing more is an `OSError`. It is also the maximum size of one answer.
        scratch_mb: size of the scratch folder, which is in memory, and of /dev/shm; beyond it, writing fails with "No
            space left on device".
        output_mb: size of the outputs of all cells; later outputs are dropped, and a line says so. A single message
            that is 16 MB larger than that ends the run ("timeout").
    """

    seconds: float = 300
    cpu_seconds: float = 300
    memory_mb: int = 2048
    processes: int = 96
    open_files: int = 256
    file_mb: int = 64
    scratch_mb: int = 256
    output_mb: int = 10

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Limits:
        """Make limits from a class's settings.

        Raises:
            Problem: if a setting is unknown, or is not a positive number.
        """
        known = [field.name for field in fields(cls)]
        for name, value in settings.items():
            if name not in known:
                raise Problem(f"c.Execute.limits has no {name!r}; it has: {', '.join(known)}")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
                raise Problem(f"c.Execute.limits[{name!r}] must be a number above 0, not {value!r}")
        return cls(**settings)
