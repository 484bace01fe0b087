"""torch.compile of the course's layers: whether it works, agrees, is quicker and needs less memory."""

from __future__ import annotations

import time
from functools import partial

import torch

from benchmarks.attention import reference, reference_layers
from manyheads.measuring import measure
from manyheads.measuring.contestants import FAST, FUSED, LOOP, compiled, contestants, why_not_compiled
from manyheads.measuring.memory import peak_bytes

from .findings import Findings


def run(findings: Findings, device: torch.device) -> None:
    """Compile each layer and use it."""
    setting = measure.plan(device).base if device.type == "cuda" else measure.Setting(1, 16, 16, 2)
    timer, layers = reference("05_gpu")["time_on_device"], reference_layers()
    # (batch, seq, d_model)
    x = torch.randn(setting.batch, setting.seq, setting.d_model, generator=torch.Generator().manual_seed(0)).to(device)
    sizes = (setting.d_model, setting.num_heads, setting.seq)
    for one in contestants(layers, *sizes, device, torch.float32, (FUSED, FAST, LOOP)):
        plain, quick = partial(one.run, x), partial(compiled(one.run), x)
        start = time.perf_counter()
        with torch.no_grad():
            try:
                output = quick()
            except Exception as error:  # a compiler can fail in many ways
                findings.add(f"{one.name}, compiled", False, why_not_compiled(error))
                continue
            seconds = time.perf_counter() - start
            far = ((output - plain()).abs().max() / output.abs().max()).item()
            findings.add(
                f"{one.name}, compiled",
                far < measure.TOLERANCE[torch.float32],
                first_call_s=round(seconds, 1),
                difference=f"{far:.0e}",
                plain_ms=round(1000 * timer(plain, device, 3, 20), 3),
                compiled_ms=round(1000 * timer(quick, device, 3, 20), 3),
                plain_peak_mib=_mib(peak_bytes(plain, device)),
                compiled_peak_mib=_mib(peak_bytes(quick, device)),
            )


def _mib(count: int | None) -> float | None:
    return None if count is None else round(count / 2**20, 1)
