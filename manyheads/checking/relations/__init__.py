"""Explains a wrong answer from its own numbers: how they relate to the right ones, over all cases.

`diagnosis.py` calls it if no known mistake gives these answers. Each module finds one kind of relation and yields the
facts that hold in a case. A fact is said if it holds in every case that departs in the same way, and one of them has
enough numbers to rule out a coincidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor

from ...calling.call import Answer
from ..comparison import first_divergence
from ..exam import Check, Exam, Trial, answer_to
from ..labels import key_of
from . import arrangements, combinations, counts, factors, known_mistakes, parts, reductions, shapes, terms
from .compared import Compared, Fact, compared, departs, quoted
from .named_parts import what_is_held
from .whole import told_apart, without_numbers

__all__ = ["explain", "right_here", "right_output"]

_OF_NUMBERS = (
    terms.facts, factors.facts, combinations.facts, reductions.facts, arrangements.facts, parts.facts, counts.facts,
    known_mistakes.facts,
)  # fmt: skip
_MOST_CASES = 3  # listed by name
_FEW = 3  # wrong cases with a single number each, from which a relation is not a coincidence


def explain(exam: Exam, answers: Sequence[Answer], shown: Trial) -> tuple[str, ...]:
    """Return how wrong answers relate to the right ones, in a sentence or two each; () if nothing is certain.

    Args:
        answers: one for each of the exam's trials.
        shown: the case that the learner is shown. The output that is wrong there is explained if it can be, else
            another one that is wrong, too.
    """
    if exam.conceals:
        return ()
    trials = list(zip(exam.trials, answers, strict=True))
    label = next((case.label for trial, given in trials if trial is shown for case in compared(exam, trial, given)
                  if departs(case) or shapes.wrong_shape(case)), "")  # fmt: skip
    values = _shared([list(shapes.facts_of_values(exam, trial, given)) for trial, given in trials
                      if _is_of_another_kind(exam, trial, given)], 1)  # fmt: skip
    if values is not None:
        return (values.sentence,)
    cases = [list(compared(exam, trial, given)) for trial, given in trials]
    labels = dict.fromkeys(case.label for outputs in cases for case in outputs)
    found: list[tuple[int, Fact]] = []
    for name in labels:
        these = [case for outputs in cases for case in outputs if case.label == name]
        misshapen = [case for case in these if shapes.wrong_shape(case)]
        # If a shape is wrong in one case, wrong numbers in another do not matter.
        fact = _best(misshapen, (shapes.facts,)) if misshapen else _best(list(filter(departs, these)), _OF_NUMBERS)
        if fact is not None:
            found.append((fact.rank + (0 if name == label or not label else 3), fact))
    held = what_is_held([outputs for outputs in cases if any(map(departs, outputs))])
    # Values by name of another case alone would be read as those of the case that is shown.
    if held and any(key_of(case.label) for trial, given in trials if trial is shown
                    for case in compared(exam, trial, given)):  # fmt: skip
        return (held,)
    if found:
        return (min(found, key=lambda one: one[0])[1].sentence,)
    apart = _of_cases(exam, trials)
    return (apart,) if apart else ()


def right_here(exam: Exam, answers: Sequence[Answer], shown: Trial) -> str:
    """Return a sentence about which part of the answer is right in the case that is shown, or in which cases it is."""
    if exam.conceals:
        return ""
    return _right_entries(exam, answers, shown) or _right_cases(exam, answers)


def _right_entries(exam: Exam, answers: Sequence[Answer], shown: Trial) -> str:
    given = answer_to(exam, answers, shown)
    sentences = [parts.right_entries(case) for case in compared(exam, shown, given) if departs(case)]
    return next(filter(None, sentences), "")


def _right_cases(exam: Exam, answers: Sequence[Answer]) -> str:
    """Return which cases are right, if some are: of those that ask for a value of the same kind as the wrong ones."""
    right, wrong, kinds = list[Trial](), list[Trial](), set[type]()
    for trial, given in zip(exam.trials, answers, strict=True):
        if without_numbers(trial) or trial.right.failure is not None:
            continue  # what is asked for is nothing that can be computed wrongly
        if first_divergence(exam, trial, given, Check.OUTPUTS) is None:
            right.append(trial)
        elif given.failure is not None:
            return ""
        else:
            wrong.append(trial)
            kinds.add(type(trial.right.value))
    # Where a case asks for an error, a probe says so in text: any wrong numbers pass it.
    right = [trial for trial in right if type(trial.right.value) in kinds]
    if not right or not wrong or {trial.name for trial in right} & {trial.name for trial in wrong}:
        return ""
    few, so = (right, "right") if len(right) <= len(wrong) else (wrong, "wrong")
    if len(few) > _MOST_CASES:
        return ""
    listed = " and ".join(f"“{trial.name}”" for trial in few)
    return f"Of {len(right) + len(wrong)} cases it is {so} in {len(few)}: {listed}."


def right_output(exam: Exam, answers: Sequence[Answer]) -> str:
    """Return a sentence about which of two outputs is right in every case, where the other is wrong, or ""."""
    if exam.conceals:
        return ""
    cases = [list(compared(exam, trial, given)) for trial, given in zip(exam.trials, answers, strict=True)]
    by_label: dict[str, list[Compared]] = {}
    for case in [case for outputs in cases for case in outputs]:
        by_label.setdefault(case.label, []).append(case)
    if any(len(found) < len(cases) for found in by_label.values()):  # a call that failed
        return ""
    wrong = [name for name, found in by_label.items() if any(departs(case) for case in found)]
    right = [name for name, found in by_label.items() if all(map(_is_right, found)) and any(c.enough for c in found)]
    if len(wrong) != 1 or len(right) != 1 or len(by_label) != 2 or " " in right[0]:  # " ": not an output of the code's
        return ""
    return f"{right[0]} is right in every case, and {quoted(wrong[0])} is not."


def _is_right(case: Compared) -> bool:
    both = isinstance(case.right, Tensor) and isinstance(case.given, Tensor) and case.right.dtype == case.given.dtype
    return both and case.pair is not None and not case.wrong_places().any()


def _best(wrong: Sequence[Compared], finders: Iterable[Callable[[Compared], Iterable[Fact]]]) -> Fact | None:
    """Return the most specific fact that holds in all these cases and is supported by one."""
    if not wrong:
        return None
    facts = [[fact for find in finders for fact in find(case)] for case in wrong]
    return _shared(facts, _FEW if all(map(_is_one_number, wrong)) else None)


def _is_one_number(case: Compared) -> bool:
    return case.right.numel() == 1 if isinstance(case.right, Tensor) else isinstance(case.right, (int, float))


def _shared(facts: Sequence[Sequence[Fact]], enough: int | None) -> Fact | None:
    """Return the fact of lowest rank that all lists have. `enough` lists support it even if it is weak in each."""
    if not facts:
        return None
    best: Fact | None = None
    # The first of those that are the same. Of a large integer there are thousands.
    known = [{fact: fact for fact in reversed(others)} for others in facts]
    for fact in facts[0]:
        holds = [others[fact] for others in known if fact in others]
        strong = next((other for other in holds if not other.weak), None)
        if len(holds) < len(facts) or (fact.is_reading and len(facts) < 2):
            continue
        if strong is None and (enough is None or len(facts) < enough):
            continue
        said = strong or fact
        if best is None or said.rank < best.rank:
            best = said
    return best


def _is_of_another_kind(exam: Exam, trial: Trial, given: Answer) -> bool:
    """Return whether the given values have another structure than the right ones."""
    if given.failure is not None or trial.right.failure is not None:
        return False
    outputs = list(compared(exam, trial, given))
    return not outputs or any(shapes.wrong_shape(case) or type(case.right) is not type(case.given) for case in outputs)


def _of_cases(exam: Exam, trials: Sequence[tuple[Trial, Answer]]) -> str:
    """Return what the inputs of the wrong cases have in common that those of the right ones lack."""
    wrong: list[Trial] = []
    right: list[Trial] = []
    for trial, given in trials:
        if first_divergence(exam, trial, given, Check.OUTPUTS) is None:
            right.append(trial)
        elif given.failure is not None:
            return ""
        else:
            wrong.append(trial)
    return told_apart(wrong, right)
