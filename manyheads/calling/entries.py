"""Watches calls of torch where they arrive, on whatever path: in its dispatcher, and in the code of its functions.

`forbidden_calls.py` uses it besides a torch function mode, which is set per thread and which code can leave. The watch
here works in all threads, for compiled and traced code, and for references that were taken before.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import warnings
from collections.abc import Callable, Collection, Generator, Iterator
from functools import lru_cache
from types import CodeType, FrameType, FunctionType
from typing import Any

import torch
from torch import nn
from torch._C import DispatchKey
from torch.utils import flop_counter

from .frames import code_of

# Called with a name and with the frame of the call, None if no Python code made it. It may raise.
Decide = Callable[[str, FrameType | None], None]

# A composite operator is looked up at the first of these keys that its arguments have.
_COMPOSITE = ("AutogradCPU", "CPU", "FuncTorchBatched", "FuncTorchVmapMode")
_ALWAYS = "BackendSelect"  # every call that reaches a kernel passes this key
# Functions outside torch's best known modules. Importing the first is fast; the other is there if code has imported it.
_ELSEWHERE = {"FlopCounterMode": flop_counter.__name__, "flex_attention": "torch.nn.attention.flex_attention"}
_ENTRY = "what is called in a function's place"


@contextlib.contextmanager
def watched(names: Collection[str], decide: Decide) -> Generator[None]:
    """Within the block, call `decide` before each call of torch's operators, functions and layers with these names."""
    with ready(names):
        for_now = _ready[frozenset(names)]
        for_now.append(decide)
        try:
            yield
        finally:
            for_now.remove(decide)


@contextlib.contextmanager
def ready(names: Collection[str]) -> Generator[None]:
    """Within the block, `watched` is prepared for these names; otherwise it takes half a millisecond."""
    if frozenset(names) in _ready:
        yield
        return
    deciding = _ready[frozenset(names)] = []

    def decide(name: str, frame: FrameType | None) -> None:
        for one in deciding:
            one(name, frame)

    with contextlib.ExitStack() as stack:
        stack.callback(_ready.pop, frozenset(names))
        # torch warns if it has an implementation for a key already. It is restored afterwards.
        with warnings.catch_warnings(action="ignore"):
            for name in names:
                for operator in _operators(name):
                    for key in _COMPOSITE if _is_composite(operator) else (_ALWAYS,):
                        library: Any = torch._C._dispatch_library("IMPL", "aten", "", __file__, 0)
                        stack.callback(library.reset)
                        library.impl(
                            _qualified(operator), key, _before_operator(name, operator, decide), with_keyset=True
                        )
        for name in names:
            for function in _functions(name):
                stack.enter_context(before(name, function, decide))
        yield


_ready: dict[frozenset[str], list[Decide]] = {}  # who decides now, by names


@lru_cache(maxsize=256)
def _operators(name: str) -> tuple[Any, ...]:
    """Return the overloads of torch's operator of that name."""
    packet = getattr(torch.ops.aten, name, None)
    if packet is None:
        return ()
    # some exist for TorchScript only, and have no kernel
    return tuple(
        operator
        for operator in (getattr(packet, overload) for overload in packet.overloads())
        if torch._C._dispatch_has_kernel(operator.name())
    )


def _qualified(operator: Any) -> str:
    return str(operator.name()).partition("::")[2]


@lru_cache(maxsize=256)
def _is_composite(operator: Any) -> bool:
    return bool(operator.has_kernel_for_dispatch_key(DispatchKey.CompositeImplicitAutograd))


def _before_operator(name: str, operator: Any, decide: Decide) -> Callable[..., Any]:
    composite = _is_composite(operator)
    below = torch._C._dispatch_keyset_full_after(getattr(DispatchKey, _ALWAYS))

    def call(keys: Any, *args: Any, **kwargs: Any) -> Any:
        decide(name, _caller())
        if composite:
            return operator._op_dk(DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
        return operator.redispatch(keys & below, *args, **kwargs)

    return call


def _functions(name: str) -> Iterator[FunctionType]:
    """Yield torch's Python functions of that name, and the entry of the layer or class of that name."""
    elsewhere = _ELSEWHERE.get(name, "")
    modules = [torch, torch.functional, nn.functional, nn, sys.modules.get(elsewhere)]
    functions = [way_in(vars(module).get(name)) for module in modules if module is not None]
    for place, function in enumerate(functions):
        if function is not None and all(function is not other for other in functions[:place]):
            yield function


def way_in(called: object) -> FunctionType | None:
    """Return the Python function that runs when `called` is used, None if unknown."""
    if isinstance(called, type):
        called = (
            called.forward if issubclass(called, nn.Module) and called.__module__[:5] == "torch" else called.__init__
        )
    return called if isinstance(called, FunctionType) else None


@contextlib.contextmanager
def before(name: str, function: FunctionType, decide: Decide) -> Generator[None]:
    """Replace the function's code: references that were taken before call the new code, too."""
    code = function.__code__
    original = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    original.__kwdefaults__ = function.__kwdefaults__

    def call(*args: Any, **kwargs: Any) -> Any:
        decide(name, _caller())
        return original(*args, **kwargs)

    entry = _passing_on_to(call, code)
    _entries.add(entry)
    function.__code__ = entry
    try:
        yield
    finally:
        function.__code__ = code
        _entries.discard(entry)


def _pass_on(*args: Any, **kwargs: Any) -> Any:
    function: Any = "what is called in a function's place"
    return function(*args, **kwargs)


def _passing_on_to(function: Callable[..., Any], code: CodeType) -> CodeType:
    """Return code that calls `function`, to replace `code`."""
    constants = tuple(function if constant == _ENTRY else constant for constant in _pass_on.__code__.co_consts)
    return _pass_on.__code__.replace(co_consts=constants, co_freevars=code.co_freevars)


def _caller() -> FrameType | None:
    """Return the frame that made the call, None in a thread of torch's own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (frame.f_code in _OWN or frame.f_code in _entries):
        frame = frame.f_back
    return frame


_OWN = code_of(_before_operator.__code__) | code_of(inspect.unwrap(before).__code__)
_entries = set[CodeType]()  # code that replaces a function's now
