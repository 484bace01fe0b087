# %% [markdown]
"""
# 3 · A head each

(being written)
"""

# %% role="imports"
import torch
from torch import Tensor, nn

from manyheads import check
from manyheads.earlier import SingleHeadAttention


# %% exercise="ParallelHeads"
class ParallelHeads(nn.Module):
    """num_heads heads side by side, each with projections of its own, and an output projection."""

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.heads = nn.ModuleList(SingleHeadAttention(d_model, d_model // num_heads) for _ in range(num_heads))
        self.w_o = nn.Linear(d_model, d_model)
        ### END SOLUTION

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        ### BEGIN SOLUTION
        answers = [head(x, mask) for head in self.heads]
        output = self.w_o(torch.cat([output for output, _ in answers], dim=-1))
        return output, torch.stack([weights for _, weights in answers], dim=1)
        ### END SOLUTION


# %% check="ParallelHeads.shapes" points=1
check.shapes(ParallelHeads)

# %% check="ParallelHeads.outputs" points=3
check.outputs(ParallelHeads)
