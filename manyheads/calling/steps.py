"""Records what each line of a learner's code computes, during one call.

`probe.record` makes a call that has failed once more under a `Recorder`, and `manyheads.checking.first_wrong_line`
compares the steps with those of the reference solution. A recorder never raises, and leaves what the code does as it
is. It lives in the learner's own process: what it returns is a learner's, and never believed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, overrides
from torch.overrides import TorchFunctionMode

from . import own_errors
from .frames import is_the_courses
from .statements import Statement, statement_at

MOST_STEPS = 300
MOST_STEPS_OF_ALL = 3 * MOST_STEPS  # calls of an exercise; no more of them are watched then
MOST_BYTES = 2 * 2**20  # of all values of one call
MOST_SECONDS = 0.4  # of CPU time for all calls of an exercise; a call that is being watched goes on without
_LARGEST = 2**19  # bytes of one value
_MOST_FRAMES = 80  # between a function of torch's and the learner's line that it was called from
_LONGEST_LIST = 64
_DTYPES = (
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
)
_OUT_OF_SIGHT = ("numpy", "tolist", "__array__", "__dlpack__")  # what follows is computed without torch


_LAYOUT: Any = vars(torch._C.TensorBase)["layout"]  # asks a tensor, not a learner's class derived from it


@dataclass(frozen=True)
class Step:
    """A tensor that a line made.

    Args:
        line: the number of the statement's first line in its cell or file.
        source: the statement, shortened.
        function: the function or method that the line is in, by its qualified name.
        name: the name that the line bound it to; "" for a part of an expression, and for what is returned.
        round: how often this statement had run before.
        place: which of the statement's values it is, counted from 0 in each round.
        value: the tensor, copied and detached.
        made_by: names of the torch function, the layer and the function that gave it, as far as they are known.
        after: indices of the steps that it was computed from; only where a recorder was asked to trace them.
    """

    line: int
    source: str
    function: str
    name: str
    round: int
    place: int
    value: Tensor
    made_by: tuple[str, ...] = ()
    after: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Recording:
    """The steps of one call, in their order.

    Args:
        complete: whether nothing that was computed is missing, as far as that can be told.
    """

    steps: tuple[Step, ...] = ()
    complete: bool = False


@dataclass(eq=False)
class _Watched:
    """A frame that runs a learner's line."""

    seen: dict[str, tuple[Any, int]]  # what each name was bound to, with its version
    statement: Statement | None = None
    offset: int = -1
    round: int = 0
    place: int = 0


