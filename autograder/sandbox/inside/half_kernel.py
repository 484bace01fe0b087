"""A Jupyter kernel that is initialised in two steps: settings and shell first, sockets and threads later.

The warm process takes the first step once; the forks of `autograder.sandbox.inside.zygote`, one for each submission,
take the second. Together they are ipykernel's `initialize`, and the first step takes most of its time: a submission
costs 19 % less CPU time for it. What each other shortcut saves alone is in docs/decisions/3-forked-kernels.md.

Other optimisations here rely on private parts of ipykernel and IPython. If a version lacks one, the original, slower
code runs, and `SLOWER` says so; `autograder doctor` shows it.
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
from ipykernel import ipkernel, kernelapp, kernelbase
from ipykernel.iostream import OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.application import BaseIPythonApplication
from IPython.core.inputtransformer2 import EscapedCommand, HelpEnd, MagicAssign, SystemAssign, TransformerManager
from traitlets import Instance

SLOWER: list[str] = []  # the private parts that the installed versions lack


def _has(owner: Any, *names: str) -> bool:
    """Return whether `owner` has all attributes `names`, and record the missing ones in `SLOWER`."""
    lacking = [name for name in names if not hasattr(owner, name)]
    SLOWER.extend(f"{owner.__name__} has no {name}" for name in lacking)
    return not lacking


class _Configured(BaseIPythonApplication):
    """IPython's own `initialize`, which runs only once even if it is called in both steps."""

    _done = False

    def initialize(self, argv: list[str] | None = None) -> None:
        """Read the command line and the configuration files, at the first call."""
        if not self._done:
            super().initialize(argv)
            self._done = True


class _NoThread:
    """Replaces ipykernel's thread that reads the shell channel, so that the main thread reads it.

    The thread exists for subshells, which are not supported here, and adds two hops to every message. ipykernel reads
    `parent_thread` even from an object that is falsy, so that attribute must be here.
    """

    parent_thread = threading.main_thread()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Ignore the arguments, which depend on ipykernel's version."""

    def __bool__(self) -> bool:
        return False


if hasattr(kernelapp, "ShellChannelThread"):  # ipykernel 6 reads the channel in the main thread
    kernelapp.ShellChannelThread = _NoThread  # pyrefly: ignore[bad-assignment]  # has what is read of it


@functools.cache
def _accepts(method: Any, names: tuple[str, ...]) -> dict[str, bool]:
    return kernelbase._accepts_parameters(method, names)


if _has(kernelbase, "_accepts_parameters"):  # ipykernel inspects the signature of the shell's method for every cell
    # pyrefly: ignore[bad-assignment]  # ipykernel gives no types
    ipkernel._accepts_parameters = lambda method, names: _accepts(method, tuple(names))


class _Transformers(TransformerManager):
    """Transforms magics into Python. It tokenises a cell only if it may contain a magic."""

    _usual = (MagicAssign, SystemAssign, EscapedCommand, HelpEnd)
    _may_be_magic = re.compile(r"[%!?]|^\s*[,;/]", re.MULTILINE)

    def do_token_transforms(self, lines: list[str]) -> Any:
        """Return the lines with every magic transformed."""
        added = tuple(self.token_transformers) != self._usual  # a cell has added a transformer
        return super().do_token_transforms(lines) if added or self._may_be_magic.search("".join(lines)) else lines


class _Shell(ZMQInteractiveShell):
    """A shell that caches results about a cell's code, because first ipykernel and then IPython asks for them.

    The keys include the state on which the results depend: earlier cells may have changed magics.
    """

    input_transformer_manager = Instance(_Transformers, ())
    _transformed: tuple[Any, Any] = (None, "")
    _is_async: tuple[Any, bool] = (None, False)

    def transform_cell(self, raw_cell: Any) -> Any:
        """Return the cell's code with magics transformed."""
        key = self.execution_count, raw_cell
        if self._transformed[0] != key:
            self._transformed = key, super().transform_cell(raw_cell)
        return self._transformed[1]

    def should_run_async(self, raw_cell: str, *, transformed_cell: str | None = None, **parts: Any) -> bool:
        """Return whether the cell uses top-level `await`."""
        key = self.autoawait, transformed_cell, parts.get("preprocessing_exc_tuple")
        if self._is_async[0] != key:
            self._is_async = key, super().should_run_async(raw_cell, transformed_cell=transformed_cell, **parts)
        return self._is_async[1]

    def _format_user_obj(self, obj: Any) -> dict[str, Any]:
        """Return an expression's value for a reply. The judge's expression gives None, which needs no formatters."""
        if obj is None:
            return {"status": "ok", "data": {"text/plain": "None"}, "metadata": {}}
        return super()._format_user_obj(obj)


class _Stream(OutStream):
    """Standard output or error. If nothing was written, `flush` does not wait for the thread that sends it."""

    _is_sending = False

    def flush(self) -> None:
        """Return when everything that was written has been sent."""
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


