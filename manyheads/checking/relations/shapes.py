"""Finds how a wrong shape, or a wrong number of values, relates to the right one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from ...calling.call import Answer
from ..exam import Exam, Trial
from . import counts
from .compared import Compared, Fact, compared, quoted

_MOST_DIMENSIONS = 5


def wrong_shape(case: Compared) -> bool:
    """Return whether two tensors differ in shape."""
    right, given = case.right, case.given
    return isinstance(right, Tensor) and isinstance(given, Tensor) and right.shape != given.shape


def facts(case: Compared) -> Iterator[Fact]:
    """Yield how a tensor of the wrong shape could get the right one."""
    right, given = case.right, case.given
    if not isinstance(right, Tensor) or not isinstance(given, Tensor) or not right.numel():
        return
    if right.is_meta or given.is_meta:
        yield from _by_sizes(case, given.shape, right.shape)
        return
    if not given.numel():
        yield Fact(("empty",), 30, f"There is no entry at all in {case.label}.")
        return
    yield from _of_inputs(case, given.double())
    yield from _by_numbers(case, right.double(), given.double())
    names = [case.dimension(axis) for axis in range(right.ndim)]
    for order in itertools.permutations(range(given.ndim)) if given.ndim == right.ndim <= _MOST_DIMENSIONS else ():
        if tuple(given.shape[axis] for axis in order) == tuple(right.shape):
            listed = ", ".join(names[order.index(axis)] for axis in range(given.ndim))
            told = f"{case.label} has the right sizes in another order: ({listed}), and not ({', '.join(names)})."
            yield Fact(("order", *order), 60, told, weak=len(set(right.shape)) < right.ndim)
    yield from _by_sizes(case, given.shape, right.shape)


def _by_sizes(case: Compared, given: torch.Size, right: torch.Size) -> Iterator[Fact]:
    """Yield what is wrong with the sizes alone, whatever the numbers are."""
    if [size for size in given if size > 1] == [size for size in right if size > 1]:
        many = len(given) - len(right)
        what = "no dimension of size 1 where one is asked for"
        if many > 0:
            what = "a dimension of size 1 too many" if many == 1 else f"{many} dimensions of size 1 too many"
        yield Fact(("size 1", many > 0), 55, f"{case.label} has {what}.")
    if len(given) == len(right):
        differ = [axis for axis in range(-len(right), 0) if given[axis] != right[axis]]
        for by, told in ((-1, "short"), (1, "long")):
            if all(given[axis] - right[axis] == by for axis in differ):
                along = " and ".join(dict.fromkeys(case.dimension(axis) for axis in differ))
                yield Fact(("by one", by, *differ), 58, f"Along {along}, {case.label} is too {told} by one entry.")
    if len(given) == len(right) - 1:
        lacks = [axis for axis in range(-len(right), 0) if (*right[:axis], *right[axis:][1:]) == tuple(given)]
        if len(lacks) == 1 and right[lacks[0]] > 1:
            yield Fact(("lacks", lacks[0]), 59, f"{case.label} has no dimension for {case.dimension(lacks[0])}.")


def _by_numbers(case: Compared, right: Tensor, given: Tensor) -> Iterator[Fact]:
    """Yield what could be done to the numbers of a wrong shape to get the right ones."""
    label, weak = case.label, not case.enough
    if given.numel() == right.numel():
        if case.agree(given.reshape(right.shape), right):
            ones = [size for size in given.shape if size > 1] == [size for size in right.shape if size > 1]
            many = given.ndim > right.ndim
            only = (
                "Only its shape is another"
                if not ones
                else ("Only a dimension of size 1 is too many" if many else "Only a dimension of size 1 is missing")
            )
            if not ones or many or given.ndim < right.ndim:
                yield Fact(("reshaped",), 20, f"{label} has the right numbers in the right order. {only}.", weak=weak)
        if given.ndim == right.ndim <= _MOST_DIMENSIONS:
            same_order = case.agree(given.reshape(right.shape), right)
            names = [case.dimension(axis) for axis in range(right.ndim)]
            for order in itertools.permutations(range(given.ndim)):
                if case.agree(given.permute(order), right):
                    listed = ", ".join(names[order.index(axis)] for axis in range(given.ndim))
                    yield Fact(
                        ("permuted", *order), 10,
                        f"{label} has the right numbers, with its dimensions in the order ({listed}); "
                        f"asked for is ({', '.join(names)}).", weak=weak or same_order,
                    )  # fmt: skip
    for axis in range(-given.ndim, 0) if given.ndim == right.ndim + 1 else ():
        name = case.dimension(axis, given.shape)
        if given.shape[axis] < 2:
            continue
        for told, reduced in (
            (f"their sum over {name} is what is asked for", given.sum(axis)),
            (f"their mean over {name} is what is asked for", given.mean(axis)),
            (f"each of the {given.shape[axis]} entries of {name} repeats what is asked for", given.select(axis, 0)),
        ):
            repeats = "repeats" not in told or bool((given == given.select(axis, 0).unsqueeze(axis)).all())
            if repeats and case.agree(reduced, right):
                key = told.split()[1] if "repeats" not in told else "repeats"
                yield Fact(("reduced", key, axis), 15, f"{label} has one dimension too many: {told}.", weak=weak)
            elif repeats and reduced.ndim == 2 and case.agree(reduced.T, right):
                key = told.split()[1] if "repeats" not in told else "repeats"
                yield Fact(
                    ("reduced and turned", key, axis), 16,
                    f"{label} has one dimension too many: {told}, once the other two are swapped.", weak=weak,
                )  # fmt: skip
    for axis in range(-right.ndim, 0) if right.ndim == given.ndim + 1 else ():
        name, item = case.dimension(axis), case.item(axis)
        few = given.numel() < 6 or right.shape[axis] < 2  # of a single entry, all of these are true
        for key, told, reduced in (
            ("sum", f"summed over {name}", right.sum(axis)),
            ("mean", f"averaged over {name}", right.mean(axis)),
            ("first", f"kept for the first {item} alone", right.select(axis, 0)),
            ("last", f"kept for the last {item} alone", right.select(axis, -1)),
        ):
            if case.agree(reduced, given):
                yield Fact(("too far", key, axis), 15, f"{label} lacks {name}: the right numbers are {told}.", weak=few)
    if given.numel() == 1:
        for key, told, number in (("sum", "sum", right.sum()), ("mean", "mean", right.mean())):
            if case.agree(given.reshape(()), number):
                yield Fact(
                    ("one number", key), 15, f"{label} is a single number: the {told} of all the right ones.", weak=weak
                )
    if given.ndim == right.ndim:
        for axis in range(-right.ndim, 0):
            both = given.shape[axis], right.shape[axis]
            rest = [a for a in range(-right.ndim, 0) if a != axis]
            if both[0] == both[1] or any(given.shape[a] != right.shape[a] for a in rest):
                continue
            name = case.dimension(axis)
            shorter = min(both)
            for key, told, one, other in (
                ("starts", "starts with", given.narrow(axis, 0, shorter), right.narrow(axis, 0, shorter)),
                ("ends", "ends with", given.narrow(axis, both[0] - shorter, shorter),
                 right.narrow(axis, both[1] - shorter, shorter)),
            ):  # fmt: skip
                if shorter and one.numel() >= 6 and case.agree(one, other):
                    what = (
                        "the right numbers, and then goes on"
                        if both[0] > both[1]
                        else "the right numbers, and is cut off"
                    )
                    if key == "ends":
                        what = (
                            "the right numbers, and has others before"
                            if both[0] > both[1]
                            else "the right numbers, and what comes before them is missing"
                        )
                    yield Fact((key, axis, both[0] > both[1]), 18, f"Along {name}, {label} {told} {what}.", weak=False)


def _of_inputs(case: Compared, given: Tensor) -> Iterator[Fact]:
    for name, tensor in case.tensors.items():
        if case.agree(given, tensor) and tensor.numel() >= 6:
            told = f"the input {name}" if name in case.trial.call.inputs else f"the parameter {name}"
            yield Fact(("is", name), 5, f"{case.label} is {told}, unchanged.")
    for name, value in case.others.items():
        if name != case.label and isinstance(value, Tensor) and not value.is_meta and case.agree(given, value.double()):
            yield Fact(
                ("is", name),
                5,
                f"What came as {quoted(case.label)} is what {quoted(name)} should be.",
                weak=value.numel() < 6,
            )


def facts_of_values(exam: Exam, trial: Trial, given: Answer) -> Iterator[Fact]:
    """Yield what is wrong with the values as such: their number, their order, a list instead of a tensor."""
    right, names = trial.right.value, exam.returns
    if given.failure is not None or trial.right.failure is not None:
        return
    tensors = [part for part in right if isinstance(part, Tensor)] if isinstance(right, tuple) else []
    whole = Compared(exam, trial, names[0], tensors[0] if tensors else None, None, {})
    several = isinstance(right, tuple) and len(right) == len(names) > 1
    if isinstance(given.value, Tensor) and isinstance(right, tuple) and several:
        for name, part in zip(names, right, strict=True):
            if isinstance(part, Tensor) and not part.is_meta and part.numel() >= 6:
                one = Compared(exam, trial, name, part, given.value, {})
                if one.pair is not None and one.agree(*one.pair):
                    yield Fact(("alone", name), 5, f"What came is {name} alone, and it is right.")
    if isinstance(given.value, (tuple, list)) and len(given.value) == len(tensors) == len(names) > 1:
        for order in itertools.permutations(range(len(names))):
            there = [given.value[place] for place in order]
            pairs = [(part.double(), other.double()) for part, other in zip(tensors, there, strict=True)
                     if isinstance(other, Tensor) and not other.is_meta]  # fmt: skip
            if list(order) != sorted(order) and len(pairs) == len(names) and all(whole.agree(*pair) for pair in pairs):
                listed = ", ".join(names[order.index(place)] for place in range(len(names)))
                yield Fact(("values", *order), 5, f"The values are right and in another order: {listed}.")
    for case in compared(exam, trial, given):
        yield from _of_list(case)
        yield from _of_plain(case)
    if isinstance(given.value, (tuple, list)) and isinstance(right, Tensor):
        yield from _of_list(Compared(exam, trial, next(iter(names), "the result"), right, given.value, {}))


def _of_plain(case: Compared) -> Iterator[Fact]:
    """Yield how one plain value of the wrong type relates to the right one."""
    right, given = case.right, case.given
    if type(right) is int and type(given) is float:
        if given == right:
            yield Fact(("float",), 5, f"{case.label} has the right value, as a float: / always gives one, // does not.")
        yield from counts.facts(case)
    if isinstance(right, torch.device) and isinstance(given, str) and given.split(":")[0] == right.type:
        yield Fact(("text",), 5, f"{case.label} is only a name, as a string. torch.device makes a device of it.")
    one_number = isinstance(given, Tensor) and given.numel() == 1 and not given.is_meta
    if isinstance(right, (int, float)) and isinstance(given, Tensor) and one_number:
        near = abs(given.item() - right) <= case.exam.atol + case.exam.rtol * abs(right)
        if near:
            yield Fact(("tensor",), 5, f"{case.label} has the right value, as a tensor: return a plain number.")


def _of_list(case: Compared) -> Iterator[Fact]:
    """Yield how a list of tensors becomes the tensor that is asked for."""
    if not isinstance(case.given, (tuple, list)) or not isinstance(case.right, Tensor) or case.right.is_meta:
        return
    parts = [part for part in case.given if isinstance(part, Tensor) and not part.is_meta]
    if len(parts) != len(case.given) or not parts:
        return
    right = case.right.double()
    if len(parts) == 2 and parts[1].dtype == torch.int64 and parts[0].shape == parts[1].shape:
        yield Fact(
            ("indices",), 7,
            "Two tensors came: the numbers, and the indices where they were found. torch's max, min, median and sort "
            "along one dimension give both.",
        )  # fmt: skip
    kind = "list" if isinstance(case.given, list) else "tuple"
    for index, part in enumerate(parts):
        if len(parts) < 4 and case.agree(part.double(), right):
            place = ("first", "second", "third")[index]
            yield Fact(
                ("among", place), 6, f"The {place} of the {len(parts)} values of your {kind} is right by itself."
            )
    for key, join in (("stacked", torch.stack), ("joined", torch.cat)):
        for axis in range(-right.ndim, 0):
            try:
                whole = join([part.double() for part in parts], dim=axis)
            except (RuntimeError, IndexError):
                continue
            if case.agree(whole, right):
                where = "along a new dimension" if key == "stacked" else f"along {case.dimension(axis)}"
                yield Fact(
                    (key, axis),
                    8,
                    f"The tensors of your {kind} are the right ones: {key} {where}, they are {case.label}.",
                )
