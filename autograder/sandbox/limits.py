"""What one submission may use. `Execute.limits` in a class's `nbgrader_config.py` changes any of them.

Enforced inside the sandbox by `autograder.sandbox.inside.watch_limits` and `autograder.sandbox.inside.namespaces`;
output, the only one that holds without the sandbox too, by `autograder.sandbox.run_cells`. How long a single cell may
run is nbgrader's own `c.Execute.timeout`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..problems import Problem

MB = 2**20  # bytes


@dataclass(frozen=True)
class Limits:
    """The limits of one submission, all its processes together unless said otherwise.

    Args:
        seconds: wall time from the kernel's start to its end. Then it is killed: "timeout".
        cpu_seconds: CPU time, user and system. Then it is killed: "timeout".
        memory_mb: memory that is nobody else's. What importing torch asks for and leaves untouched, 765 MB with a
            build for CUDA, does not count. One process that asks for more gets Python's `MemoryError`, which the
            learner sees at their cell; several that use more together are killed within a twentieth of a second or
            two: "crashed".
        processes: processes and threads at a time; a further one is refused. A kernel alone has about 15.
        open_files: files and sockets that one process may have open.
        file_mb: size of one file; writing more is an `OSError`. It is also the limit of what one answer weighs.
        scratch_mb: size of the scratch folder, which is in memory, and of /dev/shm; then "No space left on device".
        output_mb: size of what all cells print and show; what comes later is dropped, and a line says so. A single
            message that is 2 MB larger than that ends the run: "timeout".
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
            Problem: if a setting is unknown or no positive number.
        """
        known = [field.name for field in fields(cls)]
        for name, value in settings.items():
            if name not in known:
                raise Problem(f"c.Execute.limits has no {name!r}; it has: {', '.join(known)}")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
                raise Problem(f"c.Execute.limits[{name!r}] must be a number above 0, and is {value!r}")
        return cls(**settings)
