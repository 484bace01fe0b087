"""Finds where an answer first departs from the right one, and says so in the learner's terms.

Used by `diagnosis.py` only. The order is: did it run, parameters, type, number of outputs, shape, dtype,
device, inputs untouched, finite, values, gradients. The check "shapes" stops after the device, "outputs" goes to the
end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from ..calling.call import NOT_AN_ANSWER, Answer, Failure, Opaque, Value
from ..calling.cause import agree
from .divergence import Divergence, excerpt
from .exam import Check, Exam, Trial
from .gradients import wrong_gradients
from .labels import inside
from .stage import Stage

_MOST_PARAMETERS = 10  # that are listed
# Where Python's messages say that a function is defined in another one: "probe.<locals>.Part.forward()". Such functions
# are mostly the course's, in a probe.
_NESTED = re.compile(r"\b(?:\w+\.<locals>\.)+")
# Sizes that a parameter's dimension never is, though it may be as large.
_NOT_OF_PARAMETERS = {"batch", "seq", "seq_q", "seq_k", "num_heads", "num_kv_heads"}


def first_divergence(exam: Exam, trial: Trial, given: Answer, check: Check) -> Divergence | None:
    """Return where `given` first departs from `trial.right` as far as `check` looks, or None."""
    return next(_divergences(exam, trial, trial.right, given, check), None)


def wrong_outputs(exam: Exam, trial: Trial, given: Answer) -> frozenset[int]:
    """Return the places in `exam.returns` of the outputs that are wrong; all, where they cannot be told apart."""
    names, rights, givens = exam.returns, trial.right.value, given.value
    asked = frozenset(place for place, name in enumerate(names) if name not in exam.informs)
    if len(names) == 1:
        rights, givens = (rights,), (givens,)
    if given.failure is not None or not isinstance(rights, tuple) or not isinstance(givens, (tuple, list)):
        return asked
    if not len(names) == len(rights) == len(givens):
        return asked

    def is_wrong(place: int) -> bool:
        name, right, output = names[place], rights[place], givens[place]
        kinds = _wrong_type(name, right, output, trial.sizes)
        shapes = _wrong_shape(name, right, output, trial.sizes)
        values = _wrong_values(exam, name, right, output)  # only asked where kind and shape agree
        return any(next(wrong, None) is not None for wrong in (kinds, shapes, values))

    return frozenset(filter(is_wrong, asked))


def same(exam: Exam, trial: Trial, one: Answer, other: Answer) -> bool:
    """Return whether two answers agree within the exercise's tolerance, exceptions included.

    Two exceptions agree if they have the same cause, whatever their text. If an exception is the right answer, its type
    is enough. Names of parameters that the exercise does not ask for need not agree.

    Args:
        one: the right answer, or a known mistake's.
        other: the learner's.
    """
    if _built_alike(one, other, trial.right):
        other = replace(other, parameters=one.parameters)
    if one.failure or other.failure:
        return _same_failure(one.failure, other.failure, by_kind=trial.right.failure is not None)
    return (
        next(_divergences(exam, trial, one, other, Check.OUTPUTS), None) is None
        and one.changed == other.changed
        and _same_gradients(exam, one, other)
    )


def _same_gradients(exam: Exam, one: Answer, other: Answer) -> bool:
    """Return whether neither has a gradient that the other lacks. Unknown gradients agree with any."""
    first, second = one.gradients, other.gradients
    if first is None or second is None:
        return True
    if first.failure is not None or second.failure is not None:
        return first.failure is not None and second.failure is not None and first.failure.kind == second.failure.kind
    return all(
        next(wrong_gradients(exam.returns, these, those, exam.rtol, exam.atol), None) is None
        for these, those in ((first, second), (second, first))
    )


def _built_alike(one: Answer, other: Answer, right: Answer) -> bool:
    """Return whether two wrong modules have the same parameters, apart from names that are not asked for."""
    asked_for = right.parameters
    if one.parameters is None or other.parameters is None or asked_for is None:
        return False
    if asked_for in (one.parameters, other.parameters):
        return False
    if list(one.parameters.values()) != list(other.parameters.values()):
        return False
    pairs = zip(one.parameters, other.parameters, strict=True)
    return all(first == second or not {first, second} <= asked_for.keys() for first, second in pairs)


def tolerance(exam: Exam, dtype: torch.dtype) -> tuple[float, float]:
    """Return (rtol, atol) for values of `dtype`: the exercise's own, wider for half precision."""
    if dtype in (torch.bfloat16, torch.float16):
        # bfloat16 keeps 8 bits, float16 keeps 11: twice the spacing of numbers near 1.
        spacing = torch.finfo(dtype).eps
        return max(exam.rtol, 2 * spacing), max(exam.atol, 2 * spacing)
    return exam.rtol, exam.atol


