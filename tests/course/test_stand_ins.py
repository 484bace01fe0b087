"""A stand-in has the reference's costs and gradients, so measurements and training with it are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from autograder.course.chapter import Chapter
from autograder.course.draw import Draw
from autograder.course.exams import VISIBLE_SEED, set_exams
from autograder.course.stand_ins import self_contained
from manyheads import earlier
from manyheads.calling.call import Call
from manyheads.measuring import memory
from tests.support.real_course import chapters, chapters_of_every_run

LARGER = 4  # times: with such sizes (12 … 44) one tensor too many shows
CPU = torch.device("cpu")


class Larger(Draw):
    """Draws the sizes of a case several times as large."""

    def sizes(self, names: str, low: int = 3, high: int = 11) -> list[int]:
        return [LARGER * size for size in super().sizes(names, low, high)]


def lent(chapter: Chapter, name: str) -> Any:
    with earlier.given({**chapter.earlier, **chapter.stand_ins}):
        return getattr(earlier, name)


def calls(chapter: Chapter, name: str, draw: type[Draw] = Draw) -> Iterator[Call]:
    for case in chapter.exercises[name].cases:
        try:
            yield case.draw(draw("stand-ins", case.name))
        except RuntimeError:  # a size that is what others leave of a number: there is no larger case of this kind
            yield case.draw(Draw("stand-ins", case.name))


def prepared(target: Any, call: Call, probe: Callable[..., object] | None) -> tuple[Callable[[], object], list[Tensor]]:
    """Return a function that makes the call, and the tensors that get gradients: parameters and inputs."""
    inputs = [copy(value) for value in call.inputs.values()]
    wanted = [value for value in inputs if isinstance(value, Tensor) and value.requires_grad]
    if call.init is not None:
        assert isinstance(target, type)
        torch.manual_seed(0)
        layer = target(*call.init.values())
        layer.load_state_dict(dict(call.state or {}), strict=False)
        target = layer.train(call.training)
        wanted += layer.parameters()
    elif isinstance(target, type):  # its probe makes one
        assert probe is not None
    function = (lambda *given: probe(target, *given)) if probe else target

    def step() -> object:
        torch.manual_seed(0)  # dropout
        return function(*inputs)

    return step, wanted


def copy(value: object) -> object:
    if isinstance(value, Tensor) and value.is_floating_point() and not value.is_meta:
        return value.clone().requires_grad_()
    return value


def outcome(step: Callable[[], object]) -> object:
    """Return a call's result, or its type of error: some cases ask for one."""
    try:
        return step()
    except (ValueError, RuntimeError, KeyError) as error:
        return type(error)


def tensors_in(value: object) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (tuple, list)):
        return [tensor for item in value for tensor in tensors_in(item)]
    return list(value.parameters()) if isinstance(value, nn.Module) else []


def gradients(step: Callable[[], object], wanted: list[Tensor]) -> list[Tensor | None]:
    outputs = [
        tensor
        for tensor in tensors_in(outcome(step))
        if tensor.requires_grad and not tensor.is_leaf and not tensor.is_meta
    ]
    if not outputs or not wanted:
        return []
    torch.manual_seed(1)
    total = torch.stack([(output.double() * torch.randn(output.shape)).sum() for output in outputs]).sum()
    try:
        return list(torch.autograd.grad(total, wanted, allow_unused=True))
    except RuntimeError as error:
        if "modified by an inplace operation" in str(error):  # a probe that goes on to change parameters
            return []
        raise


@pytest.mark.slow
@chapters_of_every_run("01_single_head", "05_gpu")
def test_a_stand_in_takes_the_references_flops_and_memory(chapter: Chapter) -> None:
    reference = chapter.namespace()
    for name in chapter.stand_ins:
        probe = chapter.exercises[name].probe
        for call in calls(chapter, name, Larger):
            counted = []
            for target in (reference[name], lent(chapter, name)):
                step, _ = prepared(target, call, probe)
                with FlopCounterMode(display=False) as counter:
                    outcome(step)
                counted.append((counter.get_total_flops(), memory.peak_bytes(lambda step=step: outcome(step), CPU)))
            (flops, peak), (flops_lent, peak_lent) = counted
            assert flops_lent == flops, name
            assert peak is not None
            assert peak_lent is not None
            assert abs(peak_lent - peak) <= 0.1 * peak, f"{name}: {peak} and {peak_lent} bytes"


@pytest.mark.slow
@chapters
def test_a_stand_in_has_the_references_gradients_finite_ones_under_any_mask(chapter: Chapter) -> None:
    reference = chapter.namespace()
    for name in chapter.stand_ins:
        probe = chapter.exercises[name].probe
        for call in calls(chapter, name):
            wanted = gradients(*prepared(reference[name], call, probe))
            found = gradients(*prepared(lent(chapter, name), call, probe))
            for one, right in zip(found, wanted, strict=True):
                assert (one is None) == (right is None), name
                if one is not None and right is not None:
                    assert "mask" not in call.inputs or one.isfinite().all(), name
                    torch.testing.assert_close(one, right, equal_nan=True, msg=name)


def test_the_test_of_costs_counts_what_a_product_by_broadcasting_takes(chapter_1: Chapter) -> None:
    """The same numbers with d_head times the memory, as a stand-in once needed."""

    def wasteful(q: Tensor, k: Tensor) -> Tensor:
        return (q.unsqueeze(-2) * k.unsqueeze(-3)).sum(-1) / q.shape[-1] ** 0.5

    [call, *_] = calls(chapter_1, "attention_scores", Larger)
    peaks = [
        memory.peak_bytes(prepared(target, call, None)[0], CPU)
        for target in (wasteful, lent(chapter_1, "attention_scores"))
    ]
    assert peaks[0] is not None
    assert peaks[1] is not None
    assert peaks[0] > 5 * peaks[1]


@pytest.fixture
def chapter_1() -> Chapter:
    from tests.support.real_course import CHAPTERS

    return CHAPTERS[0]


def test_gradients_were_compared_where_a_row_is_blocked_wholly(chapter_1: Chapter) -> None:
    exam = set_exams(chapter_1, VISIBLE_SEED)["attention"]
    masks = [trial.call.inputs.get("mask") for trial in exam.trials]
    assert any(isinstance(mask, Tensor) and not mask.any(dim=-1).all() for mask in masks)


# How one is made


IMPORTS = "import math\nimport torch.nn.functional as F\nfrom torch import Tensor, nn\nfrom manyheads import check\n"


def test_a_stand_in_holds_what_it_needs_and_nothing_else() -> None:
    cells = {
        "imports": IMPORTS,
        "one": "def one(x):\n    return x",
        "two": "FACTOR = 2\n\n\ndef two(x: Tensor):\n    return FACTOR * one(x)",
        "three": "class three(nn.Module):\n    def forward(self, x):\n        return F.relu(x)",
    }
    assert self_contained("two", cells) == (
        "from torch import Tensor\ndef one(x):\n    return x\nFACTOR = 2\n"
        "def two(x: Tensor):\n    return FACTOR * one(x)\n"
    )
    assert self_contained("three", cells) == (
        "import torch.nn.functional as F\nfrom torch import nn\n" + cells["three"] + "\n"
    )
