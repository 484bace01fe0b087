"""A whole class: stock `nbgrader autograde`, and `autograder grade`, side by side on this machine.

    python benchmarks/grading.py [--submissions N] [--stock M] [--otter M] [--chapter NAME] [--everything] [--workers N]

It builds a class of N mixed submissions of one chapter (right, right in another way, with a known mistake,
unfinished), grades it with `autograder grade` in its sandbox, and M of them with stock nbgrader: stock preprocessors,
the notebook's own checks in its kernel. It prints seconds, submissions a minute, CPU seconds a submission, what of
these the learners' own cells take, peak memory, and the ratio. Where the two give any learner another score, it says
whose, and ends with status 1.

`--otter` grades M of them with otter-grader, too, as `otter run` does it: one command for each submission, with tests
that call the notebook's own checks. `pip install otter-grader` first; the course does not need it.

`--everything` has `autograder grade` run the lesson's own cells, too, on which no grade depends; nbgrader always does.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import timeit
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel
from nbgrader.api import Gradebook

from autograder.classroom.class_folder import ClassFolder, new_class
from autograder.course import notebooks as source_notebook
from autograder.course.chapter import REPOSITORY_ROOT, Chapter, read_chapter
from autograder.course.notebooks import grade_id
from autograder.judge.needed_cells import left_out

STOCK_CONFIG = 'c = get_config()\nc.CourseDirectory.course_id = "stock"\nc.Execute.timeout = 120\n'
SAMPLED_EVERY = 2.0  # seconds; counting the pages of all processes takes a tenth of one


@dataclass(frozen=True)
class Run:
    """What one command took.

    Args:
        seconds: wall time.
        cpu: CPU seconds of the whole machine meanwhile, since the system charges an unwaited process's time to no
            parent. If other programs run, it is too high.
        peak: largest memory of all its processes together, bytes, shared pages counted once.
        scores: points by student.
    """

    seconds: float
    cpu: float
    peak: int
    scores: Mapping[str, float]


def mixed(chapter: Chapter, count: int) -> list[Mapping[str, str]]:
    """Return what each of `count` learners writes, by exercise; an exercise that is missing stays unwritten."""
    right = dict(chapter.reference)
    names = list(right)
    mistakes = [(exercise.name, chapter.mistaken(exercise.name, m)) for exercise, m in chapter.misconceptions()]
    others = [(exercise.name, other.code) for exercise, other in chapter.alternatives()]
    learners: list[Mapping[str, str]] = []
    for number in range(count):
        step = number // 4
        learners.append(
            [
                right,
                {**right, **dict([mistakes[7 * step % len(mistakes)]])},
                {**right, **dict([others[step % len(others)], mistakes[(11 * step + 3) % len(mistakes)]])},
                {name: right[name] for name in names[: step % (len(names) + 1)]},
            ][number % 4]
        )
    return learners


def hand_in(release: Path, folder: Path, chapter: Chapter, learners: list[Mapping[str, str]]) -> None:
    """Write each learner's notebook to where nbgrader expects it."""
    notebook = source_notebook.read_text(release)
    for number, written in enumerate(learners):
        theirs = copy.deepcopy(notebook)
        for exercise, source in written.items():
            source_notebook.set_solution(theirs, exercise, source)
        path = folder / "submitted" / f"learner{number:04d}" / chapter.name / f"{chapter.name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(source_notebook.to_text(theirs), encoding="utf-8")


def stock_class(root: Path, chapter: Chapter) -> Path:
    """Make a course folder as nbgrader's own documentation has it."""
    root.mkdir()
    (root / "nbgrader_config.py").write_text(STOCK_CONFIG, encoding="utf-8")
    source = root / "source" / chapter.name
    source.mkdir(parents=True)
    shutil.copy(chapter.folder / f"{chapter.name}.ipynb", source)
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", chapter.name]
    subprocess.run(command, cwd=root, env=environment(), check=True, capture_output=True)
    return root / "release" / chapter.name / f"{chapter.name}.ipynb"


