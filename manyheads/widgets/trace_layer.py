"""Records what a layer of parallel heads does to its input: every tensor's shape, and the costs.

`run_layer` builds the learner's layer and runs it once, watched by hooks. It relies only on the names `heads` and
`w_o`: the shapes that a mistake makes are reported too, up to the line where the layer stops. Used by the projection
explorer, which draws it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from .learner_code import CannotDraw, ask, came, code

Shape = tuple[int, ...]
Layer = Callable[[int, int], nn.Module]

NAME = "ParallelHeads"
ROLES = ("w_q", "w_k", "w_v")
# Larger runs are not computed: they use torch's pretend device "meta", which has shapes only. There each call takes
# longer, whatever the sizes.
_FLOPS_WORTH_COMPUTING = 400_000_000
_WEIGHTS_WORTH_COMPUTING = 1_000_000


@dataclass(frozen=True)
class HeadRun:
    """What one head did. A shape is None if the layer stopped before it.

    Args:
        q, k, v, weights, output: shapes
        flops: of its matrix products, 0 if it was never called
    """

    q: Shape
    k: Shape
    v: Shape
    parameters: int
    weights: Shape | None = None
    output: Shape | None = None
    flops: int = 0


@dataclass(frozen=True)
class LayerRun:
    """What a layer did to `x`. A shape is None if the layer stopped before it.

    Args:
        x, concat, weights, output: shapes; `concat` is what went into w_o
        heads: one for each of the layer's heads
        called_w_o: whether `w_o` was called as a module
        stopped: HTML: how the layer stopped before its end, "" if it did not
        parameters: weights and biases of the whole layer
        flops: of all its matrix products
        score_bytes: the memory of the weights it returns, which is that of the scores
    """

    x: Shape
    heads: tuple[HeadRun, ...]
    concat: Shape | None
    weights: Shape | None
    output: Shape | None
    parameters: int
    flops: int = 0
    score_bytes: int = 0
    called_w_o: bool = False
    stopped: str = ""


class FlopCounter(TorchDispatchMode):
    """Counts what `torch.utils.flop_counter.FlopCounterMode` counts, by the same formulas and in half the time."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **kwargs, out_val=out)
        return out


def run_layer(layer_class: Layer, d_model: int, num_heads: int, seq: int) -> LayerRun:
    """Build the learner's layer, run it on one sentence of `seq` words and return the record.

    Raises:
        CannotDraw: if there is nothing to draw at all.
    """
    products = 8 * seq * d_model**2 + 4 * seq**2 * d_model
    if products <= _FLOPS_WORTH_COMPUTING and num_heads * seq**2 <= _WEIGHTS_WORTH_COMPUTING:
        return _run(layer_class, d_model, num_heads, seq, "cpu")
    on_meta = _run(layer_class, d_model, num_heads, seq, "meta")
    if on_meta.stopped and not _run(layer_class, d_model, num_heads, 4, "cpu").stopped:
        raise CannotDraw(
            f"{on_meta.stopped} It works on a short sentence, though. A long one is not computed but run on torch's "
            f"pretend device {code('meta')}: does your code make a tensor and leave it on the CPU, whatever device "
            f"{code('x')} is on? Choose a shorter seq to see the picture."
        )
    return on_meta


def _run(layer_class: Layer, d_model: int, num_heads: int, seq: int, device: str) -> LayerRun:
    with torch.random.fork_rng(devices=[]):  # this must not change the learner's random numbers
        return _watched(layer_class, d_model, num_heads, seq, device)


