"""Carries out calls next to the learner's code and reports the answers.

The learner's own checks call `run` directly; the judge makes the learner's kernel call `respond`. It has no expected
values and never decides anything: it runs in the same process as unknown code.
"""

from __future__ import annotations

import contextlib
import linecache
import math
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from . import backward, own_errors, steps, wire
from .call import Answer, Call, Failure, Gradients, Value, missing
from .cause import Operations, cause
from .failed_step import failed_step
from .forbidden_calls import FORBIDDEN, compiled, ready, the_courses, watching
from .frames import code_of, is_the_learners, namespace_of
from .sealed import unsealed

_lent: set[CodeType] = set()  # code of the stand-ins in use
MESSAGE_LENGTH = 600  # characters of an exception's text
_EXHAUSTED = ("MemoryError", "RecursionError", "SystemExit")  # failures after which a second try would only cost more
_BEGUN = b"?"  # the content of the answer's file while the calls are made
_responded = False  # whether a judge has asked


def run(
    target: Any,
    call: Call,
    probe: str = "",
    forbids: Collection[str] = (),
    granted: Collection[str] | None = None,
    namespace: Mapping[str, Any] | None = None,
) -> Answer:
    """Call the learner's `target` as `call` says and return the answer.

    Args:
        target: a function, or a class derived from `nn.Module` if `call.init` is given.
        call: the inputs. They are copied first, so that the call cannot change the originals.
        probe: source of `probe(target, *inputs)` to call instead of the target itself.
        forbids: names of torch's that may not be called. The answer to such a call is the failure `FORBIDDEN`.
        granted: exercises whose stand-ins may call them nevertheless: those of earlier chapters. None: all.
        namespace: the names that the learner's cells see; by default those that the target's code sees.
    """
    code = compiled(probe, "<probe>") if probe else None
    ours = _lent | the_courses(granted) | (code_of(code) if code else set())
    cells = namespace_of(target) if namespace is None else namespace
    given, called = _call(target, call, code, forbids, ours, cells)
    if called:  # even if the code caught the exception
        return Answer(failure=Failure(FORBIDDEN, called[0]), parameters=given.parameters)
    if given.failure is not None and given.failure.kind not in _EXHAUSTED:
        # Once more, watched: working code runs as in any other cell, and only a failed call is examined.
        with nothing_shown():  # what it prints has been shown
            again, _ = _call(target, call, code, forbids, ours, cells, Operations())
        if again.failure is not None and again.failure.kind == given.failure.kind:
            step = again.failure.step if again.failure.message == given.failure.message else None
            return replace(given, failure=replace(given.failure, cause=again.failure.cause, step=step))
    return given


def record(
    target: Any, calls: Iterable[Call], probe: str = "", namespace: Mapping[str, Any] | None = None
) -> list[tuple[Answer, steps.Recording]]:
    """Make calls that have been made before once more. Return the answer to each, without gradients, and what each of
    the learner's lines computes.

    What is forbidden is not looked for again. Calls are not made, and missing in what is returned, after
    `steps.MOST_STEPS_OF_ALL` or where there is no time for them. So is one during which the time ended, but the first.

    Args:
        target, probe, namespace: as in `run`.
    """
    code = compiled(probe, "<probe>") if probe else None
    cells = namespace_of(target) if namespace is None else namespace
    begun, recorded = time.thread_time(), list[tuple[Answer, steps.Recording]]()
    for call in calls:
        spent = time.thread_time() - begun
        left = steps.MOST_SECONDS - spent
        many = sum(len(recording.steps) for _, recording in recorded) >= steps.MOST_STEPS_OF_ALL
        if many or (recorded and left < spent / len(recorded)):  # what a call has taken
            break
        recorder = steps.Recorder(lambda frame: is_the_learners(frame, cells), left)
        one = _record(target, call, code, cells, recorder)
        if not recorded or one[1].complete or time.thread_time() - begun < steps.MOST_SECONDS:
            recorded.append(one)
    return recorded


def trace(target: Any, call: Call, probe: str, namespace: Mapping[str, Any]) -> tuple[Answer, steps.Recording]:
    """Record one call for as long as it takes, and from which others each step was computed."""
    code = compiled(probe, "<probe>") if probe else None
    recorder = steps.Recorder(lambda frame: is_the_learners(frame, namespace), math.inf, tracing=True)
    return _record(target, call, code, namespace, recorder)


def _record(
    target: Any, call: Call, probe: CodeType | None, cells: Mapping[str, Any], recorder: steps.Recorder
) -> tuple[Answer, steps.Recording]:
    answer, _ = _call(target, replace(call, cotangent=None), probe, (), (), cells, recorder=recorder)
    return answer, recorder.recording()


