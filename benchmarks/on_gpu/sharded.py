"""Chapter 8's layer in two real processes: by NCCL where there are two GPUs, else by gloo."""

from __future__ import annotations

import contextlib
import io

import torch

from manyheads.processes import run_together

from .findings import Findings


def run(findings: Findings, device: torch.device) -> None:
    """Run two processes, and look for what each of them prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        ended = run_together(work)
    lines = printed.getvalue().splitlines()
    backend = "nccl" if torch.cuda.device_count() >= 2 else "gloo"
    right = [line for line in lines if line.endswith(f"| {backend}: the layer's output")]
    findings.add(
        f"two processes, {backend}", ended and len(right) == 2, " / ".join(lines)[:300], gpus=backend == "nccl"
    )


def work(rank: int, world_size: int, meeting_point: str) -> None:
    """Compute a layer together with the other process and compare it with the whole."""
    import torch
    import torch.distributed as dist

    from manyheads.earlier import GroupedQueryAttention, run_sharded, shard

    gpus = torch.cuda.device_count() >= world_size
    device = torch.device("cuda", rank) if gpus else torch.device("cpu")
    backend = "nccl" if gpus else "gloo"
    dist.init_process_group(backend, init_method=meeting_point, rank=rank, world_size=world_size)
    torch.manual_seed(0)
    whole, x = GroupedQueryAttention(64, 8, 4), torch.randn(2, 9, 64)
    with torch.no_grad():
        output = run_sharded(shard(whole, rank, world_size).to(device), x.to(device)).cpu()
        error = (output - whole(x)).abs().max().item()
    print(f"{backend}: the layer's output" if error < 1e-3 else f"off by {error:.1e}")
    dist.destroy_process_group()
