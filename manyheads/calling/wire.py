"""How values travel between processes and into fixtures: one safetensors file, never pickle.

Tensors are stored as such; everything around them goes into the file's one metadata entry as JSON. Both sides of
the judge use this module. Reading never runs code from the file and refuses values that are too large or nested too
deeply.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.numpy
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from .call import Answer, Call, FailedStep, Failure, Gradients, Opaque, Operand, Value

MAX_BYTES = 256 * 2**20  # of one file
MAX_DOCUMENT = 4 * 2**20  # bytes of JSON: a few bytes can become a large object
MAX_DEPTH = 8  # of nested tuples, lists and dicts
MAX_ITEMS = 10_000  # of one tuple, list or dict
MAX_TEXT = 4_000  # characters of one string
MAX_BITS = 8_192  # of an integer
MAX_PART = 120  # characters of a part of an expression that failed
MAX_PARTS = 8  # of such parts, and of sizes of one
_DTYPES = {
    torch.bool,
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
}
_TEXTS = 4  # that a failure has always
_DOCUMENT = "document"
_SIZE = 8  # bytes of the header's length, see safetensors' format


class WireError(ValueError):
    """A file that this module did not write: truncated, too large, or made by other code."""


class Packer:
    """Turns values into JSON, and collects their tensors by name. Equal tensors are stored once."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[tuple[torch.dtype, torch.Size, bytes], str] = {}

    def value(self, value: Value, depth: int = 0) -> Any:
        """Return JSON for `value`; tensors in it are copied to the CPU."""
        if depth > MAX_DEPTH:
            return {"opaque": "a structure nested too deeply"}
        if value is None or isinstance(value, bool):
            return value
        # Text keeps big integers, NaN and infinities, which JSON has no words for. A subclass, such as numpy's float64,
        # travels as what it is.
        if isinstance(value, int):
            bits = int(value).bit_length()
            return {"int": repr(int(value))} if bits <= MAX_BITS else {"opaque": f"int of {bits} bits"}
        if isinstance(value, float):
            return {"float": repr(float(value))}
        if isinstance(value, str):
            return {"str": _text(value)}
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, (torch.dtype, torch.device)):
            return {type(value).__name__: str(value).removeprefix("torch.")}
        if isinstance(value, (tuple, list)) and len(value) <= MAX_ITEMS:
            kind = "tuple" if isinstance(value, tuple) else "list"
            return {kind: [self.value(item, depth + 1) for item in value]}
        if isinstance(value, Mapping) and len(value) <= MAX_ITEMS:
            return {"dict": [[self.value(k, depth + 1), self.value(v, depth + 1)] for k, v in value.items()]}
        return {"opaque": value.kind if isinstance(value, Opaque) else type(value).__name__}

    def _tensor(self, tensor: Tensor) -> Any:
        # A subclass can override anything; its numbers are the answer.
        with torch._C.DisableTorchFunctionSubclass():
            if tensor.is_meta:
                return {"meta": [list(tensor.shape), str(tensor.dtype).removeprefix("torch.")]}
            if tensor.layout != torch.strided or tensor.is_nested or tensor.dtype not in _DTYPES:
                return {"opaque": f"tensor of {tensor.dtype}, {tensor.layout}"}
            if (
                tensor.numel() * tensor.element_size() > MAX_BYTES
            ):  # before it is copied: it may be an expanded view of one number
                return {"opaque": f"tensor of shape {tuple(tensor.shape)}, which is too large to compare"}
            # clone: safetensors refuses tensors that share memory
            tensor = tensor.detach().as_subclass(Tensor).cpu().contiguous().clone()
        digest = hashlib.sha256(tensor.reshape(-1).view(torch.uint8).numpy().tobytes()).digest()
        name = self._names.setdefault((tensor.dtype, tensor.shape, digest), str(len(self.tensors)))
        self.tensors.setdefault(name, tensor)
        return {"tensor": name}

    def answer(self, answer: Answer) -> Any:
        """Return JSON for an answer."""
        return {
            "value": self.value(answer.value),
            "failure": _failure(answer.failure),
            "parameters": None
            if answer.parameters is None
            else [[_text(name), list(shape)] for name, shape in answer.parameters.items()],
            "changed": list(answer.changed),
            "gradients": self._gradients(answer.gradients),
        }

    def _gradients(self, gradients: Gradients | None) -> Any:
        if gradients is None:
            return None
        by_output = [None if found is None else self.value(found) for found in gradients.by_output]
        return {"by_output": by_output, "failure": _failure(gradients.failure)}

    def call(self, call: Call) -> Any:
        """Return JSON for a call."""
        return {
            "inputs": self.value(call.inputs),
            "init": self.value(call.init),
            "state": self.value(call.state),
            "training": call.training,
            "cotangent": self.value(call.cotangent),
        }


