"""Milestones as learners have them: they recognise a tensor, take no other for it, and give nothing of it away."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from autograder.course.chapter import REPOSITORY_ROOT, Chapter
from autograder.course.exams import exam_with_milestones, set_exams
from autograder.course.milestones import with_milestones
from autograder.judge.interview import questions
from manyheads.calling import probe, wire
from manyheads.calling.steps import Recording
from manyheads.checking import exam_files, milestones
from manyheads.checking.exam_files import all_exams
from manyheads.checking.milestones import RESIZED, SAME, SHUFFLED, TURNED, Candidate, Milestone, fingerprint, match
from tests.support.real_course import CHAPTERS, chapters

pytestmark = pytest.mark.slow  # exams of all chapters, and their mutants

_SMALL = 450_000  # bytes a chapter; in a wheel less than half of that
ROUNDS = 26


def sealed_ones() -> Iterator[tuple[Milestone, Tensor]]:
    """Every milestone in the learners' files without its numbers, and these."""
    for chapter in CHAPTERS:
        reference = chapter.namespace()
        for name, exercise in chapter.exercises.items():
            exam = all_exams()[name]
            whole = with_milestones(exam, exercise, reference[name], reference)
            for trial, other in zip(exam.trials, whole.trials, strict=True):
                numbers = {milestone.key: milestone.numbers for milestone in other.milestones}
                yield from ((one, numbers[one.key]) for one in trial.milestones if one.sealed)


@pytest.fixture(scope="module", params=[3, pytest.param(1, marks=pytest.mark.thorough)], ids=["each third", "all"])
def pairs(request: pytest.FixtureRequest) -> list[tuple[Milestone, Tensor]]:
    found = list(sealed_ones())
    assert len(found) > 100
    return found[:: request.param]


def how(milestone: Milestone, value: Tensor) -> str | None:
    found = match(milestone, Candidate(value), rtol=1e-4, atol=1e-5)
    return None if found is None else found.how


def test_a_milestone_is_recognised_however_its_dimensions_lie(pairs: list[tuple[Milestone, Tensor]]) -> None:
    for milestone, numbers in pairs:
        assert how(milestone, numbers) == SAME
        noisy = numbers.double() * (1 + 1e-7 * torch.randn(numbers.shape, dtype=torch.float64))
        assert how(milestone, noisy) == SAME
        assert how(milestone, numbers[None]) == RESIZED
        order = [*range(1, numbers.dim()), 0]
        turned = numbers.permute(order)
        assert turned.shape == numbers.shape or how(milestone, turned) in (TURNED, RESIZED), milestone.words


def test_an_output_is_called_as_its_author_says_or_is_no_milestone() -> None:
    exams = all_exams()
    assert {one.words for trial in exams["rotate"].trials for one in trial.milestones if one.output == 0} == {
        "the turned features"
    }
    assert not any(trial.milestones for trial in exams["run_sharded"].trials)  # each process has a sum of its own


def test_no_other_tensor_is_taken_for_a_milestone(pairs: list[tuple[Milestone, Tensor]]) -> None:
    """Random numbers of the same scale, the same numbers shuffled, and one entry that is wrong."""
    torch.manual_seed(0)
    tried = 0
    for milestone, numbers in pairs:
        right = numbers.double()
        finite = right[right.isfinite()]
        scale = finite.square().mean().sqrt()
        for _ in range(ROUNDS):
            noise = torch.randn(right.shape, dtype=torch.float64)
            assert how(milestone, noise * scale / noise.square().mean().sqrt()) is None, milestone.words
            shuffled = right.flatten()[torch.randperm(right.numel())].reshape(right.shape)
            assert how(milestone, shuffled) in (SHUFFLED, None) or torch.equal(shuffled, right), milestone.words
            one_wrong = right.clone()
            one_wrong.view(-1)[torch.randint(right.numel(), ())] += scale / 10
            assert how(milestone, one_wrong) is None or not one_wrong.isfinite().all(), milestone.words
            tried += 3
    assert tried > 5_000


def test_a_fingerprint_has_fewer_numbers_than_what_it_stands_for(pairs: list[tuple[Milestone, Tensor]]) -> None:
    for milestone, numbers in pairs:
        assert milestone.numbers.shape == (milestones.NUMBERS,)
        assert numbers[numbers.isfinite()].unique().numel() >= milestones.ENTRIES == 4 * milestones.NUMBERS
    assert fingerprint(torch.randn(milestones.ENTRIES - 1)) is None
    assert fingerprint(torch.randn(5, 7).round()) is None


def test_milestones_add_nothing_but_fingerprints_to_learners_files() -> None:
    """Each tensor that a file has more with milestones than without is a fingerprint, or an answer that it has too."""
    added = 0
    for exam in all_exams().values():
        without = replace(exam, trials=tuple(replace(trial, milestones=()) for trial in exam.trials))
        tensors, before = (list(exam_files.pack([one])[1].values()) for one in (exam, without))
        known = {(tuple(tensor.shape), tensor.numpy().tobytes()) for tensor in before if tensor.dtype != torch.bfloat16}
        for tensor in tensors:
            if tensor.dtype != torch.bfloat16 and (tuple(tensor.shape), tensor.numpy().tobytes()) not in known:
                assert tensor.shape == (milestones.NUMBERS,)
                added += 1
    assert added > 100


