"""Cases that several exercises are drawn from."""

from autograder.declare import Call, Draw


def rows(draw: Draw) -> Call:
    rows, columns = draw.sizes("rows columns")
    return Call({"x": draw.normal(rows, columns), "factors": draw.normal(rows)})
