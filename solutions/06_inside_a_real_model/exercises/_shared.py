"""What several exercises of chapter 6 share: attention maps, the calls that they forbid, and mistakes."""

import torch

from autograder.declare import Call, Draw, Misconception

# Calls that would make this chapter's exercises pointless.
FORBIDS = ("MultiheadAttention", "multi_head_attention_forward")

# The hint of whoever lets torch record that a parameter is overwritten.
OVERWRITTEN = (
    "A parameter is something to be learned, and torch does not let you overwrite it while it records. There is a "
    "block in which nothing is recorded."
)
AVERAGED_OVER_HEADS = Misconception(
    "averaged over the heads too",
    replace=".mean(dim=-1)",
    by=".mean(dim=(-2, -1))",
    hint="Heads differ, and that is what you want to see: one score for each layer and each head.",
    check="shapes",
)


def attention_map(draw: Draw, *shape: int) -> torch.Tensor:
    """Draw weights of `shape` (…, seq, seq) whose rows sum to 1."""
    return draw.normal(*shape, scale=2.0).softmax(dim=-1)


def maps_to_score(draw: Draw) -> Call:
    layers, heads = draw.sizes("layers heads", high=5)
    (seq,) = draw.sizes("seq", low=7, high=7)  # seq − 1, the length of a diagonal, is no other size either
    return Call({"weights": attention_map(draw, layers, heads, seq, seq)})