def environment() -> dict[str, str]:
    """Return the variables of a command: this Python's programs first, one thread, a home without anybody's code."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "MANYHEADS_HOME": os.devnull}


def timed(command: list[str], folder: Path) -> tuple[float, float, int]:
    """Run `command` in `folder`. Return wall seconds, CPU seconds and peak memory in bytes.

    Raises:
        SystemExit: if it fails.
    """
    log = folder / "benchmark.log"
    with log.open("w") as output:
        started, computed = time.perf_counter(), _machine_seconds()
        started_process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=output, stderr=subprocess.STDOUT
        )
        process = psutil.Process(started_process.pid)
        peak: list[int] = [0]
        over = threading.Event()
        sampler = threading.Thread(target=_sample, args=(process, peak, over))
        sampler.start()
        status = started_process.wait()
        seconds, computed = time.perf_counter() - started, _machine_seconds() - computed
        over.set()
        sampler.join()
    if status:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-3000:]}")
    return seconds, computed, peak[0]


def _machine_seconds() -> float:
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "steal", 0.0)


def _sample(process: psutil.Process, peak: list[int], over: threading.Event) -> None:
    while not over.wait(SAMPLED_EVERY):
        total = 0
        for one in (process, *_children(process)):
            try:
                total += one.memory_full_info().pss if psutil.LINUX else one.memory_info().rss
            except psutil.Error:
                continue  # it has just ended
        peak[0] = max(peak[0], total)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def scores(url: str, assignment: str) -> dict[str, float]:
    """Return the points in a gradebook, by student."""
    with Gradebook(url) as gradebook:
        submissions: Any = gradebook.assignment_submissions(assignment)
        return {submission.student_id: submission.score for submission in submissions}


def measure_ours(folder: ClassFolder, chapter: Chapter, workers: int | None) -> Run:
    """Grade the class with `autograder grade`."""
    command = [sys.executable, "-m", "autograder", "grade", str(folder.root), chapter.name]
    took = timed(command + (["--workers", str(workers)] if workers else []), folder.root)
    return Run(*took, scores(folder.gradebook_url, chapter.name))


def measure_stock(root: Path, chapter: Chapter) -> Run:
    """Grade the class with `nbgrader autograde`."""
    took = timed([sys.executable, "-m", "nbgrader", "autograde", chapter.name], root)
    return Run(*took, scores(f"sqlite:///{root / 'gradebook.db'}", chapter.name))


OTTER_TEST = """\
from otter.test_files import test_case

OK_FORMAT = False
name = {exercise!r}
points = None
"""
OTTER_CASE = """

@test_case(points={points}, hidden=False)
def test_{check}({exercise}):
    from manyheads import check
    check.{check}({exercise})
