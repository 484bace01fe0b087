from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception


def rows(draw: Draw) -> Call:
    rows, columns = draw.sizes("rows columns")
    return Call({"x": draw.normal(rows, columns), "factors": draw.normal(rows)})


def square(draw: Draw) -> Call:
    (size,) = draw.sizes("size")
    return Call({"x": draw.normal(size, size), "factors": draw.normal(size)})


def layer(draw: Draw) -> Call:
    rows, d_in, d_out = draw.sizes("rows d_in d_out")
    return Call(
        {"x": draw.normal(rows, d_in), "factors": draw.normal(rows)},
        init={"d_in": d_in, "d_out": d_out},
        state=draw.linear("project", d_out, d_in),
    )


EXERCISES = [
    Exercise(
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
    ),
    Exercise(
        name="row_sums",
        returns=("scaled", "sums"),
        cases=(Case("more columns than rows", rows),),
        misconceptions=(
            Misconception("took the mean", "scaled.sum(dim=1)", "scaled.mean(dim=1)", "A sum grows with the columns."),
            Misconception("summed over the rows", "dim=1", "dim=0", "There is one sum a row.", check="shapes"),
        ),
        builds_on=("scale_rows",),
        stand_in="import torch\ndef row_sums(x, factors):\n    y = torch.diag(factors) @ x\n    return y, y.sum(1)",
    ),
    Exercise(
        name="RowLayer",
        returns=("output",),
        cases=(Case("a random layer", layer),),
        misconceptions=(
            Misconception(
                "forgot the bias",
                "nn.Linear(d_in, d_out)",
                "nn.Linear(d_in, d_out, bias=False)",
                "A Linear has one.",
                check="shapes",
            ),
        ),
        builds_on=("row_sums",),
    ),
]
