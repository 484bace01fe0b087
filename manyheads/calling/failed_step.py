"""What stopped a learner's code, in its own terms: the expression, what each of its parts is, and what does not fit.

`probe.py` asks for it after a call has failed. What is said follows from the values that the operation was given, and
where it is not certain, nothing is said. `slips.py` knows the mistakes that are Python's and not torch's.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Sequence
from types import FrameType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from .call import FailedStep, Operand
from .cause import IN_PLACE, Operation
from .failing_code import UNKNOWN, Place, instruction_at, is_tensor, place_of, steps, value_of
from .frames import is_the_courses
from .slips import not_whole, refused, slip

_WATCH = tuple(f"{__package__}.{name}" for name in ("cause", "forbidden_calls", "entries"))  # between code and torch
MOST_TEXT = 100  # characters of an expression
MOST_OPERANDS = 4
_MATRIX = ("matmul", "mm", "bmm", "mv", "linear")
_BROADCAST = (
    *("add", "sub", "subtract", "mul", "multiply", "div", "divide", "truediv", "true_divide", "floordiv", "pow"),
    *("where", "masked_fill", "and", "or", "logical_and", "logical_or", "eq", "ne", "lt", "le", "gt", "ge"),
    *("maximum", "minimum", "mse_loss"),
)
_ALIKE = {"concat": "cat", "concatenate": "cat", "swapaxes": "transpose", "swapdims": "transpose", "truediv": "div"}
_TAKES_DIM = (
    *("softmax", "log_softmax", "sum", "mean", "max", "min", "argmax", "amax", "std", "var", "logsumexp", "norm"),
    *("transpose", "permute", "movedim", "squeeze", "unsqueeze", "flatten", "unflatten", "size", "cumsum", "gather"),
    *("chunk", "split", "unbind", "select", "narrow", "topk"),
)

# A part of an expression: the source, and what torch was given for it.
Part = tuple[str, Any]


def failed_step(
    error: BaseException,
    failed: Operation | None,
    is_the_learners: Callable[[FrameType], bool],
    target: object = None,
    given: Sequence[str] = (),
) -> FailedStep | None:
    """Return what in the learner's code raised `error`, None where there is nothing certain to say.

    Args:
        failed: torch's operation that raised it, None where that was none of torch's.
        target: the function, class or layer that was called.
        given: the names of what it was called with.
    """
    passed = [(frame, offset) for frame, offset in steps(error.__traceback__) if not _only_watches(frame)]
    known = [index for index, (frame, _) in enumerate(passed) if is_the_learners(frame) or is_the_courses(frame)]
    if not known:
        return None
    (frame, offset), inner = passed[known[-1]], passed[known[-1] + 1 :]
    if is_the_courses(frame):
        own = [step for step in passed if is_the_learners(step[0])]
        return refused(target, given, error) or (_handed_on(*own[-1], frame, error) if own else None)
    instruction = instruction_at(frame, offset)
    if instruction is None or instruction.opname == "RAISE_VARARGS":
        return None
    place = place_of(frame, instruction)
    if place is None:
        return None
    with torch._C.DisableTorchFunction():
        found = None if failed is None else _of_operation(place, failed, error)
        if found is None and not any(frame.f_globals.get("__name__") == "einops" for frame, _ in inner):
            found = slip(place, error)
    return found


def _only_watches(frame: FrameType) -> bool:
    """Return whether a frame stands between the learner's code and torch without doing anything."""
    passes_on = frame.f_code.co_name in ("__torch_function__", "__torch_dispatch__") and is_the_courses(frame)
    return passes_on or frame.f_globals.get("__name__") in _WATCH


