"""The exercises of the chapter, in the lesson's order."""

from . import row_layer, row_sums, scale_rows

EXERCISES = [
    scale_rows.EXERCISE,
    row_sums.EXERCISE,
    row_layer.EXERCISE,
]
