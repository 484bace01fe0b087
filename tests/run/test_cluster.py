"""Submissions run on a Dask cluster: a real scheduler and worker processes, started from the command line."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from autograder.classroom.class_folder import ClassFolder
from autograder.classroom.results import class_results
from autograder.course.chapter import Chapter
from autograder.outcomes import Outcome
from autograder.problems import Problem
from autograder.run import cluster, fan_out
from autograder.run.grade import Steps, grade
from autograder.run.job import Job, run_job
from autograder.sandbox import fork_server
from autograder.sandbox.bounded import BoundedProcess
from tests.support.processes import is_alive
from tests.support.toy import TOY, HandIn

pytestmark = pytest.mark.slow

ENDS_ITS_WORKER = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nimport time; time.sleep(60)"


@dataclass
class Started:
    """A cluster started from the command line."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Started]]:
    """Starts a scheduler with at least that many workers, in a folder without any class's files.

    Workers of earlier tests are used again: a worker's imports take seconds.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    log = (folder / "log").open("wb")
    processes: list[subprocess.Popen[bytes]] = []
    clusters: list[Started] = []

    def dask(what: str, *arguments: str) -> subprocess.Popen[bytes]:
        module = f"distributed.cli.dask_{what}"
        command = [sys.executable, "-m", module, "--host", "127.0.0.1", "--no-dashboard", *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        processes.append(process)
        return process

    def start_scheduler() -> Started:
        file = folder / f"scheduler{len(clusters)}.json"
        scheduler = dask("scheduler", "--port", "0", "--scheduler-file", str(file))
        waiting = threading.Event()
        while not file.exists() or not file.read_text().strip():
            assert scheduler.poll() is None, Path(log.name).read_text()
            waiting.wait(0.05)
        return Started(json.loads(file.read_text())["address"], scheduler, [])

    def start(workers: int) -> Started:
        if not clusters or clusters[-1].scheduler.poll() is not None:
            clusters.append(start_scheduler())
        started = clusters[-1]
        started.workers = [worker for worker in started.workers if worker.poll() is None]
        one = ("--nthreads", "1", "--no-nanny", "--local-directory", str(folder))
        while len(started.workers) < workers:
            started.workers.append(dask("worker", started.address, *one))
        return started

    yield start
    for process in processes:
        process.kill()
        process.wait()
    log.close()


@contextlib.contextmanager
def after(folder: ClassFolder, records: int, action: Callable[[], object]) -> Generator[None]:
    """Do `action` as soon as that many submissions have a record."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            if len(list((folder.root / "outcomes").rglob("*.json"))) >= records:
                action()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def scores(folder: ClassFolder) -> dict[str, float | None]:
    return {learner.student: learner.score for learner in class_results(folder, TOY).learners}


def test_a_worker_that_is_lost_halfway_takes_no_grade_with_it(
    toy_class: ClassFolder, hand_in: HandIn, toy: Chapter, start: Callable[[int], Started]
) -> None:
    right = dict(toy.reference)
    wrong = {**right, "scale_rows": "def scale_rows(x, factors): return x + factors[:, None]"}
    for number in range(3):
        hand_in(toy_class, f"right{number}", right)
        hand_in(toy_class, f"wrong{number}", wrong)
    started = start(2)

    with after(toy_class, 2, started.workers[0].kill):
        run = grade(toy_class, TOY, workers=1, progress=False, scheduler=started.address)

    assert started.workers[0].wait() == -signal.SIGKILL
    assert run.outcomes == {Outcome.GRADED: 6}
    assert scores(toy_class) == {
        f"{kind}{n}": {"right": 9, "wrong": 7}[kind] for kind in ("right", "wrong") for n in range(3)
    }
    assert started.workers[1].poll() is None, "the worker is somebody's, and stays"


