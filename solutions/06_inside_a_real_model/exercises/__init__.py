"""The exercises of chapter 6, in the lesson's order.

No case needs MiniLM: all are drawn, and small.
"""

from . import attention_without, head_importance, load_attention, previous_token_score, sink_score

EXERCISES = [
    load_attention.EXERCISE,
    sink_score.EXERCISE,
    previous_token_score.EXERCISE,
    attention_without.EXERCISE,
    head_importance.EXERCISE,
]
