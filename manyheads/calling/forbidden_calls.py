"""Detects forbidden calls when they are made, by whatever name the code found the function.

`probe.py` runs a learner's code under `watching`. It completes `manyheads.source.forbidden_names`, which reads the
source before: it also sees names made at run time and references stored elsewhere. It watches twice: with a torch
function mode, which sees every function and method, and which code can leave; and with `entries.py`, which sees
operators, functions and layers in every thread, and cannot be left. Both live in the learner's own process, where code
that rewrites them can switch them off. So a hit proves a use; no hit proves nothing.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import sys
import threading
from collections.abc import Collection, Generator, Mapping
from concurrent.futures.thread import _WorkItem
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest import mock

import torch
from torch import nn, overrides
from torch.overrides import TorchFunctionMode

from . import entries
from .frames import code_of

FORBIDDEN = "ForbiddenCall"  # the kind of failure after a forbidden call
TAKEN_AWAY = "_pop_torch_function_stack"  # what removes the watch; it counts as a forbidden call
_TORCH = str(Path(torch.__file__).parent)
_OPERATORS = str(Path(torch.__file__).parent / "_ops.py")  # calls through torch.ops come from here
# Functions in which torch calls what it was given, not what it needs itself.
_HANDS_ON = tuple(
    f"{_TORCH}/{place}"
    for place in (
        *("utils/_contextlib.py", "utils/checkpoint.py", "utils/_pytree.py", "utils/_cxx_pytree.py"),
        *("_functorch/", "autograd/", "nn/modules/module.py", "_higher_order_ops/", "_compile.py", "_dynamo/"),
        *("overrides.py", "func/", "nn/attention/"),
    )
)
# What torch runs behind a function, and what can be called instead of it.
_BEHIND = {
    "scaled_dot_product_attention": (
        "_scaled_dot_product_attention_math",
        "_scaled_dot_product_efficient_attention",
        "_scaled_dot_product_flash_attention",
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_cudnn_attention",
        "_scaled_dot_product_fused_attention_overrideable",
        "flex_attention",
    ),
    "numel": ("nelement",),
    "multi_head_attention_forward": ("_native_multi_head_attention", "_transformer_encoder_layer_fwd"),
}


# Entries of threads that code starts or that wait for work; and the backward pass, with its hooks.
_UNWATCHED: tuple[tuple[Any, str], ...] = (
    (threading.Thread, "_bootstrap_inner"),
    (_WorkItem, "run"),
    (torch.autograd, "_engine_run_backward"),
)

_course: dict[str, set[CodeType]] = {}  # code of stand-ins for earlier chapters' exercises, by exercise


class ForbiddenCall(RuntimeError):
    """A call that the exercise forbids. Its text is the forbidden name."""


@contextlib.contextmanager
def watching(
    forbids: Collection[str], ours: Collection[CodeType] = (), namespace: Mapping[str, Any] | None = None
) -> Generator[list[str]]:
    """Refuse the functions and layers of torch that are named in `forbids`, and note which were called.

    Args:
        ours: code that may call them: a stand-in's, a probe's.
        namespace: the names that the learner's cells see. Anything there with a forbidden name is refused, too, such as
            a layer of the learner's own.

    Yields:
        the forbidden names that were called, in order; empty until there is one.
    """
    called: list[str] = []
    if not forbids:
        yield called
        return
    names = _names(forbids)
    permitted = frozenset(ours) | _CARRIERS
    seen: list[str] = []  # not only in `called`, which code can find among its callers' variables

    layers = {name for name in names if isinstance(getattr(nn, name, None), type)}

    def decide(name: str, frame: FrameType | None) -> None:
        while name in layers and frame is not None and _is_torchs(frame):  # one of torch's layers contains another
            frame = frame.f_back
        if _is_the_learners_doing(frame, permitted):
            seen.append(names[name])
            raise ForbiddenCall(names[name])

    watch = _Watch(names, decide, called)
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: called.extend(seen))
        stack.enter_context(entries.watched(names, decide))
        for name in forbids:
            own = entries.way_in((namespace or {}).get(name))
            if own is not None and not str(own.__module__).startswith("torch."):
                stack.enter_context(entries.before(name, own, decide))
        # What disables subclasses, and modes with them: while a watch runs, it disables subclasses only.
        lesser = torch._C.DisableTorchFunctionSubclass
        stack.enter_context(mock.patch.object(torch._C, "DisableTorchFunction", lesser))
        for owner, name in _UNWATCHED:
            if hasattr(owner, name):
                stack.enter_context(mock.patch.object(owner, name, watch.over(getattr(owner, name))))
        for owner in (torch._C, overrides):
            stack.enter_context(mock.patch.object(owner, TAKEN_AWAY, watch.staying(getattr(owner, TAKEN_AWAY))))
        stack.callback(watch.end)
        stack.enter_context(watch)
        yield called


def ready(forbids: Collection[str]) -> contextlib.AbstractContextManager[None]:
    """Within the block, `watching` begins in a tenth of its time: for several calls of one exercise."""
    return entries.ready(_names(forbids)) if forbids else contextlib.nullcontext()


def _names(forbids: Collection[str]) -> dict[str, str]:
    """Return the refused functions, each with its forbidden name."""
    return {other: name for name in forbids for other in (name, *_BEHIND.get(name, ()))}


class _Watch(TorchFunctionMode):
    def __init__(self, names: Collection[str], decide: entries.Decide, called: list[str]) -> None:
        super().__init__()
        self._names, self._decide, self._called = frozenset(names), decide, called

    def __exit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        """Leave the stack of modes, unless code that switched the watch off has done so already."""
        if self not in overrides._get_current_function_mode_stack():
            self._called.append(TAKEN_AWAY)
            return
        while overrides._pop_mode() is not self:  # a mode that code has entered and not left
            pass

    def staying(self, pop: Any) -> Any:
        """Return `pop` for code that restores what it removes: torch itself."""

        def popped() -> Any:
            mode = pop()
            frame: FrameType | None = sys._getframe(1)
            while frame is not None and frame.f_code in _POPS:
                frame = frame.f_back
            if mode is self and frame is not None and frame.f_code is not _LEAVE and not _is_torchs(frame):
                overrides._push_mode(mode)
                self._called.append(TAKEN_AWAY)
                raise ForbiddenCall(TAKEN_AWAY)
            return mode

        return popped

    def end(self) -> None:
        """Refuse nothing any more: a thread that was started meanwhile may continue."""
        self._names = frozenset()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # An operator of torch.ops is called "name.overload".
        name = str(getattr(func, "__name__", "")).partition(".")[0]
        if name in self._names:
            self._decide(name, sys._getframe(1))
        return func(*args, **(kwargs or {}))

    def over(self, runs: Any) -> Any:
        def watched(*args: Any, **kwargs: Any) -> Any:
            with self:  # torch has a mode per thread, and disables it in the backward pass
                return runs(*args, **kwargs)

        return watched


def _is_the_learners_doing(frame: FrameType | None, permitted: Collection[CodeType]) -> bool:
    """Return whether the learner's code made the call from `frame`, directly or through torch.

    Args:
        permitted: code that may call what is forbidden.
    """
    while frame is not None and (frame.f_code is _ASKED or _runs_operators(frame) or _hands_on(frame)):
        frame = frame.f_back
    if frame is None:  # one of torch's own threads, which runs what it was given
        return True
    # torch's own code may use anything: printing a tensor counts its entries.
    return not _is_torchs(frame) and frame.f_code not in permitted


_ASKED = _Watch.__torch_function__.__code__
_SUBCLASS = inspect.unwrap(
    torch.Tensor.__torch_function__.__func__
).__code__  # where subclasses of Tensor pass calls on
_LEAVE = _Watch.__exit__.__code__
# Through these torch removes modes, for itself and for others.
_POPS = (
    overrides._pop_mode.__code__,
    inspect.unwrap(overrides._pop_mode_temporarily).__code__,
    contextlib._GeneratorContextManager.__enter__.__code__,
)


def is_the_courses(exercise: str, code: CodeType) -> None:
    """Remember that `code` is the course's stand-in for an exercise: its calls are not the learner's."""
    _course.setdefault(exercise, set()).update(code_of(code))


def the_courses(granted: Collection[str] | None) -> set[CodeType]:
    """Return the code of the stand-ins for the exercises `granted`; of all if that is None."""
    return {code for name, codes in _course.items() if granted is None or name in granted for code in codes}


@lru_cache(maxsize=1024)
def compiled(source: str, name: str) -> CodeType:
    """Return the course's `source`, compiled once under a file's `name`: most of it runs many times."""
    return compile(source, name, "exec")


def _is_torchs(frame: FrameType) -> bool:
    """Return whether torch's own code runs: code of its own file, in its own module.

    Other code can be compiled under the file's name, and run in the module's namespace.
    """
    file, name = frame.f_code.co_filename, str(frame.f_globals.get("__name__"))
    module = sys.modules.get(name)
    if module is None or not file.startswith(_TORCH) or vars(module) is not frame.f_globals:
        return False
    return frame.f_code in _code_in(name, file)


@lru_cache(maxsize=256)
def _code_in(module: str, file: str) -> frozenset[CodeType]:
    """Return all code of a module's file. It is read from Python's compiled file."""
    try:
        code = SourceFileLoader(module, file).get_code(module)
    except (ImportError, OSError, SyntaxError):  # not a Python file
        code = None
    return frozenset(code_of(code)) if code is not None else frozenset()


def _runs_operators(frame: FrameType) -> bool:
    """Return whether torch is running an operator in this frame that was called through torch.ops."""
    return frame.f_code.co_filename == _OPERATORS and _is_torchs(frame)


def _hands_on(frame: FrameType) -> bool:
    """Return whether torch only calls a given function in this frame: within no_grad, vmap, checkpoint or a tree
    map."""
    if frame.f_code is _SUBCLASS:
        return True
    return frame.f_code.co_filename.startswith(_HANDS_ON) and _is_torchs(frame)


def _own_code(*modules: str) -> frozenset[CodeType]:
    """Return all code of modules of this package."""
    found: set[CodeType] = set()
    for name in modules:
        spec = importlib.util.find_spec(f"{__package__}.{name}")
        loader: Any = None if spec is None else spec.loader
        found |= code_of(loader.get_code(f"{__package__}.{name}"))
    return frozenset(found)


_CARRIERS = _own_code("probe", "wire", "backward")  # they copy, pack and follow tensors
