"""What several exercises of chapter 8 share: sizes, and the calls that they forbid."""

from autograder.declare import Draw

# Calls that would make an exercise pointless. Chapter 5 has taught scaled_dot_product_attention.
FORBIDS = ("MultiheadAttention", "multi_head_attention_forward")


def draw_groups(draw: Draw, others: str = "", kv_heads: int = 3) -> tuple[int, ...]:
    """Draw sizes, all different and as small as that allows: the fixtures stay small.

    Returns:
        num_heads = 6, `kv_heads`, d_head = 2, batch, and a size for each name in `others`. d_model is registered, too.
    """
    num_heads, d_head = 6, 2
    draw.named(num_heads=num_heads, d_head=d_head, d_model=num_heads * d_head)
    if kv_heads not in (1, num_heads):  # one is no size that could be told from others, and 6 has a name already
        draw.named(num_kv_heads=kv_heads)
    names = f"batch {others}".split()
    return num_heads, kv_heads, d_head, *draw.sizes(" ".join(names), low=4, high=5 if len(names) > 1 else 7)
