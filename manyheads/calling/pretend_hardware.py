"""Pretend hardware: a machine with or without GPUs, a clock that only jobs move, and a spy on torch's attention.

Checks run a learner's code against it, so that code for a GPU can be judged without one. All of torch's and Python's
functions that it replaces are restored when the `with` block is left.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import threading
import time
import timeit
from collections.abc import Callable, Generator, Iterable, Mapping, MutableMapping
from types import FunctionType, SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# Pretend seconds that it takes to give a job to the pretend GPU. They are small beside the job's time: a clock counts
# them, events do not.
LAUNCH = 2e-5
SET_FORWARD = 0.125  # seconds by which the clock that shows the time of day is set during each job
CORES = 2  # of the pretend processor; all of them work on each job
_WALL_CLOCKS = ("perf_counter", "monotonic")
_TIMEIT = (timeit.timeit, timeit.repeat, timeit.Timer.__init__)  # they have a clock as a default argument
_PROCESSOR_CLOCKS = ("process_time", "thread_time")
# What code asks of an NVIDIA GPU before it uses it.
_ONE_GPU: list[tuple[Any, str, object]] = [
    (torch.cuda, "current_device", 0),
    (torch.cuda, "set_device", None),
    (torch.cuda, "device", contextlib.nullcontext()),
    (torch.cuda, "init", None),
    (torch.cuda, "get_device_name", "a pretend GPU"),
    (torch.cuda, "get_device_capability", (8, 0)),
    (torch.cuda, "get_device_properties", SimpleNamespace(name="a pretend GPU", major=8, minor=0, total_memory=2**34)),
]


@contextlib.contextmanager
def machine(cuda_gpus: int, *, mps: bool) -> Generator[None]:
    """Have torch answer as on a machine with `cuda_gpus` NVIDIA GPUs, and with Apple's GPU or without it.

    It is always a build for both, as installed builds may be: that does not mean that a GPU is there.
    """
    kind = "cuda" if cuda_gpus else "mps" if mps else None
    answers: list[tuple[Any, str, object]] = [
        (torch.cuda, "is_available", bool(cuda_gpus)),
        (torch.cuda, "device_count", cuda_gpus),
        (torch.backends.cuda, "is_built", True),
        (torch.backends.mps, "is_available", mps),
        (torch.backends.mps, "is_built", True),
        (torch.mps, "is_available", mps),
        (torch.mps, "device_count", int(mps)),
        (torch.accelerator, "is_available", kind is not None),
        (torch.accelerator, "current_accelerator", kind and torch.device(kind)),
        (torch.accelerator, "device_count", cuda_gpus or int(mps)),
    ]
    if kind is not None:  # without a GPU there is no current one, and asking for it fails as usual
        answers += _ONE_GPU if cuda_gpus else []
        answers += [(torch.accelerator, "current_device_index", 0), (torch.accelerator, "set_device_index", None)]
    with contextlib.ExitStack() as stack:
        for module, name, answer in answers:
            if hasattr(module, name):
                stack.enter_context(mock.patch.object(module, name, _always(answer)))
        stack.enter_context(mock.patch.object(torch.version, "cuda", torch.version.cuda or "12.8"))
        yield


class Clock:
    """Pretend time, in seconds. Only jobs advance it.

    A job's duration is computed only when the clock is read or the GPU is waited for. Until then the number does not
    exist: code cannot find it in memory without measuring.

    Args:
        gpu: whether jobs go into the queue of a pretend GPU, which works while the caller goes on.
    """

    def __init__(self, *, gpu: bool) -> None:
        self.gpu = gpu
        self.jobs = 0
        self._now = 100.0
        self._processor = 10.0
        self._gpu_free_at = 0.0
        self._open: list[tuple[float, Callable[[], float]]] = []  # jobs with the times at which they were given

    def job(self, seconds: Callable[[], float]) -> None:
        """Do a job that takes as long as `seconds` then returns: at once, or by giving it to the GPU."""
        self.jobs += 1
        if self.gpu:
            self._now += LAUNCH
            self._processor += LAUNCH
        self._open.append((self._now, seconds))

    @property
    def now(self) -> float:
        """The wall time."""
        if not self.gpu:
            self._finish()
        return self._now

    @property
    def processor(self) -> float:
        """The CPU time of all cores together."""
        if not self.gpu:
            self._finish()
        return self._processor

    @property
    def gpu_free_at(self) -> float:
        """The time at which the GPU has nothing left to do."""
        self._finish()
        return self._gpu_free_at

    def wait(self, until: float | None = None) -> None:
        """Let time pass until then; with None, until the GPU has nothing left to do."""
        self._now = max(self.now, self.gpu_free_at if until is None else until)

    def _finish(self) -> None:
        for handed_over, seconds in self._open:
            taken = seconds()
            if self.gpu:
                self._gpu_free_at = max(handed_over, self._gpu_free_at) + taken
            else:
                self._now += taken
                self._processor += CORES * taken
        self._open.clear()


class Readings:
    """The values read from clocks and events, each with the number of jobs before it.

    A time that the code really measured is the difference of two of them. A time that it computed need not be.
    """

    def __init__(self) -> None:
        self._times: dict[
            int, set[float]
        ] = {}  # by number of jobs; between jobs a clock does not move, so there are few

    def note(self, jobs: int, seconds: float) -> None:
        """Note that a clock showed `seconds` after so many jobs."""
        self._times.setdefault(jobs, set()).add(seconds)

    def hold(self, seconds: object) -> bool:
        """Return whether readings just before and just after one of the jobs differ by `seconds`."""
        if not isinstance(seconds, (int, float)):
            return False
        return any(
            math.isclose(after - before, seconds, rel_tol=1e-4, abs_tol=1e-5)
            for jobs, times in self._times.items()
            for before in self._times.get(jobs - 1, ())
            for after in times
        )


def number(key: int, *what: object) -> float:
    """Return a number from 0 up to 1 that is determined by a key and by its purpose.

    It is computed each time, so that no number is in memory before it is needed.
    """
    digest = hashlib.sha256(repr((key, *what)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


@contextlib.contextmanager
def clock(
    namespace: MutableMapping[str, Any] | None = None, readings: Readings | None = None, *, gpu: bool
) -> Generator[Clock]:
    """Replace the real clocks with a pretend one, on a machine with one NVIDIA GPU or with none.

    Without a GPU, synchronising raises the same error as torch.

    Args:
        namespace: where code may have a real clock under another name (`from time import perf_counter`).
        readings: receives the readings of wall time and of events.
    """
    pretend = Clock(gpu=gpu)
    note = (readings or Readings()).note
    synchronize: Callable[[], None] = pretend.wait if gpu else _no_gpu
    clocks = _pretend_clocks(pretend, note)
    names = {getattr(time, name): name for name in clocks}
    held = {own: names[value] for own, value in (namespace or {}).items() if _is_one_of(value, names)}
    replaced: list[tuple[Any, str, Callable[..., Any]]] = [
        *((time, name, function) for name, function in clocks.items()),
        (timeit, "default_timer", clocks["perf_counter"]),
        (torch.cuda, "synchronize", lambda *_, **__: synchronize()),
        (torch.accelerator, "synchronize", lambda *_, **__: synchronize()),
        (torch.cuda, "current_stream", lambda *_, **__: SimpleNamespace(synchronize=synchronize)),
        (torch.cuda, "Event", lambda *_, **__: _Event(pretend, note)),
    ]
    with contextlib.ExitStack() as stack:
        stack.enter_context(machine(cuda_gpus=int(gpu), mps=False))
        for module, name, function in replaced:
            stack.enter_context(mock.patch.object(module, name, function))
        for function in (*_TIMEIT, *_functions_of(namespace)):
            stack.enter_context(_clocks_by_default(function, clocks, names))
        if namespace is not None:
            stack.enter_context(mock.patch.dict(namespace, {own: clocks[name] for own, name in held.items()}))
        yield pretend


def _functions_of(namespace: MutableMapping[str, Any] | None) -> list[FunctionType]:
    return [value for value in (namespace or {}).values() if isinstance(value, FunctionType) and value.__defaults__]


def _clocks_by_default(
    function: FunctionType, clocks: Mapping[str, Callable[[], float]], names: Mapping[Any, str]
) -> contextlib.AbstractContextManager[object]:
    """Replace the real clocks among a function's default arguments (`clock=time.perf_counter`) for a while."""
    defaults = tuple(
        clocks[names[value]] if _is_one_of(value, names) else value for value in function.__defaults__ or ()
    )
    return mock.patch.object(function, "__defaults__", defaults)


