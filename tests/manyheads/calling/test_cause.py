"""Mistakes that raise an exception are distinguished by what failed, with any version's error texts."""

from __future__ import annotations

import importlib
import linecache
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from manyheads.calling import probe
from manyheads.calling.call import Answer, Call, Failure
from manyheads.calling.cause import Operations, agree
from manyheads.checking.diagnosis import examine
from manyheads.checking.exam import Check, Exam, Trial

Q, K = torch.ones(2, 3, 5), torch.ones(2, 4, 5)
PRELUDE = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"


def learner(source: str, **call: Any) -> Failure:
    """Return the failure that a cell's `f` ends in, called with `q` and `k`, or a class `f`, made without arguments."""
    file = f"<cell {hash(source)}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    namespace: dict[str, object] = {"__name__": "__main__"}
    exec(PRELUDE, namespace)
    exec(compile(source, file, "exec"), namespace)
    failure = probe.run(namespace["f"], Call({"q": Q, "k": K}, **call), namespace=namespace).failure
    assert failure is not None
    return failure


def function(body: str) -> str:
    return f"def f(q, k):\n    {body}"


MISTAKE = function("return q @ k")


@pytest.mark.parametrize(
    "body",
    [
        "return torch.matmul(q, k)",
        "return q.bmm(k)",
        "scale = q.shape[-1] ** 0.5\n    return (q @ k / scale).softmax(-1)",
        "return q.matmul(other=k)",
        "return (q * 0.5) @ k",  # that it comes from q cannot be seen any more, and nothing speaks against it
    ],
)
def test_the_same_product_is_known_however_it_is_written(body: str) -> None:
    mistake, given = learner(MISTAKE), learner(function(body))
    assert given.kind == mistake.kind
    assert agree(mistake.cause, given.cause)


@pytest.mark.parametrize(
    "body",
    [
        "return k @ q",
        "return q + k",
        "return q @ q",
        "return q.double() @ k.double()",
        "return q.view(7, 7)",
        "return torch.stack(q, k)",
        "raise RuntimeError('mat1 and mat2 shapes cannot be multiplied')",
        "return q @ torch.ones(2, 4, 6)",
    ],
)
def test_another_operation_or_other_operands_are_another_failure(body: str) -> None:
    assert not agree(learner(MISTAKE).cause, learner(function(body)).cause)


@pytest.mark.parametrize(
    ("mistake", "same", "other"),
    [
        ("q.masked_fill(k > 0, 0)", "torch.where(k.gt(0), q, 0.0)", "q.masked_fill((k > 0)[:1, :2], 0)"),
        ("q + k", "k + q", "q @ k"),
        ("torch.zeros(10**6, 10**6, 10**5)", "torch.empty(10**12, 10**5)", "q.expand(10**6)"),
        ("q.to('meta') + k", "torch.where(q.to('meta') > 0, k, q.to('meta'))", "q.to('meta') + q"),
        ("q.transpose(1, 2).view(2, 15)", "q.mT.view(-1)", "k.mT.view(2, 20)"),
        ("torch.cat(q)", "torch.concat(q, dim=-1)", "torch.cat([q, None])"),
        ("torch.stack([(q, k)])", "torch.stack([(q, k)], dim=1)", "torch.stack(q, k)"),
        ("len(None)", "len(None)", "abs(None)"),
        ("q @ nn", "k @ nn", "q @ 'k'"),
        ("{}['missing']", "dict()['missing']", "{}['another']"),
        ("None.chunk", "None.chunk(3)", "q.chunks(3)"),
        ("~None", "~None", "-None"),
    ],
)
def test_each_kind_of_failure_has_its_own_marks(mistake: str, same: str, other: str) -> None:
    known, given, another = (learner(function(f"return {code}")).cause for code in (mistake, same, other))
    assert agree(known, given)
    assert not agree(known, another)


@pytest.mark.parametrize("change", ["copy_(torch.zeros(5))", "add_(1)", "__setitem__(0, 0.0)", "view(-1).zero_()"])
def test_a_parameter_changed_while_torch_keeps_track_is_known_by_that(change: str) -> None:
    known = learner(function("nn.Parameter(torch.ones(5)).mul_(2)"))
    assert agree(known.cause, learner(function(f"nn.Parameter(torch.ones(5)).{change}")).cause)
    assert not agree(known.cause, learner(function("torch.ones(5).add_(torch.ones(4))")).cause)


def layer(forward: str) -> str:
    return (
        "class f(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.w_q, self.w_o = nn.Linear(5, 5), nn.Linear(5, 5)\n"
        "    def forward(self, q, k):\n"
        f"        {forward}"
    )


def test_two_layers_of_the_same_size_are_distinguished() -> None:
    q, o, written_out, none, pair = (
        learner(layer(f"return {code}"), init={}).cause
        for code in (
            "self.w_q(q.mT)",
            "self.w_o(q.mT)",
            "q.mT @ self.w_q.weight.T",
            "self.w_q(None)",
            "self.w_q((q, k))",
        )
    )
    assert agree(q, written_out)
    assert not agree(q, o)
    assert not agree(none, pair)


