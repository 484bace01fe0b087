"""What jupyter_client knows of a sealed kernel: how it is started, asked after, waited for and killed.

`autograder.sandbox.kernel.SealedKernel` makes one for each kernel; jupyter_client's manager calls its methods, as
`KernelProvisionerBase` says when. It is not an entry point: no kernel spec of anybody's can name it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from .inside.zygote import SOCKETS
from .limits import Limits
from .warm_process import SealedProcess, warm_process

_CHANNELS = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
_KILL_SECONDS = 5
_GOING_SECONDS = 2


class WarmProvisioner(KernelProvisionerBase):
    """One kernel forked by this process's warm process.

    Args:
        limits: what the submission may use.
        hidden: folders that the warm process must not see.
        key: signs the kernel's messages.
    """

    def __init__(self, limits: Limits, hidden: Iterable[Path], key: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._limits, self._hidden, self._key = limits, frozenset(hidden), key
        self._process: SealedProcess | None = None

    @property
    def process(self) -> SealedProcess:
        """The kernel's processes. There are some from `launch_kernel` to `close`."""
        assert self._process is not None
        return self._process

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel, alive or dead."""
        return self._process is not None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Have a kernel forked. When this returns it listens, and has not run a line of anybody's."""
        connection = {
            "transport": "ipc",
            "ip": f"{SOCKETS}/socket",
            **{name: number for number, name in enumerate(_CHANNELS, start=1)},
            "key": self._key,
            "signature_scheme": "hmac-sha256",
        }
        warm = warm_process(self._hidden)
        try:
            self._process = warm.start_kernel(connection, self._limits)
        except OSError:  # the warm process may be about to end: once more, then with a new one
            warm.is_alive(_GOING_SECONDS)
            self._process = warm_process(self._hidden).start_kernel(connection, self._limits)
        # This process finds the same sockets through the folder it was handed: no path of theirs exists out here.
        outside = f"/proc/self/fd/{self._process.sockets}/socket"
        self.connection_info = {**connection, "ip": outside, "key": self._key.encode()}  # type: ignore[typeddict-item]
        return self.connection_info

    async def poll(self) -> int | None:
        """Return None while anything in there runs, else 1: how it ended is `SealedProcess.why`."""
        return None if self._process is not None and self._process.is_alive() else 1

    async def wait(self) -> int | None:
        """Wait until everything in there has ended."""
        if self._process is not None:
            await self._process.ended()
        return 1

    async def send_signal(self, signum: int) -> None:
        """Send a signal to init. An interrupt goes as a message instead."""
        self.process.send_signal(signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill everything in there, and wait until it is gone."""
        self.process.send_signal(signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.process.ended(), _KILL_SECONDS)

    async def terminate(self, restart: bool = False) -> None:
        """Kill: there is nothing in there to save."""
        await self.kill(restart)

    async def cleanup(self, restart: bool = False) -> None:
        """Do nothing: the judge may still ask why it ended."""

    def close(self) -> None:
        """Let go of the kernel, and of everything that it wrote."""
        if self._process is not None:
            self._process.close()
            self._process = None
