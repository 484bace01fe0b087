"""Everything that only a CUDA device can prove, the most important first: `make gpu`.

Each part runs in a process of its own with its own time limit, so that one that fails, crashes or hangs never stops
the next. Results are written as they come: `results.json`, and of each part a log and its findings. It needs neither
nbgrader nor a network. With `--pretend` the same code runs on the CPU at small sizes, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = tuple(path.parent.name for path in sorted(ROOT.glob("solutions/*/lesson.py")))
MEASURES = "05_gpu"  # the chapter whose notebook measures times, so nothing may run beside it
FINE, WRONG = 0, 3  # exit statuses of a part; Python itself ends with 1 or 2


@dataclass(frozen=True)
class Stage:
    """Parts that run at the same time.

    Args:
        limit: seconds that each of them may take.
        threads: of torch on the CPU, for each; None leaves it to torch.
    """

    limit: int
    parts: tuple[str, ...]
    threads: int | None = None


STAGES = (
    Stage(30, ("machine",)),
    Stage(90, (*(f"checks.{name}" for name in CHAPTERS), *(f"solved.{c}" for c in CHAPTERS if c != MEASURES)), 1),
    Stage(90, (f"solved.{MEASURES}",)),
    Stage(90, ("timing",)),
    Stage(60, ("backends", "rounding", "memory", "stopwatch", "compiling", "learning", "writing", "sharded"), 1),
)


@dataclass
class Outcome:
    """How a part ended.

    Args:
        how: "as it should be", "not as it should be", "stopped at its limit" or "crashed".
        seconds: that it took.
        findings: what it found.
    """

    part: str
    how: str
    seconds: float
    limit: int
    findings: list[dict[str, Any]] = field(default_factory=list)


def run_part(part: str, stage: Stage, device: str, folder: Path, said: threading.Lock) -> Outcome:
    """Run one part in a process of its own, show what it prints, and return how it ended."""
    paths = [str(ROOT), *(os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
    threads = 1 if device == "cpu" else stage.threads
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.on_gpu", part, device, str(folder)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    late = threading.Event()

    def stop() -> None:
        late.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(stage.limit, stop)
    timer.start()
    assert process.stdout is not None
    with (folder / f"{part}.log").open("w", encoding="utf-8") as log:
        for line in process.stdout:
            log.write(line)
            log.flush()
            with said:
                print(f"{part:<28} {line}", end="", flush=True)
    status = process.wait()
    timer.cancel()
    known = {FINE: "as it should be", WRONG: "not as it should be"}
    how = "stopped at its limit" if late.is_set() else known.get(status, f"crashed, status {status}")
    return Outcome(part, how, round(time.monotonic() - start, 1), stage.limit, read_findings(folder / f"{part}.jsonl"))


def read_findings(path: Path) -> list[dict[str, Any]]:
    """Return what a part has written down in `path`; a last line that was cut off is left out."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def run(stages: Sequence[Stage], device: str, folder: Path) -> Iterator[Outcome]:
    """Run the stages one after the other and yield how each part ended."""
    said = threading.Lock()
    for stage in stages:
        with ThreadPoolExecutor(min(len(stage.parts), os.cpu_count() or 1)) as pool:
            yield from pool.map(lambda part, stage=stage: run_part(part, stage, device, folder, said), stage.parts)


def chosen(parts: Sequence[str]) -> list[Stage]:
    """Return the stages with the named parts only, all of them where none is named."""
    stages = []
    for stage in STAGES:
        kept = tuple(part for part in stage.parts if not parts or part in parts or part.partition(".")[0] in parts)
        if kept:
            stages.append(Stage(stage.limit, kept, stage.threads))
    return stages


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all parts and write the results. Returns the process's exit status."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--out", type=Path, default=ROOT / "gpu-results", help="the folder for the results")
    options.add_argument("--pretend", action="store_true", help="on the CPU, at small sizes")
    options.add_argument("--parts", nargs="+", default=[], help="these alone: checks, checks.CHAPTER, timing, …")
    given = options.parse_args(arguments)
    stages = chosen(given.parts)
    if not stages:
        options.error("there is no such part; these are: " + " ".join(part for stage in STAGES for part in stage.parts))
    folder = given.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.jsonl"):  # of an earlier run: a part would go on behind it
        left.unlink()
    outcomes: list[Outcome] = []
    for outcome in run(stages, "cpu" if given.pretend else "cuda", folder):
        outcomes.append(outcome)
        document = {"pretend": given.pretend, "parts": [asdict(one) for one in outcomes]}
        (folder / "results.json").write_text(
            json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    print()
    for one in outcomes:
        good = sum(found["ok"] for found in one.findings)
        print(f"{one.part:<28} {one.seconds:5.0f} s of {one.limit:3}   {good:4} of {len(one.findings):4}   {one.how}")
        for found in one.findings:
            if not found["ok"]:
                print(f"    ✗ {found['what']}: {found['note']}")
    return int(any(one.how != "as it should be" for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
