"""A Jupyter kernel made in two steps: settings and shell first, sockets and threads later.

The warm process takes the first, once; `autograder.sandbox.inside.zygote`'s forks, one for each submission, take the
second. Together they are ipykernel's `initialize`, of which the first step is the greater part.

What makes a kernel quicker besides stands on private parts of ipykernel and IPython. Where a version lacks one, its own
way is taken, which is slower, and `SLOWER` says so; `autograder doctor` shows that.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import zmq
from ipykernel import compiler, ipkernel, kernelapp, kernelbase
from ipykernel.compiler import XCachingCompiler
from ipykernel.iostream import OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.application import BaseIPythonApplication
from IPython.core.inputtransformer2 import EscapedCommand, HelpEnd, MagicAssign, SystemAssign, TransformerManager
from traitlets import Instance

SLOWER: list[str] = []  # what this machine's versions lack


def _has(owner: Any, *names: str) -> bool:
    """Return whether `owner` has all parts that are called `names`; note down those that it has not."""
    lacking = [name for name in names if not hasattr(owner, name)]
    SLOWER.extend(f"{owner.__name__} has no {name}" for name in lacking)
    return not lacking


class _Configured(BaseIPythonApplication):
    """What comes first in IPython's own `initialize`. It is done once, however often it is asked for."""

    _done = False

    def initialize(self, argv: list[str] | None = None) -> None:
        """Read the command line and the files of settings."""
        if not self._done:
            super().initialize(argv)
            self._done = True


class _NoThread:
    """Stands where ipykernel has a thread that reads the shell channel; the main thread does.

    That thread serves those who run several cells at once, and costs each message two hops. ipykernel asks the one
    that it has made which thread runs cells, even where it counts as none.
    """

    parent_thread = threading.main_thread()

    def __init__(self, *given: Any, **options: Any) -> None:
        """Start nothing, whatever it is that this version gives its thread."""

    def __bool__(self) -> bool:
        return False


if hasattr(kernelapp, "ShellChannelThread"):  # ipykernel 6 reads the channel in the main thread
    kernelapp.ShellChannelThread = _NoThread  # type: ignore[misc, assignment]


@functools.cache
def _accepts(method: Any, names: tuple[str, ...]) -> dict[str, bool]:
    return kernelbase._accepts_parameters(method, names)


if _has(kernelbase, "_accepts_parameters"):  # ipykernel looks at the signature of the shell's method for every cell
    ipkernel._accepts_parameters = lambda method, names: _accepts(method, tuple(names))  # type: ignore[attr-defined]


class _Transformers(TransformerManager):
    """What turns magics into Python. It reads a cell token by token only where something in it could be one."""

    _usual = (MagicAssign, SystemAssign, EscapedCommand, HelpEnd)
    _may_be_magic = re.compile(r"[%!?]|^\s*[,;/]", re.MULTILINE)

    def do_token_transforms(self, lines: list[str]) -> Any:
        """Return the lines with every magic transformed."""
        added = tuple(self.token_transformers) != self._usual  # by a cell
        return super().do_token_transforms(lines) if added or self._may_be_magic.search("".join(lines)) else lines


class _Shell(ZMQInteractiveShell):
    """A shell that works out once what it is asked twice: ipykernel asks, and then IPython itself.

    Both are about a cell's code. What magics make of it depends on those that earlier cells have left.
    """

    input_transformer_manager = Instance(_Transformers, ())
    _transformed: tuple[Any, Any] = (None, "")
    _is_async: tuple[Any, bool] = (None, False)

    def transform_cell(self, raw_cell: Any) -> Any:
        """Return the cell's code without magics."""
        key = self.execution_count, raw_cell
        if self._transformed[0] != key:
            self._transformed = key, super().transform_cell(raw_cell)
        return self._transformed[1]

    def should_run_async(self, raw_cell: str, *, transformed_cell: str | None = None, **parts: Any) -> bool:
        """Return whether the cell awaits something."""
        key = self.autoawait, transformed_cell, parts.get("preprocessing_exc_tuple")
        if self._is_async[0] != key:
            self._is_async = key, super().should_run_async(raw_cell, transformed_cell=transformed_cell, **parts)
        return self._is_async[1]

    def _format_user_obj(self, obj: Any) -> dict[str, Any]:
        """Return an expression's value as a reply shows it. The judge's has none, which no formatter need be asked."""
        if obj is None:
            return {"status": "ok", "data": {"text/plain": "None"}, "metadata": {}}
        return super()._format_user_obj(obj)


class _Compiler(XCachingCompiler):
    """Names a cell's code as ipykernel does, without its hash, which a debugger would need and which takes longer."""

    def get_code_name(self, raw_code: str, *others: Any) -> str:  # type: ignore[override]
        """Return a file name for the code of a cell."""
        return f"{compiler.get_tmp_directory()}{os.sep}{abs(hash(raw_code))}.py"


class _Stream(OutStream):
    """Standard output or error. Where nothing was written, nobody waits for the thread that would send it."""

    _is_sending = False

    def flush(self) -> None:
        """Send what was written, and return when that is done."""
        if (
            getattr(self, "_buffers", True) or self._is_sending
        ):  # in this order: the thread says that it sends before it takes them
            super().flush()

    def _flush(self) -> None:
        self._is_sending = True
        try:
            super()._flush()
        finally:
            self._is_sending = False