def _watched(layer_class: Layer, d_model: int, num_heads: int, seq: int, device: str) -> LayerRun:
    with torch.device(device):
        layer = ask(NAME, layer_class, d_model, num_heads)
        x = torch.zeros(1, seq, d_model)
    _demand_parts(layer)
    seen = _Seen(layer)
    stopped, answer = "", None
    try:
        with seen.counter:
            answer = ask(NAME, layer, x)
    except CannotDraw as reason:
        stopped = str(reason)  # the part that ran can be drawn
    finally:
        seen.stop()
    output, weights = None, None
    if not stopped:
        if not _are_two_tensors(answer):
            raise CannotDraw(f"{code(NAME)} should return two tensors, (output, weights); {came(answer)}.")
        output, weights = answer
    return LayerRun(
        x=tuple(x.shape),
        heads=tuple(seen.head(head, x, weights) for head in layer.heads),
        concat=seen.inputs.get(layer.w_o, None if stopped else (*x.shape[:-1], layer.w_o.in_features)),
        weights=None if weights is None else tuple(weights.shape),
        output=None if output is None else tuple(output.shape),
        parameters=_count(layer),
        flops=seen.counter.total,
        score_bytes=0 if weights is None else weights.numel() * weights.element_size(),
        called_w_o=layer.w_o in seen.inputs,
        stopped=stopped,
    )


def _demand_parts(layer: object) -> None:
    if not isinstance(layer, nn.Module):
        raise CannotDraw(f"{code(NAME)} should be an {code('nn.Module')}; {came(layer)}.")
    heads = getattr(layer, "heads", None)
    if not isinstance(heads, nn.ModuleList) or len(heads) == 0:
        raise CannotDraw(
            f"The picture looks for the heads of {code(NAME)} in {code('self.heads')}, an {code('nn.ModuleList')}, "
            f"and finds none there."
        )
    for head in heads:
        missing = [role for role in ROLES if not isinstance(getattr(head, role, None), nn.Linear)]
        if missing:
            raise CannotDraw(f"A head of {code(NAME)} has no layer {code(missing[0])}, so there is nothing to draw.")
    if not isinstance(getattr(layer, "w_o", None), nn.Linear):
        raise CannotDraw(
            f"{code(NAME)} has no {code('self.w_o')} yet, the {code('nn.Linear')} through which the heads' outputs go."
        )


class _Seen:
    """Records the shapes of tensors that pass through a layer's parts while it runs.

    A part whose weight is used without calling the module leaves no trace: its output's shape is then derived from its
    weight's.
    """

    def __init__(self, layer: Any) -> None:
        self.counter = FlopCounter()
        self.inputs: dict[nn.Module, Shape] = {}
        self._outputs: dict[nn.Module, tuple[Shape, ...]] = {}
        self._flops: dict[nn.Module, int] = {}
        self._handles = []
        linears = [getattr(head, role) for head in layer.heads for role in ROLES]
        for part in dict.fromkeys((*linears, *layer.heads, layer.w_o)):  # a part may occur twice
            self._handles.append(part.register_forward_pre_hook(self._before))
            self._handles.append(part.register_forward_hook(self._after))

    def stop(self) -> None:
        for handle in self._handles:
            handle.remove()

    def head(self, head: Any, x: Tensor, all_weights: Tensor | None) -> HeadRun:
        """Return what `head` did.

        Args:
            all_weights: what the layer returned, None if it stopped before that
        """
        q, k, v = (
            self._outputs.get(linear, ((*x.shape[:-1], linear.out_features),))[0]
            for linear in (getattr(head, role) for role in ROLES)
        )
        output, weights = self._outputs.get(head, (None, None))
        if head not in self._outputs and all_weights is not None:
            output, weights = v, (x.shape[0], *all_weights.shape[-2:])
        return HeadRun(q, k, v, _count(head), weights=weights, output=output, flops=max(0, self._flops.get(head, 0)))

    def _before(self, part: nn.Module, inputs: tuple[Any, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor):
            self.inputs[part] = tuple(inputs[0].shape)
        self._flops[part] = -self.counter.total

    def _after(self, part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self._flops[part] += self.counter.total
        if isinstance(output, Tensor):
            self._outputs[part] = (tuple(output.shape),)
        elif _are_two_tensors(output):
            self._outputs[part] = tuple(tuple(tensor.shape) for tensor in output)


def _are_two_tensors(given: object) -> TypeGuard[tuple[Tensor, Tensor]]:
    return isinstance(given, (tuple, list)) and len(given) == 2 and all(isinstance(part, Tensor) for part in given)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
