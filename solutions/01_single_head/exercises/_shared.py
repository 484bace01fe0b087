"""Sizes that several exercises of chapter 1 draw, and the calls that they forbid."""

from autograder.declare import Draw

LARGEST = 7  # sizes are 3 … 7: all different, and the fixtures stay small

# Calls that would make this chapter's exercises pointless.
FORBIDS = ("scaled_dot_product_attention", "MultiheadAttention", "multi_head_attention_forward")


def draw_with_head(draw: Draw, others: str) -> list[int]:
    """Draw `others` and then d_head, which is never 4: that is √16, the root of the lesson's d_model."""
    (d_head,) = draw.sizes("d_head", low=5, high=LARGEST)
    return [*draw.sizes(others, high=LARGEST), d_head]
