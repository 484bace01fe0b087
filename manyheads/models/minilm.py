"""MiniLM around any attention layer: embeddings, blocks and mean pooling, all that is not attention.

Chapter 6 puts the learner's own `MultiHeadAttention` into it. Nothing here computes attention: each block calls the
layer it was given, `layer(x, mask=mask) -> (output, weights)`, or another function from the caller.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from .checkpoint import Checkpoint
from .wordpiece import Tokens, WordPiece

LONGEST = 256  # tokens of a sentence; the published model cuts off the rest too
_EPSILON = 1e-12  # of the layer norms, as published
_REFERENCE = Path(__file__).parent / "minilm_reference.safetensors"

# Called in the place of a block's attention with (index of the layer, layer, x, mask); returns its output alone.
Attend = Callable[[int, nn.Module, Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Reading:
    """What the model made of a batch of sentences.

    Args:
        tokens: the sentences as it read them.
        hidden: (layers + 1, batch, seq, d_model): what the embeddings gave, then each block.
        weights: (layers, batch, num_heads, seq, seq): where each head looked.
    """

    tokens: Tokens
    hidden: Tensor
    weights: Tensor


class Embeddings(nn.Module):
    """A vector for each token: the sum of one for the token, one for its position and one for which of two texts it is
    in."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.words = _table(tensors, "embeddings.word_embeddings")
        self.positions = _table(tensors, "embeddings.position_embeddings")
        self.text = _table(tensors, "embeddings.token_type_embeddings")
        self.norm = _layer_norm(tensors, "embeddings.LayerNorm")

    def forward(self, ids: Tensor) -> Tensor:
        """(batch, seq) -> (batch, seq, d_model)"""
        position = torch.arange(ids.shape[1], device=ids.device)
        # (batch, seq, d_model) + (seq, d_model) + (d_model): there is only one text, number 0
        return self.norm(self.words(ids) + self.positions(position) + self.text.weight[0])


class Block(nn.Module):
    """Attention, then a small network for each token by itself. The input of either is added to its output."""

    def __init__(self, attention: nn.Module, tensors: Mapping[str, Tensor], index: int) -> None:
        super().__init__()
        name = f"encoder.layer.{index}"
        self.attention = attention
        self.norm_after_attention = _layer_norm(tensors, f"{name}.attention.output.LayerNorm")
        self.wider = _linear(tensors, f"{name}.intermediate.dense")
        self.narrower = _linear(tensors, f"{name}.output.dense")
        self.norm_at_the_end = _layer_norm(tensors, f"{name}.output.LayerNorm")

    def forward(self, x: Tensor, attended: Tensor) -> Tensor:
        """Return the block's output for its input `x` and what the attention made of it, all (batch, seq, d_model)."""
        x = self.norm_after_attention(x + attended)
        # (batch, seq, d_model) -> (batch, seq, 4 * d_model) -> (batch, seq, d_model)
        return self.norm_at_the_end(x + self.narrower(nn.functional.gelu(self.wider(x))))


