"""Where submissions are run: worker processes of this machine's, or a Dask cluster that runs already.

`autograder.run.fan_out` opens one for each run. On this machine the workers talk over loopback, encrypted and known to
each other by a certificate made for the run: whoever else is logged in here can neither listen nor hand in work.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import math
import tempfile
from collections.abc import Iterator
from typing import Any

from dask import config
from distributed import Client, LocalCluster
from distributed.security import Security

from ..problems import Problem, one_line
from ..sandbox import fork_server
from ..sandbox.requirements import require_sandbox

_NO_INTERRUPTS = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"  # Ctrl-C is for the command alone
THREADS = 8  # submissions at once in one process: more than the cores that one Python and one warm process can feed
_WAIT = 60  # seconds for the first worker of somebody's cluster
# A worker's end is told at once, and blamed on every submission that it had: `autograder.run.fan_out` finds out which.
_SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.worker.daemon": True,
    "distributed.worker.multiprocessing-method": "forkserver",
    "distributed.worker.profile.enabled": False,  # it looks at every thread a hundred times a second
    "distributed.admin.tick.interval": "1s",  # how often it looks at the clock, to find out whether it is late
    "distributed.admin.system-monitor.interval": "10s",
    # Web pages for whoever finds the port: there is nothing on them.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


class _Kept:
    """The workers that stay, and how many blocks want them to."""

    blocks = 0
    stack = contextlib.ExitStack()
    client: Client | None = None


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Have `local` start its workers once for the whole block: a second chapter finds them warm."""
    _Kept.blocks += 1
    try:
        yield
    finally:
        _Kept.blocks -= 1
        if not _Kept.blocks:
            end_kept()


def end_kept() -> None:
    """End the workers that were kept, and what they were forks of: the next `local` starts others."""
    _Kept.client = None
    _Kept.stack.close()
    fork_server.end()


@contextlib.contextmanager
def local(workers: int, sandbox: bool = True) -> Iterator[Client]:
    """Start worker processes that run `workers` submissions at once, and end them.

    Args:
        workers: how many submissions run at once, in all processes together. Within `kept`, the first call decides.
        sandbox: whether they will need a warm process.
    """
    if not _Kept.blocks:
        with started(workers, sandbox) as client:
            yield client
        return
    if _Kept.client is None:
        _Kept.client = _Kept.stack.enter_context(started(workers, sandbox))
    yield _Kept.client


@contextlib.contextmanager
def started(workers: int, sandbox: bool = True) -> Iterator[Client]:
    """Do what `local` does, with workers of this block's own."""
    fork_server.begin(sandbox)
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
            memory_limit=0,  # type: ignore[arg-type]  # memory is the sandbox's business
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextlib.contextmanager
def running(address: str, sandbox: bool) -> Iterator[Client]:
    """Connect to the scheduler at `address`. Its workers stay when the run is over.

    Raises:
        Problem: if nobody answers there, there is no worker, or a worker lacks what grading needs.
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
        _check_workers(client, sandbox)
        yield client


def _check_workers(client: Client, sandbox: bool) -> None:
    found: Any = client.run(_what_it_offers, sandbox, on_error="return")
    for worker, offer in found.items():
        if isinstance(offer, Exception):
            raise Problem(f"the worker at {worker} cannot grade ({one_line(offer)}); install the same course there")
        version, missing = offer
        if version != _version():
            raise Problem(f"the worker at {worker} has version {version} of the course, and this machine {_version()}")
        if missing:
            raise Problem(f"the worker at {worker}: {missing}")


def _what_it_offers(sandbox: bool) -> tuple[str, str]:
    """Return the version installed where this runs, and what is missing for sealing, "" for nothing."""
    try:
        if sandbox:
            require_sandbox()
    except Problem as problem:
        return _version(), str(problem)
    return _version(), ""


def _version() -> str:
    return importlib.metadata.version("manyheads")
