"""No submission blocks a worker forever: its process ends, and its other submissions are graded by another one."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

_FOR_EVER = "re.fullmatch('(a|a)*', 'a' * 100 + 'b')"  # one call, and no other thread runs meanwhile


def ends_as(code: str) -> int:
    """Return how a process with `code` ends, all threads of it."""
    program = f"import re, threading, time\nfrom autograder.run.deadline import deadline\n{textwrap.dedent(code)}"
    return subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, check=False).returncode


def test_what_takes_too_long_ends_the_process_though_it_lets_no_other_thread_run() -> None:
    assert ends_as(f"with deadline(0.2): {_FOR_EVER}") == 1


@pytest.mark.slow
def test_each_of_several_threads_has_its_own_deadline() -> None:
    assert (
        ends_as(
            f"""
            def slow():
                with deadline(0.5): {_FOR_EVER}
            threading.Thread(target=slow, daemon=True).start()
            with deadline(100): threading.Event().wait()
            """
        )
        == 1
    )


def test_what_is_done_in_time_ends_nothing() -> None:
    assert (
        ends_as(
            """
            with deadline(100):
                with deadline(0.1): pass
                time.sleep(0.3)
            with deadline(0.2): pass
            time.sleep(0.4)
            raise SystemExit(7)
            """
        )
        == 7
    )


@pytest.mark.slow
def test_a_submission_that_holds_its_worker_ends_it() -> None:
    assert (
        ends_as(
            f"""
            from autograder.run import job as jobs
            jobs.most_seconds = lambda limits: 0.3
            jobs._run = lambda job: {_FOR_EVER}
            jobs.run_job(jobs.Job("ada", "00_rows", "{{}}", b"", {{}}, ""))
            """
        )
        == 1
    )
