"""Forbidden names are found in the source and when they are called, and nobody is accused wrongly."""

from __future__ import annotations

import _thread
import contextlib
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from manyheads.calling import probe
from manyheads.calling.call import Answer, Call
from manyheads.calling.forbidden_calls import FORBIDDEN
from manyheads.source.forbidden_names import forbidden_name

SDPA = "scaled_dot_product_attention"
FORBIDS = (SDPA, "MultiheadAttention", "numel")
X = torch.arange(24.0).reshape(1, 2, 3, 4)


def asked(function: object, source: str = "") -> Answer:
    return probe.run(function, Call({"x": X}), source, FORBIDS)


@pytest.mark.parametrize(
    "source",
    [
        f"F.{SDPA}(q, k, v)",
        f"from torch.nn.functional import {SDPA} as s",
        "getattr(F, 'scaled_dot_' + 'product' '_attention')",
        "getattr(F, f\"scaled_{'dot'}_product_attention\")",
        "getattr(F, '_'.join(['scaled', 'dot', 'product', 'attention']))",
        "getattr(F, 'noitnetta_tcudorp_tod_delacs'[::-1])",
        "getattr(F, 'scaled_{}_{}_attention'.format('dot', 'product'))",
        "exec('f = torch.nn.functional.scaled_dot_product_attention')",
        "eval('torch.nn.' + 'MultiheadAttention')(4, 2)",
    ],
)
def test_a_name_is_found_however_it_is_written(source: str) -> None:
    assert forbidden_name(f"def f(q, k, v):\n    {source}", FORBIDS, "f") is not None


@pytest.mark.parametrize(
    "source",
    [
        f'def f(x):\n    """Do what {SDPA} does."""\n    # no numel here\n    return x',
        "print('numel: ' + str(3), f'{x.shape} {y}', 'a'[::-1], ','.join(map(str, x)), '{}'.format(x))",
        "names = 'scaled dot product attention'.split()",
        "x['a' + 'b'][1:2][::0]",
    ],
)
def test_words_in_prose_do_not_count_as_use(source: str) -> None:
    assert forbidden_name(f"def f():\n    y = 1\n{textwrap.indent(source, '    ')}", FORBIDS, "f") is None


@pytest.mark.parametrize(
    "source", ["'a' + " * 5000 + "'b'", "f(" * 500 + ")" * 500, "'{}'.format('{}')", "''.join([])"]
)
def test_source_that_is_hard_to_read_is_read(source: str) -> None:
    assert forbidden_name(f"f = {source}", FORBIDS, "f") is None


OWN = "def attend(q, k, v):\n    return helper(q @ k.mT) @ v\n\ndef helper(x):\n    return x.softmax(-1)\n"


@pytest.mark.parametrize(
    ("beside", "found"),
    [
        (f"assert torch.allclose(attend(q, k, v), F.{SDPA}(q, k, v))", False),
        (f"def compare(q, k, v):\n    return attend(q, k, v) - F.{SDPA}(q, k, v)", False),
        (f"def helper(x):\n    return F.{SDPA}(x, x, x)", True),
        (f"from torch.nn.functional import {SDPA} as helper", True),
        (f"inner = F.{SDPA}\nhelper = lambda x: inner(x, x, x)", True),
    ],
)
def test_only_what_the_exercise_uses_counts(beside: str, found: bool) -> None:
    assert (forbidden_name(f"{OWN}{beside}", FORBIDS, "attend") is not None) == found


kept = functional.scaled_dot_product_attention
layer = nn.MultiheadAttention(4, 2, batch_first=True)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: kept(x, x, x),
        lambda x: getattr(torch.ops.aten, SDPA)(x, x, x),
        lambda x: torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(x, x, x)[0],
        lambda x: vars(vars(torch._C)["_nn"])[SDPA](x, x, x),
        lambda x: layer(x[0], x[0], x[0])[0],
        lambda x: nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)(x[0]),
        lambda x: x * x.numel(),
    ],
)
def test_a_forbidden_call_is_seen_under_any_name(call: object) -> None:
    failure = asked(call).failure
    assert failure is not None
    assert failure.kind == FORBIDDEN
    assert failure.message in FORBIDS


def test_swallowing_the_refusal_does_not_help() -> None:
    def learner(x: Tensor) -> Tensor:
        try:
            return kept(x, x, x)
        except Exception:
            return x

    failure = asked(learner).failure
    assert failure is not None
    assert failure.kind == FORBIDDEN


