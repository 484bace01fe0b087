"""The cause of an exception: the operation that failed and its operands, in words that no version changes.

torch and Python change the text of their errors in every version, and many mistakes end in the same text. So a mistake
is recognised by what failed: `probe.py` records it next to the learner's code, and `manyheads.checking.comparison`
compares it. It names operations, inputs and sizes, and contains no source.
"""

from __future__ import annotations

import ast
import dis
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from types import FrameType
from typing import Any

import torch
from torch import Tensor, UntypedStorage, nn
from torch.overrides import TorchFunctionMode

from .failing_code import instruction_at, place_of, steps
from .frames import is_the_courses

_UNKNOWN = "?"
IN_PLACE = "in place"
_ELEMENTWISE = "elementwise"
# Different ways to write the same operation: products, and operations that broadcast.
_PRODUCTS = ("matmul", "mm", "bmm", "mv", "linear")
_ARITHMETIC = ("add", "sub", "subtract", "mul", "multiply", "div", "divide", "truediv", "true_divide")
_CONDITIONS = ("where", "masked_fill", "and", "or", "logical_and", "logical_or", "eq", "ne", "lt", "le", "gt", "ge")
_ALIKE = {
    **dict.fromkeys(_PRODUCTS, "product"),
    **dict.fromkeys((*_ARITHMETIC, *_CONDITIONS), _ELEMENTWISE),
    **dict.fromkeys(("concat", "concatenate"), "cat"),
    **dict.fromkeys(("empty", "zeros", "ones", "rand", "randn"), "new tensor"),
    **dict.fromkeys(("swapaxes", "swapdims"), "transpose"),
}


@dataclass(frozen=True)
class Operation:
    """One call of a torch function.

    Args:
        name: the function's name.
        args: its positional arguments.
        kwargs: its keyword arguments.
        words: what failed, see `cause`.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    words: str


class Operations(TorchFunctionMode):
    """Watches torch's functions, and stores which one raised the last exception."""

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[int, str] = {}
        self._kept: list[UntypedStorage] = []  # else another tensor may get the same address
        self._failed: tuple[BaseException, Operation] | None = None

    def name_tensors(self, values: Mapping[str, object]) -> None:
        """From now on, call the tensors among `values`, and all views of them, by these names."""
        for name, value in values.items():
            for tensor in tensors_in([value]):
                if (storage := _storage(tensor)) is not None:
                    self._names[storage.data_ptr()] = name
                    self._kept.append(storage)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch instead of each of its functions."""
        try:
            return func(*args, **(kwargs or {}))
        except BaseException as error:
            if self._failed is None or self._failed[0] is not error:
                words = self._describe(func, [*args, *(kwargs or {}).values()])
                name = str(getattr(func, "__name__", ""))
                self._failed = error, Operation(name, tuple(args), dict(kwargs or {}), words)
            raise

    def failed(self, error: BaseException) -> Operation | None:
        """Return torch's operation that raised `error`, None if it was not raised by one."""
        return self._failed[1] if self._failed is not None and self._failed[0] is error else None

    def _describe(self, function: Any, operands: Iterable[object]) -> str:
        called = str(getattr(function, "__name__", ""))
        operation = called.strip("_")
        if operation[1:] in _ALIKE and operation[0] in "ir":  # __radd__, __iadd__
            operation = operation[1:]
        tensors = list(tensors_in(operands))
        if (called.endswith("_") or called == "__setitem__") and tensors and _is_a_leaf(tensors[0]):
            return f"{IN_PLACE} | what requires a gradient"
        if len({tensor.device.type for tensor in tensors}) > 1:  # for any operation
            return _words("devices", [self._operand(tensor) for tensor in tensors if not tensor.is_meta])
        if operation == "linear" and len(tensors) > 1 and tensors[1].dim() > 1:
            tensors = [tensors[0], tensors[1].mT]
        alike = _ALIKE.get(operation, operation)
        if alike == _ELEMENTWISE:
            tensors = [tensor for tensor in tensors if tensor.dim()]  # a number broadcasts with everything
        return _words(alike, map(self._operand, tensors))

    def _operand(self, tensor: Tensor) -> str:
        storage = _storage(tensor)
        name = _UNKNOWN if storage is None else self._names.get(storage.data_ptr(), _UNKNOWN)
        dtype = str(tensor.dtype).removeprefix("torch.")
        return f"{name} {tensor.device.type} {dtype} {'x'.join(map(str, tensor.shape))}"


def cause(error: BaseException, failed: Operation | None, is_the_learners: Callable[[FrameType], bool]) -> str:
    """Return what `error` was raised for, "" if unknown.

    Args:
        failed: torch's operation that raised it, see `Operations.failed`.
    """
    if failed is not None and failed.words:
        return failed.words
    passed = list(steps(error.__traceback__))
    known = [index for index, (frame, _) in enumerate(passed) if is_the_learners(frame) or is_the_courses(frame)]
    if not known:
        return ""
    (frame, offset), inner = passed[known[-1]], [frame for frame, _ in passed[known[-1] + 1 :]]
    by_course = is_the_courses(frame)
    instruction = instruction_at(frame, offset)
    if instruction is not None and instruction.opname == "RAISE_VARARGS" and not inner:
        return f"raise: {error}" if by_course else "raise"  # the course's own messages do not change with versions
    operation, operands = _of_error(error) or _of_layer(frame, inner) or _of_instruction(frame, instruction)
    if by_course:  # where a mistake shows in what asks for answers, the learner's own code never stops like that
        operation = f"{frame.f_code.co_qualname}: {operation}".removesuffix(": ")
    return _words(operation, operands) if operation else ""


