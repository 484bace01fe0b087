# %% [markdown]
"""
# 4 · All heads at once

(being written)
"""

# %% role="imports"
import torch
from torch import Tensor, nn

from manyheads import check
from manyheads.earlier import attention


# %% exercise="split_heads"
def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """(batch, seq, d_model) -> (batch, num_heads, seq, d_head)"""
    ### BEGIN SOLUTION
    batch, seq, d_model = x.shape
    return x.view(batch, seq, num_heads, d_model // num_heads).transpose(1, 2)
    ### END SOLUTION


# %% check="split_heads.shapes" points=1
check.shapes(split_heads)

# %% check="split_heads.outputs" points=2
check.outputs(split_heads)


# %% exercise="merge_heads"
def merge_heads(x: Tensor) -> Tensor:
    """(batch, num_heads, seq, d_head) -> (batch, seq, d_model)"""
    ### BEGIN SOLUTION
    return x.transpose(1, 2).flatten(2)
    ### END SOLUTION


# %% check="merge_heads.shapes" points=1
check.shapes(merge_heads)

# %% check="merge_heads.outputs" points=2
check.outputs(merge_heads)


# %% exercise="MultiHeadAttention"
class MultiHeadAttention(nn.Module):
    """All heads at once."""

    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.num_heads = num_heads
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)
        ### END SOLUTION

    def forward(
        self, query: Tensor, key: Tensor | None = None, value: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        ### BEGIN SOLUTION
        key = query if key is None else key
        value = key if value is None else value
        q, k, v = (
            split_heads(layer(x), self.num_heads)
            for layer, x in ((self.w_q, query), (self.w_k, key), (self.w_v, value))
        )
        output, weights = attention(q, k, v, mask)
        return self.w_o(merge_heads(output)), weights
        ### END SOLUTION


# %% check="MultiHeadAttention.shapes" points=1
check.shapes(MultiHeadAttention)

# %% check="MultiHeadAttention.outputs" points=3
check.outputs(MultiHeadAttention)
