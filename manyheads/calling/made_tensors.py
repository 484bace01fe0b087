"""Watches how large the tensors are that code makes, for exercises that bound the memory they use."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class LargestTensor(TorchDispatchMode):
    """Notes how many numbers the largest tensor has that is made while its `with` block runs.

    What a tensor holds in memory counts: a view of a tensor that was there before, or one expanded to a larger shape,
    counts as no more than the memory behind it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch for each of its operators, below autograd."""
        result = func(*args, **(kwargs or {}))
        for made in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(made, Tensor) and made.layout == torch.strided:
                in_memory = made.untyped_storage().nbytes() // made.element_size()
                self.numbers = max(self.numbers, min(made.numel(), in_memory))
        return result
