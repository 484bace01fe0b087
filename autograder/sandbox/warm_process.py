"""The grader's end of the warm process: starts it, and has it fork a sealed kernel for each submission.

`autograder.sandbox.kernel` asks `warm_process()` for kernels. A warm process serves the process that started it, and
ends with it; one that `lend` started serves all forks of that process, too. Where it is gone, another is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..problems import Problem
from . import bubblewrap as sandbox
from .inside.zygote import LETTERS, MAX_MESSAGE
from .limits import Limits
from .mailbox import Letters

_WARM_UP_SECONDS = 180  # a cold disk, a busy machine
_START_SECONDS = 60


class SealedProcess:
    """One submission's kernel with all that it starts, seen from outside.

    Args:
        line: the socket to its init.
        pidfd: init's; readable once everything in there has ended.
        sockets: descriptor of the folder of the kernel's sockets.
        letters: the way in for questions and out for answers.
    """

    def __init__(self, line: socket.socket, pidfd: int, sockets: int, letters: Letters) -> None:
        self._line, self._pidfd, self.sockets, self.letters = line, pidfd, sockets, letters

    def is_alive(self) -> bool:
        """Whether anything in there still runs."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return not poll.poll(0)

    def send_signal(self, number: int) -> None:
        """Send a signal to init. Only SIGKILL and SIGSTOP do anything to it."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    async def ended(self) -> None:
        """Wait until everything in there has ended."""
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        descriptor = os.dup(self._pidfd)  # several may wait, and a loop keeps one reader a descriptor
        loop.add_reader(descriptor, over.set)
        try:
            await over.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    def why(self) -> str:
        """Return why it ended, one of `autograder.sandbox.inside.watch_limits`'s words, or "" where init was killed."""
        with contextlib.suppress(OSError, ValueError):
            self._line.setblocking(False)
            return json.loads(self._line.recv(MAX_MESSAGE)).get("ended", "")
        return ""

    def close(self) -> None:
        """Let go of it: what still runs in there is killed, what lies in its folders is gone."""
        self._line.close()
        self.letters.close()
        for descriptor in (self.sockets, self._pidfd):
            os.close(descriptor)


class _Zygote:
    """The way to a zygote: a socket on which it is asked for kernels.

    Args:
        control: that socket. Several processes may hold it and ask, at the same time.
        patience: seconds that it may take to answer.
    """

    def __init__(self, control: socket.socket, patience: float) -> None:
        self._control, self._patience = control, patience

    def start_kernel(self, connection: dict[str, Any], limits: Limits) -> SealedProcess:
        """Have a kernel forked, and return once it listens.

        Args:
            connection: what stands in its connection file.

        Raises:
            OSError: if the warm process is gone, or could not seal the kernel.
        """
        line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        line.settimeout(self._patience)
        request = json.dumps({"connection": connection, "limits": asdict(limits)}).encode()
        descriptors: dict[str, list[int]] = {}
        try:
            with theirs:
                socket.send_fds(self._control, [request], [theirs.fileno()])
            while len(descriptors) < 2:
                message, received, _, _ = socket.recv_fds(line, MAX_MESSAGE, 3)
                kind = json.loads(message) if message else {"failed": "it ended while it was starting"}
                if not received:
                    raise OSError(f"a sealed kernel could not be started: {kind.get('failed') or kind}")
                descriptors["init" if "init" in kind else "ready"] = received
        except BaseException:
            line.close()
            for received in descriptors.values():
                for descriptor in received:
                    os.close(descriptor)
            raise
        [pidfd], [sockets, request_file, answer_file] = descriptors["init"], descriptors["ready"]
        letters = Letters(request_file, answer_file, LETTERS)
        return SealedProcess(line, pidfd, sockets, letters)

    def is_alive(self, seconds: float = 0) -> bool:
        """Return whether it can be asked for another kernel, False also where it ends within `seconds`."""
        poll = select.poll()
        try:
            poll.register(self._control, 0)  # no event but the other end's closing
        except ValueError:  # another thread has found out, and closed this end
            return False
        return not poll.poll(1000 * seconds)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._control.fileno()

    def close(self) -> None:
        """Ask it no more. Where nobody else holds the socket, it ends, and every kernel that it has forked."""
        self._control.close()


