"""A model of attention layers and nothing else, which learns to continue a repeated random sequence.

Chapter 9 builds it from learners' own layers, trains it, and looks at what each of its heads writes. Positions are
added to queries and keys but not to values, as in Press, Smith and Lewis (2021), https://arxiv.org/abs/2012.15832, and
in the attention-only models of Elhage and others (2021), https://transformer-circuits.pub/2021/framework/index.html.
So what a head hands over tells which token there was, and not where.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from torch import Tensor, nn

from ..threads import one_thread

SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
VOCABULARY = len(SYMBOLS)  # tokens mean nothing; each has a symbol to show it by
HALVES = range(8, 17)  # lengths of half a sequence; each batch draws one of them
LAST_START = 8  # places are counted from a number that each batch draws, up to this one
CONTEXT = LAST_START + 2 * HALVES[-1]
D_MODEL, NUM_HEADS = 64, 4
STEPS, BATCH, LEARNING_RATE = 600, 64, 3e-3
TEST_HALVES, TEST_BATCH = (8, 12, 16), 64  # weights are those of the middle one
EVERY = 20  # steps between two measurements

Draw = Callable[[int, int, int, torch.Generator], Tensor]
Patch = tuple[int, int, Tensor]


def as_text(tokens: Tensor) -> str:
    """Return tokens, (seq), as a string of their symbols."""
    return "".join(SYMBOLS[token] for token in tokens.tolist())


class AttentionOnly(nn.Module):
    """Tokens become vectors, each layer adds what its heads say to them, and one `nn.Linear` reads off the next token.

    Args:
        layers: each is called as `layer(query, key, value, mask=mask)` and returns (output, weights), of the shapes
            (batch, seq, d_model) and (batch, num_heads, seq, seq). All have the same number of heads.
        d_model: length of a token's vector.
    """

    def __init__(self, layers: Sequence[nn.Module], d_model: int = D_MODEL) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, d_model)
        self.positions = nn.Embedding(CONTEXT, d_model)
        self.layers = nn.ModuleList(layers)
        self.w_out = nn.Linear(d_model, VOCABULARY, bias=False)

    def forward(self, tokens: Tensor, start: int = 0) -> tuple[Tensor, Tensor]:
        """Return the logits of each next token, and where each head looks.

        Args:
            tokens: (batch, seq), start + seq at most `CONTEXT`
            start: the place of the first token
        Returns:
            logits: (batch, seq, VOCABULARY)
            weights: (layers, batch, num_heads, seq, seq)
        """
        x, where, mask = self._embedded(tokens, start)
        weights = []
        for layer in self.layers:
            said, looked = layer(x + where, x + where, x, mask=mask)
            x = x + said
            weights.append(looked)
        return self.w_out(x), torch.stack(weights)

    @torch.no_grad()
    def run(self, tokens: Tensor, patch: Patch | None = None) -> tuple[Tensor, Tensor]:
        """Return the logits, and what each head writes; with a patch, let one head write something else.

        Args:
            tokens: (batch, seq)
            patch: (layer, head, output): this head then writes `output`, (batch, seq, d_model), and what comes after
                it goes by that
        Returns:
            logits: (batch, seq, VOCABULARY)
            outputs: (layers, num_heads, batch, seq, d_model). Those of a layer and the bias of its w_o add up to the
                layer's output.
        """
        x, where, mask = self._embedded(tokens)
        outputs = []
        for index, layer in enumerate(self.layers):
            said, weights = layer(x + where, x + where, x, mask=mask)
            written = self._written(layer, x, weights)
            if patch is not None and patch[0] == index:
                said = said + patch[2] - written[patch[1]]
                written[patch[1]] = patch[2]
            x = x + said
            outputs.append(written)
        return self.w_out(x), torch.stack(outputs)

    def _embedded(self, tokens: Tensor, start: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Return the tokens' vectors (batch, seq, d_model), the positions' (seq, d_model), and a causal mask."""
        seq = tokens.shape[1]
        where = self.positions.weight[start : start + seq]
        return self.tokens(tokens), where, torch.ones(seq, seq, dtype=torch.bool).tril()

    @staticmethod
    def _written(layer: nn.Module, x: Tensor, weights: Tensor) -> Tensor:
        """Return what each head adds to the stream, (num_heads, batch, seq, d_model), without the bias of w_o."""
        num_heads = weights.shape[1]
        # (batch, seq, d_model) -> (batch, seq, num_heads, d_head) -> (batch, num_heads, seq, d_head)
        values = layer.get_submodule("w_v")(x).unflatten(-1, (num_heads, -1)).transpose(1, 2)
        # num_heads times (d_model, d_head): the columns of w_o that each head meets
        columns = torch.stack(layer.get_parameter("w_o.weight").chunk(num_heads, dim=1))
        # (batch, num_heads, seq, d_head) -> (num_heads, batch, seq, d_model)
        return torch.einsum("bhsd,hmd->hbsm", weights @ values, columns)