"""


def measure_otter(root: Path, chapter: Chapter, learners: list[Mapping[str, str]], release: Path) -> Run:
    """Grade each learner's notebook with `otter run`, and return what all of them took together.

    Raises:
        SystemExit: if otter-grader is not installed.
    """
    if not shutil.which("otter", path=environment()["PATH"]):
        raise SystemExit("otter-grader is not installed: pip install otter-grader")
    hand_in(release, root, chapter, learners)
    for exercise in chapter.exercises:
        cells = chapter.cells_of(exercise)
        cases = [OTTER_CASE.format(points=cell.points, check=cell.check, exercise=exercise) for cell in cells]
        path = root / "tests" / f"{exercise}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(OTTER_TEST.format(exercise=exercise) + "".join(cases), encoding="utf-8")
    timed(["otter", "generate", "-t", "tests", "-o", "autograder.zip"], root)
    runs: list[tuple[float, float, int]] = []
    points: dict[str, float] = {}
    for notebook in sorted(root.glob("submitted/*/*/*.ipynb")):
        runs.append(timed(["otter", "run", "--no-logo", "-a", "autograder.zip", str(notebook), "-o", "."], root))
        results = json.loads((root / "results.json").read_text(encoding="utf-8"))
        points[notebook.parents[1].name] = sum(test["score"] for test in results["tests"] if "score" in test)
    seconds, computed, peaks = zip(*runs, strict=True)
    return Run(sum(seconds), sum(computed), max(peaks), points)


def own_cells(folder: ClassFolder, chapter: Chapter, everything: bool) -> float:
    """Return the CPU seconds that a submission's own cells take on average, checks left out, in an ordinary kernel.

    It is one that stock ipykernel starts, and has imported what the lesson imports: all submissions' cells run in it.

    Args:
        everything: the cells on which no grade depends, too.
    """
    spent = []
    manager, kernel = start_new_kernel(env=environment(), stderr=subprocess.DEVNULL)  # it warns of TCP
    try:
        for student in folder.students(chapter.name):
            notebook = source_notebook.read_text(folder.notebook(student, chapter.name))
            skipped = frozenset() if everything else left_out(notebook.cells, chapter)
            before = _computed(kernel)
            for place, cell in enumerate(notebook.cells):
                if cell.cell_type == "code" and place not in skipped and not chapter.graded_cell(grade_id(cell)):
                    kernel.execute_interactive(cell.source, allow_stdin=False, output_hook=lambda message: None)
            spent.append(_computed(kernel) - before)
    finally:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)
    return statistics.mean(spent[1:] or spent)  # the first imports


def _computed(kernel: BlockingKernelClient) -> float:
    """Return the CPU seconds of a kernel's process until now."""
    asked = {"seconds": "__import__('time').process_time()"}
    reply = kernel.execute_interactive("", user_expressions=asked, timeout=60)
    return float(reply["content"]["user_expressions"]["seconds"]["data"]["text/plain"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=24)
    parser.add_argument("--stock", type=int, help="how many of them stock nbgrader grades; all by default")
    parser.add_argument("--otter", type=int, default=0, help="how many of them otter-grader grades")
    parser.add_argument("--chapter", default="01_single_head")
    parser.add_argument("--everything", action="store_true")
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        chapter = read_chapter(REPOSITORY_ROOT / "solutions" / arguments.chapter)
        learners = mixed(chapter, arguments.submissions)
        ours = new_class(Path(scratch, "ours"), REPOSITORY_ROOT / "solutions")
        if arguments.everything:
            with (ours.root / "nbgrader_config.py").open("a") as config:
                config.write("c.Execute.everything = True\n")
        released = ours.root / "release" / chapter.name / f"{chapter.name}.ipynb"
        hand_in(released, ours.root, chapter, learners)
        compared = arguments.submissions if arguments.stock is None else arguments.stock
        runs: dict[str, Run] = {}
        if compared:
            stock = Path(scratch, "stock")
            hand_in(stock_class(stock, chapter), stock, chapter, learners[:compared])
            runs["nbgrader autograde"] = measure_stock(stock, chapter)
        if arguments.otter:
            (other := Path(scratch, "otter")).mkdir()
            runs["otter run"] = measure_otter(other, chapter, learners[: arguments.otter], released)
        few = new_class(Path(scratch, "few"), REPOSITORY_ROOT / "solutions")
        if arguments.everything:
            shutil.copy(ours.root / "nbgrader_config.py", few.root)
        hand_in(released, few.root, chapter, learners[: arguments.submissions // 4])
        started = measure_ours(few, chapter, arguments.workers)
        runs["autograder grade"] = measure_ours(ours, chapter, arguments.workers)
        own = own_cells(ours, chapter, arguments.everything)
    print_table(chapter, runs, started, own)


def print_table(chapter: Chapter, runs: Mapping[str, Run], few: Run, own: float) -> None:
    """Print what was measured, and end with status 1 where scores differ.

    Args:
        few: a quarter of the class, graded with `autograder grade`: it tells the start from what each one costs.
        own: CPU seconds of a submission's own cells in an ordinary kernel.
    """
    speed = timeit.timeit("for _ in range(10_000_000): pass", number=1)
    print(f"{chapter.name} on {os.cpu_count()} cores that count to ten million in {speed:.2f} s")
    print(f"{'':<20}{'submissions':>12}{'seconds':>9}{'a minute':>10}{'s each':>8}{'CPU s each':>12}{'peak MB':>9}")
    for name, run in runs.items():
        count = len(run.scores)
        print(
            f"{name:<20}{count:>12}{run.seconds:>9.1f}{60 * count / run.seconds:>10.1f}{run.seconds / count:>8.2f}"
            f"{run.cpu / count:>12.2f}{run.peak / 1e6:>9.0f}"
        )
    ours = runs["autograder grade"]
    more = len(ours.scores) - len(few.scores)
    seconds, cpu = (ours.seconds - few.seconds) / more, (ours.cpu - few.cpu) / more
    start = ours.seconds - seconds * len(ours.scores)
    print(f"autograder grade: {start:.1f} s to start, then {seconds:.2f} s and {cpu:.2f} CPU s for each submission")
    print(f"the learner's own cells take {own:.3f} CPU s in an ordinary kernel; beyond them it is {cpu - own:.3f}")
    for name, run in runs.items():
        if run is ours:
            continue
        ratio = run.seconds / len(run.scores) / (ours.seconds / len(ours.scores))
        once_started = run.seconds / len(run.scores) / seconds
        words = "times as long for a submission"
        print(
            f"{name} takes {ratio:.1f} {words}, our start counted in; {once_started:.1f} {words} once we have started"
        )
        other = {
            who: (score, ours.scores.get(who)) for who, score in run.scores.items() if score != ours.scores.get(who)
        }
        if other:
            raise SystemExit(f"{name} gives another score: {other}")
        print(f"the same score for each of the {len(run.scores)}, both ways")


if __name__ == "__main__":
    main()
