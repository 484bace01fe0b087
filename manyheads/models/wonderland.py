"""The book that chapter 7's models learn to write, cut into tokens: Alice's Adventures in Wonderland.

`alice.txt` is the text of Lewis Carroll's book of 1865, which is in the public domain: the Millennium Fulcrum Edition
2.9 of Project Gutenberg, as the file alice29.txt of the Canterbury corpus has it. Chapter headings, line breaks and
editors' notes were taken out; quotes and dashes are typographic. A line is a paragraph.

The vocabulary is made from that text by byte pair encoding (Sennrich, Haddow and Birch 2016), in half a second.
"""

from __future__ import annotations

import heapq
import math
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

VOCABULARY_SIZE = 2048
_WIDTH = 72  # characters of a printed line
_TEXT = Path(__file__).with_name("alice.txt")
_TEST_SHARE = 0.1  # of the text, at its end
# No piece reaches beyond one of these: a word with its space, a sign, the end of a paragraph.
_WORD = re.compile(r" ?[A-Za-z]+(?:’[a-z]+)*| ?[^A-Za-z\s]|\s")


class Pieces:
    """A vocabulary of word pieces.

    Args:
        vocabulary: the tokens; all single characters first, then longer pieces, the earlier ones more frequent.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.vocabulary = tuple(vocabulary)
        self._numbers = {piece: number for number, piece in enumerate(self.vocabulary)}
        self._known: dict[str, tuple[int, ...]] = {}

    def encode(self, text: str) -> Tensor:
        """Return the tokens of `text`: (seq), whole numbers.

        Raises:
            ValueError: if it has a character that the vocabulary lacks.
        """
        strange = sorted(set(text) - self._numbers.keys())
        if strange:
            raise ValueError(f"the book has no {' '.join(map(repr, strange))}, so there is no token for it")
        return torch.tensor([number for word in _WORD.findall(text) for number in self._of_word(word)])

    def decode(self, tokens: Tensor | Iterable[int]) -> str:
        """Return the text of `tokens`, (seq)."""
        numbers = tokens.tolist() if isinstance(tokens, Tensor) else tokens
        return "".join(self.vocabulary[number] for number in numbers)

    def show(self, token: int) -> str:
        """Return one token as it is shown alone: with · for its space, ¶ for the end of a paragraph."""
        return self.vocabulary[token].replace(" ", "·").replace("\n", "¶")

    def _of_word(self, word: str) -> tuple[int, ...]:
        """Return a word's tokens: two neighbours are joined as long as that makes a piece, the most frequent first."""
        if word not in self._known:
            parts = list(word)
            while True:
                joined = [self._numbers.get(a + b, math.inf) for a, b in pairwise(parts)]
                first = min(joined, default=math.inf)
                if first == math.inf:
                    break
                at = joined.index(first)
                parts[at : at + 2] = [parts[at] + parts[at + 1]]
            self._known[word] = tuple(self._numbers[part] for part in parts)
        return self._known[word]


def byte_pairs(text: str, size: int) -> list[str]:
    """Return a vocabulary of `size` pieces for `text`: its characters, then always the pair that is most frequent."""
    words = Counter(_WORD.findall(text))
    parts = [list(word) for word in words]
    often = list(words.values())
    pairs: Counter[tuple[str, str]] = Counter()
    places: dict[tuple[str, str], set[int]] = {}
    for index, word in enumerate(parts):
        for pair in pairwise(word):
            pairs[pair] += often[index]
            places.setdefault(pair, set()).add(index)
    vocabulary = sorted(set(text))
    # The most frequent pair is on top; one whose number has changed since is on top with an old number, and skipped.
    heap = [(-count, pair) for pair, count in pairs.items()]
    heapq.heapify(heap)
    while len(vocabulary) < size and heap:
        count, pair = heapq.heappop(heap)
        if -count != pairs[pair] or -count <= 0:
            continue
        joined = "".join(pair)
        if joined not in vocabulary:
            vocabulary.append(joined)
        touched: set[tuple[str, str]] = set()
        for index in places.pop(pair):
            word, before = parts[index], Counter(pairwise(parts[index]))
            parts[index] = word = _joined(word, pair)
            after = Counter(pairwise(word))
            for other in before.keys() | after.keys():
                pairs[other] += often[index] * (after[other] - before[other])
                touched.add(other)
                if after[other]:
                    places.setdefault(other, set()).add(index)
        for other in touched:
            if pairs[other] > 0:
                heapq.heappush(heap, (-pairs[other], other))
    return vocabulary


def _joined(word: list[str], pair: tuple[str, str]) -> list[str]:
    """Return the parts of a word with each `pair` of neighbours joined, from left to right."""
    made: list[str] = []
    for part in word:
        if made and (made[-1], part) == pair:
            made[-1] += part
        else:
            made.append(part)
    return made


@cache
def text() -> str:
    """Return the whole book."""
    return _TEXT.read_text(encoding="utf-8")


@cache
def pieces() -> Pieces:
    """Return the vocabulary of the book."""
    return Pieces(byte_pairs(text(), VOCABULARY_SIZE))


@cache
def letters() -> Pieces:
    """Return the vocabulary whose tokens are the single characters of the book."""
    return Pieces(sorted(set(text())))


@cache
def _tokens() -> Tensor:
    return pieces().encode(text())


def train_tokens() -> Tensor:
    """Return the first nine tenths of the book: (seq)."""
    return _tokens()[: _end_of_training()]


def test_tokens() -> Tensor:
    """Return the last tenth of the book: (seq)."""
    return _tokens()[_end_of_training() :]


def _end_of_training() -> int:
    return int(len(_tokens()) * (1 - _TEST_SHARE))


def wrapped(text: str) -> str:
    """Return `text` with its long lines broken between words, to be printed: a notebook breaks them within words."""
    return "\n".join(textwrap.fill(line, _WIDTH) for line in text.split("\n"))


def counted_losses() -> dict[str, float]:
    """Return the loss on the test, in nats a token, of three models that only count in the text for training.

    The second gives a token the chance (n + 1) / (N + V). The third mixes into the counts of a pair five pairs more,
    spread as the second has it, so that a pair that never occurred has a chance, too.
    """
    train, test, size = train_tokens(), test_tokens(), len(pieces().vocabulary)
    often = torch.bincount(train, minlength=size).double()
    alone = (often + 1) / (often.sum() + size)
    together = torch.zeros(size, size, dtype=torch.float64)
    together.index_put_((train[:-1], train[1:]), torch.ones(len(train) - 1, dtype=torch.float64), accumulate=True)
    before, after = test[:-1], test[1:]
    of_pair = (together[before, after] + 5 * alone[after]) / (together[before].sum(dim=1) + 5)
    return {
        "all alike": math.log(size),
        "by frequency": -alone[after].log().mean().item(),
        "by pairs": -of_pair.log().mean().item(),
    }
