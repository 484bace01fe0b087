"""The sizes of a case's dimensions by name."""

from __future__ import annotations

from .exam import Trial


def sizes_of(trial: Trial) -> dict[str, int]:
    """Return the dimensions by name, with those that are asked for as plain numbers, and what follows from them."""
    plain = {**(trial.call.init or {}), **trial.call.inputs}
    numbers = {
        name: value
        for name, value in plain.items()
        if type(value) is int and 1 < value < 10**9 and not name.startswith("_")
    }
    sizes = {**numbers, **trial.sizes}
    d_model, num_heads = sizes.get("d_model"), sizes.get("num_heads")
    if d_model and num_heads and d_model % num_heads == 0:
        sizes.setdefault("d_head", d_model // num_heads)
    return sizes
