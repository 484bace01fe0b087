"""The kernel that one submission runs in. The one place that decides what a learner's process is given.

`autograder.nbgrader_steps.execute.Execute` makes one for each submission and closes it at the end. `SealedKernel` is a
fork of the warm process in a sandbox; `OrdinaryKernel` is what `--no-sandbox` asks for. To nbclient both are what it
always uses, a kernel manager of jupyter_client.
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
from .mailbox import Letters
from .provisioner import WarmProvisioner

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "SYSTEMROOT", "TMPDIR")
_SEND_SECONDS = 10
_QUEUED = 8  # messages that wait here to be read
_BESIDE_MB = 16  # how much larger than all that may be shown one message may be: so many times that is in memory here


class _Session(Session):
    """How messages are signed and read. Those of one kernel have one reader, and nobody asks for their dates."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(unpack=_without_date, **kwargs)

    def clone(self) -> Session:
        """Return this one: the manager, whose it is, receives nothing itself."""
        return self


def _without_date(packed: bytes) -> Any:
    """Return a part of a message. Jupyter looks through every header for texts that are dates, and parses them."""
    part = json_unpacker(packed)
    if isinstance(part, dict) and "msg_id" in part:  # a header
        part.pop("date", None)
    return part


class SubmissionClient(AsyncKernelClient):
    """A client that waits for nothing but its kernel: jupyter_client's own spends 0.2 s to be sure of silence."""

    shell_channel_class = Type(SoundChannel)
    iopub_channel_class = Type(SoundChannel)
    afterwards = ""  # an expression that the kernel is to evaluate after each cell that raises nothing

    def execute(self, code: str, **kwargs: Any) -> Any:  # type: ignore[override]
        """Ask for a cell to be run, and then for `afterwards`: with one message in place of two."""
        expressions = {"afterwards": self.afterwards} if self.afterwards else {}
        return super().execute(code, user_expressions=expressions, **kwargs)

    def start_channels(
        self, shell: bool = True, iopub: bool = True, stdin: bool = False, hb: bool = False, control: bool = False
    ) -> None:
        """Open the two channels that running cells needs. Interrupts go another way, and nobody types."""
        super().start_channels(shell, iopub, stdin, hb, control)

    def stop_channels(self) -> None:
        """Close them."""
        self.shell_channel.stop()
        self.iopub_channel.stop()

    def odd_messages(self) -> int:
        """Return how many messages came that no kernel sends."""
        channels = (self._shell_channel, self._iopub_channel)  # None where none was opened
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
                # Whatever comes here shows that its outputs will come too. Messages are told apart by their parent.
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
        limits: what the submission may use.
    """

    transport = Unicode("ipc")  # sockets in the file system: no port that anybody else could open
    client_factory = Type(SubmissionClient, klass=SubmissionClient)
    sealed = False

    def __init__(self, limits: Limits, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limits = limits
        self._client: SubmissionClient | None = None
        # For every socket made in it: a larger message ends the connection, before it is read into memory.
        self.context.setsockopt(zmq.MAXMSGSIZE, (limits.output_mb + _BESIDE_MB) * MB)
        self.context.setsockopt(zmq.RCVHWM, _QUEUED)
        self.context.setsockopt(zmq.SNDTIMEO, 1000 * _SEND_SECONDS)  # to one that is gone it would take forever

    def _session_default(self) -> Session:
        return _Session(parent=self)

    def client(self, **kwargs: Any) -> SubmissionClient:
        """Return a client that shares this manager's sockets' settings."""
        self._client = cast("SubmissionClient", super().client(context=self.context, **kwargs))
        return self._client

    def odd_messages(self) -> int:
        """Return how many messages came that no kernel sends."""
        return 0 if self._client is None else self._client.odd_messages()

    @property
    def letters(self) -> Letters:
        """The way in for questions and out for answers."""
        raise NotImplementedError

    def why_it_ended(self) -> str:
        """Return why the kernel is gone, one of `autograder.sandbox.inside.watch_limits`'s words."""
        return KERNEL_ENDED

    async def ended(self) -> None:
        """Wait until the kernel is gone."""
        while await self.is_alive():
            await asyncio.sleep(1)

    def close(self) -> None:
        """Delete everything that the submission left. Called once, when the kernel is shut down."""
        raise NotImplementedError


class SealedKernel(SubmissionKernel):
    """A fork of the warm process with nothing in sight but this Python, an empty scratch folder and itself.

    Args:
        hidden: folders that the warm process must not see, wherever they lie.
    """

    sealed = True

    def __init__(self, hidden: Iterable[Path] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._hidden = frozenset(hidden)
        # Its sockets are there before the first connection. A learner's process that closes one gets no second.
        self.context.setsockopt(zmq.RECONNECT_IVL, -1)

    @property
    def kernel_spec(self) -> KernelSpec:
        """What the kernel is; no kernel need be installed for Jupyter, and none that is installed matters."""
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
        """Write nothing: the only connection file lies inside the sandbox."""

    async def _shut_down(self, now: bool = False, restart: bool = False) -> None:
        # Sockets first: with the other end gone, ZeroMQ would wait a second for it. What was to be sent has no reader.
        self.context.destroy(linger=0)
        await self._warm.kill(restart)
        await self.cleanup_resources(restart)

    shutdown_kernel = _shut_down

    @property
    def letters(self) -> Letters:
        """The way in for questions and out for answers."""
        return self._warm.process.letters

    def why_it_ended(self) -> str:
        """Return why the kernel is gone, one of `autograder.sandbox.inside.watch_limits`'s words."""
        return self._warm.process.why()

    async def ended(self) -> None:
        """Wait until the kernel, and all that it started, is gone."""
        await self._warm.process.ended()

    def close(self) -> None:
        """Kill what still runs in there. Its files go with it."""
        if self.provisioner is not None:  # it was started
            self._warm.close()


class OrdinaryKernel(SubmissionKernel):
    """An ordinary process of this user's, in a scratch folder. It can do whatever this user can."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._scratch = Path(tempfile.mkdtemp(prefix="submission-"))
        self._letters_folder = Path(tempfile.mkdtemp(prefix="letters-"))  # apart: the scratch folder is the learner's
        self._letters = Letters.in_folder(self._letters_folder)

    async def _async_pre_start_kernel(self, **kwargs: Any) -> tuple[list[str], dict[str, Any]]:
        # Both sides must find the sockets, and they run in different folders: a full path.
        self.connection_file = str(self._scratch / "kernel.json")
        self.ip = str(self._scratch / "kernel")
        kwargs["cwd"] = str(self._scratch)
        kwargs["env"] = _environment(str(self._scratch))
        kwargs["stdout"] = kwargs["stderr"] = subprocess.DEVNULL  # what it prints beside its cells is nobody's
        return await super()._async_pre_start_kernel(**kwargs)

    pre_start_kernel = _async_pre_start_kernel

    @property
    def letters(self) -> Letters:
        """The way in for questions and out for answers."""
        return self._letters

    def close(self) -> None:
        """Delete the scratch folder."""
        self._letters.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
        shutil.rmtree(self._letters_folder, ignore_errors=True)


def _environment(scratch: str) -> dict[str, str]:
    """Return the variables of the learner's process: what it needs to run, nothing of the grader's."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {
        **passed_on,
        "HOME": scratch,
        "IPYTHONDIR": os.path.join(scratch, ".ipython"),
        "MPLCONFIGDIR": matplotlib.get_cachedir(),  # a font list made once, not once a submission
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "TORCHDYNAMO_DISABLE": "1",  # as in the sandbox
    }
