"""Python's usual slips, told from the expression that failed: a misspelt name, a missing call, a tuple in one piece.

`failed_step.py` asks here where an exception was not raised by what torch was given. As there, values are looked up and
never computed, and where it is not certain, nothing is said.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import dis
import inspect
import math
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from .call import FailedStep, Operand
from .failing_code import (
    UNKNOWN,
    Place,
    attribute,
    attributes,
    is_layer,
    is_tensor,
    method,
    names_in,
    type_name,
    value_of,
)

_MOST_NAMES = 5_000  # that a misspelt one is compared with
_MOST_TEXT = 100
_IMPORTED_AS = {"nn": "torch.nn", "F": "torch.nn.functional", "np": "numpy", "plt": "matplotlib.pyplot"}
_IN_PLACE = ("append", "extend", "insert", "sort", "reverse", "clear", "update", "remove", "add")
_WITH_PLACES = ("max", "min", "median", "mode", "sort", "topk", "kthvalue", "cummax", "cummin")
_PAIRS = tuple(getattr(torch.return_types, name) for name in _WITH_PLACES)
_ONE_TENSOR = [
    (nn.functional, "scaled_dot_product_attention"),
    *((owner, name) for owner in (torch, nn.functional) for name in ("softmax", "relu", "gelu")),
    *((torch, name) for name in ("matmul", "bmm", "einsum", "cat", "stack", "tril", "triu", "where", "argmax")),
]
_CALLABLE = (FunctionType, BuiltinFunctionType, type)
_OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.MatMult: "@", ast.Pow: "**",
    ast.BitAnd: "&", ast.BitOr: "|", ast.Mod: "%",
}  # fmt: skip


def slip(place: Place, error: BaseException) -> FailedStep | None:
    """Return which of Python's slips raised `error`, None where none is certain."""
    return next(_slips(place, error), None)


def _slips(place: Place, error: BaseException) -> Iterator[FailedStep]:
    node = place.node
    if isinstance(error, NameError) and isinstance(node, ast.Name):
        yield from _of_name(place, node, error)
    elif isinstance(error, AttributeError) and _message(error).endswith("before Module.__init__() call"):
        yield _step(place, "A module holds nothing before `super().__init__()`: make that the first line of __init__.")
    elif isinstance(error, AttributeError) and isinstance(node, ast.Attribute):
        yield from _of_attribute(place, node)
    elif isinstance(error, KeyError) and isinstance(node, ast.Subscript):
        yield from _of_key(place, node, error)
    elif isinstance(error, (ValueError, TypeError)) and place.instruction.opname.startswith("UNPACK"):
        yield from _of_unpacking(place)
    elif isinstance(error, TypeError):
        yield from _of_type(place, error)
    elif isinstance(error, AttributeError) and isinstance(node, ast.Call):  # raised within torch
        yield from _operands(place, node)
    elif isinstance(error, IndexError) and isinstance(node, ast.Subscript):
        yield from _of_index(place, node)


def what(value: object) -> str:
    """Return what a value is, in a few words: "a tuple of 2", "a Linear layer", "None"."""
    kind = type(value)
    if value is None or kind is bool:
        return str(value)
    if (type(value) is int and abs(value) < 10**12) or kind is float:
        return f"{value!r}, {'an int' if kind is int else 'a float'}"
    if kind in (tuple, list, dict, set):
        return f"a {kind.__name__} of {len(value)}"  # pyrefly: ignore[bad-argument-type]  # all have one
    if kind is ModuleType:
        return "a module"
    if kind is FunctionType or kind is BuiltinFunctionType or type_name(value).endswith("_descriptor"):
        return "a function"
    if is_tensor(value):
        return "a tensor"
    if is_layer(value):
        return f"a layer, {type_name(value)}"
    if issubclass(kind, type):
        return "a class"
    return f"{'an' if type_name(value)[:1] in 'aeiouAEIOU' else 'a'} {type_name(value)}"