def _handed_on(frame: FrameType, offset: int, stopped: FrameType, error: BaseException) -> FailedStep | None:
    """Return what a learner's line has given to a function of the course's, or of an earlier chapter, that stopped.

    Args:
        frame, offset: the learner's line.
        stopped: the frame in which the error was raised.
    """
    instruction = instruction_at(frame, offset)
    place = None if instruction is None else place_of(frame, instruction)
    if place is None or not isinstance(place.node, ast.Call):
        return None
    if isinstance(error, TypeError) and (step := not_whole(place, error)) is not None:
        return step
    parts = [*place.node.args, *(word.value for word in place.node.keywords)]
    tensors = [(_short(place.text(part)), value) for part in parts if is_tensor(value := value_of(frame, part))]
    if not isinstance(error, (RuntimeError, IndexError)) or len(tensors) < 2:
        return None
    operands = tuple(_operand(text, value, ()) for text, value in tensors[:MOST_OPERANDS])
    called = _short(place.text(place.node.func))
    return FailedStep(_short(place.text(place.node)), operands, f"`{called}` stops at what it is given here.")


def _of_operation(place: Place, failed: Operation, error: BaseException) -> FailedStep | None:
    """Return what one of torch's operations was given, where it can be told which part of the expression is which."""
    if (of_layer := _of_linear(place, failed)) is not None:
        return of_layer
    parts = list(_parts(place, failed))
    tensors = [(text, value) for text, value in parts if is_tensor(value)]
    name = _plain(failed.name)
    if not tensors or len(tensors) < sum(map(is_tensor, _flat([*failed.args, *failed.kwargs.values()]))):
        return None
    devices = {value.device.type for _, value in tensors}
    dtypes = {value.dtype for _, value in tensors}
    told: tuple[str, ...] = ()
    if len(devices) > 1:
        why, told = "What is computed together must be on one device.", ("device",)
    elif failed.words.startswith(IN_PLACE):
        why = (
            "A tensor whose gradient is wanted cannot be changed in place while torch keeps track of what is computed: "
            "torch.no_grad() stops that for a block."
        )
    elif name in (*_MATRIX, "einsum") and len(dtypes) > 1:
        why, told = "The factors of a product must have one dtype.", ("dtype",)
    else:
        found = _why(name, failed, tensors, error)
        if found is None:
            return None
        why = found
    if name == "bool" and isinstance(place.node, ast.BoolOp):
        why += " `and` and `or` ask once; & and | answer for each entry."
    if name == "bool" and isinstance(place.node, ast.Compare):
        why += _in_a_row(place.node)
    if len(tensors) > MOST_OPERANDS:  # of a list of heads, one for each shape
        tensors = list({tuple(value.shape): (text, value) for text, value in reversed(tensors)}.values())[::-1]
    operands = tuple(_operand(text, value, told) for text, value in tensors[:MOST_OPERANDS])
    advice = _transposed([tuple(value.shape) for _, value in tensors]) if name in _MATRIX and not told else ""
    return FailedStep(_short(place.text(place.node)), operands, why, advice)


def _transposed(shapes: Sequence[tuple[int, ...]]) -> str:
    """Return that the second factor of a product would fit the other way round, "" where it would not."""
    if len(shapes) != 2 or min(map(len, shapes)) < 2:
        return ""
    first, second = shapes
    if first[-1] == second[-2] or first[-1] != second[-1]:
        return ""
    return f"The last size of both is {first[-1]}: with its last two dimensions swapped, the second would fit."


def _of_linear(place: Place, failed: Operation) -> FailedStep | None:
    """Return what a Linear layer was given, where the expression calls one."""
    node, args = place.node, failed.args
    layer = value_of(place.frame, node.func) if isinstance(node, ast.Call) else None
    if not isinstance(node, ast.Call) or type(layer) is not nn.Linear or len(node.args) != 1 or len(args) < 2:
        return None
    given, weight = args[:2]
    if (
        failed.name != "linear"
        or weight is not layer._parameters.get("weight")
        or weight is None
        or not is_tensor(given)
    ):
        return None
    if given.device != weight.device:
        why, told = "What is computed together must be on one device.", ("device",)
    elif given.dtype != weight.dtype:
        why, told = f"A layer needs its own dtype, {_dtype(weight)}.", ("dtype",)
    elif given.dim() and weight.dim() == 2 and given.shape[-1] != weight.shape[1]:
        why, told = f"The layer takes {weight.shape[1]} numbers in the last dimension, and gets {given.shape[-1]}.", ()
    else:
        return None
    text = _short(place.text(node.func))
    operands = (
        _operand(_short(place.text(node.args[0])), given, told),
        Operand(text, f"a Linear layer from {weight.shape[1]} to {weight.shape[0]}" + (
            f" on {weight.device.type}" if "device" in told else "")),
    )  # fmt: skip
    return FailedStep(_short(place.text(node)), operands, why)


