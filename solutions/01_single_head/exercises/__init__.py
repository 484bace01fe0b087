"""The exercises of chapter 1, in the lesson's order."""

from . import attention, attention_scores, attention_weights, causal_mask, project, single_head_attention

EXERCISES = [
    project.EXERCISE,
    attention_scores.EXERCISE,
    causal_mask.EXERCISE,
    attention_weights.EXERCISE,
    attention.EXERCISE,
    single_head_attention.EXERCISE,
]