class Unpacker:
    """Turns JSON and tensors back into values."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors

    def value(self, packed: Any, depth: int = 0) -> Value:
        """Return the value packed as `packed`.

        Raises:
            WireError: if `packed` is not something that `Packer.value` returns.
        """
        if depth > MAX_DEPTH + 1:
            raise WireError("nested too deeply")
        if packed is None or isinstance(packed, bool):
            return packed
        if not isinstance(packed, dict) or len(packed) != 1:
            raise WireError("not a packed value")
        [(kind, content)] = packed.items()
        try:
            if kind in ("tuple", "list"):
                items = [self.value(item, depth + 1) for item in content]
                return tuple(items) if kind == "tuple" else items
            if kind == "dict":
                return {self.value(k, depth + 1): self.value(v, depth + 1) for k, v in content}
            return self._leaf(kind, content)
        except WireError:
            raise
        except (TypeError, ValueError, KeyError, AttributeError, RuntimeError, ArithmeticError) as error:
            raise WireError(f"not a packed {kind!r:.80}") from error

    def _leaf(self, kind: str, content: Any) -> Value:
        if kind == "tensor":
            return self._tensors[content]
        if kind == "int":
            return int(content)
        if kind == "float":
            return float(content)
        if kind == "str":
            return _text(content)
        if kind == "meta":
            shape, dtype = content
            return torch.empty(shape, dtype=_dtype(dtype), device="meta")
        if kind == "dtype":
            return _dtype(content)
        if kind == "device":
            return torch.device(content)
        if kind == "opaque":
            return Opaque(_text(content)[:200])
        raise WireError(f"unknown kind: {kind!r:.80}")

    def tensor(self, packed: Any) -> Tensor:
        """Return the tensor that `packed` stands for.

        Raises:
            WireError: if it stands for none.
        """
        value = self.value(packed)
        if not isinstance(value, Tensor):
            raise WireError("not a packed tensor")
        return value

    def answer(self, packed: Any) -> Answer:
        """Return the answer packed as `packed`."""
        try:
            parameters = packed["parameters"]
            return Answer(
                value=self.value(packed["value"]),
                failure=_unpacked_failure(packed["failure"]),
                parameters=None
                if parameters is None
                else {_text(name)[:200]: tuple(map(int, shape)) for name, shape in parameters[:MAX_ITEMS]},
                changed=tuple(_text(name)[:200] for name in packed["changed"][:MAX_ITEMS]),
                gradients=self._gradients(packed["gradients"]),
            )
        except (TypeError, KeyError, ValueError, ArithmeticError, AttributeError, IndexError) as error:
            raise WireError("not a packed answer") from error

    def call(self, packed: Any) -> Call:
        """Return the call packed as `packed`."""
        parts: dict[str, Any] = {key: self.value(packed[key]) for key in ("inputs", "init", "state")}
        cotangent = self.value(packed["cotangent"])
        if cotangent is not None and not isinstance(cotangent, float):
            raise WireError("not a packed call")
        return Call(**parts, training=bool(packed["training"]), cotangent=cotangent)

    def _gradients(self, packed: Any) -> Gradients | None:
        if packed is None:
            return None
        found = [self.value(part) for part in packed["by_output"][:MAX_ITEMS]]
        by_output = tuple(None if part is None else _of_tensors(part) for part in found)
        return Gradients(by_output, _unpacked_failure(packed["failure"]))


def _of_tensors(value: Value) -> dict[str, Tensor]:
    """Return `value` if it is a dict of gradients by name."""
    if not isinstance(value, dict):
        raise WireError("not packed gradients")
    gradients = {name: part for name, part in value.items() if isinstance(name, str) and isinstance(part, Tensor)}
    if len(gradients) < len(value) or not all(part.is_floating_point() for part in gradients.values()):
        raise WireError("not packed gradients")
    return gradients


def _failure(failure: Failure | None) -> list[Any] | None:
    if failure is None:
        return None
    texts = [_text(text) for text in (failure.kind, failure.message, failure.line, failure.cause)]
    return texts if failure.step is None else [*texts, _step(failure.step)]


def _step(step: FailedStep) -> list[Any]:
    operands = [[each.text, each.what, each.shape and list(each.shape)] for each in step.operands]
    return [step.expression, step.why, operands, step.advice]


def _unpacked_failure(packed: Any) -> Failure | None:
    if packed is None:
        return None
    *texts, step = packed if len(packed) > _TEXTS else [*packed, None]
    return Failure(*map(_text, texts), step=None if step is None else _unpacked_step(step))


def _unpacked_step(packed: Any) -> FailedStep:
    expression, why, operands, advice = packed
    return FailedStep(
        _text(expression)[:MAX_PART],
        tuple(
            Operand(_text(text)[:MAX_PART], _text(what)[:MAX_PART], None if shape is None else _shape(shape))
            for text, what, shape in operands[:MAX_PARTS]
        ),
        _text(why)[: 4 * MAX_PART],
        _text(advice)[: 4 * MAX_PART],
    )


def _shape(packed: Any) -> tuple[int, ...]:
    shape = tuple(packed[:MAX_PARTS])
    if not all(type(size) is int and 0 <= size < 2**63 for size in shape):
        raise WireError("not a shape")
    return shape


def _text(text: Any) -> str:
    """Return `text` shortened, and without characters that cannot be stored: half a surrogate pair."""
    return str(text)[:MAX_TEXT].encode("utf-8", "replace").decode()


def _dtype(name: Any) -> torch.dtype:
    dtype = getattr(torch, str(name), None)
    if not isinstance(dtype, torch.dtype):
        raise WireError(f"not a dtype: {name!r:.80}")
    return dtype


def dumps(document: Any, tensors: Mapping[str, Tensor]) -> bytes:
    """Return a file of `document` (JSON) and `tensors`, which are on the CPU: the same bytes for the same content."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    metadata = {_DOCUMENT: text}  # one entry: safetensors writes several in no fixed order
    if any(tensor.dtype == torch.bfloat16 for tensor in tensors.values()):  # numpy has none
        return safetensors.torch.save(dict(tensors), metadata)
    # The same bytes in a third of the time: safetensors.torch uses ctypes, tensor by tensor.
    return safetensors.numpy.save({name: tensor.contiguous().numpy() for name, tensor in tensors.items()}, metadata)


