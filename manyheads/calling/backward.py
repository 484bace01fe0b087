"""Runs backward through what a learner's code returned, next to that code. Used by `probe.py` alone.

Each output is followed back separately, so that a detached output, such as weights for a picture, does not change the
gradients of the others. It decides nothing; `manyheads.checking.gradients` compares.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from .call import Call, Value

_FOLLOWED = (torch.float32, torch.float64)  # half precision rounds too much on the way back to be compared


def can_be_followed(value: Value) -> bool:
    """Return whether `value` is a tensor with numbers whose gradient can be compared."""
    return isinstance(value, Tensor) and value.dtype in _FOLLOWED and not value.is_meta


def leaves_of(inputs: Mapping[str, Value]) -> tuple[dict[str, Tensor], dict[str, Value]]:
    """Return copies of `inputs` as leaves, and the inputs for a call, which are computed from them.

    A leaf must not be changed in place, and that would be another mistake than a lost gradient.
    """
    leaves = {
        name: value.detach().clone().requires_grad_()
        for name, value in inputs.items()
        if isinstance(value, Tensor) and can_be_followed(value)
    }
    return leaves, {name: leaves[name].clone() if name in leaves else value for name, value in inputs.items()}


def parameters_of(target: object) -> dict[str, Tensor]:
    """Return the parameters of a layer that require a gradient, {} for anything else."""
    if not isinstance(target, nn.Module):
        return {}
    return {name: parameter for name, parameter in target.named_parameters() if parameter.requires_grad}


@contextlib.contextmanager
def recording() -> Generator[None]:
    """Have torch record what is computed in the block, whatever the notebook has set."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        yield


def follow(call: Call, value: Value, leaves: Mapping[str, Tensor]) -> tuple[Mapping[str, Tensor] | None, ...]:
    """Return, for each output in `value`, the gradient of every leaf that it depends on, by the leaf's name.

    None for an output from which no gradient flows back.
    """
    outputs = value if isinstance(value, (tuple, list)) else (value,)
    return tuple(_followed(output, call.cotangent or 1.0, leaves) for output in outputs)


def _followed(output: Value, frequency: float, leaves: Mapping[str, Tensor]) -> Mapping[str, Tensor] | None:
    if not isinstance(output, Tensor) or not can_be_followed(output) or not output.requires_grad:
        return None
    found = cast(
        "tuple[Tensor | None, ...]",  # torch's types do not say what `allow_unused` does
        torch.autograd.grad(
            output, list(leaves.values()), _cotangent(output, frequency), retain_graph=True, allow_unused=True
        ),
    )
    return {name: gradient for name, gradient in zip(leaves, found, strict=True) if gradient is not None}


def _cotangent(output: Tensor, frequency: float) -> Tensor:
    """Return a cotangent, in place of a loss's derivative by `output`: the same numbers with every version of torch."""
    wave = torch.arange(1, output.numel() + 1, dtype=torch.float64).mul_(frequency).cos_()
    return wave.to(output.device, output.dtype).reshape(output.shape)