def _call(
    target: Any,
    call: Call,
    probe: CodeType | None,
    forbids: Collection[str],
    ours: Collection[CodeType],
    cells: Mapping[str, Any],
    operations: Operations | None = None,
    recorder: steps.Recorder | None = None,
) -> tuple[Answer, list[str]]:
    """Make the call. Return the answer and the forbidden names that were called."""
    inputs = {name: _copy(value) for name, value in call.inputs.items()}
    parameters = None
    gradients = None
    called: list[str] = []
    try:
        # fork_rng: the check must not change the learner's random numbers. Warnings would go to stderr, which nbgrader
        # takes for a failure.
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings(action="ignore"):
            _seed()
            with (
                operations or contextlib.nullcontext(),
                _uncompiled(),
                _filled(),
                watching(forbids, ours, cells) as called,
            ):
                if operations is not None:
                    operations.name_tensors(inputs)
                if call.init is not None:
                    with torch.inference_mode(mode=False):  # else its parameters would not require a gradient
                        target = target(*call.init.values())
                    if any(is_lazy(parameter) for parameter in target.parameters()):
                        _first_call(target, call, probe)
                    parameters = {
                        name: tuple(parameter.shape)
                        for name, parameter in target.named_parameters()
                        if not is_lazy(parameter)  # unchanged, so the call did not use it
                    }
                    if not _fits(parameters, call.state):
                        return Answer(parameters=parameters), called
                    _load(target, call.state or {})
                    if operations is not None:
                        operations.name_tensors(dict(target.named_parameters()))
                    target.train(call.training)
                function = _probe_function(probe, target) if probe else target
                if recorder is not None and isinstance(target, nn.Module):
                    recorder.layers = {id(p): name.rpartition(".")[0] for name, p in target.named_parameters()}
                with recorder or contextlib.nullcontext():
                    returned = function(*inputs.values())
                value = _as_data(returned)  # what is asked for it may be the learner's code, too
                if call.cotangent is not None:
                    gradients = _gradients(target, function, call, cells)
            changed = tuple(name for name, now in inputs.items() if not _same(now, call.inputs[name]))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: a learner's exit() is an answer, not the end of the check
        # A probe calls it with what it likes.
        asked = call.init if isinstance(target, type) else {} if probe else call.inputs
        return Answer(
            failure=_failure(error, cells, operations, target, list(asked or {})), parameters=parameters
        ), called
    return Answer(value=value, parameters=parameters, changed=changed, gradients=gradients), called


def _gradients(target: Any, function: Callable[..., Value], call: Call, cells: Mapping[str, Any]) -> Gradients:
    """Make the call once more, with inputs that require a gradient, and follow its outputs back.

    The first call is made as in the notebook, where code without a gradient may change its inputs freely.
    """
    _seed()
    try:
        with backward.recording(), nothing_shown():  # what it prints has been shown
            leaves, inputs = backward.leaves_of({name: _copy(value) for name, value in call.inputs.items()})
            leaves |= backward.parameters_of(target)
            found = backward.follow(call, function(*inputs.values()), leaves)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Gradients(failure=_failure(error, cells, None))
    return Gradients(found)


@contextlib.contextmanager
def standing_in(namespace: MutableMapping[str, Any], stand_ins: Mapping[str, str]) -> Generator[None]:
    """Within the block, replace the learner's own objects with working ones.

    Args:
        namespace: where the learner's code looks its names up.
        stand_ins: source by name, sealed or not; each defines an object of that name.
    """
    missing = object()
    before = {name: namespace.get(name, missing) for name in stand_ins}
    for name, source in stand_ins.items():
        scope: dict[str, Any] = {"__name__": "manyheads.stand_in"}
        code = compiled(unsealed(source), f"<stand-in for {name}>")
        _lent.update(code_of(code))
        exec(code, scope)
        namespace[name] = scope[name]
    try:
        yield
    finally:
        _lent.clear()
        for name, value in before.items():
            if value is missing:
                namespace.pop(name, None)
            else:
                namespace[name] = value


def respond(request: str, answer: str, namespace: MutableMapping[str, Any] | None = None) -> None:
    """Carry out the calls in the file `request` and write the answers to the file `answer`.

    The judge calls it in the learner's kernel, and trusts only the numbers in `answer`. One byte is written there
    before the first call. Where the judge asks for records, the steps of each call are in the answer too. Prints are
    discarded.

    Args:
        namespace: where the learner's names are looked up; the caller's own by default.
    """
    global _responded
    _responded = True
    if namespace is None:
        namespace = sys._getframe(1).f_globals
    document, tensors = wire.load(Path(request))
    Path(answer).write_bytes(_BEGUN)
    unpacker, packer = wire.Unpacker(tensors), wire.Packer()
    probe = document["probe"]
    forbids, granted = document.get("forbids", ()), document.get("granted", ())
    answers: list[Any] = []
    recorded: list[Any] = []
    with standing_in(namespace, document["stand_ins"]), nothing_shown(), ready(forbids):
        if document.get("records") and document["exercise"] in namespace:
            calls = map(unpacker.call, document["calls"])
            for given, recording in record(namespace[document["exercise"]], calls, probe, namespace):
                answers.append(packer.answer(given))
                recorded.append(packer.value(steps.as_value(recording)))
        else:
            for packed in document["calls"]:
                if document["exercise"] in namespace:
                    target = namespace[document["exercise"]]
                    given = run(target, unpacker.call(packed), probe, forbids, granted, namespace)
                else:
                    given = Answer(failure=missing(document["exercise"]))
                answers.append(packer.answer(given))
    wire.save(Path(answer), {"answers": answers, "recorded": recorded}, packer.tensors)