def test_printing_a_tensor_and_using_other_layers_is_allowed() -> None:
    def learner(x: Tensor) -> Tensor:
        str(x)  # torch counts the entries of what it prints
        return nn.Linear(4, 4)(x).softmax(-1) @ nn.Dropout(0.1)(x).transpose(-2, -1)

    assert asked(learner).failure is None


def test_stand_ins_and_probes_may_call_what_learners_may_not() -> None:
    source = f"from torch.nn.functional import {SDPA}\ndef attend(x):\n    return {SDPA}(x, x, x)"
    namespace: dict[str, Any] = {}
    with probe.standing_in(namespace, {"attend": source}):
        assert asked(lambda x: namespace["attend"](x)).failure is None
    assert (
        asked(
            lambda x: x, f"import torch\ndef probe(target, x):\n    return torch.nn.functional.{SDPA}(x, x, x)"
        ).failure
        is None
    )


@pytest.mark.slow
def test_compiled_code_runs_as_it_is_written_and_is_seen_as_such() -> None:
    source = f"from torch.nn.functional import {SDPA}\ndef attend(x):\n    return {SDPA}(x, x, x)"
    namespace: dict[str, Any] = {}
    uses_stand_in = torch.compile(lambda x: namespace["attend"](x), backend="eager")
    with probe.standing_in(namespace, {"attend": source}):
        assert asked(uses_stand_in).failure is None
    assert asked(lambda x: torch.compile(lambda y: y + 1)(x)).failure is None  # the default backend, made on the way
    failure = asked(torch.compile(lambda x: kept(x, x, x), backend="eager")).failure
    assert failure is not None
    assert failure.kind == FORBIDDEN


kept_pop = torch._C._pop_torch_function_stack


def pops_and_puts_back(x: Tensor) -> Tensor:
    mode = torch._C._pop_torch_function_stack()
    out = kept(x, x, x)
    torch._C._push_on_torch_function_stack(mode)
    return out


def pops_for_a_while(x: Tensor) -> Tensor:
    with torch.overrides._pop_mode_temporarily():
        return kept(x, x, x)


def leaves_the_watch(x: Tensor) -> Tensor:
    mode = torch.overrides._get_current_function_mode()
    assert mode is not None
    mode.__exit__(None, None, None)
    return kept(x, x, x)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: [kept_pop(), kept(x, x, x)][1],
        lambda x: [torch._C._pop_torch_function_stack(), kept(x, x, x)][1],
        lambda x: [torch.overrides._pop_mode(), kept(x, x, x)][1],
        pops_and_puts_back,
        pops_for_a_while,
        leaves_the_watch,
    ],
)
def test_taking_the_watch_away_is_a_forbidden_call(call: object) -> None:
    failure = asked(call).failure
    assert failure is not None
    assert (failure.kind, failure.message) == (FORBIDDEN, "_pop_torch_function_stack")
    assert torch.overrides._get_current_function_mode_stack() == []


