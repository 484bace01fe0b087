"""The warm process: it has imported the modules that notebooks need, and forks a sealed kernel for each submission.

`autograder.sandbox.warm_process` starts it inside bubblewrap (`python -m autograder.sandbox.inside.zygote FD`) and
requests kernels through the socket FD. It cannot see the class's files, has one thread, and never runs learners' code.

A request is one message, a JSON object `{"connection": …, "limits": …}`, with a socket, the *line*. Each submission has
its own namespaces. Forking the zygote takes milliseconds because of its memory, so it forks only the kernel; the other
processes come from the *stager*, which the zygote forked before its imports:

    stager ── (first child, which ends at once) ── init, PID 1 of the namespaces, with a /proc, scratch and sockets
    zygote ── the kernel, which joins init's namespaces, and the processes that it starts

The answers on the line are `{"init": true}` with a pidfd of init, `{"ready": true}` with the folder of the kernel's
sockets and the files "request" and "answer", and at the end `{"ended": why}`. If the line's other end is closed or init
is killed, all processes of the submission end.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import os
import random
import resource
import select
import signal
import socket
import sys
import traceback
from typing import Any, NoReturn

from . import garbage, namespaces
from . import watch_limits as watch
from .namespaces import NO_DEVICES, NO_PROGRAMS, NO_SUID

SOCKETS, MAILBOX, SCRATCH, SHARED_MEMORY = "/run/kernel", "/run/mailbox", "/tmp", "/dev/shm"
HOME, MATPLOTLIB = f"{SCRATCH}/home", f"{SCRATCH}/matplotlib"
CONNECTION_FILE = f"{SOCKETS}/connection.json"
MAX_MESSAGE = 65536  # bytes
_MB = 2**20
_FILES = 20_000  # in the scratch folder
_TERMINALS = 16  # per submission
_SPARE = 5  # extra seconds of RLIMIT_CPU per process. init enforces the total first; this is for the case it is starved
_MANY = 20  # after this many forks, collapsing memory into huge pages has paid for itself; it saves 3 %
_WARM = (
    "torch",
    "matplotlib.pyplot",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.magics",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "IPython.utils.wildcard",
    "faulthandler",
    "ipykernel.debugger",
    "ipywidgets",
    "manyheads.check",
    "manyheads.earlier",
    "manyheads.checking.exam_files",
    "manyheads.notebook",
    "manyheads.calling.probe",
    "manyheads.quiz",
    "manyheads.widgets",
    "pydoc",
    "tornado.locks",
    "tornado.platform.asyncio",
    "tornado.queues",
)
_NO_DEBUGGER = "debugpy"  # each kernel would import it, which takes longer than everything else, and it is not needed


def main(control: socket.socket) -> None:
    """Warm up, send "warm", and answer requests until the other end of `control` is closed."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))  # undo a soft limit of the worker that started it
    namespaces.new_user_namespace()  # gives the right to join the namespaces that the stager makes within it
    staged, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        staged.close()
        _stager(control, theirs)
    theirs.close()
    with garbage.none_while_importing():
        _warm_up()
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(f"the warm process has {threads} threads, but forks keep only one")
    _ignore_children()
    control.send(b"warm")
    control.close()  # the stager has a copy
    for number in itertools.count():
        message, descriptors, _, _ = socket.recv_fds(staged, MAX_MESSAGE, 2)
        if not message:
            return
        if number == _MANY:
            namespaces.use_large_pages()
        init, tell_ready = descriptors
        try:
            namespaces.children_join(init)
            if os.fork() == 0:
                staged.close()
                _kernel(json.loads(message), init, tell_ready)
        except OSError as error:
            _fail(tell_ready, error)
        os.close(init)
        os.close(tell_ready)


def _warm_up() -> None:
    sys.modules[_NO_DEBUGGER] = None  # pyrefly: ignore[unsupported-operation]  # importing it fails
    for name in _WARM:
        importlib.import_module(name)
    del sys.modules[_NO_DEBUGGER]
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    from .half_kernel import HalfKernel

    HalfKernel.begin(["--HistoryManager.enabled=False", "--log-level=ERROR"])
    # Two operations that take a second or more the first time: meta tensors, and a figure with its fonts. The first
    # figure connects pyplot with the kernel's shell, which must exist by then.
    torch.ones(2, 2, device="meta").tril()
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.imshow([[0.0, 1.0]])
    axes.set_title(r"$\sqrt{d}$")
    figure.savefig(io.BytesIO(), format="png")
    pyplot.close(figure)


def _stager(control: socket.socket, staged: socket.socket) -> NoReturn:
    """Start an init for each request on `control`; it requests a kernel on `staged`. End when `control` is closed."""
    _ignore_children()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MAX_MESSAGE, 1)
        if not message:
            os._exit(0)
        # Fork, so that the next request does not wait until this one's namespaces are made, which is slow.
        if os.fork() == 0:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _first_child(json.loads(message), socket.socket(fileno=descriptors[0]), staged)
        os.close(descriptors[0])