@pytest.mark.thorough
def test_a_result_that_is_lost_with_its_worker_is_computed_again(
    toy_class: ClassFolder,
    hand_in: HandIn,
    toy: Chapter,
    start: Callable[[int], Started],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The worker ends after the submission is done, before its result was fetched."""
    killed: list[int] = []

    class KillOnce(fan_out.as_completed):
        def __next__(self) -> Any:
            future = super().__next__()
            if not killed:
                holder = future.client.who_has(future)[future.key][0]
                killed.append(future.client.run(os.getpid)[holder])
                os.kill(killed[0], signal.SIGKILL)
                for _ in range(1000):
                    if future.status == "lost":
                        break
                    threading.Event().wait(0.01)
                assert future.status == "lost"
            return future

    monkeypatch.setattr(fan_out, "as_completed", KillOnce)
    for number in range(4):
        hand_in(toy_class, f"learner{number}", dict(toy.reference))

    run = grade(toy_class, TOY, workers=1, progress=False, scheduler=start(2).address)

    assert len(killed) == 1
    assert run.outcomes == {Outcome.GRADED: 4}
    assert set(scores(toy_class).values()) == {9}


def test_a_run_whose_scheduler_is_lost_says_so_and_the_next_one_continues(
    toy_class: ClassFolder, hand_in: HandIn, toy: Chapter, start: Callable[[int], Started]
) -> None:
    for number in range(6):
        hand_in(toy_class, f"learner{number}", dict(toy.reference))
    started = start(1)
    with after(toy_class, 2, started.scheduler.kill), pytest.raises(Problem, match="was lost") as problem:
        grade(toy_class, TOY, workers=1, progress=False, scheduler=started.address)
    assert "of 6 submissions of 00_rows are graded and saved" in problem.value.__notes__[0]

    run = grade(toy_class, TOY, workers=2, progress=False)

    assert run.unchanged >= 2
    assert run.outcomes == {Outcome.GRADED: 6 - run.unchanged}
    assert set(scores(toy_class).values()) == {9}


def test_a_worker_needs_nothing_but_the_job(toy_class: ClassFolder, hand_in: HandIn, toy: Chapter) -> None:
    hand_in(toy_class, "ada", dict(toy.reference))
    with BoundedProcess() as bounded:
        job = Steps(toy_class, TOY, bounded).prepare("ada")
    assert isinstance(job, Job)
    shutil.rmtree(toy_class.root)
    notebook, marked = run_job(job)
    assert marked.outcome == Outcome.GRADED
    assert sum(verdict.earned for verdict in marked.verdicts) == 9
    assert "✓ scale_rows.outputs" in str(json.loads(notebook))


def test_a_scheduler_that_is_not_there_is_named() -> None:
    with (
        pytest.raises(Problem, match="no Dask scheduler answers at tcp"),
        cluster.running("tcp://127.0.0.1:1", sandbox=True),
    ):
        pass


def test_a_worker_with_another_version_is_refused(
    start: Callable[[int], Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = start(1).address
    monkeypatch.setattr(cluster, "_version", lambda: "0.0.7")
    with (
        pytest.raises(Problem, match=r"of the course; this machine has 0\.0\.7"),
        cluster.running(address, sandbox=False),
    ):
        pass


def test_workers_of_this_machine_accept_no_other_user_and_leave_nothing_behind() -> None:
    cluster.end_workers()
    fork_server.begin(sandbox=False)
    before = psutil.Process().children(recursive=True)
    with cluster.started(12, sandbox=False) as client:
        threads: Any = client.nthreads()
        assert len(threads) == 2
        assert sum(threads.values()) == 12
        workers = [child for child in psutil.Process().children(recursive=True) if child not in before]
        listening = [c for p in (psutil.Process(), *workers) for c in p.net_connections("inet") if c.status == "LISTEN"]
        assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}
        scheduler: Any = client.scheduler
        assert scheduler.address.startswith("tls://")  # whoever has no certificate of this run is refused
        workers = [worker for worker in workers if "resource_tracker" not in " ".join(worker.cmdline())]  # Python's own
    psutil.wait_procs(workers, timeout=10)
    assert len(workers) == 2
    assert not any(is_alive(worker) for worker in workers)


@pytest.mark.thorough
def test_a_submission_that_ends_its_worker_twice_has_crashed_and_the_others_are_graded(
    toy_class: ClassFolder, hand_in: HandIn, toy: Chapter
) -> None:
    """Only without the sandbox can it do that."""
    right = dict(toy.reference)
    hand_in(toy_class, "ada", right)
    hand_in(toy_class, "bad", {**right, "scale_rows": f"{right['scale_rows']}\n{ENDS_ITS_WORKER}"})
    run = grade(toy_class, TOY, workers=2, progress=False, sandbox=False)
    assert run.outcomes == {Outcome.GRADED: 1, Outcome.CRASHED: 1}
    rows = {learner.student: learner for learner in class_results(toy_class, TOY).learners}
    assert rows["ada"].score == 9
    assert "ended the process that was grading it, twice" in rows["bad"].reason