def test_torchs_own_modes_may_come_and_go_under_the_watch() -> None:
    class Mine(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    def learner(x: Tensor) -> Tensor:
        with torch.device("meta"), Mine():
            torch.ones(3)
        Mine().__enter__()  # and never leaves
        return functional.softmax(x, -1)

    assert probe.run(learner, Call({"x": X}), forbids=(SDPA,)).failure is None
    assert torch.overrides._get_current_function_mode_stack() == []


def test_afterwards_everything_is_allowed_again() -> None:
    asked(lambda x: layer(x[0], x[0], x[0]))
    assert layer(X[0], X[0], X[0])[0].shape == (2, 3, 4)
    assert kept(X, X, X).shape == X.shape


CARRIED = {
    "thread": "out = []\nt = threading.Thread(target=lambda: out.append(SDPA(q, k, v)))\nt.start(); t.join()",
    "pool": "out = POOL.submit(SDPA, q, k, v).result()",
    "no_grad": "out = torch.no_grad()(SDPA)(q, k, v)",
    "vmap": "out = torch.vmap(SDPA)(q, k, v)",
    "checkpoint": "from torch.utils.checkpoint import checkpoint\nout = checkpoint(SDPA, q, k, v, use_reentrant=False)",
    "tree map": "from torch.utils import _pytree\nout = _pytree.tree_map(lambda x: SDPA(x, k, v), [q])[0]",
    "itself in a tree map": "from torch.utils import _pytree\nout = _pytree.tree_map(SDPA, [q], [k], [v])[0]",
    "another file's name": "exec(compile('out = SDPA(q, k, v)', torch.__file__, 'exec'))",
    "hook": "x = q.clone().requires_grad_()\nout = []\nx.register_hook(lambda g: out.append(SDPA(q, k, v)))\n"
    "x.sum().backward()\nout = out[0]",
    "hook under grad": "x = q.clone().requires_grad_()\nout = []\n"
    "x.register_hook(lambda g: out.append(SDPA(q, k, v)))\ntorch.autograd.grad(x.sum(), x)\nout = out[0]",
    "switched off": "with torch._C.DisableTorchFunction():\n    out = SDPA(q, k, v)",
    "switched off for subclasses": "with torch._C.DisableTorchFunctionSubclass():\n    out = SDPA(q, k, v)",
    "decoded": "import base64\nexec(base64.b64decode(b'b3V0ID0gU0RQQShxLCBrLCB2KQ=='))",
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("source", CARRIED.values(), ids=CARRIED)
def test_a_forbidden_call_is_detected_from_any_caller(source: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()  # its thread was there before
        names = {"torch": torch, "threading": threading, "POOL": pool, "SDPA": functional.scaled_dot_product_attention}

        def learner(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> object:
            scope = {**names, "q": q, "k": k, "v": v}
            exec(source, scope)
            return scope["out"]

        x = torch.ones(1, 2, 3, 4)
        answer = probe.run(learner, Call({"q": x, "k": x, "v": x}), forbids=("scaled_dot_product_attention",))
        assert answer.failure is not None
        assert (answer.failure.kind, answer.failure.message) == ("ForbiddenCall", "scaled_dot_product_attention")


kept_push = torch._C._push_on_torch_function_stack
kept_switch = torch._C.DisableTorchFunction
kept_forward = nn.MultiheadAttention.forward
traced = torch.jit.trace(lambda x: kept(x, x, x), X)


def puts_back(x: Tensor) -> Tensor:
    mode = kept_pop()
    out = kept(x, x, x)
    kept_push(mode)
    return out


def leaves_and_enters(x: Tensor) -> Tensor:
    mode = torch.overrides._get_current_function_mode()
    assert mode is not None
    mode.__exit__(None, None, None)
    out = kept(x, x, x)
    mode.__enter__()
    return out


def leaves_as_torch_does(x: Tensor) -> Tensor:
    mode = torch.overrides._get_current_function_mode()
    assert mode is not None
    torch.overrides.TorchFunctionMode.__exit__(mode, None, None, None)
    out = torch.vmap(lambda y: kept(y, y, y))(x)
    torch.overrides.TorchFunctionMode.__enter__(mode)
    return out


def switches_off(x: Tensor) -> Tensor:
    with kept_switch():
        return kept(x, x, x)


def without_gradients(x: Tensor) -> Tensor:
    with kept_switch(), torch.inference_mode():
        return kept(x, x, x).clone()


def blinds_the_mode(x: Tensor) -> Tensor:
    watch: Any = type(torch.overrides._get_current_function_mode())
    before = watch.__torch_function__
    watch.__torch_function__ = lambda self, call, types, args=(), kwargs=None: call(*args, **(kwargs or {}))
    try:
        return kept(x, x, x)
    finally:
        watch.__torch_function__ = before


def forgets_what_was_called(x: Tensor) -> Tensor:
    with kept_switch():
        try:
            return kept(x, x, x)
        except Exception:
            sys._getframe(1).f_locals["called"].clear()
            return x


def compiled_as(file: str | None, module: object) -> object:
    """Return a function that makes the call, compiled under another file's name and run in its namespace."""
    assert file is not None
    scope = vars(module) if module is not None else {"kept": kept}
    found: dict[str, Any] = {}
    exec(
        compile("make_the_call = lambda x, kept=kept: kept(x, x, x)", file, "exec"),
        {**scope, "kept": kept},
        found,
    )
    function = found["make_the_call"]
    return type(function)(function.__code__, scope, "call", (kept,))


SLIPS_THROUGH = {
    "the mode taken off and put back": puts_back,
    "the mode left and entered": leaves_and_enters,
    "the mode left by its base class": leaves_as_torch_does,
    "modes switched off": switches_off,
    "modes switched off, and no gradients": without_gradients,
    "the mode made blind": blinds_the_mode,
    "what was called forgotten": forgets_what_was_called,
    "an operator's own way": lambda x: torch.ops.aten.scaled_dot_product_attention.default.redispatch(
        torch._C._dispatch_keys(x), x, x, x
    ),
    "traced before": traced,
    "a layer's code, kept from before": lambda x: kept_forward(layer, x[0], x[0], x[0])[0],
    "the other name of a count": lambda x: x * x.nelement(),
    "under the name of torch's file, among its names": compiled_as(functional.__file__, functional),
    "under the name of the file that runs operators": compiled_as(torch._ops.__file__, None),
    "under the name of the probe's file": compiled_as(probe.__file__, None),
}


@pytest.mark.parametrize("call", SLIPS_THROUGH.values(), ids=SLIPS_THROUGH)
def test_what_gets_past_one_watch_meets_the_other(call: object) -> None:
    failure = asked(call).failure
    assert failure is not None
    assert failure.kind == FORBIDDEN
    assert torch.overrides._get_current_function_mode_stack() == []


def test_a_thread_that_torch_and_threading_know_nothing_of_is_watched() -> None:
    def learner(x: Tensor) -> Tensor:
        done = threading.Event()
        out = [x]

        def work() -> None:
            with contextlib.suppress(Exception):
                out[0] = kept(x, x, x)
            done.set()

        _thread.start_new_thread(work, ())
        done.wait(20)
        return out[0]

    failure = asked(learner).failure
    assert failure is not None
    assert failure.kind == FORBIDDEN


def test_a_watch_leaves_torch_as_it_was() -> None:
    code = nn.MultiheadAttention.forward.__code__
    right, weights = kept(X, X, X), layer(X[0], X[0], X[0])[0]
    asked(lambda x: x)
    assert nn.MultiheadAttention.forward.__code__ is code
    assert torch.equal(kept(X, X, X), right)
    assert torch.equal(torch.vmap(lambda x: kept(x, x, x))(X[None])[0], right)
    assert torch.equal(layer(X[0], X[0], X[0])[0], weights)


def test_gradients_flow_through_functions_that_the_learner_may_not_call() -> None:
    source = f"from torch.nn.functional import {SDPA}\ndef attend(x):\n    return {SDPA}(x, x, x)"
    namespace: dict[str, Any] = {}
    with probe.standing_in(namespace, {"attend": source}):
        call = Call({"x": X}, cotangent=0.5)
        watched = probe.run(lambda x: namespace["attend"](x), call, forbids=FORBIDS)
        free = probe.run(lambda x: namespace["attend"](x), call)
    assert watched.gradients is not None
    assert free.gradients is not None
    found, right = watched.gradients.by_output[0], free.gradients.by_output[0]
    assert found is not None
    assert right is not None
    assert torch.equal(found["x"], right["x"])


def test_stand_ins_may_use_a_layer_that_learners_may_not() -> None:
    source = (
        "from torch import nn\nlayer = nn.MultiheadAttention(4, 2, batch_first=True)\n"
        "def attend(x):\n    return layer(x[0], x[0], x[0])[0]"
    )
    namespace: dict[str, Any] = {}
    with probe.standing_in(namespace, {"attend": source}):
        assert asked(lambda x: namespace["attend"](x)).failure is None


_FOUND_BY_LOOKING = {
    "a layer of the learner's own": "[v for k, v in globals().items() if k[:3] == 'Own'][0]()(x)",
    "a class of torch's that no name leads to": (
        "[v for k, v in vars(__import__('torch.utils.flop_counter').utils.flop_counter).items() "
        "if k[:4] == 'Flop' and k[-4:] == 'Mode'][0](display=False) and x"
    ),
}


@pytest.mark.parametrize("found", _FOUND_BY_LOOKING.values(), ids=_FOUND_BY_LOOKING)
def test_what_is_found_by_looking_through_names_is_seen_when_it_is_used(found: str) -> None:
    scope: dict[str, Any] = {}
    exec(
        "from torch import nn\nclass OwnLayer(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"    def forward(self, x):\n        return x\ndef learner(x):\n    return {found}\n",
        scope,
    )
    failure = probe.run(scope["learner"], Call({"x": X}), forbids=("OwnLayer", "FlopCounterMode")).failure
    assert failure is not None
    assert failure.kind == FORBIDDEN
    assert probe.run(scope["learner"], Call({"x": X})).failure is None
    assert scope["OwnLayer"]()(X) is X
