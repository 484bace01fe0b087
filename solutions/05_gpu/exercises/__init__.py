"""The exercises of chapter 5, in the lesson's order.

Everything can be judged without a GPU: on pretend hardware (`manyheads.calling.pretend_hardware`), on torch's pretend
device "meta", and by tolerances that depend on the dtype. Where there is a real GPU, the probes run the code there as
well.
"""

from . import (
    best_device,
    block_attention,
    causal_mask_like,
    fast_attention,
    fast_multi_head_attention,
    score_matrix_bytes,
    time_on_device,
)

EXERCISES = [
    best_device.EXERCISE,
    causal_mask_like.EXERCISE,
    time_on_device.EXERCISE,
    score_matrix_bytes.EXERCISE,
    block_attention.EXERCISE,
    fast_attention.EXERCISE,
    fast_multi_head_attention.EXERCISE,
]