class WarmProcess(_Zygote):
    """A zygote in bubblewrap, of this process's own.

    Args:
        hidden: folders that it must not see, wherever they lie.

    Raises:
        Problem: if this machine does not offer what sealing needs.
    """

    def __init__(self, hidden: Iterable[Path] = ()) -> None:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        super().__init__(control, _START_SECONDS)
        words = _command(theirs, hidden)
        self._error = b""
        started = threading.Event()

        def keep() -> None:
            # The process is killed when the thread that started it ends: this one stays as long as the process.
            try:
                process = subprocess.Popen(words, stderr=subprocess.PIPE, **_alone(theirs))
            except Exception as error:  # no memory, no process left, no such program
                self._error = str(error).encode()
                return
            finally:
                theirs.close()  # with no process, nobody holds it: who waits at the other end is told
                started.set()
            with process:
                assert process.stderr is not None
                for row in process.stderr:
                    self._error = (self._error + row)[-2000:]

        self._keeper = threading.Thread(target=keep, name="warm process", daemon=True)
        self._keeper.start()
        started.wait()
        self._control.settimeout(_WARM_UP_SECONDS)
        try:
            is_warm = self._control.recv(MAX_MESSAGE) == b"warm"
            last = "" if is_warm else "it ended while it was starting"
        except TimeoutError:
            is_warm, last = False, f"it was not ready within {_WARM_UP_SECONDS} s"
        if not is_warm:
            super().close()
            self._keeper.join(5)
            last = self._error.decode(errors="replace").strip().rpartition("\n")[2] or last
            raise Problem(f"no sandbox could be started here ({last}); `autograder doctor` says what is missing")

    def close(self) -> None:
        """End it, and every kernel that it has forked."""
        super().close()
        self._keeper.join()


def _command(theirs: socket.socket, hidden: Iterable[Path] = ()) -> list[str]:
    return sandbox.command("autograder.sandbox.inside.zygote", str(theirs.fileno()), hidden=hidden)


def _alone(theirs: socket.socket) -> dict[str, Any]:
    """Return how a zygote is started: with one socket, and nothing of ours."""
    nothing = subprocess.DEVNULL
    return {"pass_fds": (theirs.fileno(),), "stdin": nothing, "stdout": nothing, "env": {}}


_lock = threading.Lock()
_processes: dict[tuple[int, frozenset[Path]], WarmProcess] = {}  # by process id: a fork of this process has none yet
_lent: _Zygote | None = None


def lend() -> None:
    """Start a warm process that this process's forks share, and do not wait for it.

    To be called in the main thread, with which it ends. Where it cannot be started, each fork tries for itself, and
    tells.
    """
    global _lent
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, contextlib.suppress(Problem, OSError):
        subprocess.Popen(_command(theirs), stderr=subprocess.DEVNULL, **_alone(theirs))
        _lent = _Zygote(control, _WARM_UP_SECONDS + _START_SECONDS)


def take_back() -> None:
    """Let go of the warm process that this process has lent. It ends when the last fork does so."""
    global _lent
    if _lent is not None:
        _lent.close()
        _lent = None


def lent_descriptors() -> list[int]:
    """Return what a fork must keep open to use the warm process that is lent to it."""
    return [] if _lent is None else [_lent.fileno()]


def warm_process(hidden: frozenset[Path] = frozenset()) -> _Zygote:
    """Return the warm process that was lent to this process or its own, started if need be."""
    key = (os.getpid(), sandbox.covered(hidden))
    if _lent is not None and not key[1] and _lent.is_alive():
        return _lent
    with _lock:
        process = _processes.get(key)
        if process is None or not process.is_alive():
            if process is not None:
                process.close()
            _processes[key] = process = WarmProcess(hidden)
        return process


def begin_warming(hidden: frozenset[Path] = frozenset()) -> None:
    """Start this process's warm process if there is none, and do not wait for it."""
    if _lent is None and (os.getpid(), sandbox.covered(hidden)) not in _processes:
        threading.Thread(target=_warm, args=(hidden,), name="warming", daemon=True).start()


def _warm(hidden: frozenset[Path]) -> None:
    with contextlib.suppress(Problem, OSError):  # whoever needs it asks again, and is told
        warm_process(hidden)


def end_warm_processes() -> None:
    """End every warm process of this one, and wait for the end. They would end with this process anyway."""
    with _lock:
        for key in [key for key in _processes if key[0] == os.getpid()]:
            _processes.pop(key).close()
