"""Values travel as safetensors and come back as they were, and nothing hostile gets through."""

from __future__ import annotations

import functools
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from manyheads.calling import wire
from manyheads.calling.call import Answer, Call, Failure, Opaque

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=50)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


def through(value: object, path: Path) -> object:
    packer = wire.Packer()
    wire.save(path, packer.value(value), packer.tensors)
    document, tensors = wire.load(path)
    return wire.Unpacker(tensors).value(document)


@pytest.mark.slow
@given(values)
def test_plain_values_come_back_as_they_were(value: object) -> None:
    packer = wire.Packer()
    packed = json.loads(json.dumps(packer.value(value)))
    back = wire.Unpacker(packer.tensors).value(packed)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.int64, torch.bool])
def test_tensors_keep_shape_dtype_and_numbers(dtype: torch.dtype, tmp_path: Path) -> None:
    tensor = torch.arange(24).reshape(2, 3, 4).to(dtype).transpose(0, 2)
    back = through(tensor, tmp_path / "file")
    assert isinstance(back, torch.Tensor)
    assert back.dtype == dtype
    assert torch.equal(back, tensor)


def test_dtypes_devices_and_infinities_travel(tmp_path: Path) -> None:
    value = (torch.bfloat16, torch.device("meta"), float("inf"), 10**30, torch.tensor(3.0))
    assert through(value, tmp_path / "file") == value


def test_what_cannot_travel_says_what_it_was(tmp_path: Path) -> None:
    assert through((x for x in ()), tmp_path / "file") == Opaque("generator")
    sparse = through(torch.eye(2).to_sparse(), tmp_path / "file")
    assert isinstance(sparse, Opaque)
    assert "sparse" in sparse.kind
    assert through(Opaque("generator"), tmp_path / "file") == Opaque("generator")  # in a fixture it travels twice


def test_a_tensor_without_numbers_keeps_its_shape_dtype_and_device(tmp_path: Path) -> None:
    meta = through(torch.empty(2, 3, dtype=torch.bool, device="meta"), tmp_path / "file")
    assert isinstance(meta, torch.Tensor)
    assert (meta.device.type, meta.shape, meta.dtype) == ("meta", (2, 3), torch.bool)


def test_equal_tensors_are_stored_once() -> None:
    packer = wire.Packer()
    packer.value([torch.ones(3), torch.ones(3), torch.ones(3, dtype=torch.float64), torch.ones(1, 3)])
    assert len(packer.tensors) == 3


def test_an_answer_and_a_call_come_back_as_they_were(tmp_path: Path) -> None:
    answer = Answer(("a", 1), Failure("ValueError", "no", "x = 1"), {"w.weight": (2, 3)}, ("x",))
    call = Call({"x": 1.5, "mask": None}, init={"d_model": 4}, training=True)
    packer = wire.Packer()
    wire.save(tmp_path / "file", [packer.answer(answer), packer.call(call)], packer.tensors)
    document, tensors = wire.load(tmp_path / "file")
    unpacker = wire.Unpacker(tensors)
    assert unpacker.answer(document[0]) == answer
    assert unpacker.call(document[1]) == call


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        packer = wire.Packer()
        value = packer.value({"b": torch.ones(3), "a": torch.zeros(2, dtype=torch.bool)})
        wire.save(tmp_path / name, value, packer.tensors)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\xff" * 100])
def test_a_file_of_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(wire.WireError):
        wire.load(tmp_path / "file")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(wire.WireError):
        wire.load(tmp_path / "nothing")


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1000)}, tmp_path / "file", metadata={"document": "{}"})
    with pytest.raises(wire.WireError, match="limit"):
        wire.load(tmp_path / "file", max_bytes=1000)


def test_reading_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1000)}, tmp_path / "file", metadata={"document": "{}"})
    tracemalloc.start()
    try:
        wire.load(tmp_path / "file")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "packed",
    [
        {"tensor": "missing"},
        {"int": "a"},
        {"dtype": "save"},
        {"device": "moon"},
        {"unknown": 1},
        {"a": 1, "b": 2},
        [1],
        {"tuple": 3},
    ],
)
def test_values_that_were_not_packed_here_are_refused(packed: object) -> None:
    with pytest.raises(wire.WireError):
        wire.Unpacker({}).value(packed)


def test_a_structure_nested_without_end_is_refused() -> None:
    packed = functools.reduce(lambda inner, _: {"list": [inner]}, range(5000), cast(Any, None))
    with pytest.raises(wire.WireError):
        wire.Unpacker({}).value(packed)
    endless: list[object] = []
    endless.append(endless)
    assert "opaque" in json.dumps(wire.Packer().value(endless))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "file")
    with pytest.raises(wire.WireError, match="plain file"):
        wire.load(tmp_path / "file")


@pytest.mark.parametrize(
    "part",
    [
        {"parameters": [[1]]},
        {"value": {"int": "inf"}},
        {"failure": 3},
        {"changed": None},
        {"gradients": 3},
        {"gradients": {"by_output": [{"float": "1.0"}], "failure": None}},
    ],
)
def test_a_forged_answer_is_refused(part: dict[str, object]) -> None:
    whole = {"value": None, "failure": None, "parameters": None, "changed": [], "gradients": None}
    assert wire.Unpacker({}).answer(whole) == Answer()
    with pytest.raises(wire.WireError):
        wire.Unpacker({}).answer({**whole, **part})
