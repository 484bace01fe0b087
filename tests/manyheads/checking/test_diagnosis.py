"""A wrong answer is explained by its first divergence, in the learner's terms, and by the mistake behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manyheads.calling.call import Answer, Call, Failure, Gradients, Opaque
from manyheads.calling.forbidden_calls import FORBIDDEN
from manyheads.checking.comparison import first_divergence
from manyheads.checking.diagnosis import Finding, decide, examine
from manyheads.checking.exam import Check, Exam, Trial, foundations

RIGHT = torch.arange(12.0).reshape(3, 4) + 1


def exam(right: object = RIGHT, exact_zeros: bool = False, **wrong: object) -> Exam:
    trial = Trial(
        name="a random matrix",
        sizes={"rows": 3, "columns": 4},
        call=Call({"x": torch.zeros(3, 4)}),
        right=Answer(right),
        wrong={name: value if isinstance(value, Answer) else Answer(value) for name, value in wrong.items()},
    )
    returns = ("one", "two") if isinstance(right, tuple) else ("scores",)
    return Exam("f", returns, (trial,), dict.fromkeys(wrong, "Think again."), exact_zeros=exact_zeros)


def outputs(given: object, of: Exam | None = None) -> Finding | None:
    answer = given if isinstance(given, Answer) else Answer(given)
    return examine(of or exam(), [answer], Check.OUTPUTS)


def shapes(given: object, of: Exam | None = None) -> Finding | None:
    answer = given if isinstance(given, Answer) else Answer(given)
    return examine(of or exam(), [answer], Check.SHAPES)


@pytest.mark.parametrize("check", Check)
def test_the_right_answer_passes(check: Check) -> None:
    assert examine(exam(), [Answer(RIGHT.clone())], check) is None


def test_rounding_is_not_a_mistake_and_larger_differences_are() -> None:
    assert outputs(RIGHT * (1 + 1e-5)) is None
    finding = outputs(RIGHT * 1.01)
    assert finding is not None
    assert finding.stage == "values"
    assert "scores[0, 0] = 1" in str(finding.message)
    assert "12 of 12 entries differ" in str(finding.message)


NAN = float("nan")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (torch.zeros(3, 4), "every entry of scores is the same"),
        (torch.full((3, 4), 0.25), "every entry of scores is the same"),
        (torch.full((3, 4), NAN), "no entry of scores is a finite number"),
        (torch.tensor([NAN, 0.0, 0.0, float("inf")]).expand(3, 4), "every entry of scores is the same"),
    ],
)
def test_a_right_shape_that_holds_nothing_passes_no_check(given: torch.Tensor, words: str) -> None:
    finding = shapes(given)
    assert finding is not None
    assert str(finding.message).startswith("The shapes are right, but nothing is computed yet")
    assert words in " ".join(str(finding.message).split())


def test_any_computation_earns_the_points_for_shapes() -> None:
    assert shapes(RIGHT * 0 + torch.arange(4.0)) is None
    assert shapes((RIGHT, torch.zeros(3)), of=exam((RIGHT, RIGHT[:, 0]))) is None  # one of two outputs is enough
    assert shapes((RIGHT * 0, torch.zeros(3)), of=exam((RIGHT, RIGHT[:, 0]))) is not None
    assert shapes(torch.zeros(3, 4), of=exam(torch.ones(3, 4))) is None  # the right answer is no different
    assert shapes(torch.ones(3, 4, dtype=torch.bool), of=exam(RIGHT > 3)) is None  # a mask that allows all
    assert shapes(0.0, of=exam(2.5)) is None


def test_one_case_that_holds_something_is_enough() -> None:
    trials = tuple(replace(exam().trials[0], name=name) for name in ("first", "second"))
    both = replace(exam(), trials=trials)
    assert examine(both, [Answer(torch.zeros(3, 4)), Answer(RIGHT + 1)], Check.SHAPES) is None
    assert examine(both, [Answer(torch.zeros(3, 4)), Answer(torch.ones(3, 4))], Check.SHAPES) is not None


def test_a_shape_is_read_back_in_names() -> None:
    finding = shapes(RIGHT.T)
    assert finding is not None
    assert "(3, 4) = (rows, columns)" in str(finding.message)
    assert "(4, 3) = (columns, rows)" in str(finding.message)


def test_a_size_that_occurs_twice_by_coincidence_gets_no_name() -> None:
    """The 3 words that are left are no d_head, though it is 3 as well."""
    sizes = {"batch": 4, "num_kv_heads": 2, "total": 8, "d_head": 3}
    cache = Exam("f", ("k",), (Trial("words", sizes, Call({}), Answer(torch.rand(4, 2, 8, 3)), {}),), {})
    square = Exam("f", ("mask",), (Trial("words", {"seq": 4, "d": 7}, Call({}), Answer(torch.eye(4)), {}),), {})
    for of, returned, told in [
        (cache, torch.rand(4, 2, 3, 3), "(4, 2, 3, 3)"),
        (cache, torch.rand(2, 4, 8, 3), "(2, 4, 8, 3) = (num_kv_heads, batch, total, d_head)"),
        (square, torch.eye(7), "(7, 7) = (d, d)"),
    ]:
        finding = shapes(returned, of=of)
        assert finding is not None
        assert finding.message.got == told


def test_only_two_dimensions_side_by_side_are_both_called_a_sequences() -> None:
    sizes = {"batch": 2, "kv_heads": 3, "seq": 4, "d_head": 5, "num_heads": 6}
    trial = Trial("a case", sizes, Call({}), Answer(torch.ones(2, 6, 4, 5)), {})
    heads = Exam("f", ("heads",), (trial,), {})
    for shape, told in (((4, 3, 4, 5), "(4, 3, 4, 5)"), ((2, 6, 4, 4), "(2, 6, 4, 4) = (batch, num_heads, seq, seq)")):
        finding = outputs(torch.ones(shape), heads)
        assert finding is not None
        assert finding.message.got == told


def test_a_parameters_size_is_not_called_after_what_it_cannot_be() -> None:
    sizes = {"seq": 4, "num_heads": 6, "d_model": 12}
    right = Answer(RIGHT, parameters={"w_k.weight": (6, 12)})
    layer = Exam("Layer", ("output",), (Trial("a layer", sizes, Call({}, init={}), right, {}),), {})
    finding = examine(layer, [Answer(parameters={"w_k.weight": (4, 12)})], Check.SHAPES)
    assert finding is not None
    assert (finding.message.expected, finding.message.got) == ("(6, 12)", "(4, 12)")


def test_wrong_numbers_pass_the_check_of_shapes() -> None:
    assert shapes(RIGHT + 1) is None


@pytest.mark.parametrize(
    ("given", "stage"),
    [
        (Answer(failure=Failure("NotImplementedError", "")), "unsolved"),
        (Answer(failure=Failure("RuntimeError", "sizes must match", "q @ k")), "ran"),
        (Opaque("generator"), "type"),
        (None, "type"),
        (RIGHT[:2], "shape"),
        (RIGHT.int(), "dtype"),
        (RIGHT.to("meta"), "device"),
        (Answer(failure=Failure("NotImplementedError", "this dtype", "q ^ 2")), "ran"),
        (Answer(failure=Failure("NotImplementedError", "", "raise NotImplementedError()")), "unsolved"),
    ],
)
def test_each_divergence_is_found_at_its_stage(given: object, stage: str) -> None:
    for check in (shapes, outputs):
        finding = check(given)
        assert finding is not None
        assert finding.stage == stage


def test_unwritten_code_gets_a_sentence_without_a_case() -> None:
    finding = outputs(Answer(failure=Failure("NotImplementedError", "")))
    assert finding is not None
    assert " ".join(str(finding.message).split()).endswith("raise NotImplementedError() is still there.")
    assert "a random matrix" not in str(finding.message)


def test_an_error_is_shown_with_the_learners_own_line() -> None:
    finding = outputs(Answer(failure=Failure("RuntimeError", "sizes must match", "q @ k")))
    assert finding is not None
    assert "RuntimeError: sizes must match" in str(finding.message)
    assert "q @ k" in str(finding.message)


def test_an_object_is_described_by_its_class_name_which_is_not_a_type() -> None:
    finding = shapes(Opaque("Tensor"))
    assert finding is not None
    assert "scores is not a tensor." in str(finding.message)
    assert "object of a class called Tensor" in str(finding.message)


def test_none_is_asked_about_its_return() -> None:
    finding = outputs(None)
    assert finding is not None
    assert "return" in str(finding.message)


def test_nan_is_not_finite_and_earns_nothing() -> None:
    given = RIGHT.clone()
    given[1, 2] = float("nan")
    finding = outputs(given)
    assert finding is not None
    assert finding.stage == "finite"
    assert "1 NaN of 12" in str(finding.message)


def test_an_input_changed_in_place_is_named() -> None:
    finding = outputs(Answer(RIGHT, changed=("x",)))
    assert finding is not None
    assert finding.stage == "untouched"
    assert "x" in str(finding.message)


def test_the_code_that_changes_an_input_is_shown_where_it_is_certain() -> None:
    changed = [Answer(RIGHT, changed=("x",))]
    finding = examine(exam(), changed, Check.OUTPUTS, "def f(x):\n    x += 1\n    return x\n")
    assert finding is not None
    assert finding.message.further == ("`x += 1` writes into x itself: make a new tensor instead.",)
    finding = examine(exam(), changed, Check.OUTPUTS, "def f(x):\n    y = x\n    y += 1\n    return y\n")
    assert finding is not None
    assert finding.message.further == ()


def test_where_the_learners_own_error_is_not_asked_for_that_is_said() -> None:
    own = Failure("ValueError", "no", 'raise ValueError("no")', cause="raise")
    finding = outputs(Answer(failure=own))
    assert finding is not None
    assert finding.message.further == (
        "This call should give a result. The error is one that your own line raises: look at what leads to it.",
    )
    torchs = replace(own, line="return x @ x", cause="product | x cpu float32 3x4")
    assert (finding := outputs(Answer(failure=torchs))) is not None
    assert finding.message.further == ()


def test_a_function_within_the_courses_own_is_called_by_its_name_alone() -> None:
    failure = Failure("TypeError", "probe.<locals>.Part.forward() takes 2 positional arguments but 3 were given", "f()")
    finding = outputs(Answer(failure=failure))
    assert finding is not None
    assert finding.message.got == "TypeError: Part.forward() takes 2 positional arguments but 3 were given"


@pytest.mark.parametrize(
    ("right", "given", "told"),
    [
        ({"no gap": True}, {"no gap": False}, "scores: “no gap” is not right."),
        ({"w_q.bias": RIGHT}, {"w_q.bias": 2 * RIGHT}, "scores: w_q.bias has the right shape and the wrong numbers."),
        ({4: 0.5}, {4: 0.75}, "scores[4] is not right."),
    ],
)
def test_what_a_probe_has_seen_is_not_shown_as_code(right: object, given: object, told: str) -> None:
    finding = outputs(given, exam(right))
    assert finding is not None
    assert finding.message.sentence == told


def test_a_name_of_several_words_is_not_shown_with_an_index() -> None:
    finding = outputs({4: 2}, replace(exam({4: 1}), returns=("the number of trainings",)))
    assert finding is not None
    assert finding.message.sentence == "The number of trainings for 4 is not right."


def test_a_generator_is_said_to_hold_no_values_yet() -> None:
    finding = outputs(Opaque("generator"))
    assert finding is not None
    assert finding.message.got == "a generator, which makes its values later: tuple(…) or list(…) would have them"


def test_a_blocked_entry_must_be_exactly_zero_where_the_exercise_says_so() -> None:
    right = torch.tensor([0.0, 1.0])
    almost = torch.tensor([1e-9, 1.0])
    assert outputs(almost, exam(right)) is None
    finding = outputs(almost, exam(right, exact_zeros=True))
    assert finding is not None
    assert "exactly" in str(finding.message)


def test_several_outputs_are_counted_and_named() -> None:
    pair = exam((RIGHT, RIGHT + 1))
    missing, swapped = shapes(RIGHT, pair), outputs((RIGHT + 1, RIGHT), pair)
    assert missing is not None
    assert missing.stage == "type"
    assert "one, two" in str(missing.message)
    assert swapped is not None
    assert "one[0, 0]" in str(swapped.message)
    assert shapes((RIGHT, RIGHT, RIGHT), pair) is not None


@pytest.mark.parametrize("given", [{"one": RIGHT}, {"one": RIGHT, "two": 2, "three": 3}, {"one": RIGHT, "zwei": 2}])
def test_a_dictionary_must_have_the_keys_that_are_asked_for(given: dict[str, object]) -> None:
    of = exam({"one": RIGHT, "two": 2})
    assert outputs({"two": 2, "one": RIGHT}, of) is None
    for check in (shapes, outputs):
        finding = check(given, of)
        assert finding is not None
        assert (finding.stage, "'one', 'two'" in str(finding.message)) == ("count", True)


def test_a_known_mistake_is_named_with_its_hint() -> None:
    known = exam(forgot=RIGHT * 2, doubled=RIGHT * 4)
    finding = outputs(RIGHT * 4, known)
    assert finding is not None
    assert finding.misconception == "doubled"
    assert "if you doubled" in str(finding.message)
    assert "Think again." in str(finding.message)


def test_a_mistake_that_another_case_contradicts_is_not_named() -> None:
    def trial(name: str) -> Trial:
        return Trial(name, {}, Call({}), Answer(RIGHT), {"forgot": Answer(RIGHT * 0)})

    third = Trial("third", {}, Call({}), Answer(RIGHT), {})
    three = Exam("f", ("scores",), (trial("first"), trial("second"), third), {"forgot": ""})
    for second, also, name in (
        (RIGHT, RIGHT, None),  # there the mistake would show
        (RIGHT * 7, RIGHT, None),  # and there it would give something else
        (RIGHT * 0, RIGHT, "forgot"),
        (RIGHT * 0, RIGHT * 7, "forgot"),  # and another mistake, where this one does not show
    ):
        finding = examine(three, [Answer(RIGHT * 0), Answer(second), Answer(also)], Check.OUTPUTS)
        assert finding is not None
        assert finding.misconception == name


def test_of_two_mistakes_with_the_same_answers_the_code_decides() -> None:
    def known(source: str) -> str | None:
        exam = Exam("f", ("scores",), (trial,), dict.fromkeys(trial.wrong, ""), shown_by=conditions)
        finding = examine(exam, [Answer(RIGHT * 2)], Check.OUTPUTS, source)
        assert finding is not None
        return finding.misconception

    wrong = Answer(RIGHT * 2)
    trial = Trial("a case", {}, Call({}), Answer(RIGHT), {"by hand": wrong, "anew": wrong})
    conditions = {"by hand": ["exp", "no softmax"], "anew": ["f: Dropout()", "no g: Dropout()"]}
    assert known("def f(x):\n    return x.exp() / 2") == "by hand"
    assert known("def h(x):\n    return x.exp()\n\ndef f(x):\n    return h(x)") == "by hand"
    assert known("def f(x):\n    return nn.Dropout(0.5)(x.softmax(-1))") == "anew"
    assert known("def f(x):\n    return x.softmax(-1)\n\nprint(f(x), x.exp())") is None  # beside the exercise
    assert known("f = lambda x: x.exp()") == "by hand"
    for unreadable in ("", "def f(x: return", "def g(x):\n    return x.exp()"):
        assert known(unreadable) is None


def test_an_unknown_mistake_is_not_given_a_name() -> None:
    finding = outputs(RIGHT * 3, exam(forgot=RIGHT * 2))
    assert finding is not None
    assert finding.misconception is None


def test_a_known_error_is_named_by_its_exception() -> None:
    failure = Answer(failure=Failure("RuntimeError", "sizes"))
    finding = outputs(failure, exam(forgot=failure))
    assert finding is not None
    assert finding.misconception == "forgot"


def test_an_error_that_several_mistakes_end_in_names_none_unless_all_cases_fit() -> None:
    failure = Answer(failure=Failure("RuntimeError", "sizes"))

    def trial(name: str, forgot: Answer) -> Trial:
        return Trial(name, {}, Call({}), Answer(RIGHT), {"forgot": forgot})

    two = Exam("f", ("scores",), (trial("first", failure), trial("second", Answer(RIGHT * 0))), {"forgot": ""})
    for second, name in ((RIGHT * 0, "forgot"), (RIGHT * 7, None)):
        finding = examine(two, [failure, Answer(second)], Check.OUTPUTS)
        assert finding is not None
        assert finding.misconception == name


def test_where_an_error_is_right_its_message_is_the_authors_own() -> None:
    refused = Answer(failure=Failure("ValueError", "7 does not divide 512"))
    first = Trial("numbers that fit", {}, Call({}), Answer(RIGHT), {"forgot": Answer(RIGHT + 1)})
    second = Trial("numbers that do not", {}, Call({}), refused, {})
    both = Exam("f", ("scores",), (first, second), {"forgot": "Think again."})
    in_other_words = Answer(failure=Failure("ValueError", "no"))

    assert examine(both, [Answer(RIGHT), in_other_words], Check.OUTPUTS) is None
    finding = examine(both, [Answer(RIGHT + 1), in_other_words], Check.OUTPUTS)
    assert finding is not None
    assert finding.misconception == "forgot"
    another = examine(both, [Answer(RIGHT), Answer(failure=Failure("KeyError", "no"))], Check.OUTPUTS)
    assert another is not None


def test_a_mistake_that_explains_every_case_wins_over_one_that_explains_the_first() -> None:
    def trial(name: str, **wrong: torch.Tensor) -> Trial:
        answers = {key: Answer(value) for key, value in wrong.items()}
        return Trial(name, {}, Call({}), Answer(RIGHT), answers)

    first, second = trial("first", a=RIGHT + 1, b=RIGHT + 1), trial("second", a=RIGHT + 5, b=RIGHT + 2)
    both = Exam("f", ("scores",), (first, second), {"a": "", "b": ""})
    finding = examine(both, [Answer(RIGHT + 1), Answer(RIGHT + 2)], Check.OUTPUTS)
    assert finding is not None
    assert finding.misconception == "b"


def test_of_two_mistakes_one_may_hide_the_other_in_some_cases() -> None:
    drawn = [torch.arange(6.0) * place + 1 for place in range(1, 4)]
    trials = tuple(Trial(f"case {place}", {"n": 6}, Call({}), Answer(right), {}) for place, right in enumerate(drawn))
    doubled = [
        replace(trial, wrong={"doubled it": Answer(2 * right)}) for trial, right in zip(trials, drawn, strict=True)
    ]
    last = replace(doubled[2], wrong={**doubled[2].wrong, "left it empty": Answer(0 * drawn[2])})
    of = Exam("f", ("scores",), (*doubled[:2], last), dict.fromkeys(("doubled it", "left it empty"), "Think again."))
    both = [Answer(2 * drawn[0]), Answer(2 * drawn[1]), Answer(0 * drawn[2])]
    assert (finding := examine(of, both, Check.OUTPUTS)) is not None
    assert finding.misconception == "doubled it, and also left it empty"
    for contradicted in ([both[0], Answer(3 * drawn[1]), both[2]], [*both[:2], Answer(3 * drawn[2])]):
        assert (finding := examine(of, contradicted, Check.OUTPUTS)) is not None
        assert finding.misconception is None


def test_missing_and_misshapen_parameters_are_named() -> None:
    right = Answer(RIGHT, parameters={"w_q.weight": (3, 4), "w_q.bias": (3,)})
    trial = Trial("a layer", {"rows": 3, "columns": 4}, Call({}, init={}), right, {})
    layer = Exam("Layer", ("output",), (trial,), {})
    for parameters, words in [
        ({"w_q.weight": (3, 4)}, "no parameter w_q.bias"),
        ({"w_q.weight": (4, 3), "w_q.bias": (3,)}, "(columns, rows)"),
        ({"w_q.weight": (3, 4), "w_q.bias": (3,), "extra": (1,)}, "should not have: extra"),
    ]:
        finding = examine(layer, [Answer(parameters=parameters)], Check.SHAPES)
        assert finding is not None
        assert words in str(finding.message)


def test_of_many_parameters_those_are_listed_that_may_be_in_the_place_of_a_missing_one() -> None:
    many = {f"blocks.{block}.{name}": (3,) for block in range(4) for name in ("a", "b", "c")}
    trial = Trial("a model", {}, Call({}, init={}), Answer(RIGHT, parameters=many), {})
    model = Exam("Model", ("output",), (trial,), {})
    without = {name: shape for name, shape in many.items() if name != "blocks.1.b"}
    for parameters, words in [
        (without, "Got       blocks.1.a, blocks.1.c"),
        (without | {"blocks.1.B": (3,)}, "Got       blocks.1.B"),
        (many | {"more": (1,)}, "blocks.1.b, … (12 in all)"),
    ]:
        finding = examine(model, [Answer(parameters=parameters)], Check.SHAPES)
        assert finding is not None
        assert str(finding.message).endswith(words)


def test_half_precision_is_compared_as_half_precision() -> None:
    right = RIGHT.bfloat16()
    of = exam(right)
    assert first_divergence(of, of.trials[0], Answer(right * 1.005), Check.OUTPUTS) is None
    assert first_divergence(of, of.trials[0], Answer(right * 1.1), Check.OUTPUTS) is not None


def test_what_is_forbidden_is_refused_where_only_a_working_foundation_leads_to_it() -> None:
    base, of = replace(exam(), exercise="base", stand_in="def base(): ..."), replace(exam(), builds_on=("base",))

    def ask(asked: Exam, stand_ins: Mapping[str, str]) -> list[Answer]:
        kind, message = (FORBIDDEN, "softmax") if stand_ins else ("TypeError", "base gave None")
        return [Answer(failure=Failure(kind, message))]

    finding, carried = decide({"base": base, "f": of}, of, Check.OUTPUTS, "", ask, failing=lambda other: True)
    assert finding is not None
    assert (finding.stage, carried) == ("forbidden", ())
    assert "softmax" in str(finding.message)


def test_foundations_are_found_through_others_and_in_order() -> None:
    def named(name: str, *builds_on: str) -> Exam:
        return Exam(name, (), (), {}, builds_on=builds_on)

    exams = {e.exercise: e for e in (named("a"), named("b", "a"), named("x"), named("c", "b"))}
    assert foundations(exams, "c") == ["a", "b"]
    assert foundations(exams, "a") == []


def followed(*by_output: dict[str, torch.Tensor] | None) -> Answer:
    return Answer(RIGHT, parameters={}, gradients=Gradients(by_output))


GRADIENT = {"w": torch.tensor([1.0, -2.0]), "x": torch.zeros(3)}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (followed(None), "No gradient flows back from output"),
        (followed({}), "No gradient gets back from output to w"),
        (followed({"w": torch.zeros(2)}), "No gradient gets back from output to w"),
        (followed({"w": torch.tensor([1.0, float("nan")])}), "gradient of w is not finite"),
        (followed({"w": torch.tensor([1.0, -1.0])}), "w[1] = -2"),
        (followed({"w": torch.tensor([1.0])}), "wrong shape"),
        (followed({**GRADIENT, "x": torch.ones(3)}), "gradient of x"),
        (followed({**GRADIENT, "other": torch.ones(3)}), "gradient of other"),
        (followed(), "No gradient flows back"),
        (Answer(RIGHT, parameters={}), "No gradients came back"),
        (replace(followed(), gradients=Gradients(failure=Failure("RuntimeError", "in place"))), "in place"),
    ],
)
def test_a_result_with_another_gradient_passes_shapes_and_fails_outputs(given: Answer, told: str) -> None:
    trial = Trial("a layer", {}, Call({}, init={}, cotangent=1.5), followed(GRADIENT), {})
    layer = Exam("Layer", ("output",), (trial,), {})
    assert shapes(given, layer) is None
    finding = outputs(given, layer)
    assert finding is not None
    assert finding.stage == "gradient"
    assert told in str(finding.message)
    for right in (followed(GRADIENT), followed({"w": GRADIENT["w"]}), followed({**GRADIENT, "other": torch.zeros(4)})):
        assert outputs(right, layer) is None


def test_a_gradient_that_is_nothing_but_rounding_may_be_missing() -> None:
    """As that of the queries, where each of them has a single key to attend to."""
    rounding = Gradients(({"q": torch.full((3,), 5e-6), "v": torch.ones(3)},))
    trial = replace(exam().trials[0], right=Answer(RIGHT, gradients=rounding))
    of = replace(exam(), trials=(trial,))
    for gradients in ({"q": torch.zeros(3), "v": torch.ones(3)}, {"v": torch.ones(3)}):
        assert examine(of, [Answer(RIGHT, gradients=Gradients((gradients,)))], Check.OUTPUTS) is None
    assert examine(of, [Answer(RIGHT, gradients=Gradients(({"q": torch.zeros(3)},)))], Check.OUTPUTS) is not None


def test_one_of_two_outputs_may_be_cut_off_if_the_other_teaches_as_much() -> None:
    right = Answer((RIGHT, RIGHT), gradients=Gradients((GRADIENT, {"w": torch.ones(2)})))
    trial = Trial("two", {}, Call({}, cotangent=1.5), right, {})
    two = Exam("two", ("output", "weights"), (trial,), {})
    assert outputs(replace(right, gradients=Gradients((GRADIENT, None))), two) is None
    other = {"v": torch.ones(1), **GRADIENT}
    right = replace(right, gradients=Gradients((other, {"w": torch.ones(2)})))
    two = replace(two, trials=(replace(trial, right=right),))
    finding = outputs(replace(right, gradients=Gradients((None, {"w": torch.ones(2)}))), two)
    assert finding is not None
    assert "to v" in str(finding.message)


values = st.recursive(
    st.sampled_from([None, True, 3, 3.0, float("nan"), float("inf"), 10**400, "x", Opaque("generator"), torch.bool])
    | st.builds(
        lambda shape, dtype, device: torch.ones(shape, dtype=dtype, device=device),
        st.sampled_from([(), (0,), (3,), (3, 4)]),
        st.sampled_from([torch.float32, torch.bfloat16, torch.bool, torch.int64]),
        st.sampled_from(["cpu", "meta"]),
    ),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(st.integers(0, 2), inner, max_size=2)
    ),
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=400)
@given(right=values, given_value=values)
@example(right=(torch.ones(0), torch.ones((), device="meta")), given_value=[torch.ones(()), torch.ones(0)])
def test_any_two_values_can_be_compared_and_equal_ones_agree(right: object, given_value: object) -> None:
    for check in Check:
        examine(exam(right), [Answer(given_value)], check)
        assert examine(exam(right), [Answer(right)], check) is None


def test_a_float_does_not_replace_a_whole_number_but_the_reverse_is_allowed() -> None:
    assert shapes(4.0, exam(4)) is not None
    assert shapes(True, exam(1)) is not None
    assert outputs(4, exam(4.0)) is None


def test_what_is_inside_a_dict_is_compared_too() -> None:
    assert shapes({1: torch.tensor(0.5)}, exam({1: 0.5})) is not None
    finding = outputs({1: 0.5, 2: 0.7}, exam({1: 0.5, 2: 0.6}))
    assert finding is not None
    assert "[2]" in str(finding.message)