class Recorder(TorchFunctionMode):
    """Records steps within its block.

    Args:
        is_own: whether a frame's lines are to be recorded.
        seconds: CPU time that lines are watched.
        tracing: whether to note which steps a step was computed from.
    """

    def __init__(
        self, is_own: Callable[[FrameType], bool], seconds: float = MOST_SECONDS, *, tracing: bool = False
    ) -> None:
        super().__init__()
        self.layers: Mapping[int, str] = {}
        self._is_own, self._seconds, self._tracing = is_own, seconds, tracing
        self._own: dict[CodeType, bool] = {}
        self._frames: dict[FrameType, _Watched] = {}
        self._rounds: dict[tuple[CodeType, int], int] = {}
        self._steps: list[Step] = []
        self._copies: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}  # the tensor itself, lest its id is used again
        self._origins: dict[int, tuple[Tensor, frozenset[int]]] = {}
        self._bytes = 0
        self._complete, self._running = True, False
        self._error: Exception | None = None

    def __enter__(self) -> Recorder:
        """Begin to watch, unless something else does, such as a debugger."""
        super().__enter__()
        self._until = time.thread_time() + self._seconds
        self._before = threading.gettrace()
        self._watching = self._running = self._complete = sys.gettrace() is None and self._seconds > 0
        if self._watching:
            threading.settrace(self._in_another_thread)
            sys.settrace(self._on_call)
        return self

    def __exit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        """Watch no longer."""
        if self._watching:
            if sys.gettrace() != self._on_call:
                self._complete = False  # the code has watched itself
            sys.settrace(None)
            threading.settrace(self._before)
        self._running = False
        self._frames.clear()
        if self in overrides._get_current_function_mode_stack():
            while overrides._pop_mode() is not self:  # one that the code has entered and not left
                pass
        else:
            self._complete = False

    def recording(self) -> Recording:
        """Return what was recorded."""
        if self._error is not None and own_errors.is_raised(self._error):
            raise self._error
        return Recording(tuple(self._steps), self._complete)

    # The lines: called by Python.

    def _on_call(self, frame: FrameType, event: str, _: object) -> Any:
        try:
            if not self._goes_on():
                return None
            code = frame.f_code
            if code not in self._own:
                self._own[code] = self._is_own(frame)
            if self._own[code]:
                self._frames[frame] = _Watched({name: (v, _version(v)) for name, v in frame.f_locals.items()})
                return self._on_line
            if is_the_courses(frame) and frame.f_back is not None and self._owner(frame.f_back) is not None:
                frame.f_trace_lines = False
                return self._on_courses_return
        except Exception as error:
            self._fail(error)
        return None

    def _on_line(self, frame: FrameType, event: str, value: Any) -> Any:
        try:
            watched = self._frames.get(frame)
            if watched is None or not self._goes_on():
                return None
            if event in ("line", "return"):
                self._bound(frame, watched, last=event == "return")
            if event == "return":
                self._given(watched, frame, value, (frame.f_code.co_name,))
                self._frames.pop(frame, None)
            elif event == "line":
                statement = statement_at(frame)
                # A loop's next round begins by jumping back, perhaps to the same line.
                if statement != watched.statement or frame.f_lasti <= watched.offset:
                    key = frame.f_code, statement.line
                    watched.round = self._rounds.get(key, 0)
                    self._rounds[key] = watched.round + 1
                    watched.statement, watched.place = statement, 0
                watched.offset = frame.f_lasti
        except Exception as error:
            self._fail(error)
            return None
        return self._on_line

    def _on_courses_return(self, frame: FrameType, event: str, value: Any) -> Any:
        """Record what a function of the course's, such as a stand-in, gives to a learner's line."""
        try:
            if event == "return" and frame.f_back is not None and self._goes_on():
                owner = self._owner(frame.f_back)
                if owner is not None:
                    self._given(self._frames[owner], owner, value, (frame.f_code.co_name,))
        except Exception as error:
            self._fail(error)
        return self._on_courses_return

    def _in_another_thread(self, frame: FrameType, event: str, _: object) -> None:
        if self._running:
            self._complete = False  # what is computed there is not seen

    # The functions: called by torch.

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of torch's, and record what it gives to a learner's line."""
        result = func(*args, **(kwargs or {}))
        try:
            if self._goes_on():
                self._called(func, args, kwargs or {}, result)
        except Exception as error:
            self._fail(error)
        return result

    def _called(self, function: Any, args: Any, kwargs: Mapping[str, Any], result: Any) -> None:
        name = str(getattr(function, "__name__", ""))
        if name in _OUT_OF_SIGHT:
            self._complete = False
        operands = list(_tensors([*args, *kwargs.values()]))
        if self._tracing:
            into = [*_tensors([result]), *(operands[:1] if name == "__setitem__" else ())]
            origins = frozenset[int]().union(*(self._origin(tensor) for tensor in operands))
            for tensor in into:
                self._origins[id(tensor)] = tensor, origins | self._origin(tensor)
        owner = self._owner(sys._getframe(2))
        if owner is None:
            return
        names = [self.layers[id(operand)] for operand in operands if id(operand) in self.layers]
        self._given(self._frames[owner], owner, result, (*names[:1], _plain(name)))

    # What they have in common.

    def _goes_on(self) -> bool:
        if self._running and time.thread_time() > self._until:
            self._fail()
        return self._running

    def _fail(self, error: Exception | None = None) -> None:
        self._running = self._complete = False
        self._error = self._error or error
        if sys.gettrace() == self._on_call:  # even one that does nothing makes each line dearer
            sys.settrace(None)

    def _owner(self, frame: FrameType | None) -> FrameType | None:
        """Return the learner's frame that called, None where the course's code did, or nobody who is watched."""
        for _ in range(_MOST_FRAMES):
            if frame is None or is_the_courses(frame):
                return None
            if frame in self._frames:
                return frame
            frame = frame.f_back
        return None

    def _bound(self, frame: FrameType, watched: _Watched, *, last: bool) -> None:
        """Record the names that the statement which ends here has bound or changed."""
        for name, value in frame.f_locals.items():
            version = _version(value)
            before = watched.seen.get(name)
            if before is not None and before[0] is value and before[1] == version:
                continue
            watched.seen[name] = value, version
            if isinstance(value, Tensor):
                self._step(watched, frame, value, name)
            elif type(value).__module__ == "numpy":
                self._complete = False
            elif isinstance(value, (list, tuple)) and any(isinstance(item, (float, list)) for item in value):
                self._complete = False  # numbers in plain Python
        if last:
            for name, (value, _) in watched.seen.items():
                if isinstance(value, list) and (stacked := self._stacked(value)) is not None:
                    self._step(watched, frame, stacked, name)

    def _given(self, watched: _Watched, frame: FrameType, value: Any, made_by: tuple[str, ...]) -> None:
        for tensor in _tensors([value]):
            self._step(watched, frame, tensor, "", made_by)
        if isinstance(value, list) and (stacked := self._stacked(value)) is not None:
            self._step(watched, frame, stacked, "")

    def _stacked(self, value: list[Any]) -> Tensor | None:
        """Return the tensors of a list as one, None where they are none or of several shapes."""
        if not 2 <= len(value) <= _LONGEST_LIST or not all(isinstance(item, Tensor) for item in value):
            return None
        copies = [self._copy(item) for item in value]
        kept = [copy for copy in copies if copy is not None]
        if len(kept) < len(copies) or any(copy.shape != kept[0].shape for copy in kept):
            return None
        with torch._C.DisableTorchFunction():
            return torch.stack(kept)

    def _step(
        self, watched: _Watched, frame: FrameType, value: Tensor, name: str, made_by: tuple[str, ...] = ()
    ) -> None:
        statement = watched.statement
        if statement is None or not self._goes_on():
            return
        copy = self._copy(value)
        if copy is None:
            return
        function = frame.f_code.co_qualname.split(".<locals>")[0]
        after = self._origin(value)
        for index in range(len(self._steps) - 1, max(-1, len(self._steps) - 9), -1):
            step = self._steps[index]
            same_line = (step.line, step.function, step.round) == (statement.line, function, watched.round)
            if step.value is copy and same_line and (not step.name or not name):
                self._steps[index] = replace(
                    step, name=step.name or name, made_by=tuple(dict.fromkeys((*step.made_by, *made_by)))
                )
                return
        if len(self._steps) >= MOST_STEPS:
            self._fail()
            return
        if self._tracing:
            self._origins[id(value)] = value, after | {len(self._steps)}
        self._steps.append(
            Step(
                statement.line,
                statement.source,
                function,
                name,
                watched.round,
                watched.place,
                copy,
                made_by,
                after - {len(self._steps)},
            )
        )
        watched.place += 1

    def _copy(self, tensor: Tensor) -> Tensor | None:
        """Return a copy of a tensor's numbers, the same object for the same tensor; None where it cannot be had."""
        key = id(tensor), _version(tensor)
        if key in self._copies:
            return self._copies[key][1]
        if _is_wrapped(tensor):
            self._complete = False
            return None
        with torch._C.DisableTorchFunction():
            # of no storage that could be shared
            if _LAYOUT.__get__(tensor) != torch.strided:
                return None
            plain = tensor.as_subclass(Tensor)  # whose attributes are torch's own
            if plain.is_meta or plain.layout != torch.strided or plain.is_nested or plain.dtype not in _DTYPES:
                return None
            size = plain.numel() * plain.element_size()
            if not size or size > _LARGEST or self._bytes + size > MOST_BYTES:
                self._complete = self._complete and not size
                return None
            copy = plain.detach().cpu().clone(memory_format=torch.contiguous_format)
        self._bytes += size
        self._copies[key] = tensor, copy
        return copy

    def _origin(self, tensor: Tensor) -> frozenset[int]:
        return self._origins[id(tensor)][1] if id(tensor) in self._origins else frozenset()


