"""A check's statements about a wrong answer's numbers are true, and are made where they hold."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from manyheads.calling.call import Answer, Call, Failure
from manyheads.checking.diagnosis import examine
from manyheads.checking.exam import Check, Exam, Trial
from manyheads.checking.first_wrong_line import is_unexplained
from manyheads.checking.relations import _shared, explain, right_here, right_output
from manyheads.checking.relations.compared import Fact

SIZES = [
    {"batch": 5, "num_heads": 3, "seq": 4},
    {"batch": 4, "num_heads": 6, "seq": 9},
    {"batch": 7, "num_heads": 2, "seq": 3},
]


def exam_of(rights: Sequence[object], sizes: list[dict[str, int]], **asked: Sequence[object]) -> Exam:
    """Return an exam with one case for each right answer."""
    trials = tuple(
        Trial(f"case {n}", sizes[n], Call({name: values[n] for name, values in asked.items()}), Answer(right), {})
        for n, right in enumerate(rights)
    )
    return Exam("made_up", ("output",), trials, {})


def said(exam: Exam, givens: list[Tensor]) -> str:
    return " ".join(explain(exam, [Answer(given) for given in givens], exam.trials[0]))


def drawn(seed: int, sizes: list[dict[str, int]] = SIZES) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*each.values(), generator=generator) for each in sizes]


def weights(seed: int) -> list[Tensor]:
    return [torch.cat([x, x.sum(-1, keepdim=True)], -1).softmax(-1) for x in drawn(seed)]


# How a right answer is spoilt, by what must be said of it: all of it is true by how it is made.
SPOILT: dict[str, Callable[[Tensor, dict[str, int]], Tensor]] = {
    "Every number of output is the right one times √seq.": lambda x, of: x * math.sqrt(of["seq"]),
    "Every number of output is the right one divided by batch.": lambda x, of: x / of["batch"],
    "Every number of output is the right one times 0.37.": lambda x, of: x * 0.37,
    "Every number of output is the right one with the opposite sign.": lambda x, of: -x,
    "Every number of output is the right one, too small by 0.25.": lambda x, of: x - 0.25,
    "Every number of output is the square of the right one.": lambda x, of: x.square(),
    "output is the softmax of the right numbers, over its last dimension.": lambda x, of: x.softmax(-1),
    "Every number of output is 0.": lambda x, of: torch.zeros_like(x),
    "In output, the first head is right, and the others are not.": (
        lambda x, of: torch.cat([x[:, :1], x[:, 1:] + x[:, :1]], 1)
    ),
    "output is right everywhere but in the last sentence.": lambda x, of: torch.cat([x[:-1], x[-1:].sin()]),
    "output holds the right numbers in other places: the heads are in reverse order.": lambda x, of: x.flip(1),
    "output holds the right numbers in other places: every word is one place later than it should be.": (
        lambda x, of: x.roll(1, -1)
    ),
    "output holds the right numbers in other places: they lie in the order of (num_heads, batch, seq), viewed in the "
    "shape that is asked for. A view swaps no dimensions.": lambda x, of: x.transpose(0, 1).reshape(x.shape),
    "output has the right numbers, with its dimensions in the order (num_heads, batch, seq); asked for is (batch, "
    "num_heads, seq).": lambda x, of: x.transpose(0, 1),
    "output has one dimension too many: their mean over dimension 1 is what is asked for.": (
        lambda x, of: torch.stack([x - 1, x + 1, x - 2, x + 2], 1)
    ),
    "output lacks num_heads: the right numbers are averaged over num_heads.": lambda x, of: x.mean(1),
    "output holds the right numbers, divided by batch, in other places: the heads are in reverse order.": (
        lambda x, of: x.flip(1) / of["batch"]
    ),
    "output holds the right numbers, times √seq, in other places: every word is one place later than it should be.": (
        lambda x, of: x.roll(1, -1) * math.sqrt(of["seq"])
    ),
    "output holds the right numbers in other places: sentence 1 and sentence 3 have changed places, counted from 0.": (
        lambda x, of: x[[0, 3, 2, 1, *range(4, len(x))]]
    ),
    "output holds the right numbers in the precision of bfloat16 only: somewhere they were rounded to it.": (
        lambda x, of: x.bfloat16().float()
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("sentence", SPOILT)
def test_a_relation_that_holds_in_all_cases_is_said(sentence: str) -> None:
    for seed in range(3):
        rights = drawn(seed)
        spoilt = [SPOILT[sentence](right, of) for right, of in zip(rights, SIZES, strict=True)]
        assert said(exam_of(rights, SIZES), spoilt) == sentence


@pytest.mark.slow
@pytest.mark.parametrize("sentence", SPOILT)
def test_one_case_that_contradicts_it_keeps_a_relation_unsaid(sentence: str) -> None:
    for seed in range(3):
        rights = drawn(seed)
        spoilt = [SPOILT[sentence](right, of) for right, of in zip(rights, SIZES, strict=True)]
        spoilt[1] = torch.randn_like(rights[1]) if spoilt[1].shape == rights[1].shape else spoilt[1].sin() + 2
        assert sentence not in said(exam_of(rights, SIZES), spoilt)


def test_nothing_is_said_of_answers_that_are_right_up_to_rounding() -> None:
    for seed in range(50):
        rights = drawn(seed)
        assert said(exam_of(rights, SIZES), [right + 1e-7 * right.sin() for right in rights]) == ""


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [range(150), pytest.param(range(150, 700), marks=pytest.mark.thorough)])
def test_nothing_is_said_of_noise(seeds: range) -> None:
    """Over hundreds of draws of several kinds, in cases of many numbers and of few."""
    said_of_noise = []
    for seed in seeds:
        for sizes in (SIZES, [{"batch": 3, "seq": 2}], [{"batch": 7}, {"batch": 6}]):
            rights, noise = drawn(seed, sizes), drawn(seed + 10**6, sizes)
            said_of_noise.append(said(exam_of(rights, sizes, x=[*drawn(seed + 10**7, sizes)]), noise))
    assert set(said_of_noise) == {""}


@pytest.mark.slow
def test_of_single_numbers_a_relation_needs_three_cases() -> None:
    sizes = [{"batch": 5, "seq": 4}, {"batch": 3, "seq": 9}, {"batch": 2, "seq": 7}]
    for seed in range(60):
        rights, noise = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        half = [0.5 * right for right in rights]
        assert said(exam_of([*rights], sizes), half) == "Every number of output is the right one divided by 2."
        assert said(exam_of([*rights[:2]], sizes), half[:2]) == ""
        assert said(exam_of([*rights], sizes), [*noise]) == ""


@pytest.mark.slow
def test_for_noise_instead_of_weights_only_the_sums_are_mentioned() -> None:
    for seed in range(60):
        rights = weights(seed)
        found = said(exam_of(rights, SIZES), [right.flip(-1) * right for right in rights])
        assert re.fullmatch(r"Each row of output should sum to 1\. Yours sum to [\d.]+( to [\d.]+)?\.", found)


@pytest.mark.slow
def test_nothing_is_said_of_wrong_counts_that_have_no_relation() -> None:
    generator = torch.Generator().manual_seed(0)
    sizes = [
        {"batch": 7, "seq": 4, "d_model": 15},
        {"batch": 2, "seq": 11, "d_model": 28},
        {"batch": 3, "seq": 5, "d_model": 9},
    ]
    for _ in range(300):
        rights, wrong = torch.randint(10_000, 1_000_000, (2, 3), generator=generator).tolist()
        names = {name: [of[name] for of in sizes] for name in sizes[0]}
        trials = exam_of(rights, sizes, **names).trials
        exam = Exam("made_up", ("count",), trials, {})
        assert explain(exam, [Answer(number) for number in wrong], trials[0]) == ()


def test_a_count_is_not_called_too_large_by_a_ratio_that_may_be_below_1() -> None:
    sizes = [{"seq": 4, "d_head": 15}, {"seq": 11, "d_head": 28}, {"seq": 3, "d_head": 7}]
    names = {name: [of[name] for of in sizes] for name in sizes[0]}
    rights = [840 * of["seq"] * of["d_head"] for of in sizes]
    trials = exam_of(rights, sizes, **names).trials
    wrong = [Answer(840 * of["seq"] ** 2) for of in sizes]
    [told] = explain(Exam("made_up", ("count",), trials, {}), wrong, trials[0])
    assert told == "count is the right one times seq/d_head."


def test_a_count_that_lacks_a_product_of_sizes_says_which() -> None:
    sizes = [
        {"batch": 7, "seq": 4, "d_model": 15},
        {"batch": 2, "seq": 11, "d_model": 28},
        {"batch": 3, "seq": 5, "d_model": 9},
    ]
    names = {name: [of[name] for of in sizes] for name in sizes[0]}
    rights = [8 * of["batch"] * of["seq"] * of["d_model"] ** 2 for of in sizes]
    trials = exam_of(rights, sizes, **names).trials
    exam = Exam("made_up", ("count",), trials, {})
    wrong = [
        Answer(right - 2 * of["batch"] * of["seq"] ** 2 * of["d_model"])
        for right, of in zip(rights, sizes, strict=True)
    ]
    assert explain(exam, wrong, trials[0]) == ("count is too small by 2 · batch · seq² · d_model.",)


SEVERAL = [
    {"batch": 7, "seq": 4, "d_model": 15},
    {"batch": 2, "seq": 11, "d_model": 28},
    {"batch": 3, "seq": 5, "d_model": 9},
]


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (
            lambda b, s, d: 4 * b * s * d * d + 3 * b * b * s * d,
            "count is the right one with 3 · batch² · seq · d_model in the place of 4 · batch · seq² · d_model.",
        ),
        (lambda b, s, d: 3 * b * d, "In every case that is wrong, count is 3 · batch · d_model."),
        (
            lambda b, s, d: 2 * (b * s * d * d + b * s * s * d) * (s + 1),
            "count is the right one times (seq + 1)/2.",
        ),
        (
            lambda b, s, d: b**2 * s + 3 * d**3,
            "In every case that is wrong, count is 3 · d_model³ + batch² · seq.",
        ),
    ],
)
def test_a_count_of_other_products_is_told_by_them(count: Callable[[int, int, int], int], sentence: str) -> None:
    names = {name: [of[name] for of in SEVERAL] for name in SEVERAL[0]}
    sizes = [tuple(of.values()) for of in SEVERAL]
    trials = exam_of([4 * b * s * d * d + 4 * b * s * s * d for b, s, d in sizes], SEVERAL, **names).trials
    wrong = [Answer(count(*of)) for of in sizes]
    assert explain(Exam("made_up", ("count",), trials, {}), wrong, trials[0]) == (sentence,)


@pytest.mark.parametrize(
    ("factor", "told"),
    [
        (lambda of: math.sqrt(of["d_head"]), "multiplied by √d_head"),
        (lambda of: 1 / of["d_head"], "divided by d_head"),
        (lambda of: 1.7, "multiplied by 1.7"),
    ],
)
def test_weights_of_scores_on_another_scale_are_told_the_factor(
    factor: Callable[[dict[str, int]], float], told: str
) -> None:
    sizes = [{"batch": 3, "seq": 5, "d_head": 7}, {"batch": 2, "seq": 6, "d_head": 3}]
    torch.manual_seed(0)
    scores = [torch.randn(of["batch"], of["seq"], of["seq"]) for of in sizes]
    given = [(score * factor(of)).softmax(-1) for score, of in zip(scores, sizes, strict=True)]
    found = said(exam_of([score.softmax(-1) for score in scores], sizes), given)
    assert found == f"Each row of output is what a softmax makes of its input if all of it is {told}."


def test_the_output_that_is_right_is_named_where_the_other_is_not() -> None:
    outputs, weights_of_them = drawn(1), drawn(2)
    trials = [
        Trial("a case", sizes, Call({}), Answer(pair), {})
        for sizes, pair in zip(SIZES, zip(outputs, weights_of_them, strict=True), strict=True)
    ]
    exam = Exam("made_up", ("output", "weights"), tuple(trials), {})
    others = drawn(3)
    wrong = [Answer((other, weight)) for other, weight in zip(others, weights_of_them, strict=True)]
    assert right_output(exam, wrong) == "weights is right in every case, and output is not."
    spoilt = [*wrong[:-1], Answer((others[-1], drawn(4)[-1]))]
    assert right_output(exam, spoilt) == ""
    failed = [*wrong[:-1], Answer(failure=Failure("ValueError", "no"))]
    assert right_output(exam, failed) == ""


def test_that_an_output_is_right_leaves_the_learners_lines_to_be_looked_into() -> None:
    outputs, others = drawn(1), drawn(2)
    trials = tuple(
        Trial("a case", sizes, Call({}), Answer(pair), {})
        for sizes, pair in zip(SIZES, zip(outputs, others, strict=True), strict=True)
    )
    exam = Exam("made_up", ("output", "weights"), trials, {})
    wrong = [Answer(pair) for pair in zip(drawn(3), others, strict=True)]

    finding = examine(exam, wrong, Check.OUTPUTS, "")

    assert finding is not None
    assert finding.message.right in str(finding.message)
    assert finding.message.group == "weights is right in every case, and output is not"
    assert is_unexplained(finding)


def test_a_case_that_asks_for_an_error_is_not_among_those_that_are_right() -> None:
    rights = drawn(1)
    exam = exam_of(rights, SIZES)
    refused = Trial("an error", SIZES[0], Call({}), Answer("raises ValueError"), {})
    exam = replace(exam, trials=(*exam.trials, refused))
    wrong = [Answer(other) for other in drawn(2)]
    assert right_here(exam, [*wrong, Answer("raises ValueError")], exam.trials[0]) == ""
    last = len(rights)
    told = f"Of {last} cases it is right in 1: “{exam.trials[last - 1].name}”."
    assert right_here(exam, [*wrong[:-1], Answer(rights[-1]), Answer("raises ValueError")], exam.trials[0]) == told


def test_values_by_name_of_another_case_are_not_told_in_this_one() -> None:
    rights, wrong = drawn(1), drawn(2)
    by_name, others = ({"first": one, "second": two} for one, two in ((rights[0], rights[1]), (rights[0], wrong[1])))
    trials = (
        Trial("tokens", SIZES[0], Call({}), Answer(rights[0]), {}),
        Trial("shares", SIZES[0], Call({}), Answer(by_name), {}),
    )
    exam = Exam("made_up", ("tokens",), trials, {})
    assert explain(exam, [Answer(wrong[0]), Answer(others)], trials[0]) == ()
    assert explain(exam, [Answer(wrong[0]), Answer(others)], trials[1]) == (
        "Of 2 tensors, second is wrong, and the others are right.",
    )


def test_an_exam_that_conceals_its_answer_explains_nothing() -> None:
    rights = drawn(1)
    exam = exam_of(rights, SIZES)
    concealing = Exam("made_up", ("output",), exam.trials, {}, conceals=True)
    assert explain(exam, [Answer(2 * right) for right in rights], exam.trials[0]) != ()
    assert explain(concealing, [Answer(2 * right) for right in rights], exam.trials[0]) == ()


def truth_of(sentence: str, right: Tensor, given: Tensor, sizes: dict[str, int]) -> bool:
    """Compute in another way than `relations` whether a sentence holds in one case."""
    close = torch.isclose(given, right, rtol=1e-4, atol=1e-5)
    wrong = ~close
    if found := re.search(r"the right one (times|divided by) (minus )?(?!minus)(.+)\.$", sentence):
        value = computed(found[3], sizes) * (-1 if found[2] else 1)
        rtol, atol = (1e-3, 1e-4) if re.search("[a-z]", found[3]) else (2e-3, 1e-3)  # a number is rounded
        return torch.allclose(given, right * value if found[1] == "times" else right / value, rtol=rtol, atol=atol)
    if "plus 1" in sentence:
        return torch.allclose(given - right, torch.ones_like(right), atol=1e-4)
    if found := re.search(r"number of output is (-?[\d.]+) (?:and )?(minus|-?[\d.]+ times) the right one", sentence):
        slope = "-1" if found[2] == "minus" else found[2].split()[0]
        told = float(found[1]) + float(slope) * right
        rounded = half_of_the_last_digit(found[1]) + half_of_the_last_digit(slope) * right.abs()
        return bool(((given - told).abs() <= rounded + 1e-3 * told.abs() + 1e-4).all())
    if "opposite sign" in sentence:
        return torch.allclose(given + right, torch.zeros_like(right), atol=1e-4)
    if found := re.search(r"too (large|small) by ([\d.]+)\.$", sentence):
        return torch.allclose(
            given - right, torch.tensor(float(found[2])) * (1 if found[1] == "large" else -1), atol=1e-3
        )
    if found := re.search(r"everywhere but in the (first|last) (head|sentence|word|row|column)", sentence):
        axis = {"sentence": 0, "head": 1, "row": 1, "word": 2, "column": 2}[found[2]]
        return not wrong.narrow(axis, 1 if found[1] == "first" else 0, right.shape[axis] - 1).any()
    if found := re.search(r"In output, the (first|last) (\w+) is right", sentence):
        axis = {"sentence": 0, "head": 1, "word": 2}[found[2]]
        return not wrong.select(axis, 0 if found[1] == "first" else -1).any()
    if found := re.search(r"numbers, (times|divided by) (.+), in other places", sentence):
        right = right * computed(found[2], sizes) ** (1 if found[1] == "times" else -1)
    if "places" in sentence or "order" in sentence:
        return torch.allclose(given.flatten().msort(), right.flatten().msort(), rtol=1e-4)
    if "times one factor" in sentence:
        return (given / right).std().item() < 1e-2 * (given / right).abs().max().item()
    if "off by one number" in sentence:
        return (given - right).std().item() < 1e-4
    if found := re.search(r"Each (row|column) of output is (off|right)", sentence):
        between = given - right if found[2] == "off" else given / right
        return between.std(-1 if found[1] == "row" else -2).max().item() < 1e-2 * between.abs().max().item()
    raise AssertionError(f"a sentence that this test cannot check: {sentence}")


def computed(text: str, sizes: dict[str, int]) -> float:
    """Return the value of an expression of sizes, as a sentence writes it."""
    text = re.sub(r"√(\w+)", r"(\1**0.5)", text).replace("·", "*").replace("−", "-").replace("²", "**2")
    return float(eval(text, {}, dict(sizes)))


def half_of_the_last_digit(number: str) -> float:
    """Return how far a printed number may be from the one that was rounded to it."""
    return 0.5 * 10.0 ** -len(number.partition(".")[2])


MOVES = [
    lambda x, c: x * c,
    lambda x, c: x + c,
    lambda x, c: x.flip(int(abs(c) * 10) % 3),
    lambda x, c: x.roll(1, int(abs(c) * 10) % 3),
    lambda x, c: -x,
    lambda x, c: x * math.sqrt(x.shape[-1]),
    lambda x, c: x / x.shape[1],
    lambda x, c: torch.cat([x[:1], torch.cos(x[1:])]),
    lambda x, c: torch.cat([x[:, :-1], torch.cos(x[:, -1:])], 1),
]


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(range(len(MOVES))), min_size=1, max_size=3), st.floats(0.3, 3), st.integers(0, 10**6))
def test_all_statements_are_true_when_computed_again(moves: list[int], number: float, seed: int) -> None:
    rights = drawn(seed)
    givens = []
    for right in rights:
        spoilt = right
        for move in moves:
            spoilt = MOVES[move](spoilt, number)
        givens.append(spoilt)
    for sentence in explain(exam_of(rights, SIZES), [Answer(one) for one in givens], exam_of(rights, SIZES).trials[0]):
        for right, one, sizes in zip(rights, givens, SIZES, strict=True):
            if not torch.allclose(right, one, rtol=1e-4, atol=1e-5):
                assert truth_of(sentence, right, one, sizes), sentence


MADE_OF_X: dict[str, tuple[float, float]] = {
    "output is the input x, times 1.7.": (0, 1.7),
    "output is the input x, times -0.5.": (0, -0.5),
    "output is the right one plus 0.1 times the input x.": (1, 0.1),
    "output is 0.5 times the right one plus the input x.": (0.5, 1),
    "output is 2 times the right one minus the input x.": (2, -1),
    "output is -0.3 times the right one minus 2.5 times the input x.": (-0.3, -2.5),
    "output is the right one with the input x added to it.": (1, 1),
    "output is the input x.": (0, 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("sentence", MADE_OF_X)
def test_an_answer_that_is_made_of_an_input_by_numbers_of_ones_own_is_told_them(sentence: str) -> None:
    of_right, of_x = MADE_OF_X[sentence]
    for seed in range(3):
        rights, x = drawn(seed), drawn(seed + 50)
        givens = [of_right * right + of_x * one for right, one in zip(rights, x, strict=True)]
        exam = exam_of(rights, SIZES, x=[*x])
        assert said(exam, givens) == sentence
        assert sentence not in said(exam, [*givens[:1], givens[1] + 0.1 * x[1].sin(), *givens[2:]])
        assert sentence not in said(exam, [*givens[:2], 1.1 * givens[2]])  # another number in one case


def test_what_is_meant_to_be_bfloat16_is_not_said_to_be_rounded_to_it() -> None:
    rights = [right.bfloat16() for right in drawn(0)]
    off = [right.clone() for right in rights]
    for one in off:
        one.flatten()[0] += 0.05
    assert "precision" not in said(exam_of(rights, SIZES), off)


@pytest.mark.slow
def test_rounding_of_few_entries_is_no_combination() -> None:
    for seed in range(20):
        rights, x = drawn(seed), drawn(seed + 50)
        for dtype in (torch.bfloat16, torch.float16):
            low = [right.to(dtype) for right in rights]
            off = [one.clone() for one in low]
            for one in off:
                one.flatten()[0] += 0.05
            assert "times the input" not in said(exam_of(low, SIZES, x=[*x]), off)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.floats(0.2, 0.9), st.floats(-3, -1.1), st.booleans(), st.integers(0, 10**6))
def test_what_is_said_of_an_answer_that_is_made_of_an_input_is_true(
    of_right: float, of_x: float, spoilt: bool, seed: int
) -> None:
    rights, x = drawn(seed), drawn(seed + 50)
    cases = list(zip(rights, x, strict=True))
    givens = [of_right * right + of_x * one + spoilt * 0.1 * one.cos() for right, one in cases]
    told = said(exam_of(rights, SIZES, x=[*x]), givens)
    found = re.fullmatch(r"output is (\S+) times the right one minus (\S+) times the input x\.", told)
    assert told == "" if spoilt else found
    for (right, one), given_one in zip(cases, givens, strict=True):
        if found:
            numbers = float(found[1]) * right - float(found[2]) * one
            assert torch.allclose(given_one, numbers, rtol=1e-3, atol=5e-3)  # what is printed is rounded


def test_a_number_between_two_of_four_digits_is_the_same_in_all_cases() -> None:
    rights, x = drawn(0), drawn(50)
    exam = exam_of(rights, SIZES, x=[*x])
    cases = list(zip(rights, x, strict=True))
    assert said(exam, [0.5 * right - 1.3125 * one for right, one in cases])
    assert said(exam, [1.3125 * right for right in rights])
    assert said(exam, [right + 1.3125 for right in rights])
    assert said(exam, [1.3125 * right + 0.53125 for right in rights])


def test_a_number_has_a_name_only_where_two_cases_agree_in_it() -> None:
    rights = drawn(3)
    sentence = "Every number of output is the right one times 3."
    assert said(exam_of(rights[:1], SIZES), [3 * rights[0]]) == sentence  # num_heads is 3, and that says little
    assert "num_heads" in said(exam_of(rights[:2], SIZES), [3 * rights[0], 6 * rights[1]])


def test_thousands_of_facts_are_not_compared_each_with_each() -> None:
    class Counting:
        compared = 0

        def __init__(self, number: int) -> None:
            self.number = number

        def __hash__(self) -> int:
            return hash(self.number)

        def __eq__(self, other: object) -> bool:
            Counting.compared += 1
            return isinstance(other, Counting) and self.number == other.number

    def some(first: int) -> list[Fact]:
        return [Fact((Counting(number),), 9 - number % 3, f"{number}") for number in range(first, first + 3000)]

    found = _shared([some(0), some(1), some(2)], None)
    assert found is not None
    assert found.sentence == "2"
    assert Counting.compared < 30_000


def test_of_facts_that_are_alike_the_first_is_said() -> None:
    facts = [Fact(("a",), 5, "first"), Fact(("b",), 5, "second"), Fact(("a",), 5, "third")]
    assert (found := _shared([facts, facts], None)) is not None
    assert found.sentence == "first"


def with_a_mistake(rights: list[Tensor], mistaken: list[Tensor]) -> Exam:
    exam = exam_of(rights, SIZES)
    trials = [replace(one, wrong={"took one": Answer(wrong)}) for one, wrong in zip(exam.trials, mistaken, strict=True)]
    # Where a mistake makes no difference, what it gives is not kept.
    return replace(exam, trials=(*trials, exam_of(drawn(9), SIZES).trials[0]), hints={"took one": "The hint."})


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (lambda x, of: x / of["batch"], "output is what comes out if you took one, divided by batch."),
        (lambda x, of: -x * of["seq"], "output is what comes out if you took one, times seq, with the opposite sign."),
        (lambda x, of: -x, "output is what comes out if you took one, with the opposite sign."),
        (
            lambda x, of: x.flip(1),
            "output is what comes out if you took one, in other places: the heads are in reverse order.",
        ),
    ],
)
def test_a_known_mistake_with_a_second_slip_on_top_is_told(
    second: Callable[[Tensor, dict[str, int]], Tensor], told: str
) -> None:
    rights, mistaken = drawn(0), drawn(1)
    exam = with_a_mistake(rights, mistaken)
    given = [Answer(second(one, of)) for one, of in zip([*mistaken, drawn(9)[0]], [*SIZES, SIZES[0]], strict=True)]
    assert explain(exam, given, exam.trials[0]) == (told,)
    for place in range(3):
        spoilt = [*given]
        spoilt[place] = Answer(drawn(5)[place])
        assert "took one" not in " ".join(explain(exam, spoilt, exam.trials[0]))


def test_of_the_right_numbers_times_a_factor_no_mistake_is_told_that_does_not_show() -> None:
    rights = drawn(0)
    exam = with_a_mistake(rights, [right * 2 for right in rights])
    given = [Answer(one / of["batch"]) for one, of in zip([*rights, drawn(9)[0]], [*SIZES, SIZES[0]], strict=True)]
    assert explain(exam, given, exam.trials[0]) == ("Every number of output is the right one divided by batch.",)


def test_what_is_right_in_the_case_that_is_shown_is_told() -> None:
    rights, noise = drawn(0), drawn(1)
    exam = exam_of(rights, SIZES)
    spoilt = rights[1].clone()
    spoilt[:, [0, 4, 5]] = noise[1][:, [0, 4, 5]]
    given = [Answer(noise[0]), Answer(spoilt), Answer(noise[2])]
    told = "In this case the heads 1 to 3 of output are right, and 0, 4 and 5 are not (counted from 0)."
    assert right_here(exam, given, exam.trials[1]) == told
    assert right_here(exam, given, exam.trials[0]) == ""


def test_in_half_precision_it_is_not_told_which_heads_are_right() -> None:
    rights, noise = [right.bfloat16() for right in drawn(0)], [one.bfloat16() for one in drawn(1)]
    spoilt = rights[1].clone()
    spoilt[:, [0, 4, 5]] = noise[1][:, [0, 4, 5]]
    exam = exam_of(rights, SIZES)
    assert "heads" not in right_here(exam, [Answer(noise[0]), Answer(spoilt), Answer(noise[2])], exam.trials[1])


def test_a_dimension_that_was_summed_away_is_told_where_it_has_one_entry_in_some_case() -> None:
    rights = [torch.randn(batch, 4, 3) for batch in (1, 2, 5)]
    sizes = [{"batch": batch, "seq": 4, "d_head": 3} for batch in (1, 2, 5)]
    assert "sum" in said(exam_of(rights, sizes), [right.sum(0) for right in rights])


def test_the_cases_that_are_right_are_told_by_their_names() -> None:
    rights, noise = drawn(0), drawn(1)
    exam = exam_of(rights, SIZES)
    assert right_here(exam, [Answer(rights[0]), Answer(noise[1]), Answer(noise[2])], exam.trials[1]) == (
        "Of 3 cases it is right in 1: “case 0”."
    )
    assert right_here(exam, [Answer(rights[0]), Answer(rights[1]), Answer(noise[2])], exam.trials[2]) == (
        "Of 3 cases it is wrong in 1: “case 2”."
    )
    assert right_here(exam, [Answer(one) for one in noise], exam.trials[0]) == ""
    failed = [Answer(rights[0]), Answer(failure=Failure("ValueError", "no")), Answer(noise[2])]
    assert right_here(exam, failed, exam.trials[1]) == ""


def test_dimensions_of_size_1_are_counted_on_the_pretend_device_too() -> None:
    rights = [torch.ones(3, 3, dtype=torch.bool).tril(), torch.ones(4, 4, dtype=torch.bool, device="meta")]
    sizes = [{"seq": 3}, {"seq": 4}]
    assert said(exam_of(rights, sizes), [right[None, None] for right in rights]) == (
        "output has 2 dimensions of size 1 too many."
    )


def test_a_mask_that_is_wrong_in_its_first_row_alone_is_told_so_with_a_single_word_too() -> None:
    rights = [torch.ones(size, size, dtype=torch.bool).tril() for size in (3, 1, 8)]
    given = [right.clone() for right in rights]
    for mask in given:
        mask[0, 0] = False
    assert said(exam_of(rights, [{"seq": len(right)} for right in rights]), given) == (
        "output is right everywhere but in the first row."
    )


def test_the_entry_that_an_input_names_is_followed() -> None:
    generator = torch.Generator().manual_seed(0)
    weights_of_cases = [torch.randn(5, 4, 7, 7, generator=generator), torch.randn(3, 4, 6, 6, generator=generator)]
    sizes = [{"layers": 5, "heads": 4, "seq": 7}, {"layers": 3, "heads": 4, "seq": 6}]
    exam = exam_of([x[..., 2].mean(-1) for x in weights_of_cases], sizes, x=[*weights_of_cases], position=[2, 2])
    given = [x[..., 2, :].median(-1).values for x in weights_of_cases]
    assert said(exam, given) == (
        "output is the median over seq of the entry number position along the last dimension but one of x."
    )


def test_rows_of_zeros_are_not_called_right_but_for_a_factor() -> None:
    rights = drawn(0)
    given = [right * torch.arange(right.shape[1]).view(-1, 1).clamp(max=1) for right in rights]
    assert "factor of its own" not in said(exam_of(rights, SIZES), given)
    given = [right * (1 + torch.rand(right.shape[:2])[..., None]) for right in rights]
    assert "Each row of output is right except for a factor of its own" in said(exam_of(rights, SIZES), given)
