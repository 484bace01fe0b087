"""A submission on its way through a worker: what is sent there, what comes back, and what is done in between.

A job is bytes and names: a worker needs the installed package, and nothing of the instructor's machine.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Any

import jupytext  # noqa: F401  (reading a chapter imports it, and the next: a worker, a fork, is to find both here)
from nbformat import NotebookNode
from traitlets.config import Config

import manyheads.check  # noqa: F401

from ..course.bundle import unpack
from ..judge.verdict import Marked
from ..nbgrader_steps.execute import Execute
from ..outcomes import Outcome
from ..problems import one_line
from ..sandbox.bounded import memory_beside
from ..sandbox.limits import Limits
from .deadline import deadline

_LEAST_MB = 1024  # that judging a submission may take, however little the submission itself may
_RUNS = 2  # kernels that one notebook may need: where a name is missing, all of it runs
_BESIDE_SECONDS = 300  # for all that is done beside them; it takes a second


@dataclass(frozen=True)
class Job:
    """One submission to run and judge.

    Args:
        student: nbgrader's student id.
        assignment: the chapter.
        notebook: the sanitised notebook as JSON; between us and a worker nobody checks its format again.
        course: the class's chapters, see `autograder.course.bundle.pack`.
        settings: what `Execute` is configured with.
        fingerprint: of the submission as it was read.
    """

    student: str
    assignment: str
    notebook: str
    course: bytes
    settings: dict[str, Any]
    fingerprint: str


@dataclass(frozen=True)
class Executed:
    """A job done.

    Args:
        job: what was asked.
        notebook: the executed notebook as JSON, verdicts in its graded cells; "" where the grader failed.
        marked: outcome and verdicts.
    """

    job: Job
    notebook: str
    marked: Marked

    @classmethod
    def without_grade(cls, job: Job, outcome: Outcome, reason: str) -> Executed:
        """Return what became of a job that has no notebook to show for it."""
        return cls(job, "", Marked(outcome, reason, (), 0.0, job.settings.get("sandbox", True)))

    @classmethod
    def of_our_fault(cls, job: Job, error: BaseException) -> Executed:
        """Return what became of a job on which the grader itself failed."""
        return cls.without_grade(job, Outcome.NEEDS_REVIEW, f"the grader failed ({one_line(error)}); grade it again")


def run_job(job: Job) -> tuple[str, Marked]:
    """Run and judge one submission in this process. Return the executed notebook as JSON, and what became of it.

    It never raises: a fault of the grader's own is an outcome, too, and costs one submission. It runs once more before
    that, for most faults are the machine's: a sandbox that somebody ended, a file that could not be opened.
    """
    # What a submission sends lies in this process until it is read; a message may have any number of parts.
    limits = Limits.of(job.settings.get("limits", {}))
    most = max(_LEAST_MB, int(limits.memory_mb))
    try:
        with memory_beside(most):
            with contextlib.suppress(Exception), deadline(most_seconds(limits)):
                return _run(job)
            with deadline(most_seconds(limits)):
                return _run(job)
    except MemoryError:
        reason = f"what it sent took more than {most} MB of the grader's memory: there is no score"
        return "", Executed.without_grade(job, Outcome.CRASHED, reason).marked
    except Exception as error:
        return "", Executed.of_our_fault(job, error).marked


def most_seconds(limits: Limits) -> float:
    """Return the wall time after which a submission is no longer judged: it is held up by what its author wrote."""
    return _RUNS * limits.seconds + _BESIDE_SECONDS


def _run(job: Job) -> tuple[str, Marked]:
    notebook: Any = json.loads(job.notebook, object_hook=NotebookNode)
    step = Execute(config=Config({"Execute": {**job.settings, "solutions": str(unpack(job.course))}}))
    resources: dict[str, Any] = {"nbgrader": {"student": job.student, "assignment": job.assignment}}
    notebook, resources = step.preprocess(notebook, resources)
    return json.dumps(notebook), resources["manyheads"]
