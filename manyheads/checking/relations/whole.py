"""Finds what the wrong cases of an exam have in common that the right ones lack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from ..exam import Trial


def told_apart(wrong: Sequence[Trial], right: Sequence[Trial]) -> str:
    """Return a sentence that tells the wrong cases from the right ones by what they were asked, or ""."""
    right = [trial for trial in right if not without_numbers(trial)]
    # A case whose answer is of another kind, such as an error, asks for something else.
    kinds = {type(trial.right.value) for trial in wrong}
    if not wrong or not right or len(kinds) > 1 or any(type(trial.right.value) not in kinds for trial in right):
        return ""
    return next(_sentences(wrong, right), "")


def _sentences(wrong: Sequence[Trial], right: Sequence[Trial]) -> Iterator[str]:
    names = list(dict.fromkeys(name for trial in (*wrong, *right) for name in _asked(trial)))
    for name in names[1:]:  # what is asked first is never left out
        left_out = [_is_left_out(trial, name) for trial in wrong], [_is_left_out(trial, name) for trial in right]
        if all(left_out[0]) and not any(left_out[1]):
            yield f"It is wrong in every case in which {name} is left out or None, and right in all others."
        if all(left_out[1]) and not any(left_out[0]):
            yield f"It is wrong in every case in which {name} is given, and right in all others."
        values = [_asked(trial).get(name) for trial in wrong], [_asked(trial).get(name) for trial in right]
        for value in (True, False):
            if all(other is value for other in values[0]) and not any(other is value for other in values[1]):
                yield f"It is wrong in every case with {name}={value}, and right in all others."
    cross = [[{"seq_q", "seq_k"} <= trial.sizes.keys() for trial in trials] for trials in (wrong, right)]
    if all(cross[0]) and not any(cross[1]):
        yield "It is wrong in every case with more or fewer keys than queries, and right in all others."
    blocked = [[_blocks_a_row(trial) for trial in trials] for trials in (wrong, right)]
    if all(blocked[0]) and not any(blocked[1]):
        yield "It is wrong in every case in which a query may attend to nothing, and right in all others."


def _asked(trial: Trial) -> dict[str, object]:
    return {**(trial.call.init or {}), **trial.call.inputs}


def _is_left_out(trial: Trial, name: str) -> bool:
    return _asked(trial).get(name) is None


def _blocks_a_row(trial: Trial) -> bool:
    mask = trial.call.inputs.get("mask")
    return isinstance(mask, Tensor) and mask.ndim > 0 and bool((~mask.bool().any(-1)).any())


def without_numbers(trial: Trial) -> bool:
    """Return whether an answer on the pretend device is all that is asked for: it is always right."""
    value = trial.right.value
    return any(isinstance(part, Tensor) and part.is_meta for part in (value if isinstance(value, tuple) else (value,)))
