"""The jupyter_client provisioner of sealed kernels: starts, polls, waits for and kills a kernel.

`autograder.sandbox.kernel.SealedKernel` makes one for each kernel; jupyter_client's manager calls its methods as
documented in `KernelProvisionerBase`. It is not registered as an entry point, so no kernel spec can use it.
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
    """Starts one kernel as a fork of the warm process.

    Args:
        limits: the submission's limits.
        hidden: folders that the warm process must not see.
        key: the key that signs the kernel's messages.
    """

    def __init__(self, limits: Limits, hidden: Iterable[Path], key: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._limits, self._hidden, self._key = limits, frozenset(hidden), key
        self._process: SealedProcess | None = None

    @property
    def process(self) -> SealedProcess:
        """The kernel's processes, available from `launch_kernel` to `close`."""
        assert self._process is not None
        return self._process

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel, alive or dead."""
        return self._process is not None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel. When this returns, it listens on its sockets and has not run any code of the notebook."""
        connection: dict[str, Any] = {
            "transport": "ipc",
            "ip": f"{SOCKETS}/socket",
            **{name: number for number, name in enumerate(_CHANNELS, start=1)},
            "key": self._key,
            "signature_scheme": "hmac-sha256",
        }
        warm = warm_process(self._hidden)
        try:
            self._process = warm.start_kernel(connection, self._limits)
        except OSError:  # the warm process may be ending: wait for that, and try a new one
            warm.is_alive(_GOING_SECONDS)
            self._process = warm_process(self._hidden).start_kernel(connection, self._limits)
        # The sockets have no path outside the sandbox, but this process has a descriptor of their folder.
        outside = f"/proc/self/fd/{self._process.sockets}/socket"
        # pyrefly: ignore[bad-assignment, bad-unpacking]  # jupyter_client says that the key is text, and signs with bytes
        self.connection_info = {**connection, "ip": outside, "key": self._key.encode()}
        return self.connection_info

    async def poll(self) -> int | None:
        """Return None while any process of the kernel runs, else 1. `SealedProcess.why` has the reason."""
        return None if self._process is not None and self._process.is_alive() else 1

    async def wait(self) -> int | None:
        """Wait until all processes of the kernel have ended."""
        if self._process is not None:
            await self._process.ended()
        return 1

    async def send_signal(self, signum: int) -> None:
        """Send a signal to init. Interrupts are sent as messages instead."""
        self.process.send_signal(signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill all processes of the kernel, and wait until they have ended."""
        self.process.send_signal(signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.process.ended(), _KILL_SECONDS)

    async def terminate(self, restart: bool = False) -> None:
        """Kill the kernel: it has nothing to save."""
        await self.kill(restart)

    async def cleanup(self, restart: bool = False) -> None:
        """Do nothing: the caller may still ask why the kernel ended, until `close`."""

    def close(self) -> None:
        """Release the kernel's descriptors, which deletes all its files."""
        if self._process is not None:
            self._process.close()
            self._process = None