def _ignore_children() -> None:
    """Let the system reap children that have ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def _first_child(request: dict[str, Any], line: socket.socket, staged: socket.socket) -> NoReturn:
    """Move into new namespaces, fork init there, send its pidfd, and end."""
    try:
        namespaces.new_namespaces()
        init = os.fork()
        if init == 0:
            _init(request, line, staged)
        pidfd = os.pidfd_open(init)
        socket.send_fds(line, [b'{"init": true}'], [pidfd])
        os._exit(0)
    except BaseException as error:
        _send(line, failed=str(error))
        os._exit(1)


def _init(request: dict[str, Any], line: socket.socket, staged: socket.socket) -> NoReturn:
    """Be PID 1: mount the folders, request a kernel, and watch it until it ends. All others end with this process."""
    limits = request["limits"]
    try:
        # Processes in the namespace cannot send init signals for which it has no handler, including SIGKILL.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _mount_all(limits)
        with open(CONNECTION_FILE, "x") as file:
            json.dump(request["connection"], file)
        mailbox_files = [
            os.open(f"{MAILBOX}/{name}", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600) for name in ("request", "answer")
        ]
        sockets = os.open(SOCKETS, os.O_RDONLY | os.O_DIRECTORY)
        ready, tell_ready = os.pipe()
        own = os.pidfd_open(os.getpid())
        socket.send_fds(staged, [json.dumps(limits).encode()], [own, tell_ready])
        for descriptor in (own, tell_ready):
            os.close(descriptor)
        staged.close()
        if ready not in select.select([ready, line], [], [])[0]:
            os._exit(0)  # the grader has closed the line
        kernel = os.read(ready, MAX_MESSAGE).decode()  # its process id in this namespace, or an error
        namespaces.hide_memory()
        if not kernel.isdigit():
            raise OSError(kernel or "it ended while it was starting")
        watched = os.pidfd_open(int(kernel))
        namespaces.make_read_only(SOCKETS)
        namespaces.close_processes("/proc")
        socket.send_fds(line, [b'{"ready": true}'], [sockets, *mailbox_files])
        for descriptor in (ready, sockets, *mailbox_files):
            os.close(descriptor)
        _send(line, ended=watch.until_the_end(watched, line, limits))
    except BaseException as error:
        _send(line, failed="".join(traceback.format_exception_only(error)).strip())
    os._exit(0)


def _mount_all(limits: dict[str, Any]) -> None:
    """Mount this namespace's own /proc, terminals, sockets, mailbox and scratch folders."""
    namespaces.mount("proc", "/proc", "proc", NO_SUID | NO_DEVICES | NO_PROGRAMS)
    namespaces.no_further_namespaces()
    namespaces.own_terminals("/dev/pts", _TERMINALS)
    namespaces.memory_folder(SOCKETS, size=64 * 1024, files=16)
    # Room for both mailbox files at their maximum size, and for a new one while one is replaced.
    namespaces.memory_folder(MAILBOX, size=3 * limits["file_mb"] * _MB, files=16)
    # If Python or this repository is below the path of the scratch folder, mount it there again.
    shown = {
        path: os.open(path, os.O_PATH)
        for path in namespaces.mounted_below(SCRATCH)
        if not path.startswith(f"{MATPLOTLIB}/")
    }
    for folder in (SCRATCH, SHARED_MEMORY):
        namespaces.memory_folder(folder, limits["scratch_mb"] * _MB, _FILES)
    for path, descriptor in shown.items():
        namespaces.show_again(descriptor, path)
        os.close(descriptor)


def _kernel(limits: dict[str, Any], init: int, tell_ready: int) -> NoReturn:
    """Join init's namespaces, give up all privileges, and run a Jupyter kernel."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        namespaces.join(init)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        os.dup2(tell_ready, 3)
        tell_ready = 3
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")  # if the machine runs out of memory, kill this process first
        namespaces.set_limits(
            cpu_seconds=limits["cpu_seconds"] + _SPARE,
            memory=limits["memory_mb"] * _MB + namespaces.untouched_memory(),
            processes=limits["processes"],
            open_files=limits["open_files"],
            file_size=limits["file_mb"] * _MB,
        )
        namespaces.give_up_privileges()
        _reseed()
        os.makedirs(HOME, exist_ok=True)  # it exists if this repository is inside it
        os.chdir(HOME)
        from .half_kernel import HalfKernel

        app = HalfKernel.instance()
        app.complete(CONNECTION_FILE)
        os.write(tell_ready, str(os.getpid()).encode())
        os.close(tell_ready)
        tell_ready = -1
        app.start()
    except BaseException as error:
        _fail(tell_ready, error)
    finally:
        os._exit(1)


def _fail(tell_ready: int, error: BaseException) -> None:
    with contextlib.suppress(OSError):  # the kernel was ready already, or init has ended
        os.write(tell_ready, f"{type(error).__name__}: {error}".encode())


def _reseed() -> None:
    """Reseed the random number generators, whose state all forks share."""
    import numpy as np
    import torch

    random.seed()
    np.random.seed()
    torch.default_generator.seed()  # torch.seed would search for GPUs, which takes 4 ms


def _send(line: socket.socket, **message: str) -> None:
    with contextlib.suppress(OSError):  # the other end is closed
        line.send(json.dumps(message).encode()[:MAX_MESSAGE])


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
