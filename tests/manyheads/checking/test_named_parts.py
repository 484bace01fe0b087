"""Where parameters are copied, the one that is wrong is named, and what it holds instead."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from manyheads.calling import probe
from manyheads.calling.call import Answer, Call
from manyheads.checking.comparison import first_divergence
from manyheads.checking.exam import Check, Exam, Trial
from manyheads.checking.exam_files import all_exams
from manyheads.checking.relations import explain
from tests.support.real_course import CHAPTERS

[CHAPTER] = [chapter for chapter in CHAPTERS if "fuse_heads" in chapter.exercises]


def explained(exercise: str, replaced: str, by: str) -> tuple[str, ...]:
    """Return the message for the reference solution with one edit."""
    exam = all_exams()[exercise]
    assert CHAPTER.reference[exercise].count(replaced) == 1
    target = CHAPTER.namespace({exercise: CHAPTER.reference[exercise].replace(replaced, by)})[exercise]
    answers = [probe.run(target, trial.call, exam.probe, exam.forbids) for trial in exam.trials]
    wrong = [
        trial
        for trial, answer in zip(exam.trials, answers, strict=True)
        if first_divergence(exam, trial, answer, Check.OUTPUTS) is not None
    ]
    assert wrong
    return explain(exam, answers, wrong[0])


@pytest.mark.parametrize(
    ("exercise", "replaced", "by", "told"),
    [
        (
            "fuse_heads",
            "fused.w_o.bias.copy_(parallel.w_o.bias)",
            "pass",
            "w_o.bias holds one number everywhere, as if nothing had been copied into it.",
        ),
        (
            "fuse_heads",
            "fused.w_o.weight.copy_(parallel.w_o.weight)",
            "fused.w_o.weight.copy_(parallel.w_o.weight.T)",
            "w_o.weight holds its own numbers, transposed.",
        ),
        (
            "from_torch",
            "(mine.w_q, mine.w_k, mine.w_v)",
            "(mine.w_q, mine.w_v, mine.w_k)",
            "w_k.weight and w_v.weight have changed places.",
        ),
        (
            "from_torch",
            "mine.w_o.weight.copy_(layer.out_proj.weight)",
            "mine.w_o.weight.zero_()",
            "w_o.weight holds only zeros.",
        ),
    ],
)
def test_the_wrong_parameter_is_named_with_what_it_holds(exercise: str, replaced: str, by: str, told: str) -> None:
    assert explained(exercise, replaced, by) == (told,)


def test_other_parameters_with_the_same_outputs_are_right() -> None:
    """Twice the queries and half the keys, and whatever bias the keys have, give the same scores."""
    exam = all_exams()["fuse_heads"]
    source = CHAPTER.reference["fuse_heads"].replace(
        "return fused",
        "with torch.no_grad():\n"
        "        for part in (fused.w_q.weight, fused.w_q.bias):\n"
        "            part.mul_(2)\n"
        "        for part in (fused.w_k.weight, fused.w_k.bias):\n"
        "            part.div_(2)\n"
        "        fused.w_k.bias.add_(1)\n"
        "    return fused",
    )
    target = CHAPTER.namespace({"fuse_heads": source})["fuse_heads"]
    for trial in exam.trials:
        given = probe.run(target, trial.call, exam.probe, exam.forbids)
        assert first_divergence(exam, trial, given, Check.OUTPUTS) is None


def told_of(*cases: tuple[dict[str, Tensor], dict[str, Tensor]]) -> str:
    trials = tuple(Trial(f"case {n}", {}, Call({}), Answer(right), {}) for n, (right, _) in enumerate(cases))
    exam = Exam("made_up", ("layer",), trials, {})
    return " ".join(explain(exam, [Answer(given) for _, given in cases], trials[0]))


def test_others_are_called_right_only_where_they_are_in_every_case() -> None:
    a, b, c, noise = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
    right = {"a": a, "b": b, "c": c}
    spoilt = {**right, "b": noise}
    assert told_of((right, spoilt), (right, spoilt)) == "Of 3 tensors, b is wrong, and the others are right."
    assert "others are right" not in told_of((right, spoilt), (right, {**spoilt, "a": noise + 1}))
    assert "others are right" not in told_of(({"b": b}, {"b": noise}), (right, spoilt))
    assert "tensors" not in told_of(({}, {}), ({"b": b}, {"b": noise}))
