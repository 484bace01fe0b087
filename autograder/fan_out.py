"""Hands submissions to worker processes and takes back what became of them, as they finish.

`autograder grade` is the only caller. A job is bytes and names: a worker needs the installed package and nothing
from this machine. A cluster takes the place of the local pool here.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import nbformat
from traitlets.config import Config

from .nbgrader_steps import Execute, Marked
from .record import NEEDS_REVIEW


@dataclass(frozen=True)
class Job:
    """One submission to run and judge.

    Args:
        student: nbgrader's student id.
        assignment: the chapter.
        notebook: the sanitised notebook's text.
        settings: what `Execute` is configured with.
    """

    student: str
    assignment: str
    notebook: str
    settings: dict[str, Any]


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
        """Run all `jobs` and yield each as it finishes, in any order. Nothing that a job does raises here."""
        # spawn: a fork of a process that has used torch or a database is not safe
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.workers, mp_context=context) as pool:
            futures: dict[Future[Executed], Job] = {pool.submit(run_job, job): job for job in jobs}
            for future in as_completed(futures):
                error = future.exception()
                if error is None:
                    yield future.result()
                else:
                    reason = f"the grader failed ({type(error).__name__}: {error}); grade it again"
                    yield Executed(futures[future], "", Marked(NEEDS_REVIEW, reason, (), 0.0))


def run_job(job: Job) -> Executed:
    """Run and judge one submission in this process."""
    notebook = nbformat.reads(job.notebook, as_version=4)
    step = Execute(config=Config({"Execute": job.settings}))
    resources: dict[str, Any] = {"nbgrader": {"student": job.student, "assignment": job.assignment}}
    notebook, resources = step.preprocess(notebook, resources)
    return Executed(job, nbformat.writes(notebook), resources["manyheads"])
