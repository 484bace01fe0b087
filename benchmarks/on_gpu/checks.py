"""A chapter's exams on a machine with a GPU: the reference, every valid alternative and stand-in must pass, and every
known mistake must fail and be named.

Each is asked twice: as a notebook's checks ask it, with inputs on the CPU (some probes also run the code on a GPU
where there is one), and with all inputs and layers moved to the device. Answers come back to the CPU and are compared
with those that the reference gives there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from autograder.course.chapter import REPOSITORY_ROOT, Chapter, read_chapter
from autograder.course.exams import VISIBLE_SEED, set_exams
from manyheads.calling import probe
from manyheads.calling.call import Answer, Call
from manyheads.checking import diagnosis
from manyheads.checking.exam import Check, Exam

from .findings import Findings


@dataclass(frozen=True)
class Candidate:
    """A solution of an exercise.

    Args:
        name: what it is, "alternative: einsum".
        source: the code, which a mistake may be known by.
        target: makes the function or the class.
        mistake: the known mistake that it makes, or None.
        caught_by: the first check that must catch the mistake.
        by_the_course: whether it may call what the exercise forbids.
    """

    name: str
    source: str
    target: Callable[[], Any]
    mistake: str | None = None
    caught_by: str = ""
    by_the_course: bool = False


def run(findings: Findings, device: torch.device, chapter_name: str) -> None:
    """Ask every candidate of the chapter."""
    chapter = read_chapter(REPOSITORY_ROOT / "solutions" / chapter_name)
    exams = set_exams(chapter, VISIBLE_SEED)
    for name, exam in exams.items():
        inside = _needs_default(exam, chapter, device)
        for candidate in candidates(chapter, exam):
            for place in dict.fromkeys(["cpu", device.type]):
                what = f"{name}, {candidate.name}, inputs on {place}"
                if not findings.has(what):
                    on = torch.device(place)
                    asked = replace(exam, forbids=()) if candidate.by_the_course else exam
                    answers = ask(asked, candidate.target(), on, inside and place != "cpu")
                    findings.add(what, *judge(exam, candidate, answers, moved=place != "cpu"))
                    _start_again_if_poisoned(device)


def candidates(chapter: Chapter, exam: Exam) -> Iterator[Candidate]:
    """Yield all solutions of an exercise that the chapter declares, right ones first."""
    name = exam.exercise
    exercise = chapter.exercises[name]

    def candidate(called: str, source: str, mistake: str | None = None, caught_by: str = "") -> Candidate:
        return Candidate(called, source, lambda: chapter.namespace({name: source})[name], mistake, caught_by)

    yield candidate("reference", chapter.reference[name])
    if exam.stand_in:

        def stand_in() -> Any:
            scope: dict[str, Any] = {}
            with probe.standing_in(scope, {name: exam.stand_in}):
                return scope[name]

        yield Candidate("stand-in", exam.stand_in, stand_in, by_the_course=True)
    for alternative in exercise.alternatives:
        yield candidate(f"alternative: {alternative.name}", alternative.code)
    for mistake in exercise.misconceptions:
        yield candidate(f"mistake: {mistake.name}", chapter.mistaken(name, mistake), mistake.name, mistake.check)


def ask(exam: Exam, target: Any, device: torch.device, by_default: bool = False) -> list[Answer]:
    """Have `target` answer the exam with all inputs and layers on `device`.

    Args:
        by_default: make tensors there, too, unless the code says where: for probes that build layers themselves.
    """

    def layer_there(*arguments: Any) -> nn.Module:
        return target(*arguments).to(device)

    answers = []
    for trial in exam.trials:
        with device if by_default else nullcontext():
            asked = layer_there if trial.call.init is not None else target
            answers.append(probe.run(asked, there(trial.call, device), exam.probe, exam.forbids))
    return answers


def there(call: Call, device: torch.device) -> Call:
    """Return `call` with its inputs on `device`. A layer's state is copied into it wherever it is."""
    return replace(call, inputs=_moved(call.inputs, device))


def judge(exam: Exam, candidate: Candidate, answers: list[Answer], moved: bool) -> tuple[bool, str]:
    """Return whether the answers get the verdict that they should, and what there is to say.

    Args:
        moved: whether the inputs were on a GPU. A mistake about devices then stops with torch's own error, which is as
            good as a name.
    """
    found = {check: diagnosis.examine(exam, answers, check, candidate.source) for check in Check}
    if candidate.mistake is None:
        wrong = next((finding for finding in found.values() if finding), None)
        return wrong is None, "" if wrong is None else _one_line(str(wrong.message))
    for check, finding in found.items():
        if check == Check.SHAPES and candidate.caught_by != Check.SHAPES:
            if finding is not None and not moved:
                return False, f"caught by {check} already: {_one_line(str(finding.message))}"
        elif finding is None:
            return False, f"{check} passes"
        elif finding.misconception != candidate.mistake:
            refused = moved and any(a.failure and "device" in a.failure.message for a in answers)
            named = finding.misconception or "nothing"
            return (
                refused,
                f"{'refused by the device' if refused else f'named {named}'}: {_one_line(str(finding.message))}",
            )
    return True, ""


def _needs_default(exam: Exam, chapter: Chapter, device: torch.device) -> bool:
    """Return whether even the reference works on `device` only if tensors are made there unless told otherwise."""
    answers = ask(exam, chapter.namespace()[exam.exercise], device)
    return any(a.failure and not t.right.failure for a, t in zip(answers, exam.trials, strict=True))


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value if value.is_meta else value.to(device)
    if isinstance(value, Mapping):
        return {key: _moved(item, device) for key, item in value.items()}
    return type(value)(_moved(item, device) for item in value) if isinstance(value, (tuple, list)) else value


def _start_again_if_poisoned(device: torch.device) -> None:
    """Start this process again where CUDA refuses all further work, as after an index out of range in a kernel.

    What was found is written down, so it goes on behind it.
    """
    if device.type != "cuda":
        return
    try:
        torch.cuda.synchronize()
        torch.ones(1, device=device).item()
    except RuntimeError as error:
        print(f"starting again: {_one_line(str(error))}", flush=True)
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.on_gpu", *sys.argv[1:]])


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
