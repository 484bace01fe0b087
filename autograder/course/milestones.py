"""Finds the milestones of an exercise: what the reference solution computes on its way, recorded as a learner's is.

The builder seals them for learners' files; the judge compares with their own numbers. Only the grader's process has
those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from manyheads.calling import probe
from manyheads.calling.call import Value
from manyheads.calling.steps import Step
from manyheads.checking.exam import Exam, Trial
from manyheads.checking.first_wrong_line import sums_to_one
from manyheads.checking.milestones import Milestone, fingerprint

from .declare import Exercise

_FEWEST, _FEWEST_BITS = 4, 8  # entries of numbers, and of a mask: fewer may agree by chance


@dataclass(frozen=True)
class _Made:
    """A tensor that the reference makes, with the steps that it is or holds."""

    value: Tensor
    steps: frozenset[int]
    after: frozenset[int]
    stacked: bool = False


def with_milestones(exam: Exam, exercise: Exercise, reference: Any, namespace: Mapping[str, Any]) -> Exam:
    """Return the exam with the milestones of each of its trials.

    Args:
        exercise: what its author has declared.
        reference: the reference solution.
        namespace: the names that it sees.
    """
    return replace(
        exam,
        trials=tuple(
            replace(trial, milestones=tuple(_milestones(exam, trial, exercise, reference, namespace)))
            for trial in exam.trials
        ),
    )


def sealed(exam: Exam) -> Exam:
    """Return the exam with fingerprints in the place of numbers. Outputs are in a learner's file as they are."""
    return replace(exam, trials=tuple(replace(trial, milestones=_sealed(trial.milestones)) for trial in exam.trials))


def _sealed(milestones: tuple[Milestone, ...]) -> tuple[Milestone, ...]:
    found = []
    for milestone in milestones:
        numbers = milestone.numbers if milestone.output is not None else fingerprint(milestone.numbers)
        if numbers is not None:
            found.append(replace(milestone, numbers=numbers, sealed=milestone.output is None))
    kept = {milestone.key for milestone in found}
    return tuple(replace(one, after=tuple(key for key in one.after if key in kept)) for one in found)


def _milestones(
    exam: Exam, trial: Trial, exercise: Exercise, reference: Any, namespace: Mapping[str, Any]
) -> Iterator[Milestone]:
    if exam.conceals or trial.right.failure is not None:
        return
    words = exercise.milestones
    _, recording = probe.trace(reference, trial.call, exam.probe, namespace)
    given = [*_tensors(list(trial.call.inputs.values())), *(trial.call.state or {}).values()]
    outputs = {f"output {place}": found for place, found in enumerate(_outputs(exam, trial)) if found is not None}
    made = {key: one for key, one in _named(recording.steps, words) if _says_something(one.value, given)}
    kept: dict[str, _Made] = {}
    for key, one in made.items():
        if not any(_equal(one.value, other) for other in (*outputs.values(), *(two.value for two in kept.values()))):
            kept[key] = one
    for key, value in outputs.items():
        if words.get(key) != "" and _says_something(value, given):
            kept[key] = _made_as(value, recording.steps)
    for key, one in sorted(kept.items(), key=lambda item: min(item[1].steps, default=len(recording.steps))):
        others = [other.value for name, other in kept.items() if name != key]
        yield Milestone(
            key,
            words[key] if key in words else _called(exam.returns[int(key.split()[-1])]),
            tuple(one.value.shape),
            one.value,
            sealed=False,
            after=tuple(name for name, other in kept.items() if name != key and other.steps & one.after),
            output=int(key.split()[-1]) if key in outputs else None,
            rows_sum_to_one=sums_to_one(one.value, -1),
            doubled=any(name != key and _equal(one.value, other.value) for name, other in made.items()),
            stacked=one.stacked,
            optional=key in exercise.optional_milestones,
            rearranged=any(_same_numbers(one.value, other) for other in (*given, *others)),
        )


def _named(steps: tuple[Step, ...], words: Mapping[str, str]) -> Iterator[tuple[str, _Made]]:
    """Yield what has words, by its key. The second of a name has the key "name.2"."""
    lines: dict[tuple[object, ...], list[int]] = {}  # a loop's line makes one tensor of all its rounds
    for index, step in enumerate(steps):
        lines.setdefault((step.line, step.function, step.name, step.place), []).append(index)
    counts: dict[str, int] = {}
    for indices in lines.values():
        rounds = [steps[index] for index in indices]
        if any(step.value.shape != rounds[0].value.shape for step in rounds):
            continue
        value = rounds[0].value if len(rounds) == 1 else torch.stack([step.value for step in rounds])
        made = _Made(
            value, frozenset(indices), frozenset[int]().union(*(step.after for step in rounds)), len(rounds) > 1
        )
        for label in dict.fromkeys((rounds[0].name, *rounds[0].made_by)):
            counts[label] = counts.get(label, 0) + 1
            key = label if counts[label] == 1 else f"{label}.{counts[label]}"
            if words.get(key):
                yield key, made
                break


def _outputs(exam: Exam, trial: Trial) -> Iterator[Tensor | None]:
    """Yield each output of the right answer, None for one that is no tensor or has no name to be called by."""
    value = trial.right.value
    several = len(exam.returns) > 1 and isinstance(value, tuple) and len(value) == len(exam.returns)
    for name, output in zip(exam.returns, value if several and isinstance(value, tuple) else (value,), strict=False):
        yield output if isinstance(output, Tensor) and not output.is_meta and _called(name) else None


def _called(name: str) -> str:
    """Return how an output is called within a sentence, "" where its name is no noun."""
    if name.startswith("The "):
        return f"the {name.removeprefix('The ')}"
    return f"the {name.replace('_', ' ')}" if name.isidentifier() and name.islower() else ""


def _made_as(value: Tensor, steps: tuple[Step, ...]) -> _Made:
    """Return what an output was made from: of the step that made it, or where none did, of all."""
    same = [index for index, step in enumerate(steps) if _equal(step.value, value)]
    if same:
        return _Made(value, frozenset(same), steps[same[0]].after)
    return _Made(value, frozenset(), frozenset(range(len(steps))))


def _says_something(value: Tensor, given: list[Tensor]) -> bool:
    """Return whether it takes some computing to come by a tensor."""
    fewest = _FEWEST if value.is_floating_point() else _FEWEST_BITS
    enough = value.numel() >= fewest and value.unique().numel() > 1
    return enough and not any(_equal(value, other) for other in given)


def _equal(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or other.is_meta:
        return False
    return torch.allclose(one.double(), other.double(), rtol=1e-6, atol=1e-8, equal_nan=True)


def _same_numbers(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors hold the same numbers, in whatever arrangement."""
    if one.numel() != other.numel() or other.is_meta:
        return False
    return _equal(one.double().flatten().sort().values, other.double().flatten().sort().values)


def _tensors(values: list[Value]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from _tensors(list(value))
        elif isinstance(value, dict):
            yield from _tensors(list(value.values()))
