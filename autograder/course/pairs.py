"""Makes pairs of an exercise's known mistakes: the reference solution with two edits at once, if both fit in it.

The builder stores their fingerprints for learners' checks. The judge looks for a pair when a wrong answer needs one.
"""

from __future__ import annotations

import ast
import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch

from manyheads import earlier
from manyheads.calling import probe
from manyheads.calling.call import Answer
from manyheads.calling.forbidden_calls import compiled
from manyheads.checking.comparison import first_divergence
from manyheads.checking.exam import Check, Exam
from manyheads.checking.pairs import Fingerprint, KnownPairs, fingerprint

from .chapter import Chapter
from .declare import Misconception

MOST = 12  # mistakes of an exercise that are paired, those declared first


class PairsOfExam:
    """The pairs of one exam, each run when it is first asked for, and only in one case unless it fits there.

    Args:
        chapter: the exercise's chapter.
        exam: without pairs.
        given: is entered while code of the chapter runs.
    """

    def __init__(self, chapter: Chapter, exam: Exam, given: AbstractContextManager[Any]) -> None:
        self._chapter, self._exam, self._given = chapter, exam, given
        self._lock = threading.Lock()

    def found(self, exam: Exam, answers: Sequence[Answer]) -> Iterator[tuple[str, str]]:
        """Yield the pairs that give exactly these answers, in all cases."""
        whole = fingerprint(exam, answers) if len(answers) == len(self._exam.trials) else None
        if whole is None:
            return
        with self._lock:
            near = None if self._place is None else fingerprint(self._case, [answers[self._place]])
            names = [
                pair.names
                for pair in self._pairs
                if (near is None or pair.is_like(self._case, near)) and pair.is_like(self._exam, whole)
            ]
        yield from names

    @cached_property
    def _pairs(self) -> list[_Pair]:
        with self._given, earlier.given(self._chapter.earlier):
            reference = self._chapter.namespace()
            return [_Pair(self._chapter, self._given, reference, *both) for both in _both(self._chapter, self._exam)]

    @cached_property
    def _place(self) -> int | None:
        """The case with the most numbers, None if all together are needed to tell anything."""
        rights = [fingerprint(self._one(place), [trial.right]) for place, trial in enumerate(self._exam.trials)]
        counts = [0 if right is None else right.count for right in rights]
        return counts.index(max(counts)) if any(counts) else None

    @cached_property
    def _case(self) -> Exam:
        return self._one(self._place or 0)

    def _one(self, place: int) -> Exam:
        return replace(self._exam, trials=self._exam.trials[place : place + 1])


class _Pair:
    """Two mistakes of an exercise, and what they give."""

    def __init__(
        self,
        chapter: Chapter,
        given: AbstractContextManager[Any],
        reference: Mapping[str, Any],
        names: tuple[str, str],
        source: str,
    ) -> None:
        self.names = names
        self._chapter, self._given, self._reference, self._source = chapter, given, reference, source
        self._made: dict[int, Fingerprint | None] = {}

    def is_like(self, exam: Exam, answers: Fingerprint) -> bool:
        """Return whether the pair gives these answers to an exam's cases."""
        if len(exam.trials) not in self._made:
            with self._given, earlier.given(self._chapter.earlier):
                self._made[len(exam.trials)] = _made(exam, self._source, self._reference)
        made = self._made[len(exam.trials)]
        return made is not None and made.is_like(answers)


def known_pairs(chapter: Chapter, exam: Exam) -> KnownPairs:
    """Run the reference solution of an exercise with each two of its known mistakes, and return what they give.

    A pair is left out where it gives what one of the two gives, what the right solution gives, or an error.
    """
    right = fingerprint(exam, [trial.right for trial in exam.trials])
    names, found = list[tuple[str, str]](), list[Fingerprint]()
    if right is not None:
        alone = [_alone(exam, mistake) for mistake in chapter.exercises[exam.exercise].misconceptions]
        others = [right, *(made for made in alone if made is not None)]
        with earlier.given(chapter.earlier):
            reference = chapter.namespace()
            for both, source in _both(chapter, exam):
                made = _made(exam, source, reference)
                if made is not None and not any(made.is_like(known) for known in others):
                    names.append(both)
                    found.append(made)
    return KnownPairs(
        tuple(names),
        torch.tensor([made.exact for made in found], dtype=torch.int32),
        torch.stack([made.sums for made in found]).float() if found else torch.zeros(0, 3),
    )


def _both(chapter: Chapter, exam: Exam) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield each two mistakes, with the source in which both are made."""
    exercise, source = chapter.exercises[exam.exercise], chapter.reference[exam.exercise]
    paired = [mistake for mistake in exercise.misconceptions if _alone(exam, mistake) is not None][:MOST]
    for one, other in itertools.combinations(paired, 2):
        edited = with_both(source, one, other)
        if edited is not None:
            yield (one.name, other.name), edited


def _alone(exam: Exam, mistake: Misconception) -> Fingerprint | None:
    """Return the fingerprint of a mistake whose numbers, and nothing else, are wrong; else None."""
    answers = [trial.wrong.get(mistake.name, trial.right) for trial in exam.trials]
    return fingerprint(exam, answers) if _has_the_shapes(exam, answers) else None


def _has_the_shapes(exam: Exam, answers: Sequence[Answer]) -> bool:
    return all(
        first_divergence(exam, trial, given, Check.SHAPES) is None
        for trial, given in zip(exam.trials, answers, strict=True)
    )


def with_both(source: str, one: Misconception, other: Misconception) -> str | None:
    """Return the source with two edits, None if one is in the way of the other or their order matters."""
    made = set()
    for first, second in ((one, other), (other, one)):
        edited = source.replace(first.replace, first.by)
        made.add(edited.replace(second.replace, second.by) if edited.count(second.replace) == 1 else "")
    both = made.pop()
    return both if both and not made and _is_python(both) else None


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _made(exam: Exam, source: str, reference: Mapping[str, Any]) -> Fingerprint | None:
    """Return what a source gives, None where more than its numbers is wrong."""
    names = dict(reference)
    exec(compiled(source, f"<{exam.exercise}: two mistakes>"), names)
    answers = list[Answer]()
    for trial in exam.trials:
        given = probe.run(names[exam.exercise], replace(trial.call, cotangent=None), exam.probe)
        if given.failure is not None or first_divergence(exam, trial, given, Check.SHAPES) is not None:
            return None
        answers.append(given)
    return fingerprint(exam, answers)
