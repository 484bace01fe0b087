"""One submission in a worker: the job that is sent to it, the result that it returns, and the code that it runs.

A job contains all its data: a worker needs the installed package, but no files of the instructor's machine.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Any

import jupytext  # noqa: F401  (like the next import, here so that forked workers inherit it; `read_chapter` needs both)
from nbformat import NotebookNode
from traitlets.config import Config

import manyheads.check  # noqa: F401

from ..course.bundle import unzip_course
from ..judge.verdict import Judged
from ..nbgrader_steps.execute import Execute
from ..outcomes import Outcome
from ..problems import one_line
from ..sandbox.bounded import memory_beside
from ..sandbox.limits import Limits
from .deadline import deadline

_LEAST_MB = 1024  # memory for judging a submission, even if the submission's own limit is lower
_RUNS = 2  # a notebook may run twice: if a name is missing, it runs again with all its cells
_BESIDE_SECONDS = 300  # for everything beside these runs, which normally takes a second


@dataclass(frozen=True)
class Job:
    """One submission to run and judge.

    Args:
        student: nbgrader's student id.
        assignment: the chapter.
        notebook: the sanitised notebook as JSON; the worker does not validate it again.
        course: the class's chapters, see `autograder.course.bundle.zip_course`.
        settings: the configuration of `Execute`.
        fingerprint: the fingerprint of the submission that was read.
    """

    student: str
    assignment: str
    notebook: str
    course: bytes
    settings: dict[str, Any]
    fingerprint: str


@dataclass(frozen=True)
class Executed:
    """The result of a job.

    Args:
        job: the job.
        notebook: the executed notebook as JSON, with verdicts in its graded cells; "" if there is none to save.
        judged: outcome and verdicts.
    """

    job: Job
    notebook: str
    judged: Judged

    @classmethod
    def without_grade(cls, job: Job, outcome: Outcome, reason: str) -> Executed:
        """Return the result of a job without an executed notebook."""
        return cls(job, "", Judged(outcome, reason, (), 0.0, job.settings.get("sandbox", True)))

    @classmethod
    def by_grader_fault(cls, job: Job, error: BaseException) -> Executed:
        """Return the result of a job on which the grader itself failed."""
        return cls.without_grade(job, Outcome.NEEDS_REVIEW, f"the grader failed ({one_line(error)}); grade it again")


def run_job(job: Job) -> tuple[str, Judged]:
    """Run and judge one submission in this process. Return the executed notebook as JSON, and its outcome.

    It never raises: a fault of the grader affects only this submission, as an outcome. It tries twice before that,
    since most such faults are temporary: a sandbox that was killed, a file that could not be opened.
    """
    # A submission's messages stay in this process's memory until they are read, and may have any number of parts.
    limits = Limits.of(job.settings.get("limits", {}))
    most = max(_LEAST_MB, int(limits.memory_mb))
    try:
        with memory_beside(most):
            with contextlib.suppress(Exception), deadline(most_seconds(limits)):
                return _run(job)
            with deadline(most_seconds(limits)):
                return _run(job)
    except MemoryError:
        reason = f"its messages took more than {most} MB of the grader's memory: there is no score"
        return "", Executed.without_grade(job, Outcome.CRASHED, reason).judged
    except Exception as error:
        return "", Executed.by_grader_fault(job, error).judged


def most_seconds(limits: Limits) -> float:
    """Return the deadline for judging a submission, in seconds of wall time. Only hostile input takes so long."""
    return _RUNS * limits.seconds + _BESIDE_SECONDS


def _run(job: Job) -> tuple[str, Judged]:
    notebook: Any = json.loads(job.notebook, object_hook=NotebookNode)
    step = Execute(config=Config({"Execute": {**job.settings, "solutions": str(unzip_course(job.course))}}))
    resources: dict[str, Any] = {"nbgrader": {"student": job.student, "assignment": job.assignment}}
    notebook, resources = step.preprocess(notebook, resources)
    return json.dumps(notebook), resources["manyheads"]
