"""The judge decides only by the answers of the learner's code to secret questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch

from autograder.course import exams as examiner
from autograder.course.chapter import Chapter, GradedCell
from autograder.judge.judge import Judge
from autograder.judge.verdict import Verdict
from manyheads.calling import probe
from manyheads.calling.call import Answer, missing
from manyheads.checking.exam import Check, Exam
from manyheads.checking.stage import Stage
from tests.support.judging import asking, judge_all


def points(verdicts: Mapping[str, Verdict]) -> dict[str, float]:
    return {name: verdict.earned for name, verdict in verdicts.items()}


ALL = {
    "scale_rows.shapes": 1,
    "scale_rows.outputs": 2,
    "row_sums.shapes": 1,
    "row_sums.outputs": 2,
    "RowLayer.shapes": 1,
    "RowLayer.outputs": 2,
}


def test_the_reference_earns_every_point(toy: Chapter) -> None:
    verdicts = judge_all(toy)
    assert points(verdicts) == ALL
    assert all(verdict.stage == Stage.PASSED and not verdict.carried for verdict in verdicts.values())


def test_a_mistake_loses_its_check_and_carries_no_further(toy: Chapter) -> None:
    verdicts = judge_all(toy, scale_rows="def scale_rows(x, factors): return x + factors[:, None]")
    assert points(verdicts) == {**ALL, "scale_rows.outputs": 0}
    assert verdicts["scale_rows.outputs"].misconception == "added the factors"
    assert verdicts["row_sums.outputs"].carried == ("scale_rows",)
    assert verdicts["RowLayer.outputs"].carried == ("scale_rows", "row_sums")
    assert "a slip costs once" in verdicts["row_sums.outputs"].message


def test_a_slip_costs_once_even_if_the_check_cells_were_moved(toy: Chapter) -> None:
    judge = Judge(toy, "secret")
    namespace = toy.namespace({"scale_rows": "def scale_rows(x, factors): return x + factors[:, None]"})
    for cell in reversed(toy.graded_cells):
        judge.verdict_for(cell, asking(namespace), "")
    assert sum(verdict.earned for verdict in judge.verdicts) == 7


def test_two_mistakes_cost_twice_and_are_both_named(toy: Chapter) -> None:
    verdicts = judge_all(
        toy,
        scale_rows="def scale_rows(x, factors): return x + factors[:, None]",
        row_sums="def row_sums(x, factors):\n    y = scale_rows(x, factors)\n    return y, y.mean(dim=1)",
    )
    assert points(verdicts) == {**ALL, "scale_rows.outputs": 0, "row_sums.outputs": 0}
    assert verdicts["row_sums.outputs"].misconception == "took the mean"


def test_unwritten_exercises_earn_nothing_and_do_not_stop_the_rest(toy: Chapter) -> None:
    verdicts = judge_all(toy, scale_rows="def scale_rows(x, factors): raise NotImplementedError")
    assert points(verdicts) == {**ALL, "scale_rows.shapes": 0, "scale_rows.outputs": 0}
    assert verdicts["scale_rows.shapes"].stage == "unsolved"


def test_a_forbidden_call_earns_nothing(toy: Chapter) -> None:
    source = "def scale_rows(x, factors): return torch.diag(factors) @ x"
    verdicts = judge_all(toy, scale_rows=source)
    assert points(verdicts)["scale_rows.outputs"] == 0
    assert verdicts["scale_rows.outputs"].stage == "forbidden"


def test_answers_to_the_visible_cases_earn_nothing(toy: Chapter) -> None:
    from autograder.course.exams import VISIBLE_SEED, set_exams

    visible = set_exams(toy, VISIBLE_SEED)["scale_rows"].trials

    def hard_coded(x: torch.Tensor, factors: torch.Tensor) -> object:
        for trial in visible:
            known = trial.call.inputs["x"]
            if isinstance(known, torch.Tensor) and x.shape == known.shape and torch.equal(x, known):
                return trial.right.value
        return torch.zeros_like(x)

    cell = next(cell for cell in toy.graded_cells if cell.marker == "scale_rows.outputs")
    # The numbers that it knows have no gradient.
    stages = [
        Judge(toy, seed).verdict_for(cell, asking({"scale_rows": hard_coded}), "").stage for seed in (VISIBLE_SEED, "s")
    ]
    assert stages == ["gradient", "values"]


@pytest.mark.parametrize(
    "numbers",
    [
        "torch.randn(x.shape)",
        "torch.tensor([[random.random() for _ in row] for row in x])",
        "torch.empty(x.shape)",
        "torch.arange(float(x.numel())).view(x.shape)",
    ],
)
def test_numbers_that_come_of_nothing_that_was_asked_earn_no_points_for_their_shape(toy: Chapter, numbers: str) -> None:
    verdicts = judge_all(toy, scale_rows=f"import random\n\ndef scale_rows(x, factors): return {numbers}")
    assert points(verdicts) == {**ALL, "scale_rows.shapes": 0, "scale_rows.outputs": 0}
    assert "nothing is computed yet" in verdicts["scale_rows.shapes"].message


@pytest.mark.parametrize(
    "body",
    [
        "return torch.rand(x.shape) + x",
        "y = torch.empty(x.shape)\n    y[0] = x[0]\n    return y",
        "return x.mean() * torch.arange(float(x.numel())).view(x.shape)",
        "return x if random.random() > 2 else -x",
    ],
)
def test_a_wrong_answer_with_something_of_the_question_keeps_the_points_for_its_shape(toy: Chapter, body: str) -> None:
    verdicts = judge_all(toy, scale_rows=f"import random\n\ndef scale_rows(x, factors):\n    {body}")
    assert points(verdicts) == {**ALL, "scale_rows.outputs": 0}


@pytest.mark.parametrize("value", [torch.full((3, 3), float("nan")), None, "ok", 1.0, [1, 2]])
def test_answers_of_nonsense_earn_nothing(toy: Chapter, value: object) -> None:
    cell = GradedCell("scale_rows", Check.OUTPUTS, 2)
    judge = Judge(toy, "secret")
    verdict = judge.verdict_for(cell, lambda exam, stand_ins: [Answer(value)] * len(exam.trials), "")
    assert verdict.earned == 0


def test_the_same_seed_asks_the_same_questions(toy: Chapter) -> None:
    one, other = Judge(toy, "a").exams["scale_rows"], Judge(toy, "b").exams["scale_rows"]
    examiner._exams.cache_clear()  # the same questions, and not the same tensors kept
    again = Judge(toy, "a").exams["scale_rows"]
    assert again is not one
    x, y, z = (exam.trials[0].call.inputs["x"] for exam in (one, again, other))
    assert isinstance(x, torch.Tensor)
    assert isinstance(y, torch.Tensor)
    assert isinstance(z, torch.Tensor)
    assert torch.equal(x, y)
    assert x.shape != z.shape or not torch.equal(x, z)


def test_a_verdict_comes_back_from_json_as_it_was(toy: Chapter) -> None:
    for verdict in judge_all(toy, scale_rows="def scale_rows(x, factors): return x").values():
        assert Verdict.from_json(verdict.to_json()) == verdict


def test_a_stand_in_cannot_be_submitted(toy: Chapter) -> None:
    keeps = (
        "def row_sums(x, factors):\n    if scale_rows.__module__ == 'manyheads.stand_in':\n"
        "        globals()['kept'] = scale_rows\n    return 0"
    )
    delegates = "def scale_rows(x, factors):\n    return globals().get('kept', lambda x, f: x * 2)(x, factors)"
    judge = Judge(toy, "secret")
    namespace = toy.namespace({"scale_rows": delegates, "row_sums": keeps})
    for cell in reversed(toy.graded_cells):  # what builds on it is judged first
        judge.verdict_for(cell, asking(namespace), "")
    earned = {verdict.grade_id: verdict.earned for verdict in judge.verdicts}
    assert "kept" in namespace
    assert earned["scale_rows-outputs"] == 0
    assert earned["scale_rows-shapes"] == 1


@pytest.mark.parametrize(
    ("scale_rows", "lent"),
    [(None, set()), ("def scale_rows(x, factors): return x + factors[:, None]", {"scale_rows", "row_sums"})],
    ids=["not written yet", "wrong"],
)
def test_what_holds_an_unwritten_foundation_is_not_lent(toy: Chapter, scale_rows: str | None, lent: set[str]) -> None:
    namespace = toy.namespace({"row_sums": "def row_sums(x, factors): return x * 2, x.sum(1)"})
    del namespace["scale_rows"]
    if scale_rows is not None:
        exec(scale_rows, namespace)
    seen: set[str] = set()

    def ask(exam: Exam, stand_ins: Mapping[str, str]) -> Sequence[Answer]:
        seen.update(stand_ins)
        with probe.standing_in(namespace, stand_ins):
            if exam.exercise not in namespace:
                return [Answer(failure=missing(exam.exercise))] * len(exam.trials)
            return [probe.run(namespace[exam.exercise], trial.call, exam.probe) for trial in exam.trials]

    judge = Judge(toy, "secret")
    for cell in toy.graded_cells:
        if cell.exercise == "RowLayer":  # the others stand below it
            judge.verdict_for(cell, ask, "")
    assert seen == lent
