"""Chapter 5's stopwatch on a real queue: what `time_on_device` says against CUDA's own events, and against a clock that
does not wait.
"""

from __future__ import annotations

import statistics
import time

import torch

from benchmarks.attention import reference

from .findings import Findings


def run(findings: Findings, device: torch.device) -> None:
    """Time a product of matrices in three ways."""
    names = reference("05_gpu")
    best = names["best_device"]()
    findings.add("best_device", device.type == "cpu" or best.type == device.type, str(best))
    size = 4096 if device.type == "cuda" else 256
    left, right = torch.randn(2, size, size, device=device)

    def job() -> object:
        return left @ right

    said = names["time_on_device"](job, device)
    if device.type != "cuda":
        findings.add("time_on_device", said > 0, milliseconds=round(1000 * said, 3))
        return
    events, hasty = [], []
    for _ in range(20):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        begin.record()
        start = time.perf_counter()
        job()
        hasty.append(time.perf_counter() - start)
        end.record()
        torch.cuda.synchronize()
        events.append(begin.elapsed_time(end) / 1000)
    true, too_short = statistics.median(events), statistics.median(hasty)
    findings.add(
        "time_on_device",
        0.8 * true < said < 1.5 * true and too_short < said / 2,
        milliseconds=round(1000 * said, 3),
        by_events=round(1000 * true, 3),
        without_waiting=round(1000 * too_short, 3),
    )
