"""How far chapter 5's `fast_attention` is from attention in float64, in each dtype, against what its check tolerates
and what the benchmark does.
"""

from __future__ import annotations

from itertools import product

import torch

from autograder.course.chapter import REPOSITORY_ROOT, read_chapter
from benchmarks.attention import reference
from manyheads.checking import comparison
from manyheads.checking.exam import Exam
from manyheads.measuring import measure

from .findings import Findings


def run(findings: Findings, device: torch.device) -> None:
    """Compare outputs and gradients."""
    fast_attention = reference("05_gpu")["fast_attention"]
    attention = reference("01_single_head")["attention"]
    declared = read_chapter(REPOSITORY_ROOT / "solutions" / "05_gpu").exercises["fast_attention"]
    exam = Exam("fast_attention", declared.returns, (), {}, atol=declared.atol, rtol=declared.rtol)
    lengths = (64, 1024) if device.type == "cuda" else (16,)
    for dtype, seq, kind in product(
        (torch.float32, torch.float16, torch.bfloat16), lengths, ("none", "mask", "causal")
    ):
        generator = torch.Generator().manual_seed(seq)
        # (3, batch, num_heads, seq, d_head), rounded to dtype: the inputs are not what is judged
        tensors = torch.randn(3, 2, 4, seq, 64, generator=generator).to(device, dtype)
        mask = torch.ones(seq, seq, dtype=torch.bool, device=device).tril() if kind != "none" else None
        q, k, v = (tensor.clone().requires_grad_() for tensor in tensors)
        exact_q, exact_k, exact_v = (tensor.double().requires_grad_() for tensor in tensors)
        causal = kind == "causal"
        output = fast_attention(q, k, v, None if causal else mask, causal)
        exact, _ = attention(exact_q, exact_k, exact_v, mask)
        gradient = torch.autograd.grad(output.sum(), (q, k, v))
        exact_gradient = torch.autograd.grad(exact.sum(), (exact_q, exact_k, exact_v))
        rtol, atol = comparison.tolerance(exam, dtype)
        off = (output.double() - exact).abs()
        far = max(
            ((g.double() - e).abs().max() / e.abs().max()).item() for g, e in zip(gradient, exact_gradient, strict=True)
        )
        share = (off / (atol + rtol * exact.abs())).max().item()
        findings.add(
            f"{str(dtype).removeprefix('torch.')}, seq {seq}, {kind}",
            share < 1 and far < measure.TOLERANCE[dtype],
            largest_difference=f"{off.max().item():.1e}",
            in_eps=round(off.max().item() / torch.finfo(dtype).eps, 2),
            share_of_what_the_check_tolerates=round(share, 3),
            gradients=f"{far:.1e}",
        )
