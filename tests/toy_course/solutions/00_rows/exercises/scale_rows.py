"""`scale_rows`: multiplies each row by its factor."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import rows


def square(draw: Draw) -> Call:
    (size,) = draw.sizes("size")
    return Call({"x": draw.normal(size, size), "factors": draw.normal(size)})


EXERCISE = Exercise(
    name="scale_rows",
    returns=("scaled",),
    cases=(Case("more columns than rows", rows), Case("a square", square)),
    misconceptions=(
        Misconception("added the factors", "x * factors", "x + factors", "Rows are multiplied."),
        Misconception(
            "scaled in place",
            "return x * factors[:, None]",
            "x *= factors[:, None]\n    return x",
            "The caller's tensor changes.",
        ),
        Misconception(
            "returned a transposed matrix",
            "return x * factors[:, None]",
            "return (x * factors[:, None]).T",
            "Rows stay rows.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "einsum",
            "def scale_rows(x, factors):\n    return torch.einsum('rc,r->rc', x, factors)",
        ),
    ),
    stand_in="import torch\ndef scale_rows(x, factors):\n    return torch.diag(factors) @ x",
    forbids=("diag",),
)
