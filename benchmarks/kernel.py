"""What one submission costs beside the judge: a kernel of its own as an ordinary process, and as a sealed, warm fork.

    python benchmarks/kernel.py [--submissions N] [--chapter NAME]

It runs and judges the chapter's reference solution N times in each kind of kernel, one after the other in one
process, and prints seconds and CPU seconds a submission, CPU of all processes together. The warm process's own start
is counted apart: it happens once. Every run must earn all points, or nothing is printed.
"""

from __future__ import annotations

import argparse
import copy
import os
import resource
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import nbformat
import psutil
from traitlets.config import Config

from autograder.course.chapter import REPOSITORY_ROOT, read_chapter
from autograder.nbgrader_steps.execute import Execute
from autograder.sandbox import run_cells
from autograder.sandbox.kernel import SealedKernel


class CountedKernel(SealedKernel):
    """A sealed kernel whose CPU time is read just before it is killed: afterwards it is lost."""

    cpu_seconds = 0.0  # of all of them

    # jupyter_client has it as an attribute.
    async def shutdown_kernel(  # pyrefly: ignore[bad-override-mutable-attribute]
        self, now: bool = False, restart: bool = False
    ) -> None:
        """Count, then shut down."""
        before = _of_others()
        await super().shutdown_kernel(now, restart)
        CountedKernel.cpu_seconds += before - _of_others()


def cpu_seconds() -> tuple[float, float]:
    """Return CPU seconds of this process, and of all that it has started, alive or ended."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime, _of_others() + CountedKernel.cpu_seconds


def _of_others() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    alive = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    theirs = sum(times.user + times.system + times.children_user + times.children_system for times in alive)
    return ended.ru_utime + ended.ru_stime + theirs


def measure(chapter: str, submissions: int, sandbox: bool) -> tuple[float, float, float]:
    """Return wall seconds, the grader's CPU seconds, and the kernels' CPU seconds, of all `submissions`."""
    folder = REPOSITORY_ROOT / "solutions" / chapter
    notebook = nbformat.read(folder / f"{chapter}.ipynb", as_version=4)
    points = sum(cell.points for cell in read_chapter(folder).graded_cells)
    settings = {"solutions": str(folder.parent), "seed": "benchmark", "sandbox": sandbox}
    started, (own, children) = time.perf_counter(), cpu_seconds()
    for _ in range(submissions):
        resources = {"nbgrader": {"assignment": chapter, "student": "benchmark"}}
        step = Execute(config=Config({"Execute": settings}))
        _, resources = step.preprocess(copy.deepcopy(notebook), resources)
        earned = sum(verdict.earned for verdict in resources["manyheads"].verdicts)
        if earned != points:
            raise SystemExit(f"{earned} of {points} points: {resources['manyheads'].reason}")
    seconds = time.perf_counter() - started
    own_now, children_now = cpu_seconds()
    return seconds, own_now - own, children_now - children


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=10)
    parser.add_argument("--chapter", default="01_single_head")
    arguments = parser.parse_args()
    run_cells.SealedKernel = CountedKernel
    count = arguments.submissions
    measure(arguments.chapter, 1, sandbox=False)  # imports, files read from the disk for the first time
    start = measure(arguments.chapter, 1, sandbox=True)
    rows = {
        "ordinary": [value / count for value in measure(arguments.chapter, count, sandbox=False)],
        "sealed, warm": [value / count for value in measure(arguments.chapter, count, sandbox=True)],
    }
    print(f"{arguments.chapter}, {count} submissions each, all with full points; the load was {os.getloadavg()[0]:.1f}")
    print(f"{'a submission':<14}{'seconds':>9}{'CPU grader':>12}{'CPU kernel':>12}{'CPU in all':>12}")
    for name, (seconds, own, children) in rows.items():
        print(f"{name:<14}{seconds:>9.2f}{own:>12.3f}{children:>12.3f}{own + children:>12.3f}")
    print(f"warm process with its first submission, once: {start[0]:.1f} s, {start[1] + start[2]:.2f} CPU s")


if __name__ == "__main__":
    main()
