"""Chapter 8 on a device: with a cache the same text is written, faster, and the cache takes as many bytes as said."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.attention import reference

from .findings import Findings

_AGREE = {torch.float32: 1e-3, torch.bfloat16: 5e-2}  # of outputs of about 1; a GPU may multiply in tf32


def run(findings: Findings, device: torch.device) -> None:
    """Compare, count and time."""
    names, stopwatch = reference("08_attention_today"), reference("05_gpu")["time_on_device"]
    small = device.type == "cpu"
    d_model, num_heads, num_kv_heads, num_layers = (64, 8, 2, 2) if small else (2048, 16, 4, 8)
    lengths = (16, 32) if small else (512, 2048, 8192)
    dtype = torch.float32 if small else torch.bfloat16
    torch.manual_seed(0)
    layers = [
        names["GroupedQueryAttention"](d_model, num_heads, num_kv_heads).to(device, dtype) for _ in range(num_layers)
    ]
    with torch.no_grad():
        _compare(findings, names, layers[0], d_model, device, dtype)
        for seq in lengths:
            caches = [names["KVCache"]() for _ in layers]
            text = torch.randn(1, seq, d_model, device=device, dtype=dtype)
            with_cache(names, layers, text, caches)
            held = sum(part.nbytes for cache in caches for part in (cache.k, cache.v))
            said = names["kv_cache_bytes"](1, num_layers, num_kv_heads, seq, d_model // num_heads, dtype)
            findings.add(f"kv_cache_bytes, seq {seq}", said == held, said=said, held=held)
            cached = stopwatch(partial(with_cache, names, layers, text[:, -1:], caches), device, 2, 10)
            without = stopwatch(partial(_at_once, layers, text), device, 1, 3)
            findings.add(
                f"a word after {seq}",
                small or cached < without,
                tokens_a_second=round(1 / cached, 1),
                without_a_cache=round(1 / without, 1),
            )


def with_cache(names: dict[str, Any], layers: list[nn.Module], new: Tensor, caches: list[Any]) -> Tensor:
    """Return the last layer's output for new words (batch, new, d_model) only."""
    for layer, cache in zip(layers, caches, strict=True):
        new = new + names["attend_next"](layer, new, cache)
    return new


def _at_once(layers: list[nn.Module], text: Tensor) -> Tensor:
    mask = torch.ones(text.shape[1], text.shape[1], dtype=torch.bool, device=text.device).tril()
    for layer in layers:
        text = text + layer(text, mask)
    return text


def _compare(
    findings: Findings, names: dict[str, Any], layer: nn.Module, d_model: int, device: torch.device, dtype: torch.dtype
) -> None:
    text, cache = torch.randn(2, 24, d_model, device=device, dtype=dtype), names["KVCache"]()
    pieces = [names["attend_next"](layer, piece, cache) for piece in text.split([16, 1, 7], dim=1)]
    whole = layer(text, torch.ones(24, 24, dtype=torch.bool, device=device).tril())
    error = (torch.cat(pieces, dim=1) - whole).abs().max().item()
    findings.add(f"attend_next in pieces, {dtype}", error < _AGREE[dtype], largest_difference=error)
    q = torch.randn(1, 4, 64, 64, device=device)
    near, far = (names["rotate"](q, torch.arange(start, start + 64, device=device)) for start in (0, 1000))
    moved = (near @ near.mT - far @ far.mT).abs().max().item()
    findings.add("rotate: scores depend on the distance alone", moved < 0.2, largest_difference=moved)
