"""What torch's allocator says about the numbers that chapter 5 states: the size of the score matrix, that a layer with
its scores written down keeps them for the backward pass, and that the fast one never holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.attention import reference
from manyheads.measuring.memory import kept_bytes, peak_bytes

from .findings import Findings

_BLOCK = 2 * 2**20  # bytes to which the allocator may round up


def run(findings: Findings, device: torch.device) -> None:
    """Count and compare."""
    names = reference("05_gpu")
    count = names["score_matrix_bytes"]
    small = device.type == "cpu"
    batch, num_heads, d_model = 1, 4, 64
    for dtype in (torch.float32, torch.bfloat16):
        seq = 256 if small else 4096
        said = count(batch, num_heads, seq, dtype)
        scores = partial(torch.ones, batch, num_heads, seq, seq, dtype=dtype, device=device)
        seen = peak_bytes(scores, device)
        findings.add(
            f"score_matrix_bytes, {dtype}", seen is None or said <= seen <= said + _BLOCK, said=said, allocated=seen
        )
    slow = reference("04_all_heads_at_once")["MultiHeadAttention"](d_model, num_heads).to(device)
    fast = names["FastMultiHeadAttention"](d_model, num_heads).to(device)
    fast.load_state_dict(slow.state_dict())
    for seq in (256, 512) if small else (1024, 2048, 4096):
        x = torch.randn(batch, seq, d_model, device=device)
        size = count(batch, num_heads, seq, x.dtype)
        runs: dict[str, tuple[nn.Module, Callable[[], Tensor]]] = {
            "MultiHeadAttention": (slow, lambda x=x: slow(x)[0]),
            "FastMultiHeadAttention": (fast, lambda x=x: fast(x)),
        }
        for name, (layer, fn) in runs.items():
            kept = kept_bytes(fn, but=[x, *layer.parameters()])
            peak = peak_bytes(fn, device)
            writes = name == "MultiHeadAttention"
            # On a CPU SDPA may write the scores down after all: nothing is promised there.
            as_said = kept >= size if writes else kept < size and (small or (peak or 0) < size)
            findings.add(
                f"{name}, seq {seq}",
                as_said,
                scores_mib=round(size / 2**20, 2),
                kept_in_score_matrices=round(kept / size, 2),
                peak_in_score_matrices=None if peak is None else round(peak / size, 2),
            )
