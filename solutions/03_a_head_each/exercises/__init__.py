"""The exercises of chapter 3, in the lesson's order."""

from . import attention_flops, attention_parameters, concat_heads, head_width, make_heads, parallel_heads, run_heads

EXERCISES = [
    head_width.EXERCISE,
    make_heads.EXERCISE,
    run_heads.EXERCISE,
    concat_heads.EXERCISE,
    parallel_heads.EXERCISE,
    attention_parameters.EXERCISE,
    attention_flops.EXERCISE,
]
