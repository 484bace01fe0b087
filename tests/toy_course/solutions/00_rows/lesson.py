# A chapter of three tiny exercises that have nothing to do with attention: the engine must not care.
# %% [markdown]
"""
# 0 · Rows

![A picture of a row](pictures/row.svg)
"""

# %% role="imports"
import torch
from torch import Tensor, nn

from manyheads import check


# %% exercise="scale_rows"
def scale_rows(x: Tensor, factors: Tensor) -> Tensor:
    """Multiply row i of x (rows, columns) by factors[i] (rows). Returns (rows, columns)."""
    ### BEGIN SOLUTION
    # (rows, columns) * (rows, 1) -> (rows, columns)
    return x * factors[:, None]
    ### END SOLUTION


# %% check="scale_rows.shapes" points=1
check.shapes(scale_rows)

# %% check="scale_rows.outputs" points=2
check.outputs(scale_rows)


# %% exercise="row_sums"
def row_sums(x: Tensor, factors: Tensor) -> tuple[Tensor, Tensor]:
    """Scale the rows of x (rows, columns), and sum each. Returns scaled (rows, columns), sums (rows)."""
    ### BEGIN SOLUTION
    scaled = scale_rows(x, factors)
    return scaled, scaled.sum(dim=1)
    ### END SOLUTION


# %% check="row_sums.shapes" points=1
check.shapes(row_sums)

# %% check="row_sums.outputs" points=2
check.outputs(row_sums)


# %% exercise="RowLayer"
class RowLayer(nn.Module):
    """Project x (rows, d_in) to (rows, d_out), then scale its rows."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.project = nn.Linear(d_in, d_out)
        ### END SOLUTION

    def forward(self, x: Tensor, factors: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        return row_sums(self.project(x), factors)[0]
        ### END SOLUTION


# %% check="RowLayer.shapes" points=1
check.shapes(RowLayer)

# %% check="RowLayer.outputs" points=2
check.outputs(RowLayer)

# %%
print("the end")
