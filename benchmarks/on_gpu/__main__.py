"""One part of `benchmarks/gpu.py`, which starts it: `python -m benchmarks.on_gpu PART DEVICE FOLDER`.

A part's name may go on with a chapter's: "checks.01_single_head".
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import torch

from benchmarks.gpu import FINE, WRONG

from .findings import Findings


def main() -> int:
    """Run the part and return its exit status."""
    part, device, folder = sys.argv[1:]
    module, _, chapter = part.partition(".")
    findings = Findings(Path(folder) / f"{part}.jsonl")
    run = import_module(f"benchmarks.on_gpu.{module}").run
    run(findings, torch.device(device), *([chapter] if chapter else []))
    return FINE if findings.ok else WRONG


if __name__ == "__main__":
    sys.exit(main())
