"""`RowLayer`: scales the rows, and projects them."""

from autograder.declare import Call, Case, Draw, Exercise, Misconception


def layer(draw: Draw) -> Call:
    rows, d_in, d_out = draw.sizes("rows d_in d_out")
    return Call(
        {"x": draw.normal(rows, d_in), "factors": draw.normal(rows)},
        init={"d_in": d_in, "d_out": d_out},
        state=draw.linear("project", d_out, d_in),
    )


EXERCISE = Exercise(
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
)
