"""Five ways to compute the same layer, all with the same weights: what chapter 5 and its benchmark measure.

The caller passes the layers: the learner's own in the lesson, the reference's in `benchmarks/attention.py`. All of
them are causal, as in a language model: no word looks at a later one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LOOP = "loop over heads"
FUSED = "one fused layer"
COMPILED = "fused, compiled"
TORCH = "nn.MultiheadAttention"
FAST = "SDPA"
VARIANTS = (LOOP, FUSED, COMPILED, TORCH, FAST)


@dataclass(frozen=True)
class Layers:
    """The classes of the course that take part, each built as `(d_model, num_heads)`.

    Args:
        parallel: `ParallelHeads`, called `(x, mask)`, gives (output, weights)
        fused: `MultiHeadAttention`, called `(x, mask=mask)`, gives (output, weights)
        fast: `FastMultiHeadAttention`, called `(x, is_causal=True)`, gives output
    """

    parallel: Callable[[int, int], nn.Module]
    fused: Callable[[int, int], nn.Module]
    fast: Callable[[int, int], nn.Module]


@dataclass(frozen=True)
class Contestant:
    """One way to compute the layer.

    Args:
        name: one of VARIANTS.
        layer: holds the weights.
        run: x (batch, seq, d_model) -> output (batch, seq, d_model)
    """

    name: str
    layer: nn.Module
    run: Callable[[Tensor], Tensor]


def draw_weights(d_model: int, seed: int = 0) -> dict[str, Tensor]:
    """Draw weights as nn.Linear's own are sized, by name: w_q, w_k, w_v and w_o with .weight and .bias."""
    generator = torch.Generator().manual_seed(seed)
    bound = d_model**-0.5
    shapes = {"weight": (d_model, d_model), "bias": (d_model,)}
    return {
        f"{name}.{kind}": (2 * torch.rand(*shape, generator=generator) - 1) * bound
        for name in ("w_q", "w_k", "w_v", "w_o")
        for kind, shape in shapes.items()
    }


def give_weights(layer: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy `weights`, as `draw_weights` returns them, into a layer of any of the five kinds."""
    if isinstance(layer, nn.MultiheadAttention):
        state = {
            # (d_model, d_model), three times -> (3 * d_model, d_model)
            "in_proj_weight": torch.cat([weights[f"w_{role}.weight"] for role in "qkv"]),
            "in_proj_bias": torch.cat([weights[f"w_{role}.bias"] for role in "qkv"]),
            "out_proj.weight": weights["w_o.weight"],
            "out_proj.bias": weights["w_o.bias"],
        }
    elif isinstance(heads := getattr(layer, "heads", None), nn.ModuleList):
        state = {name: tensor for name, tensor in weights.items() if name.startswith("w_o")}
        for role in "qkv":
            for kind in ("weight", "bias"):
                # (d_model, …) -> num_heads of (d_head, …): head h has the rows h*d_head … (h+1)*d_head
                for head, rows in enumerate(weights[f"w_{role}.{kind}"].chunk(len(heads))):
                    state[f"heads.{head}.w_{role}.{kind}"] = rows
    else:
        state = dict(weights)
    layer.load_state_dict(state)


def contestants(
    layers: Layers,
    d_model: int,
    num_heads: int,
    seq: int,
    device: torch.device,
    dtype: torch.dtype,
    variants: Container[str] = VARIANTS,
) -> Iterator[Contestant]:
    """Yield the contestants named in `variants`, all with the same weights."""
    weights = draw_weights(d_model)
    mask = torch.ones(seq, seq, dtype=torch.bool, device=device).tril()

    def ready(layer: nn.Module) -> nn.Module:
        give_weights(layer, weights)
        return layer.to(device=device, dtype=dtype)

    if LOOP in variants:
        yield _masked(LOOP, ready(layers.parallel(d_model, num_heads)), mask)
    fused = _masked(FUSED, ready(layers.fused(d_model, num_heads)), mask)
    if FUSED in variants:
        yield fused
    if COMPILED in variants:
        yield Contestant(COMPILED, fused.layer, compiled(fused.run))
    if TORCH in variants:
        yield _torchs(ready(nn.MultiheadAttention(d_model, num_heads, batch_first=True)), mask)
    if FAST in variants:
        fast = ready(layers.fast(d_model, num_heads))
        yield Contestant(FAST, fast, lambda x: fast(x, is_causal=True))


def _masked(name: str, layer: nn.Module, mask: Tensor) -> Contestant:
    return Contestant(name, layer, lambda x: layer(x, mask=mask)[0])


def _torchs(layer: nn.Module, mask: Tensor) -> Contestant:
    blocked = ~mask  # this layer's masks say what may NOT be looked at

    def run(x: Tensor) -> Tensor:
        return layer(x, x, x, attn_mask=blocked, is_causal=True, need_weights=False)[0]

    return Contestant(TORCH, layer, run)


def compiled(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return `function` compiled by torch. The first call compiles; if that is impossible, it raises."""
    torch.compiler.reset()  # code compiled for another size is not needed any more
    # Its hints, such as that this GPU is small, would appear in red below a notebook's cell.
    logging.getLogger("torch._inductor").setLevel(logging.ERROR)
    logging.getLogger("torch._dynamo").setLevel(logging.ERROR)
    return torch.compile(function, dynamic=False)


def why_not_compiled(error: BaseException) -> str:
    """Return why torch.compile failed: the first line of the innermost error."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}"[:200] if lines else type(error).__name__