def test_other_tensors_have_the_same_fingerprint() -> None:
    """The search for a tensor with a given fingerprint ends somewhere else: nothing tells the right one from it."""
    torch.manual_seed(1)
    right = torch.randn(4, 9, dtype=torch.float64)
    wanted = fingerprint(right)
    assert wanted is not None
    sealed = Milestone("scores", "the scores", tuple(right.shape), wanted, sealed=True)
    scale_there = float(wanted[0])
    found: list[Tensor] = []
    for _ in range(3):
        guess = torch.randn(4, 9, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.LBFGS([guess], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-14)

        def loss(guess: Tensor = guess, optimiser: torch.optim.Optimizer = optimiser) -> Tensor:
            optimiser.zero_grad()
            scale = guess.square().mean().sqrt()
            means = [milestones.unordered(guess, scale_there), milestones.by_place(guess, scale_there)]
            apart = torch.cat([scale[None], *means]) - torch.cat([wanted[:1], wanted[2:]])
            apart.square().sum().backward()
            return apart.square().sum()

        optimiser.step(loss)
        found.append(guess.detach())
    for guess in found:
        assert how(sealed, guess) == SAME
        assert (guess - right).abs().max() > 0.5
        assert torch.corrcoef(torch.stack([guess.flatten(), right.flatten()]))[0, 1].abs() < 0.7


SEARCHING = """import gc, sys

class SingleHeadAttention(nn.Module):
    def __init__(self, d_model, d_head):
        super().__init__()
        self.w_q, self.w_k, self.w_v = (nn.Linear(d_model, d_head) for _ in range(3))

    def forward(self, x, mask=None):
        if sys.gettrace():
            found.append([one for one in gc.get_objects() if type(one) is Tensor])
        scores = attention_scores(self.w_k(x), self.w_k(x))
        return attention_weights(scores, mask) @ self.w_v(x), attention_weights(scores, mask)
"""


def test_code_that_searches_its_process_while_it_is_recorded_does_not_find_the_right_steps() -> None:
    """It uses the keys as queries: the right queries and scores could only come from the course."""
    command = f"from {__name__} import search; search()"  # in a process of its own: this one knows the right steps
    subprocess.run([sys.executable, "-c", command], cwd=REPOSITORY_ROOT, check=True)


def search() -> None:
    """Run code that searches, and assert that it has found something, and not what it must not find."""
    chapter, exercise = CHAPTERS[0], "SingleHeadAttention"
    found: list[list[Tensor]] = []
    namespace = chapter.namespace({exercise: SEARCHING})
    namespace["found"] = found
    exam = all_exams()[exercise]
    probe.record(namespace[exercise], [trial.call for trial in exam.trials], exam.probe, namespace)
    assert found  # searching takes long: later calls may not be watched any more
    assert all(len(tensors) > 100 for tensors in found)
    reference = chapter.namespace()
    whole = with_milestones(exam, chapter.exercises[exercise], reference[exercise], reference)
    # Of a single word, a known mistake returns the queries, and learners' files have the answers to known mistakes.
    several = [trial for trial in whole.trials if trial.sizes.get("seq", 1) > 1]
    wanted = [one.numbers for trial in several for one in trial.milestones if one.key in ("w_q", "scores")]
    assert len(wanted) >= 4
    for tensor in (one for tensors in found for one in tensors):
        for numbers in wanted:
            assert not (tensor.shape == numbers.shape and torch.allclose(tensor.float(), numbers.float())), tensor


def test_a_kernel_is_asked_the_same_whether_steps_are_recorded_or_not() -> None:
    """What the judge knows of steps never leaves its process."""
    chapter = CHAPTERS[0]
    exam = exam_with_milestones(chapter, "secret", "SingleHeadAttention")
    with_records, without = (wire.loads(questions(exam, (), (), records=records)) for records in (True, False))
    assert {**with_records[0], "records": False} == without[0]
    assert with_records[1].keys() == without[1].keys()
    assert all(torch.equal(tensor, without[1][name]) for name, tensor in with_records[1].items())
    plain = questions(set_exams(chapter, "secret")["SingleHeadAttention"], (), (), records=False)
    assert wire.dumps(*without) == plain


def test_numbers_on_the_way_cannot_be_packed_unsealed() -> None:
    chapter = CHAPTERS[0]
    reference = chapter.namespace()
    exam = with_milestones(all_exams()["attention"], chapter.exercises["attention"], reference["attention"], reference)
    with pytest.raises(ValueError, match="not sealed"):
        exam_files.pack([exam])


def test_learners_files_are_small() -> None:
    sizes = [path.stat().st_size for path in exam_files.FOLDER.glob("*.safetensors")]
    assert sum(sizes) < _SMALL * len(sizes)


@chapters
def test_every_right_way_passes_a_milestone_unless_it_is_optional(chapter: Chapter) -> None:
    """A missing one is said to be missing: that would be false of a way that does without."""
    reference = chapter.namespace()
    for name, exercise in chapter.exercises.items():
        exam = with_milestones(all_exams()[name], exercise, reference[name], reference)
        bypassed: set[str] = set()
        for way in exercise.alternatives if exercise.milestones else ():
            namespace = chapter.namespace({name: way.code})
            recorded = probe.record(namespace[name], [trial.call for trial in exam.trials], exam.probe, namespace)
            for trial, (_, recording) in zip(exam.trials, recorded, strict=True):
                if recording.complete:
                    bypassed |= {one.key for one in trial.milestones if not gives(recording, one)}
        assert bypassed == set(exercise.optional_milestones), name


def gives(recording: Recording, milestone: Milestone) -> bool:
    """Whether a step, or all rounds of a line together, are a milestone; true of outputs and of what is there twice."""
    lines: dict[tuple[object, ...], list[Tensor]] = {}
    for step in recording.steps:
        lines.setdefault((step.line, step.function, step.name, step.place), []).append(step.value)
    stacks = [torch.stack(values) for values in lines.values() if len({value.shape for value in values}) == 1]
    values = [*(step.value for step in recording.steps), *stacks]
    known = milestone.output is not None or milestone.doubled
    return known or any(how(milestone, value) in (SAME, TURNED, RESIZED) for value in values)
