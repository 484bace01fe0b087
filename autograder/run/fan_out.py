"""Sends submissions to workers, and returns the results as they finish. Called by `autograder.run.grade`.

Dask assigns submissions to workers and detects lost workers. This module decides what a lost worker means for the
submissions that it was running.
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

_AHEAD = 2  # submissions sent per running one, so that a worker that finishes has the next one already


class FanOut:
    """Runs jobs on the workers of this machine or of a Dask scheduler.

    Args:
        workers: the number of submissions that run at once on this machine.
        scheduler: the address of a Dask scheduler whose workers run them instead.
        sandbox: whether submissions run in the sandbox.
    """

    def __init__(self, workers: int, scheduler: str | None = None, *, sandbox: bool = True) -> None:
        self.workers, self.scheduler, self.sandbox = workers, scheduler, sandbox

    def run(self, jobs: Iterable[Job]) -> Iterator[Executed]:
        """Run all `jobs` and yield each as it finishes, in any order.

        `jobs` are consumed as workers become free. When a worker dies, every submission that it was running is suspect.
        Each of these is run again alone; one that kills its worker a second time has crashed.

        Raises:
            Problem: if the scheduler cannot be reached, or its connection is lost.
        """
        source = iter(jobs)
        first = next(source, None)
        if first is None:  # nothing to do, so start no workers
            return
        source = itertools.chain([first], source)
        suspects: list[Job] = []
        lost = True
        while lost:
            with self._client() as client:
                before = len(suspects)
                yield from self._run_together(client, source, suspects)
                lost = len(suspects) > before and not self.scheduler
            if lost:  # Dask replaces lost workers, but not one that dies while it starts
                cluster.end_workers()
        for job in suspects:
            with self._client(alone=True) as client:
                yield from self._run_together(client, iter([job]), None)

    def _client(self, *, alone: bool = False) -> contextlib.AbstractContextManager[Client]:
        if self.scheduler:
            return cluster.running(self.scheduler, sandbox=self.sandbox)
        if alone:
            return cluster.started(1, sandbox=self.sandbox)
        return cluster.local(self.workers, sandbox=self.sandbox)

    def _run_together(self, client: Client, source: Iterator[Job], suspects: list[Job] | None) -> Iterator[Executed]:
        """Yield the results of the jobs in `source`. On this machine, stop taking jobs when a worker is lost.

        Jobs whose worker died are added to `suspects`; if that is None, they have crashed.
        """
        running: dict[Any, tuple[Future[Any], Job]] = {}
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
            if future.status == "lost" or isinstance(
                error, KilledWorker
            ):  # "lost": done, but the result was not fetched
                lost = True
                if suspects is not None:
                    suspects.append(job)
                    continue
                yield Executed.without_grade(job, Outcome.CRASHED, _why_twice(job))
            elif error is not None:
                yield Executed.by_grader_fault(job, error)
            else:
                yield Executed(job, *future.result())

    def _room(self, client: Client) -> int:
        """Return how many submissions may be running or queued."""
        if not self.scheduler:
            return _AHEAD * self.workers
        try:
            threads: Any = client.nthreads()  # by worker; asked each time, since workers come and go
        except OSError as error:
            raise self._scheduler_is_gone() from error
        return max(1, _AHEAD * sum(threads.values()))

    def _scheduler_is_gone(self) -> Problem:
        what = (
            f"the connection to the scheduler at {self.scheduler} was lost" if self.scheduler else "all workers ended"
        )
        return Problem(f"{what}; run the same command again")


def _why_twice(job: Job) -> str:
    """Return the reason for a submission whose worker died twice. A worker also ends itself at its deadline."""
    most = most_seconds(Limits.of(job.settings.get("limits", {})))
    return (
        f"it ended the process that was grading it, twice, or kept it busy for more than {most:g} s: there is no score"
    )
