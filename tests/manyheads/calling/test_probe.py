"""The probe calls the learner's code, and neither is disturbed by the other."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from manyheads.calling import probe, wire
from manyheads.calling.call import Call


def call(**inputs: object) -> Call:
    return Call(inputs)


def test_a_function_is_called_with_the_inputs_in_order() -> None:
    answer = probe.run(lambda a, b: (b, a), call(first=1, second=2))
    assert answer.value == (2, 1)
    assert answer.failure is None


def test_an_input_changed_in_place_is_named_and_the_original_stays() -> None:
    x = torch.zeros(3)
    answer = probe.run(lambda x, y: x.add_(1), call(x=x, y=torch.zeros(2)))
    assert answer.changed == ("x",)
    assert torch.equal(x, torch.zeros(3))


def test_an_input_with_nan_is_not_called_changed() -> None:
    assert probe.run(lambda x: x, call(x=torch.tensor([float("nan")]))).changed == ()


@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(3), RecursionError("deep")])
def test_an_exception_is_an_answer(error: BaseException) -> None:
    def learner(x: int) -> None:
        raise error

    failure = probe.run(learner, call(x=1)).failure
    assert failure is not None
    assert failure.kind == type(error).__name__
    assert failure.line == "raise error"


def test_an_exception_that_cannot_show_itself_is_an_answer_too() -> None:
    class Rude(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def learner() -> None:
        raise Rude

    failure = probe.run(learner, call()).failure
    assert failure is not None
    assert failure.kind == "Rude"


def test_an_interrupt_goes_through() -> None:
    def learner() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe.run(learner, call())


def test_a_layer_gets_the_given_parameters_and_mode() -> None:
    class Layer(nn.Module):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.w = nn.Linear(size, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, bool]:
            return self.w(x), self.training

    state = {"w.weight": torch.full((1, 2), 2.0), "w.bias": torch.ones(1)}
    answer = probe.run(Layer, Call({"x": torch.ones(1, 2)}, init={"size": 2}, state=state))
    assert isinstance(answer.value, tuple)
    assert answer.value[0].item() == 5
    assert answer.value[1] is False
    assert answer.parameters == {"w.weight": (1, 2), "w.bias": (1,)}


def test_a_layer_with_other_parameters_is_not_called() -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.other = nn.Parameter(torch.ones(2))

        def forward(self) -> None:
            raise AssertionError("called")

    answer = probe.run(Layer, Call({}, init={}, state={"w": torch.ones(2)}))
    assert answer.failure is None
    assert answer.parameters == {"other": (2,)}


def test_a_learners_own_random_numbers_go_on() -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    probe.run(lambda: torch.rand(100), call())
    assert torch.equal(torch.rand(2), expected)


def test_a_probe_is_called_in_place_of_the_target() -> None:
    source = "def probe(target, x):\n    return target(x) + target(x)"
    assert probe.run(lambda x: x * 10, call(x=2), source).value == 40


def test_stand_ins_are_there_for_a_while_only() -> None:
    namespace = {"kept": 1, "replaced": "mine"}
    with probe.standing_in(namespace, {"replaced": "replaced = 'yours'", "new": "new = 2"}):
        assert namespace == {"kept": 1, "replaced": "yours", "new": 2}
    assert namespace == {"kept": 1, "replaced": "mine"}


def test_a_request_is_answered_in_a_file(tmp_path: Path) -> None:
    packer = wire.Packer()
    document = {
        "exercise": "double",
        "probe": "",
        "stand_ins": {"factor": "factor = 2"},
        "calls": [packer.call(call(x=torch.ones(2))), packer.call(call(x=torch.zeros(2)))],
    }
    wire.save(tmp_path / "request", document, packer.tensors)
    namespace: dict[str, object] = {}
    exec("def double(x): return x * factor", namespace)
    probe.respond(str(tmp_path / "request"), str(tmp_path / "answer"), namespace)
    document, tensors = wire.load(tmp_path / "answer")
    first, second = (wire.Unpacker(tensors).answer(packed).value for packed in document["answers"])
    assert isinstance(first, Tensor)
    assert torch.equal(first, torch.full((2,), 2.0))
    assert isinstance(second, Tensor)
    assert torch.equal(second, torch.zeros(2))


def test_a_request_for_something_missing_says_so(tmp_path: Path) -> None:
    packer = wire.Packer()
    document = {"exercise": "double", "probe": "", "stand_ins": {}, "calls": [packer.call(call(x=1))]}
    wire.save(tmp_path / "request", document, packer.tensors)
    probe.respond(str(tmp_path / "request"), str(tmp_path / "answer"), {})
    document, tensors = wire.load(tmp_path / "answer")
    failure = wire.Unpacker(tensors).answer(document["answers"][0]).failure
    assert failure is not None
    assert failure.kind == "NameError"


def test_the_gradient_of_each_output_is_reported_by_itself() -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(2))

        def forward(self) -> tuple[Tensor, Tensor]:
            return self.w * 2, self.w.detach()

    gradients = probe.run(Layer, Call({}, init={}, cotangent=1.0)).gradients
    assert gradients is not None
    assert [None if found is None else sorted(found) for found in gradients.by_output] == [["w"], None]
    assert probe.run(Layer, Call({}, init={})).gradients is None


def test_what_the_code_prints_is_shown_once_for_each_call(capsys: pytest.CaptureFixture[str]) -> None:
    def prints(x: Tensor, fail: bool) -> Tensor:
        print("printed")
        return x @ x if fail else 2 * x

    x = torch.ones(2, 3)
    right = Call({"x": x, "fail": False}, cotangent=1.0)
    assert probe.run(prints, right).gradients is not None  # it has been called twice
    assert probe.run(prints, call(x=x, fail=True)).failure is not None
    assert capsys.readouterr().out == "printed\n" * 2


def test_a_warning_does_not_reach_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    probe.run(lambda x: x.T, call(x=torch.ones(2, 3, 4)))
    assert capsys.readouterr().err == ""


def test_the_checked_functions_own_line_comes_before_the_one_that_failed() -> None:
    def helper(x: int) -> None:
        raise ValueError

    def learner(x: int) -> None:
        helper(x)

    failure = probe.run(learner, call(x=1)).failure
    assert failure is not None
    assert failure.line == "helper(x)  →  raise ValueError"


def test_a_numpy_number_is_the_number_it_holds() -> None:
    assert probe.run(lambda: np.float64(2.5), call()).value == 2.5


def test_a_dict_of_tensors_may_be_an_input() -> None:
    tensors = {"a": torch.randn(2, 3)}
    assert probe.run(lambda t: t["a"].sum(), call(t=tensors)).changed == ()
    assert probe.run(lambda t: t["a"].zero_(), call(t=tensors)).changed == ("t",)


@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(1).expand(10**6, 10**6),
        torch.eye(2).to_sparse(),
        torch.ones(2, dtype=torch.complex64),
        torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        10**5000,
        "\ud800",
        object(),
    ],
    ids=["huge", "sparse", "complex", "nested", "long", "surrogate", "object"],
)
def test_an_answer_of_any_kind_arrives_as_data(value: object, tmp_path: Path) -> None:
    packer = wire.Packer()
    document = {"exercise": "f", "probe": "", "stand_ins": {}, "calls": [packer.call(call())]}
    wire.save(tmp_path / "request", document, packer.tensors)
    probe.respond(str(tmp_path / "request"), str(tmp_path / "answer"), {"f": lambda: value})
    document, tensors = wire.load(tmp_path / "answer")
    assert wire.Unpacker(tensors).answer(document["answers"][0]).failure is None


def test_a_line_of_this_package_is_not_the_learners() -> None:
    probe_source = (
        "def probe(target):\n    from manyheads.calling import pretend_hardware\n"
        "    with pretend_hardware.clock(gpu=False):\n        target()"
    )

    def target() -> None:
        torch.cuda.synchronize()

    failure = probe.run(target, Call({}), probe_source).failure
    assert failure is not None
    assert failure.kind == "AssertionError"
    assert failure.line == "torch.cuda.synchronize()"


def test_a_layer_that_learns_its_sizes_from_its_input_is_asked_like_any_other() -> None:
    class Lazy(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.w = nn.LazyLinear(width)

        def forward(self, x: Tensor) -> Tensor:
            return self.w(x)

    state = {"w.weight": torch.ones(2, 3), "w.bias": torch.zeros(2)}
    given = probe.run(Lazy, Call({"x": torch.ones(4, 3)}, init={"width": 2}, state=state))
    assert given.failure is None
    assert given.parameters == {"w.weight": (2, 3), "w.bias": (2,)}
    assert isinstance(given.value, Tensor)
    assert torch.equal(given.value, torch.full((4, 2), 3.0))


def test_old_memory_is_not_an_answer() -> None:
    given = probe.run(lambda: torch.empty(3), Call({})).value
    assert isinstance(given, torch.Tensor)
    assert given.isnan().all()
    assert not torch.are_deterministic_algorithms_enabled()


def test_what_torch_refuses_it_refuses_after_something_was_compiled_too(monkeypatch: pytest.MonkeyPatch) -> None:
    importlib.import_module("torch._dynamo")  # as one use of torch.compile has it imported
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", False)  # and this set

    def entropy(weights: Tensor) -> Tensor:
        return torch.distributions.Categorical(weights).entropy()

    answer = probe.run(entropy, Call({"weights": torch.zeros(2, 3)}))
    assert answer.failure is not None
    assert answer.failure.kind == "ValueError"
    assert torch.distributions.Distribution._validate_args is False, "what it was"