def _step(place: Place, why: str, *nodes: ast.expr) -> FailedStep:
    """Return the step with those of its parts that are known."""
    operands: list[Operand] = []
    for node in {_text(place, node): node for node in nodes}.values():
        value = value_of(place.frame, node)
        if is_tensor(value) or type(value) is torch.Size:
            shape: Any = value.shape if is_tensor(value) else value
            operands.append(Operand(_text(place, node), "", tuple(shape)))
        elif value is not UNKNOWN and any(isinstance(each, ast.Name) for each in ast.walk(node)):
            operands.append(Operand(_text(place, node), what(value)[:_MOST_TEXT]))
    return FailedStep(_text(place, place.node), tuple(operands), why)


def _text(place: Place, node: ast.AST) -> str:
    text = place.text(node)
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 2]} …"


def near(name: str, names: Iterable[str]) -> str:
    """Return the name that `name` is most like, "" where none is like it."""
    known = [other for other, _ in zip(dict.fromkeys(names), range(_MOST_NAMES), strict=False) if other != name]
    if not name.startswith("_"):
        known = [other for other in known if not other.startswith("_")]

    def bare(text: str) -> str:
        return text.replace("_", "").lower()

    same = next((other for other in known if bare(other) == bare(name)), "")
    close = difflib.get_close_matches(name, known, 1, 0.75) if len(name) > 2 else []
    return same or (close[0] if close else "")


def _of_name(place: Place, node: ast.Name, error: NameError) -> Iterator[FailedStep]:
    name, frame = node.id, place.frame
    if isinstance(error, UnboundLocalError):
        yield _step(
            place,
            f"`{name}` is assigned in this function, so everywhere in it the name is the function's own, and here it "
            "has no value yet.",
        )
        return
    owner = value_of(frame, ast.Name("self", ast.Load()))
    if attribute(owner, name) is not UNKNOWN:
        yield _step(place, f"There is a `self.{name}`: an attribute is only found with self in front.")
        return
    if name in _IMPORTED_AS or name in sys.stdlib_module_names or name == "torch":
        known_as = f", usually {_IMPORTED_AS[name]}" if name in _IMPORTED_AS else ""
        yield _step(
            place, f"`{name}` is a module{known_as}: it must be imported first. Has the cell with the imports run?"
        )
        return
    modules = [own for own, value in frame.f_globals.items() if type(value) is ModuleType and name in vars(value)]
    if modules and len(name) > 2:
        found = " and a ".join(f"`{own}.{name}`" for own in modules[:2])
        yield _step(place, f"There is a {found}: what is in a module is only found with the module in front.")
        return
    other = near(name, names_in(frame))
    if other:
        yield _step(place, f"Did you mean `{other}`?")
    elif (other := near(name, attributes(owner))) and attribute(owner, other) is not UNKNOWN:
        yield _step(place, f"Did you mean `self.{other}`?")


def _of_attribute(place: Place, node: ast.Attribute) -> Iterator[FailedStep]:
    owner = value_of(place.frame, node.value)
    text = _text(place, node.value)
    if owner is None:
        yield from _of_none(place, node.value)
    elif type(owner) is ModuleType or is_tensor(owner) or is_layer(owner):
        other = near(node.attr, attributes(owner))
        if owner is torch and node.attr in vars(nn.functional):
            yield _step(place, f"There is a `nn.functional.{node.attr}`.")
        elif other:
            yield _step(place, f"Did you mean `{text}.{other}`?")
        elif is_layer(owner):
            made = ", ".join(name for name in attributes(owner) if type(attribute(owner, name)) is nn.Linear)
            if made:
                yield _step(place, f"The Linear layers of `{text}` are {made[:_MOST_TEXT]}.")
    elif owner is not UNKNOWN:
        yield _step(place, _shadowed(place, node.value) or _is_several(owner), node.value)


def _of_none(place: Place, node: ast.expr) -> Iterator[FailedStep]:
    """Yield where a None comes from."""
    why = _origin_of_none(place, node)
    if why:
        yield _step(place, why, node)