class AttentionSpy(TorchFunctionMode):
    """Records each call of torch's scaled_dot_product_attention in its `with` block, however it was imported.

    `dropouts` holds the dropout of each call. A call whose keys and values do not fit each other raises: on the CPU
    torch does not check, and reads memory behind the last value.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropouts: list[float] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch instead of each of its functions."""
        if getattr(func, "__name__", "") == "scaled_dot_product_attention":
            given = dict(zip(("query", "key", "value", "attn_mask", "dropout_p"), args, strict=False)) | (kwargs or {})
            self.dropouts.append(float(given.get("dropout_p", 0.0)))
            _demand_that_they_fit(given["query"], given["key"], given["value"])
        return func(*args, **(kwargs or {}))


class _Event:
    """A pretend torch.cuda.Event: the GPU records the time when it reaches the event."""

    def __init__(self, clock: Clock, note: Callable[[int, float], None]) -> None:
        self._clock, self._note, self._at, self._jobs = clock, note, 0.0, 0

    def record(self, stream: object = None) -> None:
        self._at = max(self._clock.now, self._clock.gpu_free_at)
        self._jobs = self._clock.jobs

    def synchronize(self) -> None:
        self._clock.wait(until=self._at)

    def query(self) -> bool:
        self.synchronize()  # asking repeatedly lets time pass
        return True

    def wait(self, stream: object = None) -> None:
        """Do nothing: there is one stream, and later work waits anyway."""

    def elapsed_time(self, end: _Event) -> float:
        for event in (self, end):
            self._note(event._jobs, event._at)
        return 1000 * (end._at - self._at)