def agree(mistake: str, given: str) -> bool:
    """Return whether an exception with the cause `given` can be the one that a known mistake raises.

    Parts that the mistake's cause leaves open match anything. An operand that cannot be traced to an input may be any
    of them.
    """
    if not mistake or not given:
        return False
    [operation, *operands], [other, *others] = _parts(mistake), _parts(given)
    if operation != other or len(operands) != len(others):
        return False
    orders = permutations(others) if operation == _ELEMENTWISE else [others]
    return any(all(map(_operands_agree, operands, order)) for order in orders)


def _words(operation: str, operands: Iterable[str]) -> str:
    return " | ".join([operation, *operands])


def _parts(words: str) -> list[str]:
    return words.split(" | ")


def _operands_agree(mistake: str, given: str) -> bool:
    if mistake in (given, _UNKNOWN):
        return True
    (name, _, what), (other, _, others) = mistake.partition(" "), given.partition(" ")
    return bool(what) and what == others and _UNKNOWN in (name, other)


def tensors_in(values: Iterable[object]) -> Iterator[Tensor]:
    """Yield the tensors among values, and in tuples and lists among them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from tensors_in(value)


def _storage(tensor: Tensor) -> UntypedStorage | None:
    """Return a tensor's storage, None if it has none in this memory."""
    with torch._C.DisableTorchFunctionSubclass():
        storage = tensor.untyped_storage() if tensor.layout == torch.strided else None
        return storage if storage is not None and storage.data_ptr() else None


def _is_a_leaf(tensor: Tensor) -> bool:
    """Return whether `tensor` is a leaf that requires a gradient, or a view of one, while torch records."""
    whole = tensor if tensor._base is None else tensor._base
    return torch.is_grad_enabled() and whole.requires_grad and whole.is_leaf


def _of_error(error: BaseException) -> tuple[str, list[str]] | None:
    """Return what Python's own errors store besides their text."""
    if isinstance(error, KeyError) and error.args:
        return "key", [ascii(error.args[0])]
    if isinstance(error, AttributeError) and error.name:
        return "attribute", [type(error.obj).__name__, error.name]
    if isinstance(error, NameError) and error.name:
        return "name", [error.name]
    return None


def _of_layer(frame: FrameType, inner: Sequence[FrameType]) -> tuple[str, list[str]] | None:
    """Return which of torch's layers was called from `frame` and with what, None if none was."""
    layer = next((own for step in inner if isinstance(own := step.f_locals.get("self"), nn.Module)), None)
    if layer is None:
        return None
    owner = frame.f_locals.get("self")
    parts = _parts_of(owner)
    name = next((name for name, part in parts.items() if part is layer), _UNKNOWN)
    operands = [f"{name} {type(layer).__name__}"]
    if inner[0].f_code.co_name == "__setattr__":
        return "set", operands
    for step in inner:
        first = step.f_code.co_varnames[1:2]
        if step.f_code.co_name == "forward" and step.f_locals.get("self") is layer and first:
            operands.append(_type(step.f_locals.get(first[0])))
    return "call", operands


def _of_instruction(frame: FrameType, instruction: dis.Instruction | None) -> tuple[str, list[str]]:
    """Return the kind of step that failed, and its operands, as far as all versions of Python agree."""
    name = "" if instruction is None else instruction.opname
    if instruction is not None and name.startswith("UNPACK"):
        return "unpack", [str(instruction.argval)]
    place = None if instruction is None else place_of(frame, instruction)
    return ("", []) if place is None else _of_node(frame, place.node, name)


def _of_node(frame: FrameType, node: ast.AST, name: str) -> tuple[str, list[str]]:
    match node:
        case ast.BinOp():
            return type(node.op).__name__, [_kind(frame, side) for side in (node.left, node.right)]
        case ast.AugAssign():
            return type(node.op).__name__, [_kind(frame, side) for side in (node.target, node.value)]
        case ast.UnaryOp():
            return type(node.op).__name__, [_kind(frame, node.operand)]
        case ast.Subscript():
            return ("set item" if name.startswith("STORE") else "item"), [_kind(frame, node.value)]
        case ast.Call():
            callee = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", _UNKNOWN)
            given = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg not in ("dim", "axis"))]
            return f"call {_ALIKE.get(callee, callee)}", [_kind(frame, value) for value in given[:1]]
        case _:
            return "", []


def _kind(frame: FrameType, node: ast.expr) -> str:
    """Return the type of an expression's value, as far as it is known without evaluating it again."""
    match node:
        case ast.Constant():
            return type(node.value).__name__
        case ast.List() | ast.ListComp():
            return "list"
        case ast.Name():
            value = frame.f_locals.get(node.id, frame.f_globals.get(node.id, _kind))
            return _UNKNOWN if value is _kind else _type(value)
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            layer = frame.f_locals.get(owner)
            parts = {**vars(layer), **_parts_of(layer)} if isinstance(layer, nn.Module) else {}
            return _type(parts[name]) if name in parts else _UNKNOWN
        case _:
            return _UNKNOWN


def _parts_of(layer: object) -> Mapping[str, Any]:
    """Return the layers of a layer by name; none if its class left out super().__init__()."""
    return vars(layer).get("_modules", {}) if isinstance(layer, nn.Module) else {}


def _type(value: object) -> str:
    return type(value).__name__