def _is_wrapped(tensor: Tensor) -> bool:
    """Return whether a tensor is one of torch.func's, which stands for several."""
    functorch: Any = torch._C  # torch declares no types for it
    return bool(functorch._functorch.is_functorch_wrapped_tensor(tensor))


def _version(value: object) -> int:
    """Return a number that changes when a tensor is changed in place, or a list grows."""
    if isinstance(value, Tensor):
        try:
            return value._version
        except RuntimeError:  # made in inference mode, which keeps no count
            return 0
    return len(value) if isinstance(value, list) else 0


def _tensors(values: Any, depth: int = 0) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)) and depth < 2 and len(value) <= _LONGEST_LIST:
            yield from _tensors(value, depth + 1)


def _plain(name: str) -> str:
    """Return the name of a torch function as it is written: "matmul" for `__matmul__`, "add" for `__iadd__`."""
    return name.strip("_")


def as_value(recording: Recording) -> Any:
    """Return a recording as plain data that `wire.py` carries."""
    rows = [
        (step.line, step.source, step.function, step.name, step.round, step.place, step.value)
        for step in recording.steps
    ]
    return {"complete": recording.complete, "steps": rows}


def from_value(value: Any) -> Recording:
    """Return the recording that `as_value` made `value` of, which anybody may have written.

    Raises:
        ValueError: if it is none, or has more steps or bytes than a recording holds.
    """
    if not isinstance(value, dict) or not isinstance(value.get("steps"), list):
        raise ValueError("not a recording")
    rows = value["steps"]
    if len(rows) > MOST_STEPS:
        raise ValueError("too many steps")
    steps = tuple(map(_step_of, rows))
    values = {id(step.value): step.value for step in steps}.values()
    if sum(value.numel() * value.element_size() for value in values) > MOST_BYTES:
        raise ValueError("too many bytes")
    return Recording(steps, value.get("complete") is True)


def _step_of(row: Any) -> Step:
    if not isinstance(row, tuple) or len(row) != 7:
        raise ValueError("not a step")
    line, source, function, name, round_, place, value = row
    numbers_fit = all(type(number) is int and 0 <= number < 10**6 for number in (line, round_, place))
    texts_fit = all(isinstance(text, str) and len(text) <= 200 for text in (source, function, name))
    if not numbers_fit or not texts_fit or not isinstance(value, Tensor) or value.is_meta or not value.numel():
        raise ValueError("not a step")
    if value.dtype not in _DTYPES or value.numel() * value.element_size() > _LARGEST:
        raise ValueError("not a step's value")
    return Step(
        line, " ".join(source.split()), " ".join(function.split()), " ".join(name.split()), round_, place, value
    )