def loads(data: bytes, max_bytes: int = MAX_BYTES) -> tuple[Any, dict[str, Tensor]]:
    """Return what `dumps` was given.

    Raises:
        WireError: if `data` is larger than `max_bytes`, or was not made by `dumps`.
    """
    if len(data) > max_bytes:
        raise WireError(f"more came back than the limit of {max_bytes / 2**20:.0f} MB")
    if len(data) < _SIZE:
        raise WireError("there is nothing in it")
    try:
        if int.from_bytes(data[:_SIZE], "little") > MAX_DOCUMENT:
            raise WireError(f"what is not a tensor in it is larger than {MAX_DOCUMENT / 2**20:.0f} MB")
        tensors = safetensors.torch.load(data)  # it checks the header
        header = json.loads(data[_SIZE : _SIZE + int.from_bytes(data[:_SIZE], "little")])
        return json.loads(header["__metadata__"][_DOCUMENT]), tensors
    except WireError:
        raise
    except (SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise WireError(f"it cannot be read: {error}") from error


def save(path: Path, document: Any, tensors: Mapping[str, Tensor]) -> None:
    """Write what `dumps` returns into the file at `path`, which stays the same file if it exists."""
    path.write_bytes(dumps(document, tensors))


def load(path: Path, max_bytes: int = MAX_BYTES) -> tuple[Any, dict[str, Tensor]]:
    """Read what `save` wrote.

    Raises:
        WireError: if the file is missing, larger than `max_bytes`, or not written by `save`.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise WireError(f"{path.name} is no plain file")  # reading a pipe would block
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size  # Python allocates as much as it is told to read
            return loads(file.read(min(size, max_bytes + 1)), max_bytes)
    except OSError as error:
        raise WireError(f"{path.name} cannot be read: {error}") from error
