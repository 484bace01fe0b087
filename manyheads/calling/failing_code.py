"""The learner's expression that raised an exception, and what the names in it stand for.

`cause.py` and `failed_step.py` use it. Values are looked up, never computed, and their types are taken exactly: no code
of the learner's runs here, neither a property nor `__getattr__`, `__class__` or `__repr__`.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import linecache
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FrameType, FunctionType, ModuleType, TracebackType
from typing import Any, Final, TypeGuard

import torch
from torch import Tensor, nn

UNKNOWN: Final = type("Unknown", (), {})()  # what cannot be looked up
_MOST_SOURCE = 400_000  # characters of a cell that are read
_DICTS = (dict, type(nn.Module()._modules))  # an OrderedDict in older versions
_MRO: Any = type.__dict__["__mro__"]
_NAME: Any = type.__dict__["__name__"]
_OWN: Any = nn.Module.__dict__["__dict__"]
_PLAIN = (FunctionType, bool, int, float, str, tuple, type(None))
_PARTS = ("_parameters", "_buffers", "_modules")


@dataclass(frozen=True)
class Place:
    """Where in a learner's code an exception was raised.

    Args:
        frame: the frame of that code.
        instruction: what it was executing.
        tree: the cell or file.
        node: the expression, or the assignment such as `x += y`.
        lines: the source, line by line.
    """

    frame: FrameType
    instruction: dis.Instruction
    tree: ast.Module
    node: ast.expr | ast.AugAssign
    lines: list[str]

    def text(self, node: ast.AST) -> str:
        """Return the source of an expression in one line."""
        found = ast.get_source_segment("".join(self.lines), node) or ""
        return " ".join(found.split())

    def function(self) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """Return the function around the expression, None where it is in none that has a name."""
        around = [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and node.lineno <= self.node.lineno <= (node.end_lineno or 0)
        ]
        found = max(around, key=lambda node: node.lineno, default=None)
        return found if found is not None and found.name == self.frame.f_code.co_name else None


def steps(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    """Yield the frames of a traceback, each with the offset of the instruction that it was executing."""
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lasti
        traceback = traceback.tb_next


def instruction_at(frame: FrameType, offset: int) -> dis.Instruction | None:
    """Return the instruction of a frame at an offset, which may be that of its inline cache."""
    found = None
    for step in dis.get_instructions(frame.f_code):
        if step.offset > offset:
            break
        found = step
    return found


def place_of(frame: FrameType, instruction: dis.Instruction) -> Place | None:
    """Return the expression that an instruction was compiled from, None where its source is not known."""
    place = instruction.positions
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
    if sum(map(len, lines)) > _MOST_SOURCE:
        return None
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    wanted = place and (place.lineno, place.col_offset, place.end_lineno, place.end_col_offset)
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.AugAssign)) and _span(node) == wanted:
            return Place(frame, instruction, tree, node, lines)
        # In older versions, what is asked by `if`, or gone through by `for`, has the place of the whole statement.
        if isinstance(node, (ast.If, ast.While)) and _span(node) == wanted and "JUMP" in instruction.opname:
            return Place(frame, instruction, tree, node.test, lines)
        if isinstance(node, ast.For) and _span(node) == wanted and instruction.opname == "GET_ITER":
            return Place(frame, instruction, tree, node.iter, lines)
    return None


def _span(node: ast.expr | ast.stmt) -> tuple[int, int, int | None, int | None]:
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def value_of(frame: FrameType, node: ast.AST) -> Any:
    """Return what a name, an attribute or an item with a constant index stands for, else `UNKNOWN`."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return next((names[node.id] for names in _namespaces(frame) if node.id in names), UNKNOWN)
        case ast.Attribute():
            return attribute(value_of(frame, node.value), node.attr)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
            return -number
        case ast.Subscript():
            owner, index = value_of(frame, node.value), value_of(frame, node.slice)
            within = type(owner) in (tuple, list, torch.Size) and type(index) is int
            return owner[index] if within and -len(owner) <= index < len(owner) else UNKNOWN
        case _:
            return UNKNOWN


def names_in(frame: FrameType) -> Iterator[str]:
    """Yield the names that a frame sees: its own first, then those of the notebook, then Python's."""
    for names in _namespaces(frame):
        yield from (name for name in names if type(name) is str)


def _namespaces(frame: FrameType) -> Iterator[Mapping[str, Any]]:
    if frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # else a mapping that a class of the learner's may have made
        yield frame.f_locals
    if type(frame.f_globals) is dict:
        yield frame.f_globals
    yield vars(builtins)


def attribute(owner: object, name: str) -> Any:
    """Return an attribute that lies in a module, a tensor, a layer or a class as such, else `UNKNOWN`."""
    if type(owner) is ModuleType:
        return vars(owner).get(name, UNKNOWN)
    if is_tensor(owner):
        return _of_tensor(owner, name)
    if type(owner) in (torch.dtype, torch.device):
        return getattr(owner, name, UNKNOWN)
    if is_layer(owner):
        of_class = next((names[name] for names in _classes(type(owner)) if name in names), UNKNOWN)
        if of_class is not UNKNOWN and type(of_class) not in _PLAIN:  # a property, which would compute
            return UNKNOWN
        own = _OWN.__get__(owner)
        for names in (own, *(own.get(part) for part in _PARTS)):
            if type(names) in _DICTS and name in names:
                return names[name]
        return of_class
    return UNKNOWN


def _of_tensor(tensor: Tensor, name: str) -> Any:
    if name in ("shape", "dtype", "device"):
        with torch._C.DisableTorchFunction():
            return getattr(tensor, name)
    found = next((names[name] for names in _classes(type(tensor)) if name in names), UNKNOWN)
    return found if type(found).__name__ in ("function", "method_descriptor") else UNKNOWN


def attributes(owner: object) -> Iterator[str]:
    """Yield the names of attributes that `attribute` knows of, a layer's own ones first."""
    if type(owner) is ModuleType:
        yield from (name for name in vars(owner) if type(name) is str)
        return
    if is_layer(owner):
        own = _OWN.__get__(owner)
        for names in (*(own.get(part) for part in _PARTS), own):
            if type(names) in _DICTS:
                yield from (name for name in names if type(name) is str)
    if is_tensor(owner) or is_layer(owner):
        for names in _classes(type(owner)):
            yield from (name for name in names if type(name) is str)


def is_tensor(value: object) -> TypeGuard[Tensor]:
    """Return whether `value` is a tensor or a parameter of torch's, and of no class derived from these."""
    return type(value) is Tensor or type(value) is nn.Parameter


def is_layer(value: object) -> bool:
    """Return whether `value` is a layer, without asking it."""
    return nn.Module in _MRO.__get__(type(value))


def method(owner: type, name: str) -> FunctionType | None:
    """Return the function that a class defines or inherits under a name, None where it is no plain function."""
    found = next((names[name] for names in _classes(owner) if name in names), None)
    return found if type(found) is FunctionType else None


def type_name(value: object) -> str:
    """Return the name of a value's type."""
    return str(_NAME.__get__(type(value)))


def _classes(kind: type) -> Iterator[Mapping[str, Any]]:
    for each in _MRO.__get__(kind):
        yield type.__dict__["__dict__"].__get__(each)
