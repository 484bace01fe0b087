"""Attention maps that several exercises of chapter 6 draw, and the calls that they forbid."""

import torch

from autograder.declare import Call, Draw

# Calls that would make this chapter's exercises pointless.
FORBIDS = ("MultiheadAttention", "multi_head_attention_forward")


def attention_map(draw: Draw, *shape: int) -> torch.Tensor:
    """Draw weights of `shape` (…, seq, seq) whose rows sum to 1."""
    return draw.normal(*shape, scale=2.0).softmax(dim=-1)


def maps_to_score(draw: Draw) -> Call:
    layers, heads, seq = draw.sizes("layers heads seq", high=7)
    return Call({"weights": attention_map(draw, layers, heads, seq, seq)})