def _origin_of_none(place: Place, node: ast.expr) -> str:
    if not isinstance(node, ast.Name):
        return ""
    name, code = node.id, place.frame.f_code
    function = place.function()
    made = [
        each
        for each in ast.walk(function or place.tree)
        if isinstance(each, (ast.Name, ast.alias)) and isinstance(getattr(each, "ctx", ast.Store()), ast.Store)
        and getattr(each, "id", getattr(each, "name", "")) == name
    ]  # fmt: skip
    if not made and function is not None and name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        return f"The call gives no `{name}` here: ask whether `{name}` is None first."
    assigned = [
        each
        for each in ast.walk(function or place.tree)
        if isinstance(each, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in each.targets)
    ]
    if len(made) != 1 or len(assigned) != 1 or not isinstance(call := assigned[0].value, ast.Call):
        return ""
    if isinstance(call.func, ast.Attribute) and call.func.attr in _IN_PLACE:
        owner = value_of(place.frame, call.func.value)
        if type(owner) in (list, set, dict):
            return f"`{call.func.attr}` changes the {type(owner).__name__} itself and returns None."
    called = value_of(place.frame, call.func)
    if type(called) is FunctionType and _returns_nothing(called):
        return f"`{name}` was returned by `{_text(place, call.func)}`, which returns nothing: is there a return?"
    return ""


def _returns_nothing(function: FunctionType) -> bool:
    """Return whether every way out of a function is without a value."""
    code = function.__code__
    if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        return False
    before: dis.Instruction | None = None
    for step in dis.get_instructions(code):
        if step.opname == "RETURN_CONST" and step.argval is not None:
            return False
        if step.opname == "RETURN_VALUE" and (
            before is None or before.opname != "LOAD_CONST" or before.argval is not None
        ):
            return False
        before = step
    return True


def _is_several(value: object) -> str:
    """Return that a value is a tuple or list where one of its items was meant; "" for anything else."""
    if type(value) is tuple and any(map(is_tensor, value)):
        shapes = ", ".join(str(tuple(item.shape)) if is_tensor(item) else what(item) for item in value[:4])
        return f"It holds {len(value)} values, {shapes}: give each a name of its own, or take one by its index."
    if type(value) is list and any(map(is_tensor, value)):
        return f"It holds {len(value)} tensors and is not one tensor: torch.stack or torch.cat makes one of them."
    return ""


def _shadowed(place: Place, node: ast.expr) -> str:
    """Return that a name of Python's or of a usual module stands for something else here; "" where it does not."""
    if not isinstance(node, ast.Name):
        return ""
    value = value_of(place.frame, node)
    usual = getattr(builtins, node.id, None) if node.id in vars(builtins) else None
    if usual is not None and value is not UNKNOWN and value is not usual:
        own = node.id in place.frame.f_code.co_varnames
        where = "this function" if own else "the notebook"
        remedy = "use another name for it" if own else f"use another name for it, and run `del {node.id}` once"
        return f"`{node.id}` is Python's own function, and {where} has given its name to something else: {remedy}."
    if (node.id in _IMPORTED_AS or node.id == "torch") and type(value) not in (ModuleType, type(UNKNOWN)):
        return f"`{node.id}` is usually a module, and here it is {what(value)}: run the cell with the imports again."
    return ""


def _of_key(place: Place, node: ast.Subscript, error: KeyError) -> Iterator[FailedStep]:
    owner, key = value_of(place.frame, node.value), next(iter(error.args), None)
    if type(owner) is not dict or type(key) is not str or not all(type(each) is str for each in owner):
        return
    if key in owner:  # another dictionary raised it
        return
    other = near(key, owner)
    if other:
        yield _step(place, f"Did you mean {other!r}?", node.value)
    elif len(owner) <= 8:
        keys = ", ".join(map(repr, owner))
        yield _step(place, f"Its keys are {keys[: 2 * _MOST_TEXT]}." if owner else "It is empty.", node.value)


def _of_index(place: Place, node: ast.Subscript) -> Iterator[FailedStep]:
    owner, index = value_of(place.frame, node.value), value_of(place.frame, node.slice)
    if type(owner) in (tuple, list, torch.Size) and type(index) is int and not -len(owner) <= index < len(owner):
        many = f"{len(owner)} items, 0 to {len(owner) - 1}" if owner else "no items"
        dimensions = " A shape has one for each dimension." if type(owner) is torch.Size else ""
        yield _step(place, f"It has {many}, and {index} is not one of them.{dimensions}", node.value)


