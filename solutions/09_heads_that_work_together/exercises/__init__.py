"""The exercises of chapter 9, in the lesson's order.

No case needs a trained model: all are drawn, and small.
"""

from . import composition_score, induction_score, patch_head, repeated_tokens

EXERCISES = [
    repeated_tokens.EXERCISE,
    induction_score.EXERCISE,
    patch_head.EXERCISE,
    composition_score.EXERCISE,
]