def _same_failure(one: Failure | None, other: Failure | None, *, by_kind: bool) -> bool:
    if one is None or other is None or one.kind != other.kind:
        return False
    return by_kind or one == other or agree(one.cause, other.cause)


def _divergences(exam: Exam, trial: Trial, right: Answer, given: Answer, check: Check) -> Iterator[Divergence]:
    if given.failure is not None and right.failure is None:
        yield _did_not_run(given.failure)
        return
    if right.parameters is not None and given.parameters != right.parameters:
        yield _wrong_parameters(right.parameters, given.parameters or {}, trial.sizes)
        return
    if right.failure is not None:
        if given.failure is None:
            yield Divergence(Stage.RAN, f"This call should raise {right.failure.kind}, and it returns a value.")
        elif given.failure.kind != right.failure.kind:
            yield _did_not_run(given.failure)
        return
    names = exam.returns
    asked = [name for name in names if name not in exam.informs]
    several = isinstance(right.value, tuple) and len(right.value) == len(names) and len(names) > 1
    rights = right.value if several else (right.value,)
    givens = given.value if several else (given.value,)
    assert isinstance(rights, tuple)
    if not isinstance(givens, (tuple, list)):
        came = "Nothing came back." if givens is None else "One value came back."
        yield Divergence(Stage.TYPE, came, f"{len(asked)} values: {', '.join(asked)}", _describe(givens))
        return
    if len(givens) != len(rights):
        yield Divergence(
            Stage.COUNT,
            "The number of values is not right.",
            f"{len(asked)}: {', '.join(asked)}",
            str(len(givens)),
        )
        return
    if not several and len(names) != 1:
        names = ("the result",)
    outputs = [each for each in zip(names, rights, givens, strict=True) if each[0] not in exam.informs]
    for compare in (_wrong_type, _wrong_shape):
        for name, expected, got in outputs:
            yield from compare(name, expected, got, trial.sizes)
    for name, expected, got in outputs:
        yield from _wrong_dtype(exam, name, expected, got)
    for name, expected, got in outputs:
        yield from _wrong_device(name, expected, got)
    if check == Check.SHAPES and not exam.conceals:  # a letter has no shape: any letter would pass
        return
    if given.changed and not right.changed:
        changed = ", ".join(given.changed)
        yield Divergence(
            Stage.UNTOUCHED,
            f"Your code changes its input {changed} in place.",
            "the caller's tensors stay as they are",
            f"{changed} holds other numbers after the call",
        )
    if exam.conceals and given.value not in (choices := _choices(trial)):
        yield Divergence(
            Stage.TYPE, f"{given.value!r:.40} is not one of the answers: choose one of {', '.join(choices)}."
        )
        return
    for name, expected, got in outputs:
        yield from _not_finite(name, expected, got)
    for name, expected, got in outputs:
        yield from _wrong_values(exam, name, expected, got)
    if right.gradients is not None:
        yield from wrong_gradients(names, right.gradients, given.gradients, exam.rtol, exam.atol)


def _choices(trial: Trial) -> list[str]:
    """Return all letters of a graded question, sorted, so that the right one does not show."""
    return sorted(str(answer.value) for answer in (trial.right, *trial.wrong.values()))


def _did_not_run(failure: Failure) -> Divergence:
    if failure.kind == NOT_AN_ANSWER:
        return Divergence(Stage.TYPE, failure.message)
    # torch raises the same exception for unsupported calls: only the stub's own line means "unwritten".
    stub = "raise NotImplementedError" in failure.line or not failure.line
    if failure.kind == "NotImplementedError" and not failure.message and stub:
        return Divergence(Stage.UNSOLVED, "This one is not written yet: raise NotImplementedError() is still there.")
    where = f"  in your line  {failure.line}" if failure.line else ""
    message = _NESTED.sub("", failure.message)
    return Divergence(Stage.RAN, "Your code stopped with an error.", "", f"{failure.kind}: {message}", where)


def _wrong_parameters(
    right: Mapping[str, tuple[int, ...]], given: Mapping[str, tuple[int, ...]], sizes: Mapping[str, int]
) -> Divergence:
    sizes = {name: size for name, size in sizes.items() if name not in _NOT_OF_PARAMETERS}
    for name, shape in right.items():
        if name not in given:
            said = f"The layer has no parameter {name}."
            if not given:
                where = "on self or in an nn.ModuleList"
                said = f"{said[:-1]}, nor any other: torch finds layers that __init__ stores {where}."
            return Divergence(Stage.PARAMETERS, said, f"{name} {shape}", _parameters(_in_its_place(name, right, given)))
        if given[name] != shape:
            return Divergence(
                Stage.PARAMETERS,
                f"The parameter {name} has the wrong shape.",
                _shape(shape, sizes),
                _shape(given[name], sizes, shape),
            )
    extra = [name for name in given if name not in right]
    return Divergence(
        Stage.PARAMETERS,
        f"The layer has parameters that it should not have: {', '.join(extra)}.",
        _parameters(list(right)),
    )