def _of_unpacking(place: Place) -> Iterator[FailedStep]:
    targets = place.node
    assignment = next(
        (
            each
            for each in ast.walk(place.tree)
            if isinstance(each, ast.Assign) and any(target is targets for target in each.targets)
        ),
        None,
    )
    value = None if assignment is None else assignment.value
    if assignment is None or value is None or not isinstance(targets, (ast.Tuple, ast.List)):
        return
    if any(isinstance(each, ast.Starred) for each in targets.elts):
        return
    many, source, text = len(targets.elts), value_of(place.frame, value), f"`{_text(place, value)}`"
    names = "for one name" if many == 1 else f"for {many} names"
    why = ""
    if type(source) in (tuple, list, torch.Size) and len(source) != many:
        why = f"{text} holds {len(source)} {'value' if len(source) == 1 else 'values'}, {names}."
    elif is_tensor(source):
        why = f"{text} is one tensor, which Python takes apart along its first dimension, {names}."
    elif source is None:
        why = _origin_of_none(place, value)
    elif type(source) in (int, float):
        why = f"{text} is one number, {names}."
    elif isinstance(value, ast.ListComp) and len(value.generators) == 1:
        each = _text(place, value.generators[0].target)
        why = f"On the right is one list, with an item for each `{each}`, {names}."
    elif isinstance(value, ast.Call):
        why = _of_unpacked_call(place, value, many)
    if why:
        yield replace(_step(place, why, value), expression=_text(place, assignment))


def _of_unpacked_call(place: Place, call: ast.Call, many: int) -> str:
    """Return why a call does not give `many` values, as far as the function is known."""
    called, text = value_of(place.frame, call.func), f"`{_text(place, call.func)}`"
    if type(called) is FunctionType:
        return f"{text} returns nothing: is there a return?" if _returns_nothing(called) else ""
    if type(called) is nn.Linear or any(called is getattr(owner, name, None) for owner, name in _ONE_TENSOR):
        return f"{text} returns one tensor, which Python takes apart along its first dimension, for {many} names."
    by_name = {each.arg: each.value for each in call.keywords}
    size = value_of(place.frame, by_name.get("split_size", call.args[0] if call.args else ast.Constant(None)))
    if isinstance(call.func, ast.Attribute) and call.func.attr == "split" and type(size) is int and size == many:
        return f"split takes the size of a part, here {size}; chunk takes the number of parts."
    return ""


def _of_type(place: Place, error: TypeError) -> Iterator[FailedStep]:
    node, message = place.node, _message(error)
    if isinstance(node, ast.Call) and message.endswith("object is not callable"):
        yield from _not_callable(place, node)
    elif isinstance(node, ast.Call) and "positional argument" in message:
        yield from _signature(place, node, message)
    elif isinstance(node, ast.Subscript) and message.endswith("is not subscriptable"):
        value = value_of(place.frame, node.value)
        if value is None:
            yield from _of_none(place, node.value)
        elif type(value) in _CALLABLE or type_name(value) == "method_descriptor":
            yield _step(place, "A function is called with round brackets.", node.value)
        elif type(value) in (int, float):
            yield _step(place, "A number has no items.", node.value)
    elif isinstance(node, ast.Call) and "unexpected keyword argument" in message:
        yield from _unknown_word(place, node, message)
    elif isinstance(node, ast.Call) and message.endswith(("must be Tensor, not int", "must be Tensor, not float")):
        yield from _number_for_tensor(place, node)
    elif isinstance(node, ast.Call) and re.search(r"must be Tensor, not [A-Z]\w+$", message):
        yield from _layer_for_tensor(place, node, error)
    elif isinstance(node, ast.Call) and message.endswith("must be Tensor, not function"):
        yield from _not_called(place, node)
    else:
        if "must be bool" in message:
            yield from _truth_value(place, node) if message.endswith(("not float", "not int")) else ()
        else:
            if "float" in message and isinstance(node, (ast.Call, ast.Subscript)):
                yield from _whole_numbers(place, node)
            yield from _operands(place, node, error)
    if message.endswith("is not iterable"):
        yield from _not_iterable(place, node)
    if isinstance(node, ast.Call) and "of type function" in message:
        yield from _not_called(place, node)
    if "torch.return_types." in message:
        yield from _values_and_places(place, node)


