"""`row_sums`: scales the rows, and sums each of them."""

from autograder.declare import Case, Exercise, Misconception

from ._shared import rows

EXERCISE = Exercise(
    name="row_sums",
    returns=("scaled", "sums"),
    cases=(Case("more columns than rows", rows),),
    misconceptions=(
        Misconception("took the mean", "scaled.sum(dim=1)", "scaled.mean(dim=1)", "A sum grows with the columns."),
        Misconception("summed over the rows", "dim=1", "dim=0", "There is one sum a row.", check="shapes"),
    ),
    builds_on=("scale_rows",),
    stand_in="import torch\ndef row_sums(x, factors):\n    y = torch.diag(factors) @ x\n    return y, y.sum(1)",
)
