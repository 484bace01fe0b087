"""Recording what lines compute: bounded whatever the code does, and the code does what it does without."""

from __future__ import annotations

import sys
import threading
import time
from types import FrameType
from typing import Any

import pytest
import torch
from torch import Tensor

from manyheads.calling import probe, steps
from manyheads.calling.call import Answer, Call
from manyheads.calling.steps import Recording, Step, as_value, from_value

X = torch.arange(6.0).reshape(2, 3)


def recorded(source: str, x: Tensor = X, calls: int = 1) -> tuple[Answer, Recording]:
    """Record `f(x)` of a cell's source."""
    namespace: dict[str, Any] = {"__name__": "__main__", "torch": torch}
    exec(compile(source, "<a cell>", "exec"), namespace)
    before = sys.gettrace(), threading.gettrace()
    *_, last = probe.record(namespace["f"], [Call({"x": x})] * calls, namespace=namespace)
    assert (sys.gettrace(), threading.gettrace()) == before
    assert not torch.overrides._get_current_function_mode_stack()
    return last


def lines(recording: Recording) -> list[tuple[int, str]]:
    return [(step.line, step.name) for step in recording.steps]


def test_every_line_that_makes_a_tensor_is_a_step() -> None:
    answer, recording = recorded("def f(x):\n    y = x * 2\n    z = y + 1\n    return z.sum(0)\n")
    assert lines(recording) == [(2, "y"), (3, "z"), (4, "")]
    assert [step.value.tolist() for step in recording.steps[:2]] == [(X * 2).tolist(), (X * 2 + 1).tolist()]
    assert recording.complete
    assert isinstance(answer.value, Tensor)
    assert torch.equal(answer.value, (X * 2 + 1).sum(0))


HOSTILE = {
    "a million lines": "def f(x):\n    n = 0\n    while n < 1_000_000:\n        n += 1\n    return x * n\n",
    "a million tensors": "def f(x):\n    for n in range(20_000):\n        y = x * n\n    return y\n",
    "a list that grows": (
        "def f(x):\n    a = []\n    for n in range(200_000):\n        a.append(n)\n    return x * len(a)\n"
    ),
    "recursion": "def f(x, n=400):\n    y = x + 1\n    return y if n == 0 else f(y, n - 1)\n",
    "too deep a recursion": "def f(x):\n    return f(x) + 1\n",
    "a huge tensor": "def f(x):\n    big = torch.ones(4_000, 4_000)\n    return x * big[0, 0]\n",
    "many large tensors": (
        "def f(x):\n    for n in range(40):\n        y = torch.ones(100_000) * n\n    return x * y[0]\n"
    ),
    "a generator": (
        "def f(x):\n    def g():\n        for row in x:\n            yield row * 2\n    return torch.stack(list(g()))\n"
    ),
    "a thread": (
        "import threading\ndef f(x):\n    out = []\n"
        "    t = threading.Thread(target=lambda: out.append(x * 2))\n    t.start()\n    t.join()\n    return out[0]\n"
    ),
    "settrace": "import sys\ndef f(x):\n    sys.settrace(lambda *a: None)\n    return x * 2\n",
    "settrace that fails": (
        "import sys\ndef bad(*a): raise RuntimeError\ndef f(x):\n    sys.settrace(None)\n    return x * 2\n"
    ),
    "f_trace": "import sys\ndef f(x):\n    sys._getframe().f_trace = None\n    return x * 2\n",
    "a mode that stays": (
        "from torch.overrides import TorchFunctionMode\nclass M(TorchFunctionMode):\n"
        "    def __torch_function__(self, fn, types, args=(), kw=None):\n        return fn(*args, **(kw or {}))\n"
        "def f(x):\n    M().__enter__()\n    return x * 2\n"
    ),
    "a popped mode": (
        "def f(x):\n    o = torch.overrides\n    while o._get_current_function_mode_stack():\n        o._pop_mode()\n"
        "    return x * 2\n"
    ),
    "an evil object": (
        "class E:\n    def __eq__(self, o): raise SystemExit\n    def __repr__(self): raise SystemExit\n"
        "    def __bool__(self): raise SystemExit\n    def __len__(self): raise SystemExit\n"
        "    def __hash__(self): raise SystemExit\n    @property\n    def shape(self): raise SystemExit\n"
        "    def __getattr__(self, n): raise SystemExit\n"
        "def f(x):\n    e = E()\n    l = [e, e]\n    return x * 2\n"
    ),
    "one that says it is a tensor": (
        "class E:\n    __class__ = property(lambda self: torch.Tensor)\n    _version = property(lambda self: 1 / 0)\n"
        "def f(x):\n    e = E()\n    return x * 2\n"
    ),
    "an evil tensor": (
        "class T(torch.Tensor):\n    shape = property(lambda self: 1 / 0)\n    is_meta = property(lambda self: 1 / 0)\n"
        "    _version = property(lambda self: 1 / 0)\n    def numel(self): return 10**12\n"
        "    def detach(self): return self\n"
        "def f(x):\n    t = x.as_subclass(T)\n    return (t * 2).as_subclass(torch.Tensor)\n"
    ),
    "odd tensors": (
        "def f(x):\n    a = x.to_sparse()\n    b = torch.empty(3, device='meta')\n    c = torch.zeros(0)\n"
        "    d = torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)\n    e = x.to(torch.complex64)\n    return x * 2\n"
    ),
    "vmap": "def f(x):\n    return torch.vmap(lambda row: row * 2)(x)\n",
    "inference mode": "def f(x):\n    with torch.inference_mode():\n        y = x * 2\n    return y.clone()\n",
    "changed names": "def f(x):\n    exec('y = x * 2')\n    locals()['z'] = x\n    return x * 2\n",
    "an exception": "def f(x):\n    y = x * 2\n    raise KeyError(y)\n",
    "the end": "def f(x):\n    raise SystemExit\n",
    "async": "async def g(x):\n    return x * 2\ndef f(x):\n    g(x).close()\n    return x * 2\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_whatever_the_code_does_the_result_is_plain_and_bounded(source: str) -> None:
    begun = time.thread_time()
    answer, recording = recorded(source)
    took = time.thread_time() - begun
    assert len(recording.steps) <= steps.MOST_STEPS
    assert sum(step.value.nbytes for step in recording.steps) <= 2 * steps.MOST_BYTES
    assert all(type(step.value) is Tensor for step in recording.steps)
    assert from_value(probe._as_data(as_value(recording))).complete == recording.complete
    namespace: dict[str, Any] = {"__name__": "__main__", "torch": torch}
    exec(compile(source, "<a cell>", "exec"), namespace)
    begun = time.thread_time()
    without = probe.run(namespace["f"], Call({"x": X}), namespace=namespace)
    alone = time.thread_time() - begun
    while torch.overrides._get_current_function_mode_stack():
        torch.overrides._pop_mode()
    sys.settrace(None)
    assert took < 3 * alone + 4 * steps.MOST_SECONDS, (took, alone)
    if without.failure is None:
        assert isinstance(without.value, Tensor)
        assert isinstance(answer.value, Tensor)
        assert torch.equal(answer.value, without.value)
    else:
        assert answer.failure is not None
        assert answer.failure.kind == without.failure.kind


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["a million lines", "a million tensors", "a thread", "settrace", "a popped mode", "vmap", "many large tensors"],
)
def test_what_was_not_seen_is_not_called_complete(name: str) -> None:
    assert not recorded(HOSTILE[name])[1].complete


