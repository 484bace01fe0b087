"""Reads what learners wrote in a process of its own that has little time and memory, and that may die of it.

`autograder.run.grade`, `autograder.handback.feedback` and `autograder.report.report` do so: a text that keeps a parser,
a pattern or a filter busy for ever, or that fills the memory, costs its own submission and no other. No learner's code
is run here.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from ..problems import one_line
from . import fork_server
from .limits import MB

SECONDS = 30  # of CPU time, for one call; what a whole notebook takes is a tenth of a second
MEMORY_MB = 2048  # beside what the process has when it starts
_WAIT = 300  # seconds of wall time, on a machine that has much else to do


class OutOfBounds(Exception):
    """The work took more time or memory than any notebook of the course takes. Its text says which, for a person."""


class BoundedProcess:
    """A process that does one piece of work after the other. It is started when it is first needed, and again.

    Args:
        seconds: CPU time for one call.
        memory_mb: for all calls.
    """

    def __init__(self, seconds: int = SECONDS, memory_mb: int = MEMORY_MB) -> None:
        self._bounds = seconds, memory_mb
        self._process: Any = None
        self._line: Connection | None = None

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what `function(*arguments)` returns, and raise what it raises. All of it must be picklable.

        Where the process dies of it, another tries once more: the first may have been full of what came before.

        Raises:
            OutOfBounds: if it took too much.
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
        except BaseException:  # Ctrl-C too: an answer that nobody has read must not become the next one's
            self._end()
            raise
        if done:
            return result
        if isinstance(result, MemoryError):
            self._end()
            raise OutOfBounds(f"reading it took more than {self._bounds[1]} MB of memory")
        raise result

    def _start(self) -> Connection:
        # A fork of a process with several threads may wait for ever for one that it does not have.
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
    """Do what comes, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command alone
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
def memory_beside(memory_mb: int) -> Iterator[None]:
    """Within the block, give this process no more than `memory_mb` beside what it has: Python raises `MemoryError`."""
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
    """Return the bytes that this process has for itself, as `RLIMIT_DATA` counts them."""
    with open("/proc/self/status", encoding="utf-8") as file:
        return 1024 * next(int(row.split()[1]) for row in file if row.startswith("VmData:"))


def _portable(error: Exception) -> Exception:
    """Return `error`, or its words where it would not arrive as it is."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(one_line(error))
