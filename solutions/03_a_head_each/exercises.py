"""A placeholder for chapter 3: the one exercise that later chapters build on."""

from autograder.declare import Call, Case, Draw, Exercise


def layer(draw: Draw) -> Call:
    batch, seq, num_heads, d_head = draw.sizes("batch seq num_heads d_head", high=7)
    d_model = num_heads * d_head
    draw.named(d_model=d_model)
    state = {}
    for head in range(num_heads):
        for name in ("w_q", "w_k", "w_v"):
            state |= draw.linear(f"heads.{head}.{name}", d_head, d_model)
    state |= draw.linear("w_o", d_model, d_model)
    x = draw.normal(batch, seq, d_model)
    return Call({"x": x, "mask": None}, init={"d_model": d_model, "num_heads": num_heads}, state=state)


EXERCISES = [
    Exercise(
        name="ParallelHeads",
        returns=("output", "weights"),
        cases=(Case("a batch of sentences", layer),),
        misconceptions=(),
        stand_in="""
import torch
from torch import nn
from manyheads.earlier import SingleHeadAttention

class ParallelHeads(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.heads = nn.ModuleList(SingleHeadAttention(d_model, d_model // num_heads) for _ in range(num_heads))
        self.w_o = nn.Linear(d_model, d_model)

    def forward(self, x, mask=None):
        outputs, weights = zip(*(head(x, mask) for head in self.heads))
        return self.w_o(torch.cat(outputs, dim=-1)), torch.stack(weights, dim=1)
""",
    )
]
