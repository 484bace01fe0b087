"""Work on a learner's text that takes too much time or memory ends, without affecting others."""

from __future__ import annotations

import os
import re
import resource
import signal

import pytest

from autograder.outcomes import Outcome
from autograder.run import job as jobs
from autograder.sandbox.bounded import BoundedProcess, OutOfBounds

_MEMORY_MB = 256


def _for_ever() -> None:
    re.fullmatch("(a|a)*", "a" * 100 + "b")  # a pattern that nothing but the end of its process stops


def _fill_memory() -> int:
    return len(bytearray(2 * _MEMORY_MB * 2**20))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _refuse() -> None:
    raise ValueError("too short")


@pytest.mark.slow
def test_work_that_takes_too_much_ends_and_the_next_is_done() -> None:
    with BoundedProcess(seconds=1, memory_mb=_MEMORY_MB) as bounded:
        assert bounded(len, "four") == 4
        with pytest.raises(OutOfBounds, match="took more than 1 s"):
            bounded(_for_ever)
        with pytest.raises(OutOfBounds, match="256 MB of memory"):
            bounded(_fill_memory)
        with pytest.raises(OutOfBounds, match="ended the process"):
            bounded(_die)
        with pytest.raises(ValueError, match="too short"):
            bounded(_refuse)
        assert bounded(len, "three") == 5


def test_its_process_ends_with_the_block_and_is_another_one() -> None:
    with BoundedProcess() as bounded:
        process = bounded(os.getpid)
        assert process != os.getpid()
        assert bounded(os.getpid) == process
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_it_can_be_closed_and_used_again() -> None:
    bounded = BoundedProcess()
    process = bounded(os.getpid)
    bounded.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert bounded(len, "four") == 4
    bounded.close()
    bounded.close()


@pytest.mark.slow
def test_a_submission_that_fills_the_graders_memory_has_crashed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    got: list[int] = []

    def receive(job: jobs.Job) -> None:
        got.append(len(bytearray(512 * 2**20)))  # it may have as much as this
        bytearray(2048 * 2**20)

    monkeypatch.setattr(jobs, "_run", receive)
    job = jobs.Job("ada", "00_rows", "{}", b"", {"limits": {"memory_mb": 1200}}, "")
    notebook, marked = jobs.run_job(job)
    assert (notebook, marked.outcome, marked.verdicts) == ("", Outcome.CRASHED, ())
    assert "1200 MB of the grader's memory" in marked.reason
    assert got
    assert resource.getrlimit(resource.RLIMIT_DATA) == before, "the next submission is not bound by it"
