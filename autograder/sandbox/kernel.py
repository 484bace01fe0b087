"""The kernel in which one submission runs.

`autograder.sandbox.run_cells.RunCells` makes one for each submission and closes it at the end. `SealedKernel` is a fork
of the warm process in a sandbox; `OrdinaryKernel` is for `--no-sandbox`. nbclient uses both through the interface of
jupyter_client's kernel manager.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from queue import Empty
from typing import Any, cast

import matplotlib
import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import Session, json_unpacker
from traitlets import Type, Unicode

from .channels import SoundChannel
from .inside.watch_limits import KERNEL_ENDED
from .limits import MB, Limits
from .mailbox import Mailbox
from .provisioner import WarmProvisioner

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "SYSTEMROOT", "TMPDIR")
_SEND_SECONDS = 10
_RECEIVE_QUEUE = 8  # messages
_BESIDE_MB = 16  # the maximum size of one message, in addition to the limit on outputs


class _Session(Session):
    """Signs and reads messages. It skips jupyter_client's parsing of dates and copying of sessions, to save time."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(unpack=_without_date, **kwargs)

    def clone(self) -> Session:
        """Return this session: the manager, which owns it, receives no messages itself."""
        return self


def _without_date(packed: bytes) -> Any:
    """Return a part of a message without its date, because jupyter_client would parse every date in a header."""
    part = json_unpacker(packed)
    if isinstance(part, dict) and "msg_id" in part:  # a header
        part.pop("date", None)
    return part


class SubmissionClient(AsyncKernelClient):
    """A client that is ready as soon as the kernel is; jupyter_client's own waits another 0.2 s for stray messages."""

    shell_channel_class = Type(SoundChannel)
    iopub_channel_class = Type(SoundChannel)
    afterwards = ""  # an expression that the kernel evaluates after each cell that does not raise

    def execute(self, code: str, **kwargs: Any) -> Any:
        """Request that a cell is run and then `afterwards` is evaluated, with a single message."""
        expressions = {"afterwards": self.afterwards} if self.afterwards else {}
        return super().execute(code, user_expressions=expressions, **kwargs)

    def start_channels(
        self, shell: bool = True, iopub: bool = True, stdin: bool = False, hb: bool = False, control: bool = False
    ) -> None:
        """Open only shell and iopub. There is no input, and the manager sends interrupts over its own socket."""
        super().start_channels(shell, iopub, stdin, hb, control)

    def stop_channels(self) -> None:
        """Close the channels that `start_channels` opened."""
        self.shell_channel.stop()
        self.iopub_channel.stop()

    def odd_messages(self) -> int:
        """Return the number of malformed messages that the kernel has sent."""
        channels = (self._shell_channel, self._iopub_channel)  # None if they were not opened
        return sum(channel.left_out for channel in channels if isinstance(channel, SoundChannel))

    async def _wait_for_ready(self, timeout: float | None = None) -> None:
        iopub: Any = self.iopub_channel
        if await iopub.is_welcome(1):
            return
        deadline = time.monotonic() + (60 if timeout is None else timeout)
        while time.monotonic() < deadline:
            self.kernel_info()
            try:
                await self.shell_channel.get_msg(timeout=1)
                # Any message here proves that the subscription works; later ones are matched by parent header.
                await self.iopub_channel.get_msg(timeout=0.2)
                return
            except Empty:
                if not await self.is_alive():
                    raise RuntimeError("the kernel ended before it was ready") from None
        raise RuntimeError(f"the kernel was not ready within {timeout} seconds")

    wait_for_ready = _wait_for_ready