def _not_callable(place: Place, node: ast.Call) -> Iterator[FailedStep]:
    value = value_of(place.frame, node.func)
    shadowed = _shadowed(place, node.func)
    if value is UNKNOWN:
        return
    if shadowed:
        yield _step(place, shadowed, node.func)
    elif value is None:
        why = _origin_of_none(place, node.func)
        yield _step(place, why or "None cannot be called.", node.func)
    elif type(value) is torch.Size:
        yield _step(
            place, "These are the sizes themselves, and not a function: one of them is taken with square brackets.",
            node.func,
        )  # fmt: skip
    elif type(value) in (int, float) and not (node.args or node.keywords):
        yield _step(place, "This is a number already, and needs no brackets.", node.func)
    elif type(value) in (int, float):
        yield _step(place, "Round brackets after a number call it as a function: is an operator missing?", node.func)
    elif type(value) in (tuple, list, dict) or is_tensor(value):
        yield _step(
            place,
            "This is not a function: its items are taken with square brackets, and a product needs its sign.",
            node.func,
        )
    elif type(value) is ModuleType:
        yield _step(place, "A module cannot be called: name a function in it.", node.func)
    elif type(value) in (str, torch.dtype, torch.device):
        yield _step(place, "This is not a function, and needs no brackets.", node.func)


def _signature(place: Place, node: ast.Call, message: str) -> Iterator[FailedStep]:
    """Yield what a function of the learner's takes, where the call gives more or fewer."""
    if any(isinstance(arg, ast.Starred) for arg in node.args) or any(word.arg is None for word in node.keywords):
        return
    called: Any = value_of(place.frame, node.func)
    of_object = False
    if isinstance(node.func, ast.Attribute) and is_layer(owner := value_of(place.frame, node.func.value)):
        called = method(type(owner), node.func.attr)
        of_object = True
    elif isinstance(called, type):
        called, of_object = method(called, "__init__"), True
    if type(called) is not FunctionType or called.__code__.co_name not in message:
        return
    names = called.__code__.co_varnames[: called.__code__.co_argcount]
    if of_object and (not names or names[0] != "self"):
        yield _step(
            place,
            f"A method gets the object itself first, and `{called.__code__.co_name}` has no self for it: "
            f"it takes {', '.join(names) or 'nothing'}.",
        )
        return
    names = names[1:] if of_object else names
    given = len(node.args) + len(node.keywords)
    yield _step(
        place,
        f"`{_text(place, node.func)}` takes {len(names)} {'value' if len(names) == 1 else 'values'}"
        f"{' (' + ', '.join(names) + ')' if names else ''}, and {given} {'is' if given == 1 else 'are'} given.",
    )


def _unknown_word(place: Place, node: ast.Call, message: str) -> Iterator[FailedStep]:
    """Yield which names a function's arguments have, where the call gives one another name."""
    found = re.search(r"unexpected keyword argument '(\w+)'", message)
    called: Any = value_of(place.frame, node.func)
    if isinstance(called, type):
        called = method(called, "__init__")
    if found is None or called is UNKNOWN:
        return
    word, name = found[1], _text(place, node.func)
    if type(called) is FunctionType:
        code = called.__code__
        known = [each for each in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if each != "self"]
        known = [each for each in known if not each.startswith("_")]
        if code.co_name not in message:  # raised within it
            return
    elif type(called) is BuiltinFunctionType and called.__name__ in message:
        signature = re.match(rf"\s*{called.__name__}\(([^()]*(?:\([^()]*\)[^()]*)*)\)", called.__doc__ or "")
        known = [] if signature is None else re.findall(r"(?:^|, )([a-zA-Z]\w*)(?==|,|$|:)", signature[1])
    else:
        return
    other = near(word, known) or next((each for each in known if each.endswith(f"_{word}")), "")
    meant = f" Did you mean `{other}`?" if other else f" Its arguments are {', '.join(known)}." if known else ""
    yield _step(place, f"`{name}` has no argument named `{word}`.{meant}")


