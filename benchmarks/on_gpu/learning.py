"""A TinyGPT that is larger than a lesson can train on a CPU: does it learn, how fast, and what does it write?"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from benchmarks.attention import reference
from manyheads.models import wonderland, writer

from .findings import Findings


@dataclass(frozen=True)
class Plan:
    """The size of the model, and how long it is trained."""

    context: int
    d_model: int
    num_heads: int
    num_layers: int
    batch: int
    steps: int
    rate: float


LARGE = Plan(context=128, d_model=256, num_heads=8, num_layers=6, batch=64, steps=800, rate=1e-3)
PRETEND = Plan(context=16, d_model=32, num_heads=2, num_layers=2, batch=8, steps=40, rate=5e-3)


def run(findings: Findings, device: torch.device) -> None:
    """Train chapter 7's reference model on the device, and let it write."""
    names, plan = reference("07_a_model_that_writes"), LARGE if device.type == "cuda" else PRETEND
    pieces, losses = wonderland.pieces(), list[float]()
    torch.manual_seed(1)
    size = len(pieces.vocabulary)
    model = names["TinyGPT"](size, plan.context, plan.d_model, plan.num_heads, plan.num_layers).to(device)
    everywhere = {tensor.device.type for tensor in (*model.parameters(), *model.buffers())}
    findings.add("the model is on the device whole, its positions too", everywhere == {device.type})

    start = time.perf_counter()
    writer.train(
        model,
        names["next_token_loss"],
        wonderland.train_tokens(),
        lambda _, loss: losses.append(loss),
        steps=plan.steps,
        context=plan.context,
        batch=plan.batch,
        rate=plan.rate,
    )
    seconds = time.perf_counter() - start  # each step reads its loss, so nothing is left to wait for
    bar = wonderland.counted_losses()["by pairs"]
    found = writer.loss_on(model, names["next_token_loss"], wonderland.test_tokens(), plan.context)
    findings.add(
        "it learns",
        losses[-1] < losses[0] - 0.5 if plan is PRETEND else losses[-1] < bar,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        seconds=round(seconds, 1),
        tokens_a_second=round(plan.steps * plan.batch * plan.context / seconds),
        loss=round(losses[-1], 2),
        loss_on_the_test=round(found, 2),
        counting_pairs=round(bar, 2),
    )
    beginning = pieces.encode("\nAlice").unsqueeze(0).to(device)
    written = names["generate"](model, beginning, 60, 0.6, torch.Generator(device).manual_seed(3))
    likeliest = names["generate"](model, beginning, plan.context + 5, 0)
    findings.add(
        "it writes, also more than its context",
        likeliest.shape == (1, beginning.shape[1] + plan.context + 5),
        text=pieces.decode(written[0]).strip(),
    )
