"""Where parameters are copied, the one that is wrong is named, and what it holds instead."""

from __future__ import annotations

import pytest

from manyheads.calling import probe
from manyheads.checking.comparison import first_divergence
from manyheads.checking.exam import Check
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
