"""A placeholder for chapter 4: the exercises that later chapters build on."""

from autograder.declare import Call, Case, Draw, Exercise


def split(draw: Draw) -> Call:
    batch, seq, num_heads, d_head = draw.sizes("batch seq num_heads d_head", high=7)
    return Call({"x": draw.normal(batch, seq, num_heads * d_head), "num_heads": num_heads})


def merge(draw: Draw) -> Call:
    return Call({"x": draw.normal(*draw.sizes("batch num_heads seq d_head", high=7))})


def layer(draw: Draw) -> Call:
    batch, seq, num_heads, d_head = draw.sizes("batch seq num_heads d_head", high=7)
    d_model = num_heads * d_head
    draw.named(d_model=d_model)
    state = {}
    for name in ("w_q", "w_k", "w_v", "w_o"):
        state |= draw.linear(name, d_model, d_model)
    return Call(
        {"query": draw.normal(batch, seq, d_model)}, init={"d_model": d_model, "num_heads": num_heads}, state=state
    )


EXERCISES = [
    Exercise(
        name="split_heads",
        returns=("heads",),
        cases=(Case("a batch", split),),
        misconceptions=(),
        stand_in="""
import torch

def split_heads(x, num_heads):
    return torch.stack(x.chunk(num_heads, dim=-1), dim=1)
""",
    ),
    Exercise(
        name="merge_heads",
        returns=("merged",),
        cases=(Case("a batch", merge),),
        misconceptions=(),
        stand_in="""
import torch

def merge_heads(x):
    return torch.cat(x.unbind(dim=1), dim=-1)
""",
    ),
    Exercise(
        name="MultiHeadAttention",
        returns=("output", "weights"),
        cases=(Case("self-attention", layer),),
        misconceptions=(),
        builds_on=("split_heads", "merge_heads"),
        stand_in="""
import torch
from torch import nn

class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads, self.dropout = num_heads, nn.Dropout(dropout)
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        layers = ((self.w_q, query), (self.w_k, key), (self.w_v, value))
        q, k, v = (torch.stack(layer(x).chunk(self.num_heads, dim=-1), dim=1) for layer, x in layers)
        if mask is not None:
            mask = torch.zeros(mask.shape, dtype=q.dtype, device=q.device).masked_fill(~mask, -torch.inf)
        weights = self.dropout(torch._scaled_dot_product_attention_math(q, k, v, attn_mask=mask)[1])
        return self.w_o(torch.cat((weights @ v).unbind(dim=1), dim=-1)), weights
""",
    ),
]
