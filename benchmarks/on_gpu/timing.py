"""The attention benchmark at the device's sizes. Its recording goes into the folder of results and, from a GPU, to
where notebooks and the benchmark's results are read.
"""

from __future__ import annotations

import torch

from benchmarks import attention
from manyheads.measuring import recorded

from .findings import Findings


def run(findings: Findings, device: torch.device) -> None:
    """Compare and time all ways to compute the layer."""
    folders = [findings.folder / "recorded"]
    small = device.type == "cpu"
    if not small:
        folders += [attention.RESULTS, recorded.FOLDER]
    options = ["--device", device.type, "--budget", "0.3", *(["--quick"] if small else [])]
    status = attention.main([*options, "--to", *map(str, folders)])
    [path] = folders[0].glob("*.json")
    recording = recorded.read(path)
    for one in recording.measured:
        if one.seconds is None:
            findings.add(f"{one.variant}, {one.setting}", "out of memory" in one.note, one.note)
    title = f"{recording.title}, torch {recording.versions['torch']}"
    findings.add(title, status == 0, measurements=len(recording.measured), file=path.name)
