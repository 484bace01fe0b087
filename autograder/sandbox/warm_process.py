"""The grader's side of the warm process: starts it, and asks it to fork a sealed kernel for each submission.

`autograder.sandbox.provisioner` gets kernels from `warm_process()`. A warm process serves the process that started it,
and ends with it; one that `start_shared` started also serves all forks of that process. If it has ended, a new one is
started.
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
from .inside.zygote import MAILBOX, MAX_MESSAGE
from .limits import Limits
from .mailbox import Mailbox

_WARM_UP_SECONDS = 180  # a cold disk, a busy machine
_START_SECONDS = 60


class SealedProcess:
    """One submission's kernel and all processes that it starts, seen from outside.

    Args:
        line: the socket to its init.
        pidfd: the pidfd of init; it becomes readable when all processes have ended.
        sockets: descriptor of the folder of the kernel's sockets.
        mailbox: the files for questions and answers.
    """

    def __init__(self, line: socket.socket, pidfd: int, sockets: int, mailbox: Mailbox) -> None:
        self._line, self._pidfd, self.sockets, self.mailbox = line, pidfd, sockets, mailbox

    def is_alive(self) -> bool:
        """Whether any of its processes still runs."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return not poll.poll(0)

    def send_signal(self, number: int) -> None:
        """Send a signal to init. Only SIGKILL and SIGSTOP have an effect."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    async def ended(self) -> None:
        """Wait until all its processes have ended."""
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        descriptor = os.dup(self._pidfd)  # several callers may wait, and a loop has one reader per descriptor
        loop.add_reader(descriptor, over.set)
        try:
            await over.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    def why(self) -> str:
        """Return why it ended: a constant of `autograder.sandbox.inside.watch_limits`, or "" if init was killed."""
        with contextlib.suppress(OSError, ValueError):
            self._line.settimeout(0)
            return json.loads(self._line.recv(MAX_MESSAGE)).get("ended", "")
        return ""

    def close(self) -> None:
        """Release it, which kills its processes and deletes its files."""
        self._line.close()
        self.mailbox.close()
        for descriptor in (self.sockets, self._pidfd):
            os.close(descriptor)


class _Zygote:
    """The client of a zygote, which requests kernels through a socket.

    Args:
        control: the socket. Several processes may share it, and send requests at the same time.
        patience: seconds to wait for an answer.
    """

    def __init__(self, control: socket.socket, patience: float) -> None:
        self._control, self._patience = control, patience

    def start_kernel(self, connection: dict[str, Any], limits: Limits) -> SealedProcess:
        """Request a kernel, and return it when it listens on its sockets.

        Args:
            connection: the content of its connection file.

        Raises:
            OSError: if the warm process has ended, or could not start the kernel.
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
        mailbox = Mailbox(request_file, answer_file, MAILBOX)
        return SealedProcess(line, pidfd, sockets, mailbox)

    def is_alive(self, seconds: float = 0) -> bool:
        """Return whether the zygote is running, after waiting up to `seconds` for it to end."""
        poll = select.poll()
        try:
            poll.register(self._control, 0)  # reports only that the other end is closed
        except ValueError:  # another thread has noticed, and closed the socket
            return False
        return not poll.poll(1000 * seconds)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._control.fileno()

    def close(self) -> None:
        """Close the socket. If no other process has it, the zygote ends with all its kernels."""
        self._control.close()


class WarmProcess(_Zygote):
    """A zygote in bubblewrap that belongs to this process.

    Args:
        hidden: folders that must not be visible to it.

    Raises:
        Problem: if the sandbox does not work on this machine.
    """

    def __init__(self, hidden: Iterable[Path] = ()) -> None:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        super().__init__(control, _START_SECONDS)
        words = _command(theirs, hidden)
        self._error = b""
        started = threading.Event()

        def run() -> None:
            # The process is killed when the thread that started it ends, so this thread lives as long as the process.
            try:
                process: subprocess.Popen[bytes] = subprocess.Popen(words, stderr=subprocess.PIPE, **_alone(theirs))
            except Exception as error:  # e.g. out of memory, too many processes, no such program
                self._error = str(error).encode()
                return
            finally:
                theirs.close()  # if there is no process, this ends the wait at the other end
                started.set()
            with process:
                assert process.stderr is not None
                for row in process.stderr:
                    self._error = (self._error + row)[-2000:]

        self._keeper = threading.Thread(target=run, name="warm process", daemon=True)
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
            raise Problem(f"the sandbox could not be started ({last}); `autograder doctor` says what is missing")

    def close(self) -> None:
        """End the warm process and all its kernels."""
        super().close()
        self._keeper.join()


def _command(theirs: socket.socket, hidden: Iterable[Path] = ()) -> list[str]:
    return sandbox.command("autograder.sandbox.inside.zygote", str(theirs.fileno()), hidden=hidden)


def _alone(theirs: socket.socket) -> dict[str, Any]:
    """Return the `Popen` options of a zygote: it inherits one socket, and no environment."""
    nothing = subprocess.DEVNULL
    return {"pass_fds": (theirs.fileno(),), "stdin": nothing, "stdout": nothing, "env": {}}


_lock = threading.Lock()
_processes: dict[tuple[int, frozenset[Path]], WarmProcess] = {}  # by process id, since forks need their own
_shared: _Zygote | None = None


def start_shared() -> None:
    """Start a warm process that this process's forks share, without waiting for it.

    Call it from the main thread: the process dies with the thread that started it. If it cannot start, each fork starts
    its own and reports the error.
    """
    global _shared
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, contextlib.suppress(Problem, OSError):
        subprocess.Popen(_command(theirs), stderr=subprocess.DEVNULL, **_alone(theirs))
        _shared = _Zygote(control, _WARM_UP_SECONDS + _START_SECONDS)


def end_shared() -> None:
    """Release the shared warm process. It ends when all forks have released it, too."""
    global _shared
    if _shared is not None:
        _shared.close()
        _shared = None


def shared_descriptors() -> list[int]:
    """Return the descriptors that a fork must not close, to use the shared warm process."""
    return [] if _shared is None else [_shared.fileno()]


def warm_process(hidden: frozenset[Path] = frozenset()) -> _Zygote:
    """Return the shared warm process if it can be used, else this process's own, which is started if necessary."""
    key = (os.getpid(), sandbox.covered(hidden))
    if _shared is not None and not key[1] and _shared.is_alive():
        return _shared
    with _lock:
        process = _processes.get(key)
        if process is None or not process.is_alive():
            if process is not None:
                process.close()
            _processes[key] = process = WarmProcess(hidden)
        return process


def begin_warming(hidden: frozenset[Path] = frozenset()) -> None:
    """Start a warm process if there is none, without waiting for it."""
    if _shared is None and (os.getpid(), sandbox.covered(hidden)) not in _processes:
        threading.Thread(target=_warm, args=(hidden,), name="warming", daemon=True).start()


def _warm(hidden: frozenset[Path]) -> None:
    with contextlib.suppress(Problem, OSError):  # `warm_process` will try again and raise the error
        warm_process(hidden)


def end_warm_processes() -> None:
    """End all warm processes of this process, and wait for their end. They would end with this process anyway."""
    with _lock:
        for key in [key for key in _processes if key[0] == os.getpid()]:
            _processes.pop(key).close()
