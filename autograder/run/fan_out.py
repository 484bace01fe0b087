"""Hands submissions to workers and takes back what became of them, as they finish.

`autograder.run.grade` is the only caller. Which worker runs what, and what happens when one is lost, is Dask's
business; what a lost worker means for a grade is decided here.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from distributed import Client, Future, KilledWorker, as_completed

from ..outcomes import Outcome
from ..problems import Problem
from ..sandbox.limits import Limits
from . import cluster
from .job import Executed, Job, most_seconds, run_job

_AHEAD = 2  # submissions handed over for each that runs: a worker that is done finds the next one there


class FanOut:
    """Workers, here or elsewhere.

    Args:
        workers: how many submissions run at once on this machine.
        scheduler: the address of a Dask scheduler whose workers run them instead.
        sandbox: whether the workers need one.
    """

    def __init__(self, workers: int, scheduler: str | None = None, sandbox: bool = True) -> None:
        self.workers, self.scheduler, self.sandbox = workers, scheduler, sandbox

    def run(self, jobs: Iterable[Job]) -> Iterator[Executed]:
        """Run all `jobs` and yield each as it finishes, in any order.

        `jobs` are taken as workers become free. With a worker that ends, all that it had are suspects: each of them is
        run again with nothing beside it, and the one that ends its worker again has crashed.

        Raises:
            Problem: if the scheduler cannot be reached, or is gone.
        """
        source = iter(jobs)
        first = next(source, None)
        if first is None:  # nothing to do: no worker need start
            return
        source = itertools.chain([first], source)
        suspects: list[Job] = []
        lost = True
        while lost:
            with self._client() as client:
                before = len(suspects)
                yield from self._run_together(client, source, suspects)
                lost = len(suspects) > before and not self.scheduler
            if lost:  # Dask would replace the worker, but not one that ends while it is starting
                cluster.end_kept()
        for job in suspects:
            with self._client(alone=True) as client:
                yield from self._run_together(client, iter([job]), None)

    def _client(self, alone: bool = False) -> contextlib.AbstractContextManager[Client]:
        if self.scheduler:
            return cluster.running(self.scheduler, self.sandbox)
        return cluster.started(1, self.sandbox) if alone else cluster.local(self.workers, self.sandbox)

    def _run_together(self, client: Client, source: Iterator[Job], suspects: list[Job] | None) -> Iterator[Executed]:
        """Yield what becomes of the jobs in `source`, all of them or, on this machine, until a worker is lost.

        Those whose worker ended go to `suspects`; they have crashed where that is None.
        """
        running: dict[Any, tuple[Future, Job]] = {}
        finished = as_completed()
        lost = False
        while True:
            room = 0 if lost and not self.scheduler else self._room(client) - len(running)
            for job in itertools.islice(source, max(0, room)):
                future = client.submit(run_job, job, pure=False)
                running[future.key] = future, job
                finished.add(future)
            if not running:
                return
            future, job = running.pop(next(finished).key)
            if future.status == "cancelled":
                raise self._scheduler_is_gone()
            error: Any = future.exception() if future.status == "error" else None
            if future.status == "lost" or isinstance(error, KilledWorker):  # lost: done, but not fetched yet
                lost = True
                if suspects is not None:
                    suspects.append(job)
                    continue
                yield Executed.without_grade(job, Outcome.CRASHED, _why_twice(job))
            elif error is not None:
                yield Executed.of_our_fault(job, error)
            else:
                yield Executed(job, *future.result())

    def _room(self, client: Client) -> int:
        """Return how many submissions may be on their way."""
        if not self.scheduler:
            return _AHEAD * self.workers
        try:
            threads: Any = client.nthreads()  # of each worker; workers come and go
        except OSError as error:
            raise self._scheduler_is_gone() from error
        return max(1, _AHEAD * sum(threads.values()))

    def _scheduler_is_gone(self) -> Problem:
        return Problem(f"the scheduler at {self.scheduler} is gone" if self.scheduler else "the workers are gone")


def _why_twice(job: Job) -> str:
    """Return what is known of a submission that cost two workers: one ends itself when it is held up for too long."""
    most = most_seconds(Limits.of(job.settings.get("limits", {})))
    return (
        f"it ended the process that was grading it, twice, or kept it busy for more than {most:g} s: there is no score"
    )
