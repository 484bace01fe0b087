"""Calls the learner's code for the widgets, and words what is wrong if there is nothing to draw.

Every widget that draws with the learner's own functions calls them through `ask` and checks the result with
`demand_shape`. Both raise `CannotDraw`, whose text, HTML, becomes the view's warning: no traceback is ever shown.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class CannotDraw(Exception):
    """The result of a learner's function cannot be drawn. The message is HTML and says why."""


def ask(name: str, function: Callable[..., Any], *inputs: object) -> Any:
    """Call the learner's `function`, known to them as `name`, without gradients, and return what it returns.

    Raises:
        CannotDraw: if it is not written yet, or raises anything.
    """
    try:
        with torch.no_grad():
            return function(*inputs)
    except NotImplementedError as error:
        if str(error):  # torch raises this error too, with a message
            raise CannotDraw(_stopped(name, error)) from None
        raise CannotDraw(
            f"{code(_innermost(error))} is not written yet. "
            f"Write it, run its cell and then this one: the picture is drawn with your code."
        ) from None
    except Exception as error:  # the learner's code may raise anything
        raise CannotDraw(_stopped(name, error)) from None


def demand_shape(what: str, given: object, shape: tuple[int, ...]) -> None:
    """Raise `CannotDraw` unless `given` is a tensor of `shape`. `what` is HTML, the subject of the sentence."""
    if not isinstance(given, Tensor) or tuple(given.shape) != shape:
        raise CannotDraw(f"{what} should have the shape {shape}; {came(given)}.")


def demand_finite(what: str, given: Tensor) -> None:
    """Raise `CannotDraw` if `given` holds NaN or infinity. `what` is HTML, the subject of the sentence."""
    if not torch.isfinite(given).all():
        found = "NaN" if torch.isnan(given).any() else "infinity"
        raise CannotDraw(f"{what} should hold plain numbers; it holds {found}.")


def came(given: object) -> str:
    """Describe the learner's value: "yours is a tensor of shape …"."""
    if isinstance(given, Tensor):
        return f"yours is a tensor of shape {tuple(given.shape)} and {html.escape(str(given.dtype))}"
    if isinstance(given, (tuple, list)):
        return f"yours returns {len(given)} things"
    return "yours returns nothing" if given is None else f"yours is of type {type(given).__name__}"


def code(text: str) -> str:
    """Return `text` as code in HTML."""
    return f"<code>{html.escape(text)}</code>"


def _innermost(error: BaseException) -> str:
    """Return the name of the function, or of the method's class, that raised `error`: a called one may be the missing
    one."""
    name, trace = "", error.__traceback__
    while trace is not None:
        qualified = trace.tb_frame.f_code.co_qualname.rpartition("<locals>.")[2]
        name, trace = qualified.partition(".")[0], trace.tb_next
    return name


def _stopped(name: str, error: Exception) -> str:
    first_line = (str(error).splitlines() or [""])[0][:300]
    return f"{code(name)} stopped with {code(f'{type(error).__name__}: {first_line}'.rstrip('.: '))}."
