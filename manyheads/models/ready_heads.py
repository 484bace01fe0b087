"""Several attention heads, ready made, for the chapter before the learner builds such a layer.

With one head it computes the same as `SingleHeadAttention` of chapter 1 with biases of 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ReadyHeads(nn.Module):
    """`num_heads` heads side by side. Each is d_model / num_heads wide, so that together they are as large as one head.

    Args:
        d_model: length of a word's vector.
        num_heads: a divisor of d_model.
    """

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"{num_heads} heads cannot share d_model = {d_model} evenly")
        shape = (num_heads, d_model, d_model // num_heads)
        # Queries and keys start small: every word then looks at all words alike, and no head starts with a preference.
        self.w_q = nn.Parameter(0.1 * torch.randn(shape) / math.sqrt(d_model))
        self.w_k = nn.Parameter(0.1 * torch.randn(shape) / math.sqrt(d_model))
        self.w_v = nn.Parameter(torch.randn(shape) / math.sqrt(d_model))

    def forward(
        self, x: Tensor, mask: Tensor | None = None, values_from: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Let the words of each sentence attend to each other, in every head.

        Args:
            x: (batch, seq, d_model)
            mask: bool, broadcasts to (batch, seq, seq); True means "may attend". None blocks nothing.
            values_from: (batch, seq, d_model), from which the values are made; x by default
        Returns:
            output: (batch, seq, d_model), the heads' outputs side by side
            weights: (batch, num_heads, seq, seq)
        """
        values_from = x if values_from is None else values_from
        # (batch, seq, d_model), (heads, d_model, d_head) -> (batch, heads, seq, d_head)
        q = torch.einsum("bsm,hmd->bhsd", x, self.w_q)
        k = torch.einsum("bsm,hmd->bhsd", x, self.w_k)
        v = torch.einsum("bsm,hmd->bhsd", values_from, self.w_v)
        scores = torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask.unsqueeze(-3), -math.inf)
        weights = scores.softmax(dim=-1)
        outputs = torch.einsum("bhqk,bhkd->bqhd", weights, v)
        # (batch, seq, heads, d_head) -> (batch, seq, d_model)
        return outputs.flatten(2), weights