def _why(name: str, failed: Operation, tensors: Sequence[Part], error: BaseException) -> str | None:
    """Return what does not fit, None where that cannot be told."""
    values = [value for _, value in tensors]
    shapes = [tuple(value.shape) for value in values]
    if isinstance(error, IndexError) and name in (*_TAKES_DIM, "cat", "stack"):
        return _wrong_dimension(values, failed, 1 if name in ("unsqueeze", "stack") else 0)
    if name in _MATRIX and len(shapes) == 2:
        return _product(name, *shapes)
    if name == "einsum":
        return _einsum(failed, [value for value in _flat(failed.args) if is_tensor(value)])
    if name in _BROADCAST and len(shapes) > 1:
        if name == "masked_fill" and values[1].dtype != torch.bool:
            return f"A mask is True and False, and this one holds {_dtype(values[1])}."
        return _broadcast(shapes)
    if name in ("view", "reshape", "view_as"):
        return _rearranged(values[0], failed)
    if name == "unflatten":
        return _unflattened(values[0], failed)
    if name in ("cat", "stack") and len(shapes) > 1:
        return _joined(name, shapes, failed)
    if name in ("permute", "expand"):
        return _as_many(name, values[0], failed)
    if name == "bool" and values[0].numel() != 1:
        return f"Python needs one True or False here, and this tensor has {values[0].numel()} entries."
    if name in ("float", "int", "item", "index") and values[0].numel() != 1:
        return f"Only a tensor of one entry is a number of Python's, and this one has {values[0].numel()}."
    if name == "getitem":
        return _indexed(values[0], failed)
    if name == "setitem":
        return _set(values[0], failed)
    if name == "copy" and len(shapes) == 2:
        return f"The first holds numbers of the shape {shapes[0]}, and what is copied has the shape {shapes[1]}."
    if name == "dot" and any(len(shape) != 1 for shape in shapes):
        return "dot multiplies two vectors, of one dimension each: @ and matmul take any number of dimensions."
    if name in ("softmax", "log_softmax", "mean", "std", "var") and not _has_fractions(values[0]):
        return None if failed.kwargs.get("dtype") else f"{name} needs fractions, and this holds {_dtype(values[0])}."
    if name == "invert" and _has_fractions(values[0]):
        return f"~ turns True and False round, and this holds {_dtype(values[0])}."
    return None


def _in_a_row(node: ast.Compare) -> str:
    """Return what Python makes of several comparisons in a row, "" where there is only one."""
    if len(node.ops) < 2:
        return ""
    binding = (ast.BitAnd, ast.BitOr)
    if any(isinstance(part, ast.BinOp) and isinstance(part.op, binding) for part in node.comparators[:-1]):
        return " & and | are taken before comparisons: each comparison needs brackets of its own."
    return " Comparisons in a row are joined by `and`, which asks once: & joins them entry by entry."