def _parameters(names: list[str]) -> str:
    """Return the names of parameters, of a large model the first ones only."""
    if len(names) <= _MOST_PARAMETERS:
        return ", ".join(names) or "none"
    return f"{', '.join(names[: _MOST_PARAMETERS // 2])}, … ({len(names)} in all)"


def _in_its_place(name: str, right: Mapping[str, object], given: Mapping[str, object]) -> list[str]:
    """Return what the learner's layer may have instead of the parameter `name`."""
    unknown = [other for other in given if other not in right]
    siblings = [other for other in given if other.rpartition(".")[0] == name.rpartition(".")[0]]
    return unknown or siblings or list(given)


def _wrong_type(name: str, expected: Value, got: Value, sizes: Mapping[str, int]) -> Iterator[Divergence]:
    # A whole number may replace a float, but a float may not replace a whole number: 512 / 8 is 64.0.
    if _kind(expected) != _kind(got) and not (_kind(expected) == "float" and _kind(got) == "int"):
        article = "an" if _kind(expected)[0] in "aeiou" else "a"
        yield Divergence(Stage.TYPE, f"{name} is not {article} {_kind(expected)}.", _kind(expected), _describe(got))
    elif isinstance(expected, (tuple, list)) and isinstance(got, (tuple, list)):
        if len(expected) != len(got):
            yield Divergence(Stage.COUNT, f"{name} has the wrong length.", str(len(expected)), str(len(got)))
            return
        for index, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from _wrong_type(f"{name}[{index}]", one, other, sizes)
    elif isinstance(expected, dict) and isinstance(got, dict):
        if expected.keys() != got.keys():
            keys, others = (", ".join(map(repr, one)) or "none" for one in (expected, got))
            yield Divergence(Stage.COUNT, f"{name} has the wrong keys.", keys, others)
            return
        for key in expected:
            yield from _wrong_type(inside(name, key), expected[key], got[key], sizes)


def _wrong_shape(name: str, expected: Value, got: Value, sizes: Mapping[str, int]) -> Iterator[Divergence]:
    for label, one, other in _tensor_pairs(name, expected, got):
        if one.shape != other.shape:
            yield Divergence(
                Stage.SHAPE,
                f"{label} has the wrong shape.",
                _shape(tuple(one.shape), sizes),
                _shape(tuple(other.shape), sizes, tuple(one.shape)),
            )


def _wrong_dtype(exam: Exam, name: str, expected: Value, got: Value) -> Iterator[Divergence]:
    for label, one, other in _tensor_pairs(name, expected, got):
        both_fractions = one.is_floating_point() and other.is_floating_point()
        if one.dtype != other.dtype and (exam.keeps_dtype or not both_fractions):
            yield Divergence(Stage.DTYPE, f"{label} has the wrong dtype.", str(one.dtype), str(other.dtype))


def _wrong_device(name: str, expected: Value, got: Value) -> Iterator[Divergence]:
    for label, one, other in _tensor_pairs(name, expected, got):
        if one.device.type != other.device.type:
            yield Divergence(Stage.DEVICE, f"{label} is on the wrong device.", str(one.device), str(other.device))


def _not_finite(name: str, expected: Value, got: Value) -> Iterator[Divergence]:
    for label, one, other in _tensor_pairs(name, expected, got):
        if one.is_floating_point() and not one.is_meta and one.isfinite().all() and not other.isfinite().all():
            nans, infs = int(other.isnan().sum()), int(other.isinf().sum())
            kinds = [f"{count} {kind}" for count, kind in ((nans, "NaN"), (infs, "infinite")) if count]
            yield Divergence(
                Stage.FINITE, f"{label} is not finite.", "finite numbers only",
                f"{' and '.join(kinds)} of {other.numel()} entries",
            )  # fmt: skip