@contextlib.contextmanager
def nothing_shown() -> Generator[None]:
    """Discard what is printed within the block."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


def has_responded() -> bool:
    """Return whether a judge has asked anything in this process."""
    return _responded


@contextlib.contextmanager
def _uncompiled() -> Generator[None]:
    """Have torch.compile leave code as it is written, including code that was compiled before.

    A compiler that traces the learner's calls also meets those of the watch and of stand-ins, and cannot tell them
    apart. And it may take minutes.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_variable("TORCHDYNAMO_DISABLE", "1"))
        if "torch._dynamo" in sys.modules:  # otherwise nothing has been compiled yet, and importing it takes seconds
            stack.enter_context(torch.compiler.set_stance("force_eager"))
            # Once anything has been compiled, distributions accept parameters that they otherwise refuse.
            stack.enter_context(mock.patch.object(torch.distributions.Distribution, "_validate_args", __debug__))
        yield


@contextlib.contextmanager
def _variable(name: str, value: str) -> Generator[None]:
    """Set one environment variable. unittest's `patch.dict` sets all of them again, 0.7 ms for each call."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


@contextlib.contextmanager
def _filled() -> Generator[None]:
    """Have torch.empty return NaN, not old memory, which might contain an answer.

    That is torch's deterministic mode. Its own switch imports a compiler first, which takes a second.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch._C._set_deterministic_algorithms(mode=True, warn_only=True)
    try:
        yield
    finally:
        torch._C._set_deterministic_algorithms(before[0], warn_only=before[1])


def _first_call(layer: nn.Module, call: Call, probe: CodeType | None) -> None:
    """Call a layer that learns its sizes from its first input, such as one with nn.LazyLinear."""
    with torch.no_grad():
        function = _probe_function(probe, layer) if probe else layer
        function(*(_copy(value) for value in call.inputs.values()))


def _seed() -> None:
    """Do what torch.manual_seed(0) does for devices in use. For all others it records its caller: 2 ms."""
    torch.default_generator.manual_seed(0)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(0)


def _probe_function(code: CodeType, target: Any) -> Callable[..., Value]:
    scope: dict[str, Any] = {"__name__": "manyheads.calling.probe"}
    exec(code, scope)
    return lambda *inputs: scope["probe"](target, *inputs)


def _as_data(value: Value) -> Value:
    """Return `value` as it is after `wire`, so that a check here and one elsewhere compare the same thing."""
    packer = wire.Packer()
    packed = packer.value(value)
    return wire.Unpacker(packer.tensors).value(packed)


def _copy(value: Value) -> Value:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, (tuple, list)):
        return type(value)(_copy(item) for item in value)
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return value


def _same(now: Value, before: Value) -> bool:
    if isinstance(now, Tensor) and isinstance(before, Tensor):
        same_type = (now.shape, now.dtype, now.device) == (before.shape, before.dtype, before.device)
        return same_type and (now.is_meta or torch.equal(now.nan_to_num(), before.nan_to_num()))
    if isinstance(now, (tuple, list)) and isinstance(before, (tuple, list)):
        return len(now) == len(before) and all(map(_same, now, before))
    if isinstance(now, dict) and isinstance(before, dict):
        return now.keys() == before.keys() and all(_same(now[key], before[key]) for key in now)
    return type(now) is type(before) and bool(now == before or (now != now and before != before))  # NaN is not itself


def _fits(parameters: Mapping[str, tuple[int, ...]], state: Mapping[str, Tensor] | None) -> bool:
    return state is None or parameters == {name: tuple(tensor.shape) for name, tensor in state.items()}


def _load(layer: nn.Module, state: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if name in state:
                parameter.copy_(state[name])


def _failure(
    error: BaseException,
    cells: Mapping[str, Any],
    operations: Operations | None,
    target: object = None,
    given: Sequence[str] = (),
) -> Failure:
    def is_own(frame: FrameType) -> bool:
        return is_the_learners(frame, cells)

    own = [(frame, number) for frame, number in traceback.walk_tb(error.__traceback__) if is_own(frame)]
    rows = [linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip() for frame, number in own]
    lines = [row for row in rows if row]  # code that a library made, for a learner's dataclass, has none
    # The checked function's own line first; then the line where it stopped, if that is in another of the learner's.
    line = f"{lines[0]}  →  {lines[-1]}" if lines and lines[-1] != lines[0] else "".join(lines[:1])
    try:
        message = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # a learner's own exception class may fail even here
        message = "(its message cannot be shown)"
    if len(message) > MESSAGE_LENGTH:
        message = message[:MESSAGE_LENGTH] + " …"
    if operations is None:
        return Failure(type(error).__name__, message, line[:300])
    failed = operations.failed(error)
    try:
        step = failed_step(error, failed, is_own, target, given)
    except Exception as ours:  # a learner's values may be anything, and what explains an error must not cost the answer
        if own_errors.is_raised(ours):
            raise
        step = None
    return Failure(type(error).__name__, message, line[:300], cause(error, failed, is_own), step)
