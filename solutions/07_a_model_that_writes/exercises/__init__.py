"""The exercises of chapter 7, in the lesson's order."""

from . import block, feed_forward, generate, next_token_loss, position_table, tiny_gpt

EXERCISES = [
    next_token_loss.EXERCISE,
    position_table.EXERCISE,
    feed_forward.EXERCISE,
    block.EXERCISE,
    tiny_gpt.EXERCISE,
    generate.EXERCISE,
]
