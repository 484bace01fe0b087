"""Trains chapter 9's models from several seeds, and prints what holds for all of them and what varies.

Claims of the lesson's text are checked against its table. A seed draws the weights and the sequences.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from torch import Tensor

from manyheads.earlier import MultiHeadAttention
from manyheads.models.attention_only import (
    D_MODEL,
    STEPS,
    VOCABULARY,
    AttentionOnly,
    Measurement,
    second_half_loss,
    train,
)

HALF, BATCH = 12, 128


def repeated_tokens(batch: int, half: int, vocabulary: int, generator: torch.Generator) -> Tensor:
    """Return (batch, 2 · half), as the chapter's exercise does."""
    return torch.randint(vocabulary, (batch, half), generator=generator).repeat(1, 2)


def induction_score(weights: Tensor) -> Tensor:
    """Return (layers, heads) for weights (layers, heads, seq, seq)."""
    half = weights.shape[-1] // 2
    return weights.diagonal(offset=1 - half, dim1=-2, dim2=-1)[..., 1:].mean(dim=-1)


def previous_token_score(weights: Tensor) -> Tensor:
    """Return (layers, heads) for weights (layers, heads, seq, seq)."""
    return weights.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=-1)


def trained(num_layers: int, num_heads: int, seed: int, steps: int) -> tuple[AttentionOnly, list[Measurement], float]:
    """Return a trained model, what was measured on the way, and the seconds of CPU time that it took."""
    torch.manual_seed(seed)
    model = AttentionOnly([MultiHeadAttention(D_MODEL, num_heads) for _ in range(num_layers)])
    measured: list[Measurement] = []
    start = time.process_time()
    train(model, repeated_tokens, measured.append, steps=steps, seed=seed)
    return model, measured, time.process_time() - start


def fall(measured: list[Measurement], high: float, low: float) -> tuple[int, int]:
    """Return the last step with a loss above `high`, and the first one after it with a loss below `low`; −1: none."""
    above = max((one.step for one in measured if one.loss > high), default=-1)
    return above, next((one.step for one in measured if one.step > above and one.loss < low), -1)


@torch.no_grad()
def patched(model: AttentionOnly, num_heads: int) -> tuple[Tensor, Tensor]:
    """Return (layers, heads): the shares of the gap that each head repairs, and that it breaks."""
    generator = torch.Generator().manual_seed(2)
    clean = repeated_tokens(BATCH, HALF, VOCABULARY, generator)
    corrupted = clean.clone()
    corrupted[:, :HALF] = repeated_tokens(BATCH, HALF, VOCABULARY, generator)[:, :HALF]
    (right, good), (wrong, bad) = model.run(clean), model.run(corrupted)
    best, worst = second_half_loss(right, clean).item(), second_half_loss(wrong, clean).item()
    repaired, broken = torch.zeros(2, len(model.layers), num_heads)
    for layer in range(len(model.layers)):
        for head in range(num_heads):
            mended, _ = model.run(corrupted, (layer, head, good[layer, head]))
            spoilt, _ = model.run(clean, (layer, head, bad[layer, head]))
            repaired[layer, head] = (worst - second_half_loss(mended, clean).item()) / (worst - best)
            broken[layer, head] = (second_half_loss(spoilt, clean).item() - best) / (worst - best)
    return repaired, broken


@torch.no_grad()
def composed(model: AttentionOnly, num_heads: int) -> Tensor:
    """Return (heads, heads): the K-composition of each head of layer 0 with each of layer 1."""
    d_head = D_MODEL // num_heads
    scores = torch.zeros(num_heads, num_heads)
    first, second = model.layers
    for writer in range(num_heads):
        one = slice(writer * d_head, (writer + 1) * d_head)
        w_ov = first.get_parameter("w_o.weight")[:, one] @ first.get_parameter("w_v.weight")[one]
        for reader in range(num_heads):
            other = slice(reader * d_head, (reader + 1) * d_head)
            w_qk = second.get_parameter("w_q.weight")[other].T @ second.get_parameter("w_k.weight")[other]
            scores[writer, reader] = (w_qk @ w_ov).norm() / (w_qk.norm() * w_ov.norm())
    return scores


@torch.no_grad()
def cut(model: AttentionOnly, writers: Tensor) -> dict[str, float]:
    """Return the loss when what some heads of layer 0 wrote is missing in layer 1's queries, keys or values alone.

    Args:
        writers: (num_heads), True for those heads.
    """
    tokens = repeated_tokens(BATCH, HALF, VOCABULARY, torch.Generator().manual_seed(2))
    first, second = model.layers
    places = model.positions.weight[: 2 * HALF]
    causal = torch.ones(2 * HALF, 2 * HALF, dtype=torch.bool).tril()
    x = model.tokens(tokens)
    x = x + first(x + places, x + places, x, mask=causal)[0]
    written = model.run(tokens)[1][0, writers].sum(dim=0)
    losses = {}
    for without in ("nothing", "queries", "keys", "values"):
        query, key, value = (x - written if part == without else x for part in ("queries", "keys", "values"))
        said, _ = second(query + places, key + places, value, mask=causal)
        losses[without] = second_half_loss(model.w_out(x + said), tokens).item()
    return losses


def numbers(values: Tensor) -> str:
    """Show a row of numbers in two digits."""
    return " ".join(f"{value:5.2f}" for value in values.tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds, from 1 up")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of training")
    parser.add_argument("--heads", type=int, default=4, help="heads in each of the two layers")
    parser.add_argument("--one-layer", action="store_true", help="the model of one layer only")
    given = parser.parse_args()
    for seed in range(given.first, given.first + given.seeds):
        _, measured, seconds = trained(1, 2 * given.heads, seed, given.steps)
        last, best = measured[-1], min(one.loss for one in measured)
        print(
            f"seed {seed:2}, one layer:  loss {last.loss:.2f} (lowest {best:.2f}), {last.accuracy:.0%} right, ", end=""
        )
        print(f"induction {numbers(induction_score(last.weights)[0])}, {seconds:.1f} CPU s", flush=True)
        if given.one_layer:
            continue
        model, measured, seconds = trained(2, given.heads, seed, given.steps)
        last, (above, below) = measured[-1], fall(measured, 3.0, 1.0)
        print(f"         two layers: loss {last.loss:.2f}, {last.accuracy:.0%} right, above 3 until {above}, ", end="")
        print(f"below 1 at {below}, {seconds:.1f} CPU s")
        print("         losses      ", " ".join(f"{one.loss:.1f}" for one in measured[:: max(1, len(measured) // 25)]))
        highest = [induction_score(one.weights).max().item() for one in measured]
        print("         induction   ", " ".join(f"{one:.1f}" for one in highest[:: max(1, len(measured) // 25)]))
        previous = previous_token_score(last.weights)[0]
        print("         previous-token, layer 0 ", numbers(previous))
        for layer, scores in enumerate(induction_score(last.weights)):
            print(f"         induction, layer {layer}      ", numbers(scores))
        for name, shares in zip(("repaired", "broken"), patched(model, given.heads), strict=True):
            print(f"         {name:8} layer 0, layer 1", numbers(shares[0]), "|", numbers(shares[1]))
        print("         composition, by writer  ", numbers(composed(model, given.heads).mean(dim=1)))
        losses = cut(model, previous > 0.5)
        print("         without it in           ", ", ".join(f"{part} {loss:.2f}" for part, loss in losses.items()))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
