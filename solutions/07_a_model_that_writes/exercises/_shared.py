"""What several exercises of chapter 7 share: the layers that they forbid, and how their inputs are drawn."""

import torch
from torch import Tensor

from autograder.declare import Draw

# Layers of torch that are the exercise, or most of it.
FORBIDS = ("MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer", "Transformer")


def draw_tokens(draw: Draw, vocabulary: int, *shape: int) -> Tensor:
    """Draw whole numbers below `vocabulary`."""
    return (draw.normal(*shape, scale=1e3).round().long() % vocabulary).to(torch.int64)


def draw_norm(draw: Draw, name: str, d_model: int) -> dict[str, Tensor]:
    """Draw the two parameters of an `nn.LayerNorm` called `name`: weights near 1, biases near 0, as after training."""
    return {
        f"{name}.weight": 1 + draw.normal(d_model, scale=0.3),
        f"{name}.bias": draw.normal(d_model, scale=0.3),
    }


def draw_block(draw: Draw, name: str, d_model: int, d_hidden: int) -> dict[str, Tensor]:
    """Draw the parameters of a `Block`, each name after the prefix `name`: "" or "blocks.0."."""
    state: dict[str, Tensor] = {}
    for projection in ("w_q", "w_k", "w_v", "w_o"):
        state |= draw.linear(f"{name}attention.{projection}", d_model, d_model)
    state |= draw.linear(f"{name}feed_forward.w_in", d_hidden, d_model)
    state |= draw.linear(f"{name}feed_forward.w_out", d_model, d_hidden)
    return state | draw_norm(draw, f"{name}norm_1", d_model) | draw_norm(draw, f"{name}norm_2", d_model)