class SubmissionKernel(AsyncKernelManager):
    """A kernel for one submission.

    Args:
        limits: the submission's limits.
    """

    transport = Unicode("ipc")  # sockets in the file system, because other users could connect to ports
    client_factory = Type(SubmissionClient, klass=SubmissionClient)
    sealed = False

    def __init__(self, limits: Limits, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limits = limits
        self._client: SubmissionClient | None = None
        # These options apply to all sockets of the context. A larger message ends the connection, without being read.
        self.context.setsockopt(zmq.MAXMSGSIZE, (limits.output_mb + _BESIDE_MB) * MB)
        self.context.setsockopt(zmq.RCVHWM, _RECEIVE_QUEUE)
        self.context.setsockopt(zmq.SNDTIMEO, 1000 * _SEND_SECONDS)  # sending to a dead kernel would block forever

    def _session_default(self) -> Session:
        return _Session(parent=self)

    def client(self, **kwargs: Any) -> SubmissionClient:
        """Return a client whose sockets have the options set here."""
        self._client = cast("SubmissionClient", super().client(context=self.context, **kwargs))
        return self._client

    def odd_messages(self) -> int:
        """Return the number of malformed messages that the kernel has sent."""
        return 0 if self._client is None else self._client.odd_messages()

    @property
    def mailbox(self) -> Mailbox:
        """The files for the judge's questions and the kernel's answers."""
        raise NotImplementedError

    def why_it_ended(self) -> str:
        """Return why the kernel ended: a constant of `autograder.sandbox.inside.watch_limits`, or "" if unknown."""
        return KERNEL_ENDED

    async def ended(self) -> None:
        """Wait until the kernel has ended."""
        while await self.is_alive():
            await asyncio.sleep(1)

    def close(self) -> None:
        """Delete all files of the submission. Called once, after the kernel was shut down."""
        raise NotImplementedError


class SealedKernel(SubmissionKernel):
    """A fork of the warm process in a sandbox, which sees only this Python, the system and an empty scratch folder.

    Args:
        hidden: folders that are not visible even if they are inside a visible folder.
    """

    sealed = True

    def __init__(self, hidden: Iterable[Path] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._hidden = frozenset(hidden)
        # The kernel's sockets exist before the first connection. If learners' code closes one, do not reconnect.
        self.context.setsockopt(zmq.RECONNECT_IVL, -1)

    @property
    def kernel_spec(self) -> KernelSpec:
        """A fixed kernel spec: Jupyter's installed kernels are not used."""
        return KernelSpec(display_name="Many Heads", language="python", interrupt_mode="message")

    async def _async_pre_start_kernel(self, **kwargs: Any) -> tuple[list[str], dict[str, Any]]:
        self.kernel_id = os.urandom(8).hex()
        self.provisioner = self._warm = WarmProvisioner(
            parent=self,
            kernel_id=self.kernel_id,
            kernel_spec=self.kernel_spec,
            limits=self.limits,
            hidden=self._hidden,
            key=self.session.key.decode(),
        )
        return [], {}

    pre_start_kernel = _async_pre_start_kernel  # jupyter_client binds this name to the base class's coroutine

    def write_connection_file(self, **kwargs: Any) -> None:
        """Write nothing: the only connection file is inside the sandbox."""

    async def _shut_down(self, now: bool = False, restart: bool = False) -> None:
        # Close the sockets first, discarding unsent messages: ZeroMQ would wait a second for a dead peer.
        self.context.destroy(linger=0)
        await self._warm.kill(restart)
        await self.cleanup_resources(restart)

    shutdown_kernel = _shut_down

    @property
    def mailbox(self) -> Mailbox:
        """The files for the judge's questions and the kernel's answers."""
        return self._warm.process.mailbox

    def why_it_ended(self) -> str:
        """Return why the kernel ended: a constant of `autograder.sandbox.inside.watch_limits`, or "" if unknown."""
        return self._warm.process.why()

    async def ended(self) -> None:
        """Wait until the kernel and all processes that it started have ended."""
        await self._warm.process.ended()

    def close(self) -> None:
        """Kill all its processes, which also deletes its files."""
        if self.provisioner is not None:  # the kernel was started
            self._warm.close()


class OrdinaryKernel(SubmissionKernel):
    """An ordinary process of this user, in a scratch folder. It has all permissions of this user."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._scratch = Path(tempfile.mkdtemp(prefix="submission-"))
        self._mailbox_folder = Path(
            tempfile.mkdtemp(prefix="mailbox-")
        )  # not in the scratch folder, which the learner's code may change
        self._mailbox = Mailbox.in_folder(self._mailbox_folder)

    async def _async_pre_start_kernel(self, **kwargs: Any) -> tuple[list[str], dict[str, Any]]:
        # A full path, because this process and the kernel run in different folders.
        self.connection_file = str(self._scratch / "kernel.json")
        self.ip = str(self._scratch / "kernel")
        kwargs["cwd"] = str(self._scratch)
        kwargs["env"] = _environment(str(self._scratch))
        kwargs["stdout"] = kwargs["stderr"] = subprocess.DEVNULL  # discard what the process prints outside of cells
        return await super()._async_pre_start_kernel(**kwargs)

    pre_start_kernel = _async_pre_start_kernel

    @property
    def mailbox(self) -> Mailbox:
        """The files for the judge's questions and the kernel's answers."""
        return self._mailbox

    def close(self) -> None:
        """Delete the scratch folder and the mailbox."""
        self._mailbox.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
        shutil.rmtree(self._mailbox_folder, ignore_errors=True)


def _environment(scratch: str) -> dict[str, str]:
    """Return the environment of the learner's process, without the grader's other variables."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {
        **passed_on,
        "HOME": scratch,
        "IPYTHONDIR": os.path.join(scratch, ".ipython"),
        "MPLCONFIGDIR": matplotlib.get_cachedir(),  # share the font list, which takes seconds to build
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "TORCHDYNAMO_DISABLE": "1",  # as in the sandbox
    }
