"""Two mistakes at once are told by a fingerprint, which no other answer has."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from manyheads.calling.call import Answer, Call, Failure, Value
from manyheads.checking import diagnosis
from manyheads.checking.exam import Check, Exam, Trial
from manyheads.checking.pairs import Fingerprint, KnownPairs, apart, fingerprint, together
from manyheads.checking.wording import Message


def exam_of(rights: list[Value]) -> Exam:
    trials = tuple(Trial(f"case {n}", {}, Call({}), Answer(right), {}) for n, right in enumerate(rights))
    return Exam("made_up", ("output",), trials, {"took one": "The first hint.", "took two": "The second hint."})


def made(exam: Exam, values: list[Value]) -> Fingerprint:
    found = fingerprint(exam, [Answer(value) for value in values])
    assert found is not None
    return found


def drawn(seed: int) -> list[Value]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(3, 4, 5, generator=generator), torch.randn(2, 7, generator=generator)]


def with_pair(exam: Exam, values: list[Value]) -> Exam:
    found = made(exam, values)
    exact = torch.tensor([found.exact], dtype=torch.int32)
    return replace(exam, pairs=KnownPairs((("took one", "took two"),), exact, found.sums[None].float()))


def examined(exam: Exam, values: list[Value]) -> tuple[str | None, Message]:
    finding = diagnosis.examine(exam, [Answer(value) for value in values], Check.OUTPUTS)
    assert finding is not None
    return finding.misconception, finding.message


def test_a_pair_is_named_with_both_hints_and_taken_apart_again() -> None:
    exam = with_pair(exam_of(drawn(0)), drawn(1))
    rounded: list[Value] = [value + 1e-7 for value in drawn(1) if isinstance(value, Tensor)]
    name, message = examined(exam, rounded)
    assert name == together(["took one", "took two"])
    assert apart(name or "") == ["took one", "took two"]
    assert message.mistake == "This is what comes out if you took one, and also took two."
    assert message.hint == "The first hint. The second hint."


def test_a_hint_that_both_mistakes_of_a_pair_have_is_given_once() -> None:
    exam = with_pair(exam_of(drawn(0)), drawn(1))
    exam = replace(exam, hints=dict.fromkeys(exam.hints, "The hint of both."))
    assert examined(exam, drawn(1))[1].hint == "The hint of both."


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 1), st.integers(0, 13), st.sampled_from([0.02, 0.3, -1.0, nan, inf, -inf]))
@example(12, 1, 12, nan)  # the right number is one that any finite stand-in for NaN could meet
def test_one_number_that_differs_keeps_a_pair_unsaid(seed: int, case: int, place: int, by: float) -> None:
    exam = with_pair(exam_of(drawn(seed)), drawn(seed + 1))
    other = drawn(seed + 1)
    tensor = other[case]
    assert isinstance(tensor, Tensor)
    tensor.flatten()[place] += by
    assert examined(exam, other)[0] is None


@pytest.mark.parametrize("wrong", [[10**9 + 1, 4, 5, 6], [10**9, 4, 5, 6.0], [10**9, 4, 5, True]])
def test_whole_numbers_are_compared_exactly(wrong: list[Value]) -> None:
    exam = exam_of([1, 2, 3, 7])
    assert made(exam, [10**9, 4, 5, 6]).is_like(made(exam, [10**9, 4, 5, 6]))
    assert not made(exam, [10**9, 4, 5, 6]).is_like(made(exam, wrong))


def test_numbers_that_are_not_finite_are_compared_exactly() -> None:
    value = torch.randn(2, 9)
    masked = value.masked_fill(value < 0, -inf)
    exam = exam_of([value])
    assert made(exam, [masked]).is_like(made(exam, [masked + 1e-7]))
    assert not made(exam, [masked]).is_like(made(exam, [masked.masked_fill(value < 0, nan)]))
    assert not made(exam, [masked]).is_like(made(exam, [masked.masked_fill(value < 0, 0.0)]))
    assert not made(exam_of([0.5] * 6), [nan] * 6).is_like(made(exam_of([0.5] * 6), [inf] * 6))


def test_a_failed_call_or_too_few_numbers_have_no_fingerprint() -> None:
    exam = exam_of(drawn(0))
    assert fingerprint(exam, [Answer(drawn(0)[0]), Answer(failure=Failure("ValueError", "no"))]) is None
    assert fingerprint(exam_of(["cuda", "cpu"]), [Answer("cpu"), Answer("cpu")]) is None