def _has_fractions(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _product(name: str, first: tuple[int, ...], second: tuple[int, ...]) -> str | None:
    if name in ("mm", "bmm"):
        wanted = 2 if name == "mm" else 3
        if len(first) != wanted or len(second) != wanted:
            return f"{name} multiplies tensors of exactly {wanted} dimensions: @ and matmul take any number."
    if not first or not second:
        return "A number without dimensions cannot be in a matrix product: multiply by it with *."
    rows = second[-2:][0]
    if first[-1] != rows:
        return (
            f"The last size of the first, {first[-1]}, and the last but one of the second, {rows}, must be the same."
            if len(second) > 1
            else f"The last size of the first, {first[-1]}, and the size of the second, {rows}, must be the same."
        )
    met = _mismatch(first[:-2], second[:-2])
    if met is None:
        return None
    axis, one, other = met
    return (
        f"The sizes in front of the last two must be the same, or one of them 1: {one} and {other} are not "
        f"(dimension {axis - 2}, counted from the end)."
    )


def _mismatch(first: Sequence[int], second: Sequence[int]) -> tuple[int, int, int] | None:
    """Return (axis, size, size) of the last two sizes that do not broadcast, the axis counted from the end."""
    for back, (one, other) in enumerate(zip(reversed(first), reversed(second), strict=False), 1):
        if one != other and 1 not in (one, other):
            return -back, one, other
    return None


def _broadcast(shapes: Sequence[tuple[int, ...]]) -> str | None:
    for place, first in enumerate(shapes):
        for second in shapes[place + 1 :]:
            met = _mismatch(first, second)
            if met is not None:
                axis, one, other = met
                return (
                    "Sizes are compared from the last to the first; they must be the same, or one of them 1: "
                    f"{one} and {other} are not (dimension {axis})."
                )
    return None


def _einsum(failed: Operation, tensors: Sequence[Tensor]) -> str | None:
    equation = failed.args[0] if failed.args and type(failed.args[0]) is str else ""
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    if not equation or "." in equation or len(equation) > MOST_TEXT:
        return None
    if len(terms) != len(tensors):
        return f"“{equation}” names {len(terms)} tensors; given: {len(tensors)}."
    sizes: dict[str, int] = {}
    for term, tensor in zip(terms, tensors, strict=True):
        if len(term) != tensor.dim():
            return f"“{term}” has {len(term)} letters, for a tensor of {tensor.dim()} dimensions."
        for letter, size in zip(term, tensor.shape, strict=True):
            known = sizes.setdefault(letter, size)
            if known != size and 1 not in (known, size):
                return f"“{letter}” is {known} in one place and {size} in another."
    return None


def _rearranged(tensor: Tensor, failed: Operation) -> str | None:
    asked = _sizes(failed.args[1:]) if len(failed.args) > 1 else None
    if asked is None:
        return None
    if asked.count(-1) > 1:
        return "Only one size may be -1: it is worked out from the others."
    if any(size < -1 for size in asked):
        return None
    product = math.prod(size for size in asked if size != -1)
    shown = f"({', '.join(map(str, asked))}{',' if len(asked) == 1 else ''})"
    count = tensor.numel()
    if -1 in asked:
        if product and count % product:
            return f"It has {count} numbers, which cannot be divided among {shown}: {product} does not divide {count}."
        if not product:
            return None
    elif product != count:
        return f"It has {count} numbers, and {shown} would hold {product}."
    if _plain(failed.name) == "view" and not tensor.is_contiguous():
        return (
            "view needs numbers that lie in memory without gaps, in the order of the dimensions, and after a "
            "transpose, permute or slice they do not: reshape copies them where it must, and contiguous() before "
            "view does."
        )
    return None


def _set(tensor: Tensor, failed: Operation) -> str | None:
    index, value = failed.args[1], failed.args[-1]
    parts = index if type(index) is tuple else (index,)
    if not is_tensor(value) or not all(type(part) in (int, slice, type(None), type(...)) for part in parts):
        return None
    try:
        place = tuple(torch.empty(tensor.shape, device="meta")[index].shape)
    except (IndexError, TypeError):
        return None
    size = f"of the shape {place}" if place else "one number"
    return f"What is replaced is {size}, and what is put there has the shape {tuple(value.shape)}."


def _unflattened(tensor: Tensor, failed: Operation) -> str | None:
    given = dict(zip(("dim", "sizes"), failed.args[1:], strict=False)) | dict(failed.kwargs)
    dim, sizes = given.get("dim"), _sizes([given.get("sizes")])
    if type(dim) is not int or sizes is None or not -tensor.dim() <= dim < tensor.dim() or -1 in sizes:
        return None
    product = math.prod(sizes)
    return None if product == tensor.shape[dim] else (
        f"Dimension {dim} has {tensor.shape[dim]} entries, and {tuple(sizes)} would hold {product}."
    )  # fmt: skip


def _joined(name: str, shapes: Sequence[tuple[int, ...]], failed: Operation) -> str | None:
    if name == "stack":
        other = next((shape for shape in shapes if shape != shapes[0]), None)
        return None if other is None else f"stack needs tensors of one shape, and {shapes[0]} is not {other}."
    dim = failed.kwargs.get("dim", failed.args[1] if len(failed.args) > 1 else 0)
    for shape in shapes[1:]:
        if len(shape) != len(shapes[0]):
            return f"All must have as many dimensions: {len(shapes[0])} and {len(shape)} are not the same."
        for axis, (one, other) in enumerate(zip(shapes[0], shape, strict=True)):
            if type(dim) is int and axis != dim % len(shape) and one != other:
                return (
                    f"Joined along dimension {dim}, all other sizes must be the same: "
                    f"{one} and {other} (dimension {axis}) are not."
                )
    return None


def _as_many(name: str, tensor: Tensor, failed: Operation) -> str | None:
    asked = _sizes(failed.args[1:]) if len(failed.args) > 1 else None
    if asked is None:
        return None
    if name == "permute" and len(asked) != tensor.dim():
        return f"permute needs each of the {tensor.dim()} dimensions once, and {len(asked)} are named."
    if name == "permute" and len({axis % tensor.dim() for axis in asked}) < len(asked):
        return "permute needs each dimension once, and one is named twice."
    if name == "expand" and len(asked) >= tensor.dim():
        for size, wanted in zip(reversed(tensor.shape), reversed(asked), strict=False):
            if size not in (1, wanted) and wanted != -1:
                return f"Only a dimension of size 1 can be expanded, and {size} was to become {wanted}."
    return None


def _wrong_dimension(values: Sequence[Tensor], failed: Operation, more: int) -> str | None:
    """Return that a dimension is named which a tensor does not have."""
    count = values[0].dim() + more
    named = [*failed.args[1:], *(value for name, value in failed.kwargs.items() if name in ("dim", "dim0", "dim1"))]
    if _plain(failed.name) in ("split", "chunk", "select", "narrow", "topk", "unflatten", "gather"):
        named = [failed.kwargs.get("dim", failed.args[2] if len(failed.args) > 2 else None)]
    dims = [dim for dim in _flat(named) if type(dim) is int]
    out = next((dim for dim in dims if not -count <= dim < count), None)
    if out is None or not count:
        return None
    new = " after it" if more else ""
    return f"There is no dimension {out}: with {count} dimensions{new} they are 0 to {count - 1}, or {-count} to -1."


def _indexed(tensor: Tensor, failed: Operation) -> str | None:
    index = failed.args[1] if len(failed.args) > 1 else None
    items = list(index) if type(index) is tuple else [index]
    if any(map(is_tensor, items)):
        return _indexed_by_tensors([item for item in items if is_tensor(item)])
    if any(item is Ellipsis or type(item) not in (int, slice, type(None)) for item in items):
        return None
    used = [item for item in items if item is not None]
    if len(used) > tensor.dim():
        return f"{len(used)} indices are too many for {tensor.dim()} dimensions."
    for axis, item in enumerate(used):
        size = tensor.shape[axis]
        if type(item) is int and not -size <= item < size:
            return f"Dimension {axis} has {size} entries, 0 to {size - 1}, and {item} is not one of them."
    return None


def _indexed_by_tensors(indices: Sequence[Tensor]) -> str | None:
    fractions = next((index for index in indices if _has_fractions(index)), None)
    if fractions is not None:
        return f"Indices are whole numbers, and these are {_dtype(fractions)}."
    if any(index.dtype in (torch.bool, torch.uint8) for index in indices):
        return None
    unlike = _broadcast([tuple(index.shape) for index in indices])
    return None if unlike is None else f"Index tensors are read together, entry by entry. {unlike}"


def _sizes(args: Sequence[Any]) -> list[int] | None:
    """Return sizes that were given one by one or as one tuple, None where they are something else."""
    items = list(args[0]) if len(args) == 1 and type(args[0]) in (tuple, list, torch.Size) else list(args)
    return items if items and all(type(item) is int for item in items) else None


def _flat(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if type(value) in (tuple, list):
            yield from _flat(value)
        else:
            yield value


def _parts(place: Place, failed: Operation) -> Iterator[Part]:
    """Yield the source of each part of the failed expression with what torch was given for it.

    Nothing is yielded where the parts and torch's arguments do not belong together for certain.
    """
    pairs = list(_pairs(place, failed))
    parts: list[Part] = []
    for node, value in pairs:
        seen, text = value_of(place.frame, node), _short(place.text(node))
        if type(value) in (list, tuple) and any(map(is_tensor, value)):
            if seen is value:
                parts += [(f"{text}[{index}]", item) for index, item in enumerate(value)]
        elif not is_tensor(value) or seen is UNKNOWN or seen is value:
            parts.append((text, value))
        else:
            return
    yield from parts


def _pairs(place: Place, failed: Operation) -> Iterator[tuple[ast.expr, Any]]:
    node, name, args = place.node, _plain(failed.name), failed.args
    reflected = failed.name.startswith("__r")
    match node:
        case ast.Name() | ast.Attribute() | ast.Compare() | ast.Subscript() | ast.BinOp() if name == "bool":
            yield node, args[0]
        case ast.BinOp(left=left, right=right) | ast.AugAssign(target=left, value=right):
            if len(args) == 2:
                yield from zip((right, left) if reflected else (left, right), args, strict=True)
        case ast.Compare(left=left, comparators=[right]):
            if len(args) == 2:
                yield from zip((left, right), args, strict=True)
        case ast.UnaryOp(operand=operand) if len(args) == 1:
            yield operand, args[0]
        case ast.BoolOp(values=[first, _]) if name == "bool":  # of two, Python asks the first one only
            yield first, args[0]
        case ast.Subscript(value=value, slice=index) if name in ("getitem", "setitem") and len(args) > 1:
            yield value, args[0]
            if is_tensor(args[1]):
                yield index, args[1]
            elif name == "getitem" and type(args[1]) is tuple and any(map(is_tensor, args[1])):
                yield from _items(index, args[1])
            if name == "setitem" and (put := _put_there(place, node)) is not None:
                yield put, args[-1]
        case ast.Call():
            yield from _of_call(place, node, failed)
        case _:
            return


def _put_there(place: Place, node: ast.Subscript) -> ast.expr | None:
    """Return the expression that is assigned to a part of something."""
    assigned = (each for each in ast.walk(place.tree) if isinstance(each, ast.Assign))
    return next((each.value for each in assigned if any(target is node for target in each.targets)), None)


def _of_call(place: Place, node: ast.Call, failed: Operation) -> Iterator[tuple[ast.expr, Any]]:
    name, args = _plain(failed.name), failed.args
    if any(isinstance(arg, ast.Starred) for arg in node.args) or any(word.arg is None for word in node.keywords):
        return
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if _plain(called) != name:
        if name in ("float", "int", "index", "bool") and len(node.args) == 1 and len(args) == 1:
            yield node.args[0], args[0]  # math.sqrt(x), range(x)
        return
    nodes = list(node.args)
    if isinstance(node.func, ast.Attribute) and type(value_of(place.frame, node.func.value)) is not ModuleType:
        nodes.insert(0, node.func.value)
    if len(nodes) < len(args):
        return
    for each, value in zip(nodes, args, strict=False):
        yield from _items(each, value)
    words = {word.arg: word.value for word in node.keywords}
    for word, value in failed.kwargs.items():
        if word in words:
            yield from _items(words[word], value)


def _items(node: ast.expr, value: Any) -> Iterator[tuple[ast.expr, Any]]:
    """Yield a list's items one by one, where both the source and the value have as many."""
    if isinstance(node, (ast.List, ast.Tuple)) and type(value) in (list, tuple):
        if len(node.elts) == len(value) and not any(isinstance(each, ast.Starred) for each in node.elts):
            for each, item in zip(node.elts, value, strict=True):
                yield from _items(each, item)
    else:
        yield node, value


def _plain(name: str) -> str:
    """Return a function's name without what makes it in place, reflected or an operator's."""
    name = name.strip("_")
    if name[:1] in ("r", "i") and (name[1:] in _BROADCAST or name[1:] in _MATRIX):
        name = name[1:]
    return _ALIKE.get(name, name)


def _operand(text: str, value: Any, told: Sequence[str]) -> Operand:
    about = [_dtype(value) if word == "dtype" else f"on {value.device.type}" for word in told]
    return Operand(text, " ".join(about), tuple(value.shape))


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _short(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 2]} …"
