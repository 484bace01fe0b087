"""The workers that run submissions: processes on this machine, or an existing Dask cluster.

`autograder.run.fan_out` opens one for each run. Local workers communicate over loopback with TLS, using a certificate
made for the run: other users of this machine can neither listen nor submit work.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import math
import tempfile
from collections.abc import Generator
from typing import Any, ClassVar

from dask import config
from distributed import Client, LocalCluster
from distributed.security import Security

from ..problems import Problem, one_line
from ..sandbox import fork_server
from ..sandbox.requirements import require_sandbox

_NO_INTERRUPTS = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"  # Ctrl-C is for the command alone
THREADS = 8  # submissions at once in one process; one Python process and one warm process can feed fewer cores
_WAIT = 60  # seconds for the first worker of an existing cluster to appear
# With 0 allowed failures, a worker's death is reported at once, for all its submissions: `autograder.run.fan_out` then
# finds out which of them was the cause.
_SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.worker.daemon": True,
    "distributed.worker.multiprocessing-method": "forkserver",
    "distributed.worker.profile.enabled": False,  # the profiler samples every thread a hundred times a second
    "distributed.admin.tick.interval": "1s",  # how often the event loop checks its own lag
    "distributed.admin.system-monitor.interval": "10s",
    # No web pages on the scheduler's and workers' ports.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


class _Reused:
    """The workers that are reused, and the number of open `reuse_workers` blocks."""

    blocks = 0
    stack = contextlib.ExitStack()
    client: ClassVar[Client | None] = None


@contextlib.contextmanager
def reuse_workers() -> Generator[None]:
    """Within the block, let all calls of `local` share the same workers, so that they start only once."""
    _Reused.blocks += 1
    try:
        yield
    finally:
        _Reused.blocks -= 1
        if not _Reused.blocks:
            end_workers()


def end_workers() -> None:
    """End the reused workers and the fork server. The next `local` starts new ones."""
    _Reused.client = None
    _Reused.stack.close()
    fork_server.end()


@contextlib.contextmanager
def local(workers: int, *, sandbox: bool = True) -> Generator[Client]:
    """Start local worker processes, yield a client, and end them; within `reuse_workers`, reuse running ones.

    Args:
        workers: the number of submissions that run at once, in all processes together. Within `reuse_workers`, the
            first call decides.
        sandbox: whether submissions run in the sandbox, so that the workers need a warm process.
    """
    if not _Reused.blocks:
        with started(workers, sandbox=sandbox) as client:
            yield client
        return
    if _Reused.client is None:
        _Reused.client = _Reused.stack.enter_context(started(workers, sandbox=sandbox))
    yield _Reused.client


@contextlib.contextmanager
def started(workers: int, *, sandbox: bool = True) -> Generator[Client]:
    """Like `local`, but always with new workers, which end with the block."""
    fork_server.begin(sandbox=sandbox)
    processes = math.ceil(workers / THREADS)
    with (
        tempfile.TemporaryDirectory(prefix="workers-") as folder,
        config.set({**_SETTINGS, "temporary-directory": folder}),
        LocalCluster(
            n_workers=processes,
            threads_per_worker=math.ceil(workers / processes),
            host="127.0.0.1",
            protocol="tls://",
            security=Security.temporary(),
            dashboard_address="127.0.0.1:0",
            local_directory=folder,
            preload=[_NO_INTERRUPTS],
            memory_limit=0,  # the sandbox limits memory
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextlib.contextmanager
def running(address: str, *, sandbox: bool) -> Generator[Client]:
    """Connect to the scheduler at `address`, and yield a client. Its workers keep running after the block.

    Raises:
        Problem: if no scheduler answers, it has no workers, or a worker lacks something that grading needs.
    """
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError, TypeError) as error:
        raise Problem(
            f"no Dask scheduler answers at {address} ({one_line(error)}); start one with: dask scheduler"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_WAIT)
        except TimeoutError:
            raise Problem(f"the scheduler at {address} has no worker; start one with: dask worker {address}") from None
        _check_workers(client, sandbox=sandbox)
        yield client


def _check_workers(client: Client, *, sandbox: bool) -> None:
    found: Any = client.run(_check_machine, sandbox=sandbox, on_error="return")
    for worker, offer in found.items():
        if isinstance(offer, Exception):
            raise Problem(f"the worker at {worker} cannot grade ({one_line(offer)}); install this package there")
        version, missing = offer
        if version != _version():
            raise Problem(
                f"the worker at {worker} has version {version} of the course; this machine has {_version()}. "
                "Install the same version on both"
            )
        if missing:
            raise Problem(f"the worker at {worker}: {missing}")


def _check_machine(*, sandbox: bool) -> tuple[str, str]:
    """Return the installed version, and what the sandbox lacks on this machine, or ""."""
    try:
        if sandbox:
            require_sandbox()
    except Problem as problem:
        return _version(), str(problem)
    return _version(), ""


def _version() -> str:
    return importlib.metadata.version("manyheads")