def _layer_for_tensor(place: Place, node: ast.Call, error: TypeError) -> Iterator[FailedStep]:
    """Yield that a layer was made of a tensor, where one should be called with it: `nn.GELU(x)`."""
    for part in node.args[:1]:
        made = value_of(place.frame, part.func) if isinstance(part, ast.Call) else UNKNOWN
        if isinstance(part, ast.Call) and isinstance(made, type) and issubclass(made, nn.Module):
            name = _text(place, part.func)
            why = f"`{name}` is a class: `{name}(…)` makes a layer, and that layer is then called with the tensor."
            yield _step(place, why)
            return
    yield from _operands(place, node, error)


def _number_for_tensor(place: Place, node: ast.Call) -> Iterator[FailedStep]:
    """Yield that a function of torch's was given a plain number."""
    for part in node.args[:1]:
        if type(value_of(place.frame, part)) in (int, float) and isinstance(node.func, ast.Attribute):
            other = f", as `math.{node.func.attr}` does" if hasattr(math, node.func.attr) else ""
            why = f"`{_text(place, node.func)}` takes a tensor. A plain number needs a function for numbers{other}."
            yield _step(place, why, part)


def not_whole(place: Place, error: TypeError) -> FailedStep | None:
    """Return which part of a call is a float where the called function needs a whole number, None if none is."""
    if "float" not in _message(error) or "must be bool" in _message(error) or not isinstance(place.node, ast.Call):
        return None
    return next(_whole_numbers(place, place.node), None)


def refused(target: object, given: Sequence[str], error: BaseException) -> FailedStep | None:
    """Return why a function or layer could not even be called, None where that is not why it failed.

    Args:
        given: the names of what it was called with; none where they are not known.
    """
    kind = type(target)
    if kind is FunctionType:
        function, of_object = target, False
    else:
        function = method(target, "__init__") if isinstance(target, type) else None
        function, of_object = function or (method(kind, "forward") if is_layer(target) else None), True
    if type(function) is not FunctionType or type(error) is not TypeError:
        return None
    code, message = function.__code__, _message(error)
    if f"{code.co_name}() " not in message or "positional argument" not in message:
        return None
    names = code.co_varnames[: code.co_argcount]
    if of_object and (not names or names[0] != "self"):
        why = f"A method gets the object itself first, and `{code.co_name}` has no self for it."
    elif not given:
        asked = names[1:] if of_object else names
        if "missing" not in message or not all(f"'{name}'" in message for name in asked):
            return None
        why = "It is called without any values."
    else:
        why = f"It is called with {len(given)} {'value' if len(given) == 1 else 'values'}: {', '.join(given)}."
    return FailedStep(f"def {code.co_name}({', '.join(names)})"[:_MOST_TEXT], (), why)


def _truth_value(place: Place, node: ast.AST) -> Iterator[FailedStep]:
    """Yield which parts of a call are numbers, one of which is where True or False belongs."""
    parts = [*node.args, *(word.value for word in node.keywords)] if isinstance(node, ast.Call) else []
    numbers = [part for part in parts if type(value_of(place.frame, part)) in (int, float)]
    if numbers:
        why = "One of these is in the place of True or False: give arguments by their names."
        yield _step(place, why, *numbers)


def _whole_numbers(place: Place, node: ast.Call | ast.Subscript) -> Iterator[FailedStep]:
    """Yield which part is a float where sizes and indices must be whole numbers."""
    parts = [*node.args, *(word.value for word in node.keywords)] if isinstance(node, ast.Call) else [node.slice]
    inner = [
        each for part in parts for each in ast.walk(part) if isinstance(each, (ast.Name, ast.Attribute, ast.BinOp))
    ]
    for each in inner:
        value = value_of(place.frame, each)
        if type(value) is float:
            yield _step(
                place,
                "A size or an index is a whole number, and this is a float: / always gives one, // does not.",
                each,
            )
        elif isinstance(each, ast.BinOp) and isinstance(each.op, ast.Div):
            sides = [value_of(place.frame, side) for side in (each.left, each.right)]
            if all(type(side) in (int, float) for side in sides):
                text = _text(place, each)
                yield _step(place, f"`{text}` is a float, even if nothing is left over: // gives a whole number.")


