"""Compares the gradients of an answer with the right ones. Used by `comparison.py` alone.

Every input and parameter that the right outputs depend on must get its gradient from one of the learner's outputs. From
which one does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ..calling.call import Failure, Gradients
from .divergence import Divergence
from .stage import Stage

_LOOSER = 10  # times the tolerance of values: rounding errors add up on the way back
_CUT = "one that is cut off: detach, .data, .item(), numpy, no_grad and torch.tensor do that"


def wrong_gradients(
    names: Sequence[str], right: Gradients, given: Gradients | None, rtol: float, atol: float
) -> Iterator[Divergence]:
    """Yield where `given` departs from `right`.

    Args:
        names: of the outputs.
        rtol, atol: the tolerance of values.
    """
    if right.failure is not None:
        return
    if given is None:
        yield Divergence(Stage.GRADIENT, "No gradients came back.")
        return
    if given.failure is not None:
        yield _fails(given.failure)
        return
    came = (*given.by_output, *[None] * len(names))  # an output without a value has no gradient
    pairs = [
        (name, should, does)
        for name, should, does in zip(names, right.by_output, came, strict=False)
        if should is not None and any(_is_any(gradient, atol) for gradient in should.values())
    ]
    followed = [(name, should, does) for name, should, does in pairs if does is not None]
    if pairs and not followed:
        outputs = " and ".join(name for name, _, _ in pairs)
        yield Divergence(
            Stage.GRADIENT, f"No gradient flows back from {outputs}: nothing could learn through it.",
            "a result that torch can follow back", _CUT,
        )  # fmt: skip
        return
    wanted = {leaf for _, should, _ in pairs for leaf, gradient in should.items() if _is_any(gradient, atol)}
    for leaf in sorted(wanted):
        if not any(leaf in should and _is_any(should[leaf], atol) for _, should, _ in followed):
            yield _lost(leaf)
    for name, should, does in followed:  # these first: a missing gradient changes others, too
        for leaf, expected in should.items():
            if _is_any(expected, atol) and not (leaf in does and does[leaf].any()):
                yield _lost(leaf, name)
    for _, should, does in followed:
        yield from _wrong_leaves(should, does, rtol, atol)


def _fails(failure: Failure) -> Divergence:
    where = f"  in your line  {failure.line}" if failure.line else ""
    if "inplace operation" in failure.message:
        where = "  a tensor that torch needs on the way back was changed in place, as by a method that ends in _"
    return Divergence(
        Stage.GRADIENT,
        "The numbers of this case are right, but nothing could learn from them: an error came when torch computed "
        "gradients.",
        "",
        f"{failure.kind}: {failure.message}",
        where,
    )


def _lost(leaf: str, output: str = "") -> Divergence:
    back = f" from {output}" if output else ""
    return Divergence(
        Stage.GRADIENT, f"No gradient gets back{back} to {leaf}: it could not be learned.",
        "a result that torch can follow back to it", _CUT,
    )  # fmt: skip


def _wrong_leaves(
    should: Mapping[str, Tensor], does: Mapping[str, Tensor], rtol: float, atol: float
) -> Iterator[Divergence]:
    for leaf, got in does.items():
        # If the output does not depend on it, a gradient of zeros is as good as none.
        yield from _wrong_numbers(leaf, should.get(leaf, torch.zeros_like(got)), got, rtol, atol)


def _wrong_numbers(leaf: str, expected: Tensor, got: Tensor, rtol: float, atol: float) -> Iterator[Divergence]:
    if got.shape != expected.shape:
        yield Divergence(
            Stage.GRADIENT,
            f"The gradient of {leaf} has the wrong shape.",
            str(tuple(expected.shape)),
            str(tuple(got.shape)),
        )
        return
    if expected.isfinite().all() and not got.isfinite().all():
        broken = int((~got.isfinite()).sum())
        yield Divergence(
            Stage.GRADIENT, f"The numbers are right, but the gradient of {leaf} is not finite.", "finite numbers only",
            f"{broken} of {got.numel()} entries are NaN or infinite",
        )  # fmt: skip
        return
    room = _LOOSER * (atol + rtol * float(expected.abs().max())) if expected.numel() else atol
    far = (got.double() - expected.double()).abs() > room
    if not far.any():
        return
    index = tuple(far.nonzero()[0].tolist())
    place = f"gradient of {leaf}[{', '.join(map(str, index))}]" if index else f"gradient of {leaf}"
    yield Divergence(
        Stage.GRADIENT,
        f"The numbers are right, but the gradient of {leaf} is not: part of the way back is cut off or changed.",
        f"{place} = {expected[index].item():.6g}",
        f"{place} = {got[index].item():.6g}",
        f"{int(far.sum())} of {far.numel()} entries differ",
    )


def _is_any(gradient: Tensor, atol: float) -> bool:
    """Return whether a gradient is more than rounding errors: more than what passes for 0 where it is compared."""
    return bool((gradient.abs() > _LOOSER * atol).any())
