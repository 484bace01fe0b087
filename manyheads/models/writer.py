"""Trains chapter 7's models, and takes parts away from them.

The models are the learner's: `TinyGPT`, with the parts and names that the lesson asks for. What is trained is anything
that is called with tokens, (batch, seq), and returns scores, (batch, seq, vocabulary).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..threads import one_thread

Loss = Callable[[Tensor, Tensor], Tensor]
Watch = Callable[[int, float], None]
PARTS = ("positions", "feed-forward", "residual stream", "norm")

_WARM_UP = 20  # steps until the learning rate is as high as it gets


@one_thread()  # so small a model is slower where several threads wait for each other
def train(
    model: nn.Module,
    loss: Loss,
    tokens: Tensor,
    watch: Watch,
    *,
    steps: int,
    context: int,
    batch: int = 16,
    rate: float = 5e-3,
    seed: int = 1,
    every: int = 10,
) -> None:
    """Train `model` on excerpts of `tokens` with AdamW, a rate that rises for 20 steps and then falls in a line to 0.

    Args:
        loss: called as `loss(logits, tokens)`, `next_token_loss`.
        tokens: (seq) of the text.
        watch: called with (steps done, mean loss of the last `every` steps), in nats.
        context: the length of an excerpt.
        batch: excerpts a step.
        seed: decides which excerpts.

    Raises:
        RuntimeError: if the loss is not finite.
    """
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.1)
    recent: list[float] = []
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(step / _WARM_UP, 1.05 - step / steps)
        excerpts = draw(tokens, context, batch, generator).to(device)
        value = loss(model(excerpts), excerpts)
        if not value.isfinite():
            raise RuntimeError(f"the loss of step {step} is {value.item()}")
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        recent.append(value.item())
        if step % every == 0:
            watch(step, sum(recent) / len(recent))
            recent.clear()


def draw(tokens: Tensor, context: int, batch: int, generator: torch.Generator) -> Tensor:
    """Return excerpts of `tokens`, (seq), from anywhere: (batch, context)."""
    starts = torch.randint(len(tokens) - context + 1, (batch,), generator=generator)
    # (batch, 1) + (context) -> (batch, context)
    return tokens[starts.unsqueeze(1) + torch.arange(context)]


@one_thread()
def loss_on(model: nn.Module, loss: Loss, tokens: Tensor, context: int) -> float:
    """Return the loss on all of `tokens`, (seq), cut into excerpts of `context` tokens, in nats."""
    device = next(model.parameters()).device
    rows = tokens[: len(tokens) // context * context].view(-1, context).to(device)
    with torch.no_grad():
        losses = [loss(model(some), some).item() * len(some) for some in rows.split(64)]
    return sum(losses) / len(rows)


class _Zero(nn.Module):
    """A layer that adds nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class _WithoutResidual(nn.Module):
    """A block of the learner's, in which each layer's output replaces its input."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block: Any = block

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        attended, _ = self.block.attention(self.block.norm_1(x), mask=mask)
        return self.block.feed_forward(self.block.norm_2(attended))


def take_away(part: str, model: Any) -> None:
    """Take one part away from a `TinyGPT`, in place.

    Args:
        part: one of PARTS.

    Raises:
        ValueError: if `part` is not one of them.
    """
    if part == "positions":
        model.positions.zero_()
    elif part == "feed-forward":
        for block in model.blocks:
            block.feed_forward = _Zero()
    elif part == "residual stream":
        model.blocks = nn.ModuleList(_WithoutResidual(block) for block in model.blocks)
    elif part == "norm":
        model.norm = nn.Identity()
        for block in model.blocks:
            block.norm_1, block.norm_2 = nn.Identity(), nn.Identity()
    else:
        raise ValueError(f"there is no part {part!r}; these are: {', '.join(PARTS)}")
