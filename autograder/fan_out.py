"""Hands submissions to worker processes and takes back what became of them, as they finish.

`autograder grade` is the only caller. A job is bytes and names: a worker needs the installed package and nothing
from this machine. A cluster takes the place of the local pool here.
"""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import nbformat
from traitlets.config import Config

from .nbgrader_steps import Execute, Marked
from .problems import one_line
from .record import CRASHED, NEEDS_REVIEW


@dataclass(frozen=True)
class Job:
    """One submission to run and judge.

    Args:
        student: nbgrader's student id.
        assignment: the chapter.
        notebook: the sanitised notebook's text.
        settings: what `Execute` is configured with.
        fingerprint: of the submission as it was read.
    """

    student: str
    assignment: str
    notebook: str
    settings: dict[str, Any]
    fingerprint: str


@dataclass(frozen=True)
class Executed:
    """A job done.

    Args:
        job: what was asked.
        notebook: the executed notebook's text, verdicts in its graded cells; "" where the grader failed.
        marked: outcome and verdicts.
    """

    job: Job
    notebook: str
    marked: Marked


class FanOut:
    """A pool of worker processes.

    Args:
        workers: how many submissions run at once.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, jobs: Iterable[Job]) -> Iterator[Executed]:
        """Run all `jobs` and yield each as it finishes, in any order.

        `jobs` are taken as workers become free. A job that ends its worker process takes others down with it: each of
        those is run again by itself, and the one that does it again has crashed.
        """
        source = iter(jobs)
        running: dict[Future[Executed], Job] = {}
        pool = _pool(self.workers)
        try:
            while True:
                broken: list[Job] = []
                for job in itertools.islice(source, 2 * self.workers - len(running)):
                    try:
                        running[pool.submit(run_job, job)] = job
                    except BrokenProcessPool:
                        broken.append(job)
                if not running and not broken:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    job = running.pop(future)
                    if isinstance(future.exception(), BrokenProcessPool):
                        broken.append(job)
                    else:
                        yield _result(future, job)
                if broken:
                    broken += running.values()
                    running.clear()
                    pool.shutdown(wait=False, cancel_futures=True)
                    pool = _pool(self.workers)
                    yield from map(_run_alone, broken)
        finally:
            pool.shutdown(cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    # spawn: a fork of a process that has used torch or a database is not safe
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def _run_alone(job: Job) -> Executed:
    with _pool(1) as pool:
        future = pool.submit(run_job, job)
        if isinstance(future.exception(), BrokenProcessPool):
            reason = "it ended the process that was grading it, twice: there is no score"
            return Executed(job, "", Marked(CRASHED, reason, (), 0.0, job.settings.get("sandbox", True)))
        return _result(future, job)


def _result(future: Future[Executed], job: Job) -> Executed:
    error = future.exception()
    if error is None:
        return future.result()
    reason = f"the grader failed ({one_line(error)}); grade it again"
    return Executed(job, "", Marked(NEEDS_REVIEW, reason, (), 0.0, sealed=True))


def run_job(job: Job) -> Executed:
    """Run and judge one submission in this process."""
    notebook = nbformat.reads(job.notebook, as_version=4)
    step = Execute(config=Config({"Execute": job.settings}))
    resources: dict[str, Any] = {"nbgrader": {"student": job.student, "assignment": job.assignment}}
    notebook, resources = step.preprocess(notebook, resources)
    return Executed(job, nbformat.writes(notebook), resources["manyheads"])
