"""What the machine is: the device's name and memory, the versions, and whether torch can compute there at all."""

from __future__ import annotations

import platform
from typing import Any

import torch

from manyheads.measuring.recorded import device_name

from .findings import Findings


def run(findings: Findings, device: torch.device) -> None:
    """Look at the machine."""
    facts: dict[str, Any] = {
        "name": device_name(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cuda": torch.version.cuda,
    }
    if device.type == "cuda":
        about = torch.cuda.get_device_properties(device)
        facts |= {
            "capability": f"{about.major}.{about.minor}",
            "memory_gib": round(about.total_memory / 2**30, 1),
            "bfloat16": torch.cuda.is_bf16_supported(including_emulation=False),
            "cudnn": torch.backends.cudnn.version(),
        }
    findings.add("the device", True, **facts)
    product = torch.ones(64, 64, device=device) @ torch.ones(64, 64, device=device)
    findings.add("a product of two matrices", bool((product == 64).all()))
