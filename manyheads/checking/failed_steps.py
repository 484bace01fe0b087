"""What stopped a learner's code, with the sizes of its tensors by name.

`diagnosis.py` asks for it where a call has failed. The learner's process writes down the expression and the shapes
(`manyheads.calling.failed_step`); the names of the dimensions are known here. A size has a name if it is that one's in
every case that has such a size and in which the same expression has failed.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..calling.call import Answer, FailedStep
from .exam import Exam, Trial, answer_to
from .sizes import sizes_of


def failed_step(exam: Exam, answers: Sequence[Answer], failed: Trial, *, named: bool = False) -> str:
    """Return which expression has failed in the case `failed`, what it was given and what does not fit; "" if unknown.

    Args:
        answers: one for each of the exam's trials.
        named: whether the mistake has a name. Then a guess at what would fit only leads away from it.
    """
    steps = [
        (trial, given.failure.step)
        for trial, given in zip(exam.trials, answers, strict=True)
        if given.failure is not None and given.failure.step is not None
    ]
    shown = next((step for trial, step in steps if trial is failed), None)
    if shown is None:
        return _missing_name(exam, failed, answer_to(exam, answers, failed))
    alike = [(sizes_of(trial), step) for trial, step in steps if _form(step) == _form(shown)]
    operands = []
    for place, operand in enumerate(shown.operands):
        about = [operand.what]
        if operand.shape is not None:
            shapes = [step.operands[place].shape or () for _, step in alike]
            about.insert(0, _shape(shapes, [sizes for sizes, _ in alike], operand.shape))
        operands.append(f"`{operand.text}` is {' '.join(filter(None, about))}")
    parts = f"{', '.join(dict.fromkeys(operands))}. " if operands else ""
    advice = "" if named else shown.advice
    return f"In `{shown.expression}`: {parts}{shown.why} {advice}".strip()


def _missing_name(exam: Exam, failed: Trial, given: Answer) -> str:
    """Return where a size is found whose name stands for nothing in the code; "" where something else has failed."""
    operation, _, name = ("" if given.failure is None else given.failure.cause).partition(" | ")
    init, inputs = failed.call.init or {}, {} if exam.probe else failed.call.inputs  # a probe gives what it likes
    if operation != "name" or name in inputs:
        return ""
    if name in init:
        return f"`{name}` is an argument of __init__: other methods find it only if __init__ stores it on self."
    size = sizes_of(failed).get(name)
    if size is None:
        return ""
    has = [own for own, value in inputs.items() if isinstance(value, Tensor) and tuple(value.shape).count(size) == 1]
    found = f": it can be read off the shape of `{has[0]}`" if has else ""
    return f"`{name}` is the name of a size and not of a variable{found}."


def _form(step: FailedStep) -> object:
    """Return what is the same of an expression in every case."""
    return step.expression, [(each.text, None if each.shape is None else len(each.shape)) for each in step.operands]


def _shape(shapes: Sequence[tuple[int, ...]], sizes: Sequence[dict[str, int]], shown: tuple[int, ...]) -> str:
    """Show a shape in numbers and in names: "(2, 5, 6) = (batch, seq, 6)"."""
    names = [_name([shape[axis] for shape in shapes], sizes) for axis in range(len(shown))]
    told = [name or str(size) for name, size in zip(names, shown, strict=True)]
    numbers = _brackets(list(map(str, shown)))
    # Two dimensions of one size: only those of a sequence, as in scores, are no coincidence.
    twice = any(name and not name.startswith("seq") and names.count(name) > 1 for name in names)
    return numbers if twice or not any(names) else f"{numbers} = {_brackets(told)}"


def _name(found: Sequence[int], sizes: Sequence[dict[str, int]]) -> str:
    """Return the one name that a dimension's sizes have in all cases that know it, "" where none or several fit."""
    names = [
        name for name in sizes[0]
        if all(known.get(name, size) == size and size > 1 for size, known in zip(found, sizes, strict=True))
    ]  # fmt: skip
    return names[0] if len(names) == 1 else ""


def _brackets(items: list[str]) -> str:
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
