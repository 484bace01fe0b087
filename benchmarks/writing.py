"""Trains chapter 7's models from several seeds, as the lesson does, and prints what holds for all and what varies.

Claims of the lesson's text are checked against its tables. A seed draws the weights and the excerpts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from torch import Tensor

from benchmarks.attention import reference
from manyheads.models import wonderland, writer

CONTEXT = 32
LESSON = reference("07_a_model_that_writes")


def model_of(vocabulary: int, d_model: int, num_heads: int, num_layers: int, seed: int) -> Any:
    torch.manual_seed(seed)
    return LESSON["TinyGPT"](vocabulary, CONTEXT, d_model, num_heads, num_layers)


def trained(model: Any, train: Tensor, test: Tensor, steps: int, seed: int) -> tuple[float, float, float]:
    """Return the loss in training, the loss on the test, and the seconds of CPU time that training took."""
    losses: list[float] = []
    start = time.process_time()
    writer.train(
        model, LESSON["next_token_loss"], train, lambda _, loss: losses.append(loss), steps=steps, context=CONTEXT,
        seed=seed,
    )  # fmt: skip
    seconds = time.process_time() - start
    return losses[-1], writer.loss_on(model, LESSON["next_token_loss"], test, CONTEXT), seconds


def letters(part: str | None, seed: int, steps: int) -> tuple[float, float, float]:
    """Train section 2's model, without `part`."""
    pieces = wonderland.letters()
    tokens = pieces.encode(wonderland.text())
    end = int(0.9 * len(tokens))
    model = model_of(len(pieces.vocabulary), 48, 4, 4, seed)
    if part is not None:
        writer.take_away(part, model)
    return trained(model, tokens[:end], tokens[end:], steps, seed)


@torch.no_grad()
def head_scores(model: Any) -> tuple[list[float], list[float]]:
    """Return the previous-token score and the sink score of all heads, layer by layer."""
    seen: list[Tensor] = []
    for block in model.blocks:
        block.attention.register_forward_hook(lambda *call: seen.append(call[-1][1]))
    model(writer.draw(wonderland.test_tokens(), CONTEXT, 100, torch.Generator().manual_seed(0)))
    weights = torch.stack(seen)  # (layers, batch, heads, seq, seq)
    before = weights.diagonal(-1, dim1=-2, dim2=-1).mean((1, 3))
    sink = weights[..., 0].mean((1, 3))
    return before.flatten().tolist(), sink.flatten().tolist()


def sample(model: Any, beginning: str, temperature: float) -> str:
    pieces, dice = wonderland.pieces(), torch.Generator().manual_seed(3)
    written = LESSON["generate"](model, pieces.encode(beginning).unsqueeze(0), 50, temperature, dice)
    return pieces.decode(written[0]).strip().replace("\n", " ¶ ")


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--seeds", type=int, nargs="+", default=list(range(1, 11)))
    options.add_argument("--letter-steps", type=int, default=250)
    options.add_argument("--steps", type=int, default=400)
    given = options.parse_args(arguments)
    torch.set_num_threads(1)

    print("counting:", {name: round(loss, 2) for name, loss in wonderland.counted_losses().items()})
    print(f"letters, {given.letter_steps} steps: test loss in nats, by what was taken away")
    print("seed", "nothing", *writer.PARTS, "CPU s each", sep="\t")
    for seed in given.seeds:
        found = [letters(part, seed, given.letter_steps) for part in (None, *writer.PARTS)]
        seconds = sum(one[2] for one in found) / len(found)
        print(seed, *(f"{one[1]:.2f}" for one in found), f"{seconds:.1f}", sep="\t", flush=True)

    print(f"pieces, {given.steps} steps: training, test, CPU s, and each head's previous-token and sink score")
    for seed in given.seeds:
        model = model_of(wonderland.VOCABULARY_SIZE, 96, 4, 2, seed)
        numbers = trained(model, wonderland.train_tokens(), wonderland.test_tokens(), given.steps, seed)
        scores = [" ".join(f"{score:.2f}" for score in row) for row in head_scores(model)]
        print(seed, *(f"{number:.2f}" for number in numbers), *scores, sep="\t", flush=True)
        print("", sample(model, "\nAlice", 0.6), sep="\t", flush=True)


if __name__ == "__main__":
    main()