def _wrong_values(exam: Exam, name: str, expected: Value, got: Value) -> Iterator[Divergence]:
    for label, one, other in _pairs(name, expected, got):
        if isinstance(one, Tensor) and isinstance(other, Tensor):
            yield from _wrong_entries(exam, label, one, other)
        elif isinstance(one, float) and isinstance(other, (int, float)):
            near = abs(other - one) <= exam.atol + exam.rtol * abs(one) if abs(other) < 1e300 else other == one
            both_nan = other != other and one != one
            if not near and not both_nan:
                yield Divergence(Stage.VALUES, f"{label} is not right.", f"{one:.6g}", _brief(other))
        elif one != other:
            yield Divergence(Stage.VALUES, f"{label} is not right.", repr(one), repr(other))


def _wrong_entries(exam: Exam, name: str, expected: Tensor, got: Tensor) -> Iterator[Divergence]:
    if expected.is_meta:
        return  # it has no numbers
    if expected.is_floating_point():
        rtol, atol = tolerance(exam, expected.dtype)
        close = torch.isclose(got.double(), expected.double(), rtol=rtol, atol=atol, equal_nan=True)
        if exam.exact_zeros:
            close &= (expected != 0) | (got == 0)
    else:
        close = got == expected
    if close.all():
        return
    index = tuple((~close).nonzero()[0].tolist())
    blocked = exam.exact_zeros and expected[index] == 0
    rounded = f", and they are {got.dtype}, not {expected.dtype}" if got.dtype != expected.dtype else ""
    yield Divergence(
        Stage.VALUES,
        f"{name} has the right shape and the wrong {'entries' if expected.dtype == torch.bool else 'numbers'}.",
        _entry(name, index, _number(expected[index])) + (" exactly" if blocked else ""),
        _entry(name, index, _number(got[index])),
        f"{int((~close).sum())} of {close.numel()} entries differ{rounded}",
        partial(excerpt, name, expected, got, close),
    )


def _entry(name: str, index: tuple[int, ...], number: str) -> str:
    """Show one entry: "scores[0, 1] = 0.5", or "0.5 at [0, 1]" where the name is no variable's."""
    place = f"[{', '.join(map(str, index))}]" if index else ""
    if place and not name.isidentifier():
        return f"{number} at {place}"
    return f"{name}{place} = {number}"


def _tensor_pairs(name: str, expected: Value, got: Value) -> Iterator[tuple[str, Tensor, Tensor]]:
    for label, one, other in _pairs(name, expected, got):
        if isinstance(one, Tensor) and isinstance(other, Tensor):
            yield label, one, other


def _pairs(name: str, expected: Value, got: Value) -> Iterator[tuple[str, Value, Value]]:
    """Yield the pairs of leaves of two values that `_wrong_type` has found to have the same structure."""
    if isinstance(expected, (tuple, list)) and isinstance(got, (tuple, list)):
        for index, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from _pairs(f"{name}[{index}]", one, other)
    elif isinstance(expected, dict) and isinstance(got, dict):
        for key in expected:
            yield from _pairs(inside(name, key), expected[key], got[key])
    else:
        yield name, expected, got


def _kind(value: Value) -> str:
    if isinstance(value, Tensor):
        return "tensor"
    if isinstance(value, Opaque):  # a learner's class may be called Tensor too
        return f"object of a class called {value.kind}"
    return type(value).__name__


def _describe(value: Value) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if value is None:
        return "None (is there a return?)"
    if isinstance(value, (tuple, list)):
        return f"a {_kind(value)} of {len(value)}"
    if isinstance(value, Opaque) and value.kind in ("generator", "map", "zip", "filter"):
        return f"a {value.kind}, which makes its values later: tuple(…) or list(…) would have them"
    return f"{_kind(value)}" if isinstance(value, Opaque) else f"{_kind(value)} {value!r:.80}"


def _shape(shape: tuple[int, ...], sizes: Mapping[str, int], asked: tuple[int, ...] | None = None) -> str:
    """Show a shape in numbers and, if every size has a name, in names: "(2, 5) = (batch, seq)".

    Args:
        asked: the shape that was asked for, where `shape` is another. Then a name that would occur twice is a
            coincidence, except for a sequence's two side by side, as in scores, and where what was asked for has a size
            twice as well.
    """
    names = {size: name for name, size in sizes.items()}
    numbers = "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
    side_by_side = {one for one, other in pairwise(shape) if one == other and names.get(one, "").startswith("seq")}
    twice = {size for size in shape if shape.count(size) > 1} - side_by_side
    if asked is not None and twice and len(set(asked)) == len(asked):
        return numbers
    if shape and all(size in names for size in shape):
        return f"{numbers} = ({', '.join(names[size] for size in shape)})"
    return numbers


def _brief(number: float) -> str:
    return f"{number:.6g}" if isinstance(number, float) else f"{number!r:.40}"


def _number(value: Tensor) -> str:
    return f"{value.item():.6g}" if value.is_floating_point() else str(value.item())
