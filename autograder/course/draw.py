"""Draws the inputs of a case from a seed. The same seed and labels give the same draws on every machine."""

from __future__ import annotations

import hashlib
import random

import torch
from torch import Tensor


class Draw:
    """A seeded source of sizes and tensors for one case.

    Args:
        seed: the visible seed or the class's secret one.
        labels: names of the chapter, exercise and case, so that no two cases have the same numbers.
    """

    def __init__(self, seed: str, *labels: str) -> None:
        digest = hashlib.sha256("\n".join((seed, *labels)).encode()).digest()
        self._random = random.Random(digest)
        self._generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        self.sizes_by_name: dict[str, int] = {}

    def sizes(self, names: str, low: int = 3, high: int = 11) -> list[int]:
        """Draw a size for each name in `names` (separated by spaces), all different from each other
        and from all sizes that this object drew before."""
        wanted = names.split()
        free = [size for size in range(low, high + 1) if size not in self.sizes_by_name.values()]
        drawn = self._random.sample(free, len(wanted))
        self.sizes_by_name.update(zip(wanted, drawn, strict=True))
        return drawn

    def named(self, **sizes: int) -> None:
        """Register sizes that are computed from others, such as `d_model = num_heads * d_head`, so that messages can
        name them."""
        self.sizes_by_name.update(sizes)

    def integer(self, low: int, high: int) -> int:
        """Draw an integer between `low` and `high`, both included."""
        return self._random.randint(low, high)

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        """Draw a float32 tensor of `shape` from a normal distribution with standard deviation `scale`."""
        return torch.randn(*shape, generator=self._generator) * scale

    def cotangent(self) -> float:
        """Draw a number that determines the derivatives of a loss by the outputs, see `manyheads.calling.backward`."""
        return self._random.uniform(1.0, 2.0)

    def mask(self, *shape: int) -> Tensor:
        """Draw a boolean mask of `shape` (…, seq_q, seq_k), True where a query may attend.

        Every row has at least one True and, where it is longer than 1, at least one False.
        """
        order = torch.rand(*shape, generator=self._generator).argsort(dim=-1)
        # (…, seq_q, 1): how many keys each query may attend to, 1 … seq_k - 1
        allowed = torch.randint(1, max(2, shape[-1]), (*shape[:-1], 1), generator=self._generator)
        return order < allowed

    def linear(self, name: str, out_features: int, in_features: int) -> dict[str, Tensor]:
        """Draw the two parameters of an `nn.Linear` called `name`: weight (out, in) and bias (out)."""
        return {
            f"{name}.weight": self.normal(out_features, in_features, scale=in_features**-0.5),
            f"{name}.bias": self.normal(out_features, scale=0.5),
        }