def _demand_that_they_fit(query: Tensor, key: Tensor, value: Tensor) -> None:
    in_front = [tuple(tensor.shape[:-2]) for tensor in (query, key, value)]
    try:
        torch.broadcast_shapes(*in_front)
    except RuntimeError:  # a text that no version of torch or Python changes: known mistakes are recognised by it
        raise RuntimeError(
            f"query, key and value do not fit: their dimensions before the last two are {in_front}"
        ) from None
    if key.shape[-2] != value.shape[-2]:
        raise RuntimeError(f"there are {key.shape[-2]} keys and {value.shape[-2]} values, and must be as many of each")


def _pretend_clocks(pretend: Clock, note: Callable[[int, float], None]) -> dict[str, Callable[[], float]]:
    """Return a function for each clock of the module `time`, by name.

    Other threads, such as those that keep a notebook's kernel connected, go on with real time.
    """
    thread = threading.get_ident()

    def instead_of(name: str, now: Callable[[], float]) -> Callable[[], float]:
        real = getattr(time, name)
        return lambda: now() if threading.get_ident() == thread else real()

    def on_the_wall() -> float:
        now = pretend.now
        note(pretend.jobs, now)
        return now

    def time_of_day() -> float:  # corrected again and again, by a time server for one: it is not what has passed
        return pretend.now + SET_FORWARD * pretend.jobs

    clocks: dict[str, Callable[[], float]] = {}
    for name in _WALL_CLOCKS:
        clocks[name] = instead_of(name, on_the_wall)
        clocks[f"{name}_ns"] = instead_of(f"{name}_ns", lambda: round(on_the_wall() * 1e9))
    clocks["time"] = instead_of("time", time_of_day)
    clocks["time_ns"] = instead_of("time_ns", lambda: round(time_of_day() * 1e9))
    for name in _PROCESSOR_CLOCKS:
        clocks[name] = instead_of(name, lambda: pretend.processor)
        clocks[f"{name}_ns"] = instead_of(f"{name}_ns", lambda: round(pretend.processor * 1e9))
    return clocks


def _always(answer: object) -> Callable[..., object]:
    return lambda *_, **__: answer


def _no_gpu() -> None:
    raise AssertionError("Torch not compiled with CUDA enabled")


def _is_one_of(value: object, functions: Iterable[object]) -> bool:
    return any(value is function for function in functions)