@pytest.mark.slow
def test_the_time_is_that_of_all_calls_together() -> None:
    begun = time.thread_time()
    _, recording = recorded("def f(x):\n    for n in range(300_000):\n        pass\n    return x * 2\n", calls=8)
    assert time.thread_time() - begun < 4 * steps.MOST_SECONDS
    assert recording == Recording()


@pytest.mark.slow
def test_calls_for_which_there_is_no_time_are_not_made() -> None:
    made: list[int] = []

    def f(x: Tensor) -> Tensor:
        made.append(1)
        until = time.thread_time() + steps.MOST_SECONDS / 4
        while time.thread_time() < until:
            x = x + 1
        return x

    assert len(probe.record(f, [Call({"x": X})] * 20, namespace={**globals(), "f": f})) == len(made) < 6


def test_after_very_many_steps_no_further_call_is_made() -> None:
    source = f"def f(x):\n    for _ in range({steps.MOST_STEPS // 2}):\n        x = x + 1\n    return x\n"
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, "<a cell>", "exec"), namespace)
    found = probe.record(namespace["f"], [Call({"x": X})] * 20, namespace=namespace)
    assert sum(len(recording.steps) for _, recording in found) >= steps.MOST_STEPS_OF_ALL
    assert len(found) <= 2 * steps.MOST_STEPS_OF_ALL // steps.MOST_STEPS


def test_a_debugger_goes_on_watching() -> None:
    seen: list[str] = []

    def debugger(frame: FrameType, event: str, argument: object) -> Any:
        seen.append(event)
        return debugger

    sys.settrace(debugger)
    try:
        namespace: dict[str, Any] = {"__name__": "__main__"}
        exec(compile("def f(x):\n    return x * 2\n", "<a cell>", "exec"), namespace)
        [(_, recording)] = probe.record(namespace["f"], [Call({"x": X})], namespace=namespace)
        assert sys.gettrace() is debugger or sys.gettrace() == debugger
    finally:
        sys.settrace(None)
    assert recording == Recording()
    assert seen


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"steps": "x"},
        {"steps": [()], "complete": True},
        {"steps": [(1, "", "", "", 0, 0, "no tensor")]},
        {"steps": [(-1, "", "", "", 0, 0, X)]},
        {"steps": [(True, "", "", "", 0, 0, X)]},
        {"steps": [(1, "s" * 201, "", "", 0, 0, X)]},
        {"steps": [(1, "", "", "", 0, 0, torch.ones(2**20))]},
        {"steps": [(1, "", "", "", 0, 0, torch.empty(3, device="meta"))]},
        {"steps": [(1, "", "", "", 0, 0, X.to(torch.complex64))]},
        {"steps": [(1, "", "", "", 0, 0, X)] * (steps.MOST_STEPS + 1)},
        {"steps": [(1, "", "", "", 0, place, torch.ones(2**16)) for place in range(20)]},
    ],
)
def test_what_is_no_recording_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_value(value)


def test_a_step_that_travels_stays_on_one_line() -> None:
    step = Step(1, "a\n\x1b[31m b", "f\n", "n", 0, 0, X)
    [arrived] = from_value(as_value(Recording((step,), True))).steps
    assert "\n" not in arrived.source + arrived.function
