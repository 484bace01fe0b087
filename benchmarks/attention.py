"""Five ways to compute multi-head attention, side by side: `python benchmarks/attention.py`.

All have the same weights. Outputs and gradients are compared before anything is timed; a layer that disagrees is not
timed, and the command ends with status 1. Writes `benchmarks/results/<device>.json`, and a copy for learners'
notebooks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from autograder.course.chapter import REPOSITORY_ROOT, read_chapter
from manyheads import threads
from manyheads.measuring import measure, recorded
from manyheads.measuring.contestants import COMPILED, VARIANTS, Layers
from manyheads.measuring.measure import Measured, Plan, Setting

RESULTS = REPOSITORY_ROOT / "benchmarks" / "results"


def settings(plan: Plan) -> list[Setting]:
    """Return what is measured: both sweeps and the base in bfloat16, forward and with backward, each once."""
    wanted = []
    for backward in (False, True):
        wanted += [*plan.over_seq(backward=backward), *plan.over_heads(backward=backward)]
        wanted.append(replace(plan.base, dtype=torch.bfloat16, backward=backward))
    return list(dict.fromkeys(wanted))


def reference(chapter: str) -> dict[str, Any]:
    """Return what a chapter's reference solutions define."""
    names = read_chapter(REPOSITORY_ROOT / "solutions" / chapter).namespace()
    module = sys.modules[names["__name__"]] = ModuleType(names["__name__"])  # torch.compile looks for it there
    vars(module).update(names)
    return names


def reference_layers() -> Layers:
    """Return the layers that the course builds, by their reference solutions."""
    return Layers(
        parallel=reference("03_a_head_each")["ParallelHeads"],
        fused=reference("04_all_heads_at_once")["MultiHeadAttention"],
        fast=reference("05_gpu")["FastMultiHeadAttention"],
    )


def line(measured: Measured) -> str:
    """Return one measurement as a line of the table."""
    setting = measured.setting
    sizes = f"{setting.batch:>5} {setting.seq:>6} {setting.d_model:>8} {setting.num_heads:>6}"
    dtype = str(setting.dtype).removeprefix("torch.")
    what = f"{measured.variant:<24}{sizes}  {dtype:<9}{'forward + backward' if setting.backward else 'forward':<20}"
    if measured.seconds is None or measured.difference is None:
        return f"{what}{measured.note}"
    lower, upper = measured.quartiles or (measured.seconds, measured.seconds)
    spread = f"{1000 * lower:.2f} … {1000 * upper:.2f}"
    peak = "" if measured.peak_bytes is None else f"{measured.peak_bytes / 2**20:10.1f}"
    unsteady = "   unsteady" if measured.unsteady else ""
    return f"{what}{1000 * measured.seconds:10.2f}{spread:>20}{peak:>10}   {measured.difference:.0e}{unsteady}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table and write the results. Returns the process's exit status."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--device", help="cpu, cuda or mps; the fastest there is by default")
    options.add_argument("--threads", type=int, help="of torch on a CPU; by default 1, or OMP_NUM_THREADS")
    options.add_argument("--variants", nargs="+", choices=VARIANTS, default=VARIANTS)
    options.add_argument("--compile-everywhere", action="store_true", help="not only at the base size: it takes long")
    options.add_argument("--budget", type=float, default=2.0, help="seconds for each measurement, about")
    options.add_argument("--quick", action="store_true", help="tiny sizes: whether it works, not how fast it is")
    options.add_argument("--to", type=Path, nargs="+", default=[RESULTS, recorded.FOLDER], help="folders for the JSON")
    given = options.parse_args(arguments)
    device = torch.device(given.device) if given.device else torch.accelerator.current_accelerator(True)
    device = device or torch.device("cpu")
    if given.threads:
        torch.set_num_threads(given.threads)
    elif device.type == "cpu":
        threads.limit(1)  # a thread that waits for a busy core makes one call take a thousand times another's time
    plan = Plan(Setting(2, 8, 16, 4), (4, 8), (2, 4)) if given.quick else measure.plan(device)
    layers, timer = reference_layers(), reference("05_gpu")["time_on_device"]
    measured, written = [], []
    print(f"{recorded.recording([], device).title} · torch {torch.__version__}")
    columns = f"{'ms':>10}{'half of all calls':>20}{'MiB':>10}   difference"
    print(f"{'':<24}batch    seq  d_model  heads  {'dtype':<9}{'':<20}{columns}")
    for setting in settings(plan):
        compile_it = given.compile_everywhere or replace(setting, backward=False) == plan.base
        variants = [name for name in given.variants if name != COMPILED or compile_it]
        for one in measure.race([setting], layers, device, timer, variants, given.budget, progress=False):
            print(line(one), flush=True)
            measured.append(one)
        # After each setting: what is stopped half-way keeps what it has measured.
        written = [recorded.write(recorded.recording(measured, device), folder) for folder in given.to]
    print(measure.what_was_unsteady(measured), end="")
    print(*(f"wrote {path}" for path in written), sep="\n")
    return int(any(one.note.startswith("not timed") for one in measured))


if __name__ == "__main__":
    sys.exit(main())
