"""The toy language of chapter 2, the ready-made heads that read it, and what the chapter claims about them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.course.chapter import REPOSITORY_ROOT, Chapter, read_chapter
from manyheads.earlier import SingleHeadAttention
from manyheads.models.ready_heads import ReadyHeads
from manyheads.models.toy_grammar import (
    ADJECTIVES,
    ANSWERS,
    HELD_OUT,
    LONGEST,
    NOUNS,
    NUMBER,
    ONE_ASKS,
    PADDING,
    QUESTIONS,
    THREE_ASK,
    VERBS,
    VOCABULARY,
    Sentences,
    sentence,
    sentences,
)

CHAPTER = read_chapter(REPOSITORY_ROOT / "solutions" / "02_why_many_heads")
MANY = sentences(3_000, seed=7)


def words(numbers: Tensor) -> list[str]:
    return [VOCABULARY[number] for number in numbers.tolist()]


def pairs(batch: Sentences) -> set[tuple[int, int]]:
    _, subject, place = batch.answers.T.tolist()
    return set(zip(subject, place, strict=True))


class TestSentences:
    def test_the_same_seed_gives_the_same_sentences_whatever_the_learner_has_drawn(self) -> None:
        state = torch.get_rng_state()
        torch.manual_seed(99)

        again = sentences(3_000, seed=7)

        assert torch.equal(again.words, MANY.words)
        assert not torch.equal(sentences(3_000, seed=8).words, MANY.words)
        torch.set_rng_state(state)

    def test_every_sentence_can_be_read_back_with_the_same_answers(self) -> None:
        for row in range(50):
            read = sentence(MANY.text(row))

            assert torch.equal(read.words[0], MANY.words[row])
            assert torch.equal(read.answers[0], MANY.answers[row])
            assert torch.equal(read.asking_positions(THREE_ASK)[0], MANY.asking_positions(THREE_ASK)[row])

    def test_the_answers_of_our_sentence_are_those_of_the_lesson(self) -> None:
        ours = sentence("The black cat sat on the mat.")

        assert words(ours.answers[0]) == ["black", "cat", "mat"]
        assert [ours.tokens()[p] for p in ours.asking_positions(THREE_ASK)[0].tolist()] == ["cat", "sat", "on"]
        assert [ours.tokens()[p] for p in ours.asking_positions(ONE_ASKS)[0].tolist()] == ["sat"] * 3
        assert ours.text() == "The black cat sat on the mat."
        assert len(QUESTIONS) == len(ANSWERS) == 3

    def test_answers_are_an_adjective_and_two_different_nouns(self) -> None:
        adjective, subject, place = (words(column) for column in MANY.answers.T)

        assert set(adjective) == set(ADJECTIVES)
        assert set(subject) == set(place) == set(NOUNS)
        assert all(one != other for one, other in zip(subject, place, strict=True))

    def test_words_that_come_and_go_shift_every_answer(self) -> None:
        assert len(NOUNS) == len(set(NOUNS)) == 96
        assert len(VOCABULARY) == len(set(VOCABULARY))
        for part, positions in (("subject", 2), ("verb", 3), ("place", 4)):
            found = Counter(MANY.positions[part].tolist())
            assert len(found) == positions, part
            assert min(found.values()) > 0.1 * len(MANY), part
        assert set(words(MANY.words.gather(1, MANY.positions["verb"].unsqueeze(1))[:, 0])) == set(VERBS)

    def test_padding_is_at_the_end_only_and_is_masked(self) -> None:
        padding = MANY.words == NUMBER[PADDING]

        assert MANY.words.shape == (3_000, LONGEST)
        assert MANY.mask.shape == (3_000, 1, LONGEST)
        assert torch.equal(MANY.mask[:, 0], ~padding)
        assert bool((padding[:, 1:] | ~padding[:, :-1]).all())
        assert not padding[:, 0].any()

    def test_held_out_pairs_of_nouns_are_in_no_training_sentence(self) -> None:
        test = sentences(3_000, seed=3, held_out=True)
        ours = sentence("The black cat sat on the mat.")

        assert pairs(test).isdisjoint(pairs(sentences(50_000, seed=2)))
        assert pairs(ours) <= pairs(test)
        assert {(place, subject) for subject, place in pairs(ours)} <= pairs(test)
        assert len(pairs(test)) > len(NOUNS) * (len(NOUNS) - 1) / HELD_OUT * 0.8

    def test_a_slice_is_a_batch_of_its_own(self) -> None:
        part = MANY[10:13]

        assert len(part) == 3
        assert torch.equal(part.answers, MANY.answers[10:13])
        assert part.text(0) == MANY.text(10)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("The cat sat on the mat.", "got “cat”, expected one of: black, white"),
            ("The black cat sat on the mat", "got the end, expected “.”"),
            ("The black unicorn sat on the mat.", "got “unicorn”, expected one of: cat, dog"),
            ("The black cat sat on the mat. The", "“the” comes after the full stop"),
        ],
    )
    def test_an_invalid_sentence_is_refused_with_the_word_that_does_not_fit(self, text: str, why: str) -> None:
        with pytest.raises(ValueError, match=why):
            sentence(text)


class TestReadyHeads:
    def test_one_head_is_the_head_of_chapter_1(self) -> None:
        torch.manual_seed(0)
        ready, single = ReadyHeads(12, num_heads=1), SingleHeadAttention(12, 12)
        with torch.no_grad():
            for name in ("w_q", "w_k", "w_v"):
                getattr(single, name).weight.copy_(getattr(ready, name)[0].T)
                getattr(single, name).bias.zero_()
        x, mask = torch.randn(3, 5, 12), torch.ones(5, 5, dtype=torch.bool).tril()

        for given in (None, mask):
            output, weights = ready(x, given)
            its_output, its_weights = single(x, given)
            torch.testing.assert_close(output, its_output)
            torch.testing.assert_close(weights[:, 0], its_weights)

    def test_each_head_works_by_itself_and_its_output_has_its_own_columns(self) -> None:
        torch.manual_seed(0)
        ready, x = ReadyHeads(12, num_heads=3), torch.randn(2, 5, 12)
        before, weights = ready(x)
        with torch.no_grad():
            ready.w_v[1] *= 2

        after, _ = ready(x)

        assert weights.shape == (2, 3, 5, 5)
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 3, 5))
        torch.testing.assert_close(after[..., 4:8], 2 * before[..., 4:8])
        assert torch.equal(after[..., :4], before[..., :4])
        assert torch.equal(after[..., 8:], before[..., 8:])

    def test_blocked_words_get_nothing_and_values_may_come_from_elsewhere(self) -> None:
        torch.manual_seed(0)
        ready, x, other = ReadyHeads(12, num_heads=2), torch.randn(2, 5, 12), torch.randn(2, 5, 12)
        mask = torch.tensor([True, True, False, True, False]).expand(2, 1, 5)

        output, weights = ready(x, mask, values_from=other)

        assert not weights[..., [2, 4]].any()
        torch.testing.assert_close(weights, ready(x, mask)[1])
        assert not torch.allclose(output, ready(x, mask)[0])

    def test_parameters_do_not_depend_on_the_number_of_heads(self) -> None:
        numbers = {n: sum(p.numel() for p in ReadyHeads(48, n).parameters()) for n in (1, 2, 3, 4)}

        assert set(numbers.values()) == {3 * 48 * 48}

    def test_a_number_that_leaves_a_remainder_is_refused(self) -> None:
        with pytest.raises(ValueError, match="5 heads cannot share d_model = 48"):
            ReadyHeads(48, 5)


def lesson(chapter: Chapter) -> dict[str, Any]:
    """The names of the lesson up to its training loop: the model, the data, `train_model` and `accuracy`."""
    names: dict[str, Any] = {}
    for cell in chapter.cells:
        wanted = ("class ToyModel", "def train_model(", "from manyheads.models.toy_grammar import QUESTIONS")
        if cell.metadata.get("role") == "imports" or any(text in cell.source for text in wanted):
            exec(compile(cell.source, "<lesson>", "exec"), names)
    return names


@pytest.mark.slow
@pytest.mark.thorough
def test_the_gap_is_as_plain_as_the_lesson_says() -> None:
    names = lesson(CHAPTER)

    def trained(num_heads: int, game: object, **how: object) -> float:
        torch.manual_seed(2)  # the lesson itself shows it with 1
        model = names["ToyModel"](num_heads, **how)
        names["train_model"](model, game, names["STEPS"], lambda step, accuracy: None)
        return names["accuracy"](model, game)

    assert 0.1 < trained(1, ONE_ASKS) < 0.35  # the lesson says "about one sentence in five"
    assert trained(1, THREE_ASK) > 0.99
    assert trained(2, ONE_ASKS) > 0.95
    assert trained(4, ONE_ASKS) > 0.97
    assert trained(2, ONE_ASKS, positions_in_values=False) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("num_heads", [2, pytest.param(4, marks=pytest.mark.thorough)])
def test_a_head_looks_at_the_subject_and_leaves_the_place_alone(num_heads: int) -> None:
    names = lesson(CHAPTER)
    torch.manual_seed(1)
    model = names["ToyModel"](num_heads)
    names["train_model"](model, ONE_ASKS, names["STEPS"], lambda step, accuracy: None)

    with torch.no_grad():
        _, weights = model(names["TEST"], ONE_ASKS)
    specialisation = CHAPTER.namespace()["head_specialisation"](
        weights, names["TEST"].asking_positions(ONE_ASKS), names["TEST"].answer_positions
    )

    _, subject, place = specialisation.T
    assert bool(((subject > 0.3) & (place < 0.06)).any())
    assert bool((place > 0.5).any())


@pytest.mark.slow
def test_the_same_seed_trains_the_same_model() -> None:
    names = lesson(CHAPTER)
    curves = []
    for _ in range(2):
        curve: list[float] = []
        torch.manual_seed(1)
        model = names["ToyModel"](3)
        names["train_model"](model, ONE_ASKS, 50, lambda step, accuracy, curve=curve: curve.append(accuracy))
        curves.append(curve)

    assert curves[0] == curves[1]
    assert len(curves[0]) == 3
