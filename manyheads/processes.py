"""Runs a function of a notebook in several new Python processes that work together.

A new Python knows nothing of the notebook, and a function that is defined there cannot be sent to it by its name. So
its source text is sent: it may use what it imports or defines itself, and nothing else.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

_SECONDS = 120


def run_together(work: Callable[[int, int, str], object], world_size: int = 2, seconds: float = _SECONDS) -> bool:
    """Run `work(rank, world_size, meeting_point)` in `world_size` new processes and print what they print.

    Where no processes can be started, that is said, and nothing else happens. If one fails, the others are ended: they
    would wait for it.

    Args:
        work: a function with a name, whose source is known. It imports all that it uses.
        world_size: how many processes.
        seconds: after so many, all are ended.
    Returns:
        whether all of them have ended without an error.
    """
    source = textwrap.dedent(inspect.getsource(work))
    with tempfile.TemporaryDirectory(prefix="manyheads-", ignore_cleanup_errors=True) as folder:
        meeting_point = (Path(folder) / "meeting_point").as_uri()
        script = Path(folder) / "work.py"
        script.write_text(
            f"{source}\n\nif __name__ == '__main__':\n"
            f"    import sys\n\n    {work.__name__}(int(sys.argv[1]), {world_size}, {meeting_point!r})\n",
            encoding="utf-8",
        )
        processes: list[subprocess.Popen[str]] = []
        said: list[list[str]] = [[] for _ in range(world_size)]
        try:
            for rank in range(world_size):
                processes.append(_started(script, rank))
        except OSError as error:
            _end(processes)
            print(f"No process can be started here: {error}")
            return False
        readers = [
            threading.Thread(target=_read, args=(process, said[rank]), daemon=True)
            for rank, process in enumerate(processes)
        ]
        for reader in readers:
            reader.start()
        try:
            late = not _all_ended(processes, time.monotonic() + seconds)
        finally:
            _end(processes)
        for reader in readers:
            reader.join()
        for rank, lines in enumerate(said):
            for line in lines:
                print(f"process {rank} | {line}")
        if late:
            print(f"After {seconds:g} seconds they had not finished, and were ended.")
        return not late and all(process.returncode == 0 for process in processes)


def _started(script: Path, rank: int) -> subprocess.Popen[str]:
    package = str(Path(__file__).resolve().parent.parent)
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",  # else each of them would take all cores
        "PYTHONPATH": os.pathsep.join(paths),  # this package, also if it is not installed
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
    }
    return subprocess.Popen(
        [sys.executable, str(script), str(rank)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def _read(process: subprocess.Popen[str], lines: list[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip())


def _all_ended(processes: list[subprocess.Popen[str]], deadline: float) -> bool:
    """Wait until all have ended, or one with an error. False if it is too late."""
    while any(process.poll() is None for process in processes):
        if any(process.poll() for process in processes):
            time.sleep(0.5)  # the others may be about to say why
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _end(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