def second_half_loss(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return the mean loss of those next tokens that can be known, in nats: those of the second half but its first.

    Args:
        logits: (batch, 2 · half, vocabulary)
        tokens: (batch, 2 · half)
    """
    half = tokens.shape[1] // 2
    # (batch, half - 1, vocabulary) and (batch, half - 1), flattened to one row for each token to predict
    return nn.functional.cross_entropy(logits[:, half:-1].flatten(0, 1), tokens[:, half + 1 :].flatten())


@dataclass(frozen=True, eq=False)
class Measurement:
    """What a model does on the test sequences after some steps.

    Args:
        loss: of the second half, in nats.
        accuracy: the share of its tokens, without the first, that are the likeliest in the model's eyes, 0 … 1.
        weights: (layers, num_heads, seq, seq), the mean over test sequences.
    """

    step: int
    loss: float
    accuracy: float
    weights: Tensor


def sequences_to_measure(draw: Draw) -> list[Tensor]:
    """Return sequences for tests, (TEST_BATCH, 2 · half) for each of `TEST_HALVES`: the same ones each time."""
    generator = torch.Generator().manual_seed(12345)
    return [draw(TEST_BATCH, half, VOCABULARY, generator) for half in TEST_HALVES]


@torch.no_grad()
def measure(model: AttentionOnly, tests: Sequence[Tensor], step: int = 0) -> Measurement:
    """Return the loss and accuracy of second halves, and the mean of each head's maps.

    Args:
        tests: tokens (batch, 2 · half) each; all count alike. The maps are those of the one in the middle.
    """
    losses, accuracies, maps = [], [], []
    for tokens in tests:
        logits, weights = model(tokens)
        half = tokens.shape[1] // 2
        right = logits[:, half:-1].argmax(dim=-1) == tokens[:, half + 1 :]  # (batch, half - 1)
        losses.append(second_half_loss(logits, tokens).item())
        accuracies.append(right.float().mean().item())
        maps.append(weights.mean(dim=1))
    return Measurement(step, mean(losses), mean(accuracies), maps[len(maps) // 2])


@one_thread()  # so small a model is slower where several threads wait for each other
def train(
    model: AttentionOnly,
    draw: Draw,
    watch: Callable[[Measurement], None] = lambda measurement: None,
    steps: int = STEPS,
    seed: int = 1,
    halves: Sequence[int] = HALVES,
) -> None:
    """Train `model` to predict each next token of repeated sequences.

    Every step draws a new batch. All its sequences have one length, and their places are counted from one number, so
    that no place is anything special. The loss is the mean over ALL next tokens, also those that cannot be known.

    Args:
        draw: called as `draw(batch, half, vocabulary, generator)`; returns tokens (batch, 2 · half).
        watch: called before the first step and after every `EVERY` steps.
        seed: of the sequences.
        halves: the lengths of a half that occur, each as often as the others.

    Raises:
        RuntimeError: if the loss is not a number.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    tests = sequences_to_measure(draw)
    watch(measure(model, tests))
    for step in range(1, steps + 1):
        half = halves[int(torch.randint(len(halves), (), generator=generator))]
        tokens = draw(BATCH, half, VOCABULARY, generator)
        start = int(torch.randint(LAST_START + 1, (), generator=generator))
        logits, _ = model(tokens, start)
        loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
        if not loss.isfinite():
            raise RuntimeError(f"the loss of step {step} is {loss.item()}: a layer's output is not finite")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % EVERY == 0 or step == steps:
            watch(measure(model, tests, step))
