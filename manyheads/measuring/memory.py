"""Measures how many bytes a computation takes: at its peak, and saved for its backward pass.

Chapter 5 and `benchmarks/attention.py` measure with it. A peak counts what torch's allocator hands out above what it
had handed out before: not the weights, not the input, and not memory that a library allocates itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


def peak_bytes(fn: Callable[[], object], device: torch.device) -> int | None:
    """Return the most bytes that `fn()` has in use, above those before; None for devices without a count.

    CUDA's allocator counts itself; the CPU's is watched by torch's profiler.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        result = fn()
        torch.cuda.synchronize(device)
        peak = torch.cuda.max_memory_allocated(device) - before
        del result  # alive until here: a result that is freed early would not count
        return peak
    return _profiled_peak(fn) if device.type == "cpu" else None


def _profiled_peak(fn: Callable[[], object]) -> int | None:
    # Otherwise the profiler writes its progress to stderr, which a notebook shows in red.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    profiler: Any = torch.autograd.profiler.profile(profile_memory=True)
    with profiler:
        result = fn()
    del result
    if profiler.kineto_results is None:  # torch was built without it
        return None
    events = [event for event in profiler.kineto_results.events() if event.name() == "[memory]"]
    in_use = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        in_use += event.nbytes()  # negative when memory is freed
        peak = max(peak, in_use)
    return peak


def kept_bytes(fn: Callable[[], Tensor], but: Iterable[Tensor] = ()) -> int:
    """Return how many bytes torch saves in `fn()` for `backward()`.

    Args:
        but: tensors that exist anyway, such as the input and the layer's parameters; they do not count.
    """
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()  # several views of one tensor count once
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        result = fn()
    for tensor in but:
        kept.pop(tensor.untyped_storage().data_ptr(), None)
    del result
    return sum(kept.values())