def test_a_layer_without_super_init_is_reported_in_torchs_words() -> None:
    source = layer("return q").replace("        super().__init__()\n", "")
    failure = learner(source, init={})
    assert failure.kind == "AttributeError"
    assert "__init__() call" in failure.message
    assert failure.line.startswith("self.w_q")


def test_a_layer_in_place_of_a_number_is_known_by_both_operands() -> None:
    known, same, other = (
        learner(layer(f"return {code}"), init={}).cause for code in ("q @ self.w_q", "k @ self.w_o", "q @ (q, k)")
    )
    assert agree(known, same)
    assert not agree(known, other)


@pytest.mark.parametrize("words", ["", "mat1 and mat2 shapes cannot be multiplied (1x2 and 3x4)", "nothing fits"])
def test_a_mistake_keeps_its_name_whatever_this_versions_words_are(words: str) -> None:
    known, given = learner(MISTAKE), learner(function("return torch.matmul(q, k)"))
    trial = Trial(
        "a case", {}, Call({}), Answer(Q), {"left the keys": Answer(failure=Failure(known.kind, "", "", known.cause))}
    )
    exam = Exam("f", ("scores",), (trial,), {"left the keys": "Turn them."})

    named = examine(exam, [Answer(failure=Failure(given.kind, words, given.line, given.cause))], Check.OUTPUTS)
    elsewhere = learner(function("return k @ q"))
    another = examine(exam, [Answer(failure=elsewhere)], Check.OUTPUTS)

    assert named is not None
    assert named.misconception == "left the keys"
    assert another is not None
    assert another.misconception is None


def test_what_comes_to_lie_where_a_named_tensor_lay_has_not_its_name() -> None:
    with Operations() as operations:
        for _ in range(20):
            operations.name_tensors({"q": torch.ones(1000, 1000)})  # gone at once, as a layer's are in a new dtype
            with pytest.raises(RuntimeError) as raised:
                torch.matmul(torch.ones(1000, 1000), K)
            failed = operations.failed(raised.value)
            assert failed is not None
            assert failed.words.startswith("product | ? ")


def test_a_failed_call_is_made_no_more_than_twice_and_a_working_one_once() -> None:
    calls = []

    def works(q: Tensor, k: Tensor) -> None:
        calls.append(1)

    def fails(q: Tensor, k: Tensor) -> None:
        calls.append(1)
        raise ValueError

    def is_exhausted(q: Tensor, k: Tensor) -> None:
        calls.append(1)
        raise MemoryError

    for target, times in ((works, 1), (fails, 2), (is_exhausted, 1)):
        calls.clear()
        probe.run(target, Call({"q": Q, "k": K}))
        assert len(calls) == times


LIBRARY = "def double(x):\n    return twice(x)\n\ndef twice(x):\n    return x.reshape(7, 7)\n"


@pytest.mark.parametrize("place", ["lib/dist-packages", "site", "library.zip", "beside"])
def test_only_a_line_of_a_cell_is_the_learners(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / place
    if place.endswith(".zip"):
        with zipfile.ZipFile(folder, "w") as file:
            file.writestr("some_library.py", LIBRARY)
    else:
        folder.mkdir(parents=True)
        (folder / "some_library.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "some_library", raising=False)
    importlib.import_module("some_library")
    monkeypatch.setitem(sys.modules, "some_library", sys.modules["some_library"])

    failure = learner("from some_library import double\n" + function("return double(q)  # mine"))

    assert failure.line == "return double(q)  # mine"


def test_code_that_a_library_makes_of_a_learners_class_is_not_their_line() -> None:
    fields = "from dataclasses import dataclass\n@dataclass\nclass Pair:\n    q: int\n"
    source = f"{fields}    def __post_init__(self):\n        self.q @ 1\n"
    assert learner(source + function("return Pair(q)")).line == "return Pair(q)  →  self.q @ 1"


def test_a_learners_name_for_a_librarys_own_function_makes_its_lines_no_learners() -> None:
    assert learner("f = F.multi_head_attention_forward").line == ""


def test_code_that_was_kept_from_an_earlier_chapter_is_the_learners() -> None:
    module = ModuleType("manyheads.own_double")
    source = "def double(x):\n    return x.reshape(7, 7)"
    lines: list[str] = [*source.splitlines(keepends=True)]
    linecache.cache["kept.py"] = len(source), None, lines, "kept.py"
    exec(compile(source, "kept.py", "exec"), vars(module))
    failure = probe.run(lambda q: vars(module)["double"](q), Call({"q": Q}), namespace=globals()).failure
    assert failure is not None
    assert failure.line.endswith("→  return x.reshape(7, 7)")