class MiniLM:
    """The published model with attention layers of one's own.

    Args:
        checkpoint: where all other weights come from.
        attention: one layer for each block, with its weights in it.
    """

    def __init__(self, checkpoint: Checkpoint, attention: Sequence[nn.Module]) -> None:
        if len(attention) != checkpoint.num_layers:
            raise ValueError(f"the model has {checkpoint.num_layers} layers, and {len(attention)} were given")
        self.tokenizer = WordPiece(checkpoint.vocabulary)
        self.embeddings = Embeddings(checkpoint.tensors)
        self.blocks = [Block(layer, checkpoint.tensors, index) for index, layer in enumerate(attention)]
        for module in (self.embeddings, *self.blocks):
            module.eval()  # no dropout: nothing is trained here

    def tokenize(self, sentences: Sequence[str]) -> Tokens:
        """Return `sentences` as a batch of tokens."""
        return self.tokenizer.batch(sentences, LONGEST)

    @torch.no_grad()
    def read(self, sentences: Sequence[str]) -> Reading:
        """Run the model on `sentences` and keep all that happens on the way."""
        tokens = self.tokenize(sentences)
        seen: list[Tensor] = []

        def attend(index: int, layer: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
            output, weights = layer(x, mask=mask)
            seen.append(weights)
            return output

        hidden = self._hidden(tokens, attend)
        return Reading(tokens, torch.stack(hidden), torch.stack(seen))

    @torch.no_grad()
    def embed(self, sentences: Sequence[str], attend: Attend | None = None) -> Tensor:
        """Return one vector of length 1 for each of `sentences`, (batch, d_model): the mean over its tokens.

        Args:
            attend: called in the place of each block's attention.
        """
        tokens = self.tokenize(sentences)
        return mean_pooling(self._hidden(tokens, attend or _attend)[-1], tokens.mask)

    def _hidden(self, tokens: Tokens, attend: Attend) -> list[Tensor]:
        # No word may look at padding: (batch, seq) -> (batch, 1, 1, seq), the same for all heads and queries
        mask = tokens.mask[:, None, None, :]
        hidden = [self.embeddings(tokens.ids)]
        for index, block in enumerate(self.blocks):
            x = hidden[-1]
            hidden.append(block(x, attend(index, block.attention, x, mask)))
        return hidden


def mean_pooling(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over each sentence's tokens, made as long as 1.

    Args:
        hidden: (batch, seq, d_model)
        mask: bool (batch, seq), True where there is a token
    Returns:
        (batch, d_model)
    """
    kept = mask[..., None].to(hidden.dtype)
    return nn.functional.normalize((hidden * kept).sum(dim=1) / kept.sum(dim=1), dim=-1)


@dataclass(frozen=True, eq=False)
class Published:
    """What the published implementation says about two sentences. `docs/make_minilm_reference.py` has made it.

    Args:
        sentences: the two.
        ids: of each, its token ids (seq).
        hidden: of each, (layers + 1, seq, d_model).
        weights: of the first, (layers, num_heads, seq, seq).
        embeddings: (2, d_model), of length 1.
        made_by: the versions of the libraries.
    """

    sentences: tuple[str, ...]
    ids: tuple[Tensor, ...]
    hidden: tuple[Tensor, ...]
    weights: Tensor
    embeddings: Tensor
    made_by: Mapping[str, str]


def published() -> Published:
    """Read the values that the published implementation gave once."""
    with safe_open(_REFERENCE, framework="pt") as file:
        metadata = file.metadata()
        sentences = tuple(json.loads(metadata["sentences"]))
        return Published(
            sentences,
            ids=tuple(file.get_tensor(f"{row}.ids") for row in range(len(sentences))),
            hidden=tuple(file.get_tensor(f"{row}.hidden") for row in range(len(sentences))),
            weights=file.get_tensor("0.weights"),
            embeddings=file.get_tensor("embeddings"),
            made_by=json.loads(metadata["made by"]),
        )


def distance_from_published(model: MiniLM) -> Tensor:
    """Return how far `model` is from the published implementation at most: after the embeddings and after each layer.

    Returns:
        (layers + 1): the largest difference of any number, over both sentences
    """
    theirs = published()
    ours = model.read(theirs.sentences).hidden
    # ours is padded to (layers + 1, 2, seq, d_model), theirs are (layers + 1, seq, d_model) each
    apart = [(ours[:, row, : hidden.shape[1]] - hidden).abs() for row, hidden in enumerate(theirs.hidden)]
    return torch.stack([difference.amax(dim=(1, 2)) for difference in apart]).amax(dim=0)


def _attend(index: int, layer: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
    return layer(x, mask=mask)[0]


# The tensors of the checkpoint become parameters as they are: a copy would take as much memory again.


def _table(tensors: Mapping[str, Tensor], name: str) -> nn.Embedding:
    return _filled(nn.Embedding, tensors, name, *tensors[f"{name}.weight"].shape)


def _linear(tensors: Mapping[str, Tensor], name: str) -> nn.Linear:
    out_features, in_features = tensors[f"{name}.weight"].shape
    return _filled(nn.Linear, tensors, name, in_features, out_features)


def _layer_norm(tensors: Mapping[str, Tensor], name: str) -> nn.LayerNorm:
    return _filled(nn.LayerNorm, tensors, name, tensors[f"{name}.weight"].shape[0], eps=_EPSILON)


def _filled(kind: Any, tensors: Mapping[str, Tensor], name: str, *sizes: int, **options: Any) -> Any:
    layer = kind(*sizes, **options, device="meta")
    for parameter, _ in list(layer.named_parameters()):
        setattr(layer, parameter, nn.Parameter(tensors[f"{name}.{parameter}"], requires_grad=False))
    return layer