# Libraries check these names to detect a notebook.
_Shell.__name__, _Stream.__name__ = ZMQInteractiveShell.__name__, OutStream.__name__


class _Reply:
    """Holds a reply back until it can be sent without an interrupt between two of its frames."""

    frames: Sequence[Any] = ()
    _options: Mapping[str, Any] = {}

    def send_multipart(self, frames: Sequence[Any], **options: Any) -> None:
        """Store a reply. The session calls this instead of a stream's method."""
        self.frames, self._options = frames, options

    def send_by(self, socket: zmq.Socket[bytes]) -> None:
        """Send the stored reply."""
        frames, self.frames = self.frames, ()
        socket.send_multipart(frames, **self._options)


class _QuietKernel(IPythonKernel):
    """Does not send messages that the client does not need."""

    def _publish_status(self, status: str, *others: Any, **options: Any) -> None:
        """Publish "idle" but not "busy": the client waits only for the end of a cell."""
        if status != "busy":
            super()._publish_status(status, *others, **options)

    def _publish_execute_input(self, *cell: Any, **options: Any) -> None:
        """Do nothing: the client knows the code, and the reply contains the execution count."""


class _PromptKernel(IPythonKernel):
    """Sends the reply to a cell directly, not by way of the event loop."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._reply = _Reply()

    async def execute_request(self, stream: Any, *request: Any) -> None:  # pyrefly: ignore[bad-override]  # called by place
        """Run a cell. Hold its reply back: `stream` would send it by way of the event loop, and wait for that."""
        await super().execute_request(self._reply, *request)

    def _publish_status_and_flush(self, status: str, channel: str, stream: Any, *others: Any, **options: Any) -> None:
        """Send the reply to a cell, and publish that the kernel is idle."""
        if channel == "shell" and self._reply.frames:  # another thread reads the control channel
            self._reply.send_by(stream.socket)
            # Sending consumes the socket's edge-triggered read event, so poll once here; otherwise a request that
            # arrived meanwhile would wait until the next one.
            if stream.socket.get(zmq.EVENTS) & zmq.POLLIN:
                stream.flush(zmq.POLLIN)
        super()._publish_status_and_flush(status, channel, stream, *others, **options)


def _quicker() -> list[type[IPythonKernel]]:
    """Return the optimised kernel classes that work with this version of ipykernel."""
    quicker: list[type[IPythonKernel]] = []
    if _has(IPythonKernel, "_publish_status", "_publish_execute_input"):
        quicker.append(_QuietKernel)
    if _has(IPythonKernel, "_publish_status_and_flush"):
        quicker.append(_PromptKernel)
    return quicker or [IPythonKernel]


class _Kernel(*_quicker()):  # pyrefly: ignore[invalid-inheritance]  # the bases depend on the version
    """A kernel that is made before its sockets."""

    shell_class = _Shell

    @property
    def _supports_kernel_subshells(self) -> bool:
        return False

    @classmethod
    def instance(cls, *args: Any, **parts: Any) -> _Kernel:
        """Return the kernel, which the first call makes. Later calls set the attributes in `parts`."""
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
    """The application of a kernel that is initialised in two steps."""

    kernel_class = _Kernel
    if _has(OutStream, "_flush"):
        outstream_class = f"{__name__}._Stream"

    @classmethod
    def begin(cls, options: list[str]) -> None:
        """Take the first step: no socket is opened and no thread is started.

        It is done once before forking. A fork would mostly pay for copying the pages that it touches.

        Args:
            options: the kernel's command line.
        """
        app = cls.instance()
        _Configured.initialize(app, options)
        app.log.setLevel(app.log_level)  # otherwise traitlets makes every log record, and only the handlers drop it
        app.session.key = b"until the second step"
        kernel = _Kernel.instance(parent=app, log=app.log, profile_dir=app.profile_dir)
        shell: Any = kernel.shell
        app.shell = shell
        IPKernelApp.init_extensions(app)
        IPKernelApp.init_code(app)

    def complete(self, connection_file: str) -> None:
        """Take the second step. The connection file must exist."""
        self.connection_file = connection_file
        self.session.pid = os.getpid()  # a session sends nothing in a process with another id
        self.initialize([])

    def init_connection_file(self) -> None:
        """Read the connection file."""
        self.load_connection_file()

    def write_connection_file(self, **kwargs: Any) -> None:
        """Do nothing: the file exists."""

    def log_connection_info(self) -> None:
        """Do nothing: only the grader connects."""

    def init_extensions(self) -> None:
        """Do nothing: the first step has loaded them."""

    def init_code(self) -> None:
        """Do nothing: the first step has run the start-up code."""

    def init_heartbeat(self) -> None:
        """Do nothing: the grader watches the process."""