# Programs ask for these names to learn where they run.
_Shell.__name__, _Stream.__name__ = ZMQInteractiveShell.__name__, OutStream.__name__


class _Reply:
    """Takes a reply from the session, and keeps it until no interrupt can come between two of its frames."""

    frames: Sequence[Any] = ()
    _options: Mapping[str, Any] = {}

    def send_multipart(self, frames: Sequence[Any], **options: Any) -> None:
        """Keep a reply."""
        self.frames, self._options = frames, options

    def send_by(self, socket: zmq.Socket[bytes]) -> None:
        """Send the reply that is kept."""
        frames, self.frames = self.frames, ()
        socket.send_multipart(frames, **self._options)


class _QuietKernel(IPythonKernel):
    """Says nothing that the client knows already."""

    def _publish_status(self, status: str, *others: Any, **options: Any) -> None:
        """Tell when a cell is done. That it has begun is no news to who waits for its end."""
        if status != "busy":
            super()._publish_status(status, *others, **options)

    def _publish_execute_input(self, *cell: Any, **options: Any) -> None:
        """Do nothing: who has sent the code knows it, and the reply tells the cell's number."""


class _PromptKernel(IPythonKernel):
    """Sends the reply to a cell by itself."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._reply = _Reply()

    async def execute_request(self, stream: Any, *request: Any) -> None:  # type: ignore[override]
        """Run a cell. `stream` would have the loop send the reply, and then wait for that."""
        await super().execute_request(self._reply, *request)

    def _publish_status_and_flush(self, status: str, channel: str, stream: Any, *others: Any, **options: Any) -> None:
        """Send the reply to a cell that was run, and tell that it is done."""
        if channel == "shell" and self._reply.frames:  # another thread reads the control channel
            self._reply.send_by(stream.socket)
            # Sending has the socket note what has come meanwhile, and then it does not wake `stream` for it.
            if stream.socket.get(zmq.EVENTS) & zmq.POLLIN:
                stream.flush(zmq.POLLIN)
        super()._publish_status_and_flush(status, channel, stream, *others, **options)


def _quicker() -> list[type[IPythonKernel]]:
    """Return what this version of ipykernel has all the parts for."""
    quicker: list[type[IPythonKernel]] = []
    if _has(IPythonKernel, "_publish_status", "_publish_execute_input"):
        quicker.append(_QuietKernel)
    if _has(IPythonKernel, "_publish_status_and_flush"):
        quicker.append(_PromptKernel)
    return quicker or [IPythonKernel]


class _Kernel(*_quicker()):  # type: ignore[misc]  # which they are depends on the version
    """A kernel that is there before its sockets are."""

    shell_class = _Shell
    compiler_class = _Compiler if _has(compiler, "get_tmp_directory") else XCachingCompiler

    @property
    def _supports_kernel_subshells(self) -> bool:
        return False

    @classmethod
    def instance(cls, *args: Any, **parts: Any) -> _Kernel:
        """Return the kernel, made the first time; at any other, what it is to be made with is set."""
        kernel = super().instance(*args, **parts)
        for name, value in parts.items():
            if value is not None:
                setattr(kernel, name, value)
        kernel._stdout, kernel._stderr = sys.stdout, sys.stderr
        shell: Any = kernel.shell
        for part in (shell.displayhook, shell.display_pub):
            part.session, part.pub_socket = kernel.session, kernel.iopub_socket
        return kernel


class HalfKernel(IPKernelApp, _Configured):
    """The application of a kernel that is made in two steps."""

    kernel_class = _Kernel  # type: ignore[assignment]
    if _has(OutStream, "_flush"):
        outstream_class = f"{__name__}._Stream"  # type: ignore[assignment]

    @classmethod
    def begin(cls, options: list[str]) -> None:
        """Take the first step: no socket is opened and no thread is started.

        What is done here, no fork does again; most of what it does is to copy the pages that it touches.

        Args:
            options: the kernel's command line.
        """
        app = cls.instance()
        _Configured.initialize(app, options)
        app.log.setLevel(app.log_level)  # traitlets makes a record of every word, and has its handlers drop it
        app.session.key = b"until the second step"
        app.connection_dir  # noqa: B018 (works it out)
        kernel = _Kernel.instance(parent=app, log=app.log, profile_dir=app.profile_dir)
        shell: Any = kernel.shell
        app.shell = shell
        shell.display_formatter.format(None)  # makes one for each kind of output
        IPKernelApp.init_extensions(app)
        IPKernelApp.init_code(app)

    def complete(self, connection_file: str) -> None:
        """Take the second step. The connection file must be there."""
        self.connection_file = connection_file
        self.session.pid = os.getpid()  # a fork's session would send nothing
        self.initialize([])

    def init_connection_file(self) -> None:
        """Read the connection file."""
        self.load_connection_file()

    def write_connection_file(self, **kwargs: Any) -> None:
        """Do nothing: it is there."""

    def log_connection_info(self) -> None:
        """Do nothing: nobody is to connect who does not know."""

    def init_extensions(self) -> None:
        """Do nothing: the first step has loaded them."""

    def init_code(self) -> None:
        """Do nothing: the first step has run what is to be run before the first cell."""

    def init_heartbeat(self) -> None:
        """Do nothing: whether it is alive is seen from its process."""
