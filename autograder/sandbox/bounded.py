"""Processes learners' files in a separate process with limits on time and memory.

Used by `autograder.run.grade`, `autograder.handback.feedback`, `autograder.report.wrong_code` and others: a text that
keeps a parser, a regular expression or a filter busy for ever, or fills the memory, affects only its own submission. No
learner's code runs here.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import resource
import signal
import threading
from collections.abc import Callable, Generator
from multiprocessing.connection import Connection
from typing import Any

from ..problems import one_line
from . import fork_server
from .limits import MB

SECONDS = 30  # of CPU time per call; a whole notebook takes a tenth of a second
MEMORY_MB = 2048  # in addition to the process's memory when it starts
_WAIT = 300  # seconds of wall time per call, enough for a busy machine


class OutOfBounds(Exception):
    """The call exceeded the limits on time or memory. The text says which, for a person."""


class BoundedProcess:
    """A process that runs one call after the other. It is started at the first call, and again after it has died.

    Args:
        seconds: CPU time for one call.
        memory_mb: memory for the process.
    """

    def __init__(self, seconds: int = SECONDS, memory_mb: int = MEMORY_MB) -> None:
        self._bounds = seconds, memory_mb
        self._process: Any = None
        self._line: Connection | None = None

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return the result of `function(*arguments)`, or raise its exception. All of these must be picklable.

        If the process dies, a new one tries again, because memory of earlier calls may have been the cause.

        Raises:
            OutOfBounds: if it exceeded the limits.
        """
        fresh = self._process is None
        try:
            return self._call(function, arguments)
        except OutOfBounds:
            if fresh:
                raise
        return self._call(function, arguments)

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        line = self._line or self._start()
        try:
            line.send((function, arguments))
            if not line.poll(_WAIT):
                raise OutOfBounds(f"reading it took longer than {_WAIT} s")
            done, result = line.recv()
        except (EOFError, OSError):
            code = self._end()
            why = f"took more than {self._bounds[0]} s" if code == -signal.SIGXCPU else "ended the process that read it"
            raise OutOfBounds(f"reading it {why}") from None
        except BaseException:  # including Ctrl-C: the next call must not get this call's answer
            self._end()
            raise
        if done:
            return result
        if isinstance(result, MemoryError):
            self._end()
            raise OutOfBounds(f"reading it took more than {self._bounds[1]} MB of memory")
        raise result

    def _start(self) -> Connection:
        # Forking a process with several threads may deadlock: the child lacks the other threads.
        alone = threading.active_count() == 1 and not fork_server.is_running()
        if not alone:
            fork_server.begin(sandbox=False)
        context: Any = multiprocessing.get_context("fork" if alone else "forkserver")
        line, theirs = context.Pipe()
        self._line = line
        self._process = context.Process(target=_serve, args=(theirs, line if alone else None, *self._bounds))
        self._process.daemon = True
        self._process.start()
        theirs.close()
        return line

    def _end(self) -> int | None:
        """End the process, and return its exit code."""
        if self._process is None:
            return None
        if self._line is not None:
            self._line.close()
        self._process.join(1)
        self._process.kill()
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        self._process = self._line = None
        return code

    def close(self) -> None:
        """End the process if it runs. A later call starts another."""
        self._end()

    def __enter__(self) -> BoundedProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _serve(line: Connection, other_end: Connection | None, seconds: int, memory_mb: int) -> None:
    """Run the calls that arrive on `line`, until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # only the command handles Ctrl-C
    if other_end is not None:
        other_end.close()
    _set_limit(resource.RLIMIT_DATA, _private_memory() + memory_mb * MB)
    _set_limit(resource.RLIMIT_CORE, 0)
    with contextlib.suppress(EOFError, OSError):
        while True:
            function, arguments = line.recv()
            used = resource.getrusage(resource.RUSAGE_SELF)
            _set_limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + seconds)
            try:
                answer = True, function(*arguments)
            except Exception as error:
                answer = False, _portable(error)
            line.send(answer)


@contextlib.contextmanager
def memory_beside(memory_mb: int) -> Generator[None]:
    """Limit this process's memory within the block to `memory_mb` more than now. Beyond it, `MemoryError` is raised."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    _set_limit(resource.RLIMIT_DATA, _private_memory() + memory_mb * MB)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _set_limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _private_memory() -> int:
    """Return this process's private memory in bytes, as `RLIMIT_DATA` counts it."""
    with open("/proc/self/status", encoding="utf-8") as file:
        return 1024 * next(int(row.split()[1]) for row in file if row.startswith("VmData:"))


def _portable(error: Exception) -> Exception:
    """Return `error` if it can be pickled, else a `RuntimeError` with its text."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(one_line(error))
