"""Cuts text into the pieces that BERT and its kin read: WordPiece, as the published tokenizer does it.

`minilm.py` calls it. It needs nothing but the model's vocabulary and Python's own Unicode tables.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

PAD, UNKNOWN, CLS, SEP, MASK = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
INSIDE = "##"  # begins a piece that continues a word
LONGEST_WORD = 100  # characters; a longer word becomes one [UNK]

_SPECIAL = re.compile("(" + "|".join(map(re.escape, SPECIAL)) + ")")
# Unicode's ranges of Chinese characters: each is a word by itself.
_CHINESE = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


@dataclass(frozen=True, eq=False)
class Tokens:
    """A batch of sentences as a model reads them, filled up with [PAD] to a common length.

    Args:
        ids: int64 (batch, seq), each token's row in the vocabulary.
        mask: bool (batch, seq), True where there is a token and False at [PAD].
        words: each sentence's tokens as text, without padding.
    """

    ids: Tensor
    mask: Tensor
    words: tuple[tuple[str, ...], ...]


class WordPiece:
    """The tokenizer of a model that reads lower-case text.

    Args:
        vocabulary: the model's tokens, in the order of its embeddings' rows.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._ids = {token: place for place, token in enumerate(vocabulary)}

    def pieces(self, text: str) -> list[str]:
        """Return the tokens of `text`, without [CLS] and [SEP] around them."""
        found: list[str] = []
        for part in _SPECIAL.split(text):
            if part in SPECIAL:
                found.append(part)
            else:
                found += [piece for word in _words(part) for piece in self._cut(word)]
        return found

    def batch(self, sentences: Sequence[str], longest: int) -> Tokens:
        """Return `sentences` as a batch, each between [CLS] and [SEP] and of at most `longest` tokens.

        Raises:
            ValueError: if there is no sentence.
        """
        if not sentences:
            raise ValueError("there must be at least one sentence")
        words = tuple((CLS, *self.pieces(sentence)[: longest - 2], SEP) for sentence in sentences)
        ids = torch.full((len(words), max(map(len, words))), self._ids[PAD])
        mask = torch.zeros(ids.shape, dtype=torch.bool)
        for row, tokens in enumerate(words):
            ids[row, : len(tokens)] = torch.tensor([self._ids[token] for token in tokens])
            mask[row, : len(tokens)] = True
        return Tokens(ids, mask, words)

    def _cut(self, word: str) -> list[str]:
        """Cut `word` into the longest pieces that the vocabulary has, from left to right."""
        if len(word) > LONGEST_WORD:
            return [UNKNOWN]
        found: list[str] = []
        start = 0
        while start < len(word):
            prefix = INSIDE if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if prefix + word[start:end] in self._ids), None)
            if end is None:
                return [UNKNOWN]
            found.append(prefix + word[start:end])
            start = end
        return found


def _words(text: str) -> list[str]:
    """Return the words and punctuation marks of `text`, in lower case and without accents."""
    readable = "".join(_readable(character) for character in text)
    plain = "".join(c for c in unicodedata.normalize("NFD", readable) if unicodedata.category(c) != "Mn")
    # One character at a time: on whole words Python treats a final Greek sigma differently, and the model's authors did
    # not.
    lower = "".join(character.lower() for character in plain)
    return "".join(f" {c} " if _is_punctuation(c) else c for c in lower).split()


def _readable(character: str) -> str:
    """Return the replacement for `character` before words are cut: itself, a space, or nothing."""
    if character in "\t\n\r":
        return " "
    if character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf", "Co"):
        return ""
    return f" {character} " if any(low <= ord(character) <= high for low, high in _CHINESE) else character


def _is_punctuation(character: str) -> bool:
    # ASCII's symbols count too: "$", "+" and "^" are not punctuation in Unicode.
    ascii_symbol = character.isascii() and character.isprintable() and not character.isalnum() and character != " "
    return ascii_symbol or unicodedata.category(character).startswith("P")