def _operands(place: Place, node: ast.AST, error: BaseException | None = None) -> Iterator[FailedStep]:
    """Yield which part of an operation or call is not what it should be: None, a function, a layer, several values."""
    parts: list[ast.expr] = []
    match node:
        case ast.BinOp(left=left, right=right) | ast.AugAssign(target=left, value=right):
            parts = [left, right]
        case ast.Compare(left=left, comparators=comparators):
            parts = [left, *comparators]
        case ast.UnaryOp(operand=operand):
            parts = [operand]
        case ast.Call():
            if any(isinstance(each, ast.Starred) for each in node.args):
                return
            parts = [*node.args, *(word.value for word in node.keywords)]
            yield from _not_a_list(place, node)
        case _:
            return
    arithmetic = not isinstance(node, ast.Call)
    named = None if error is None else re.search(r"must be .+, not (\w+)$", _message(error))
    for part in parts:
        value = value_of(place.frame, part)
        if named is not None and value is not UNKNOWN and type_name(value) != named[1]:
            continue  # torch names the kind that it refuses
        if value is None and isinstance(part, ast.Name) and (arithmetic or _takes_tensors(place, node)):
            why = _origin_of_none(place, part)
            yield _step(place, why, *parts)
        elif arithmetic and (
            type(value) in (FunctionType, BuiltinFunctionType) or type_name(value) == "method_descriptor"
        ):
            yield _step(place, "A function is called with round brackets.", *parts)
        elif is_layer(value) and (arithmetic or _takes_tensors(place, node)):
            dropout = type_name(value) == "Dropout"
            has = "its share is its `p`" if dropout else "its numbers are in its weight"
            yield _step(place, f"A layer is called with its input; {has}.", *parts)
        elif (
            type(value) in (tuple, list) and (arithmetic or _takes_tensors(place, node)) and (why := _is_several(value))
        ):
            yield _step(place, why, *parts)


def _not_a_list(place: Place, node: ast.Call) -> Iterator[FailedStep]:
    called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if called in ("cat", "stack", "concat") and node.args and is_tensor(value_of(place.frame, node.args[0])):
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if owner is not None and type(value_of(place.frame, owner)) is ModuleType:
            yield _step(
                place, f"{called} takes one list of tensors, in square brackets, and then the dimension.", *node.args
            )


def _takes_tensors(place: Place, node: ast.AST) -> bool:
    """Return whether a call is of one of torch's own functions, or of a tensor's method."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    owner = value_of(place.frame, node.func.value)
    if is_tensor(owner):
        return node.func.attr in vars(Tensor) or node.func.attr in vars(torch._C.TensorBase)
    return owner is torch or owner is nn.functional or type(value_of(place.frame, node.func)) is nn.Linear


def _not_called(place: Place, node: ast.Call) -> Iterator[FailedStep]:
    """Yield which parts of a call are functions where torch wants a number or a tensor."""
    parts = (*node.args, *(word.value for word in node.keywords))
    functions = [part for part in parts if type(value_of(place.frame, part)) is FunctionType]
    if functions:
        yield _step(place, "A function is called with round brackets.", *functions)


def _values_and_places(place: Place, node: ast.AST) -> Iterator[FailedStep]:
    """Yield which part is two tensors in one, as max and its like return where a dimension is named."""
    for part in ast.iter_child_nodes(node):
        called = part.func.attr if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) else ""
        value = value_of(place.frame, part)
        if called in _WITH_PLACES or any(type(value) is kind for kind in _PAIRS):
            text = _text(place, part)
            yield _step(place, f"`{text}` is two tensors, the values and their places: take one of them by its name.")


def _not_iterable(place: Place, node: ast.AST) -> Iterator[FailedStep]:
    if isinstance(node, (ast.Name, ast.Attribute)) and type(value_of(place.frame, node)) is int:
        yield _step(place, "One number is nothing to go through: range counts up to it.", node)
        return
    if isinstance(node, ast.Name) and value_of(place.frame, node) is None:
        yield from _of_none(place, node)


def _message(error: BaseException) -> str:
    """Return what an exception of Python's own says; "" where its text would be made by a learner's code."""
    args = error.args
    return args[0] if type(error) in (TypeError, AttributeError) and len(args) == 1 and type(args[0]) is str else ""
