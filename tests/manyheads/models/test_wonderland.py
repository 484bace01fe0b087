"""The book of chapter 7 and its tokens."""

from __future__ import annotations

import math

import pytest
import torch

from manyheads.models import wonderland
from manyheads.models.wonderland import Pieces, byte_pairs


@pytest.mark.slow
def test_the_book_comes_back_from_its_tokens() -> None:
    pieces = wonderland.pieces()
    tokens = torch.cat([wonderland.train_tokens(), wonderland.test_tokens()])

    assert len(pieces.vocabulary) == len(set(pieces.vocabulary)) == wonderland.VOCABULARY_SIZE
    assert pieces.decode(tokens) == wonderland.text()


def test_the_text_is_small_and_clean() -> None:
    text = wonderland.text()

    assert len(text.encode()) < 150_000
    assert text.startswith("Alice was beginning to get very tired")
    assert not set("`_[]*'\r") & set(text)
    assert "  " not in text


@pytest.mark.slow
def test_frequent_words_are_one_token_with_their_space() -> None:
    pieces = wonderland.pieces()

    assert [pieces.show(token) for token in pieces.encode("Alice said the").tolist()] == ["Alice", "·said", "·the"]
    assert pieces.show(int(pieces.encode("\n"))) == "¶"


def test_the_most_frequent_pair_is_joined_first() -> None:
    assert byte_pairs("abab abc", 6) == [" ", "a", "b", "c", "ab", " ab"]


def test_a_vocabulary_joins_as_it_was_made() -> None:
    pieces = Pieces([*"abc", "bc", "ab"])

    assert pieces.encode("abc").tolist() == [0, 3]  # bc was made first


def test_a_sign_that_the_book_lacks_is_named() -> None:
    with pytest.raises(ValueError, match="the book has no '%'"):
        wonderland.pieces().encode("100%")


def test_a_printed_text_is_broken_between_words_and_loses_none() -> None:
    text = wonderland.text()[:2000]
    lines = wonderland.wrapped(text).split("\n")
    assert max(map(len, lines)) <= 72
    assert " ".join(lines).split() == text.split()


def test_knowing_more_lowers_the_loss_of_counting() -> None:
    alike, by_frequency, by_pairs = wonderland.counted_losses().values()

    assert alike == pytest.approx(math.log(wonderland.VOCABULARY_SIZE))
    assert by_pairs < by_frequency - 0.5 < alike - 1
