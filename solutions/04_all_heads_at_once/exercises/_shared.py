"""What several exercises of chapter 4 share: sizes, the calls that they forbid, and a mistake of copying."""

from autograder.declare import Draw, families

# Calls that would make an exercise pointless. `from_torch` has to name torch's layer, so it forbids the other two.
FUNCTIONS = ("scaled_dot_product_attention", "multi_head_attention_forward")
FORBIDS = (*FUNCTIONS, "MultiheadAttention")

COPIED_WHILE_RECORDED = families.recorded_by_torch(
    "changed parameters in place while torch was keeping track",
    "Copying numbers is not a step that training should follow back. Say so with torch.no_grad().",
)


def draw_heads(draw: Draw, others: str) -> tuple[int, ...]:
    """Draw sizes, all different and as small as that allows: the fixtures stay small.

    Returns:
        num_heads, d_head, d_model = num_heads * d_head, batch, and a size of 5 or more for each name in `others`.
    """
    (batch,) = draw.sizes("batch", low=2, high=3)
    (num_heads,) = draw.sizes("num_heads", low=3, high=4)  # of two heads, too many orders are right
    (d_head,) = draw.sizes("d_head", low=2, high=4)
    d_model = num_heads * d_head
    draw.named(d_model=d_model)
    return num_heads, d_head, d_model, batch, *draw.sizes(others, low=5, high=4 + max(1, len(others.split())))
