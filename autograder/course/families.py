"""Families of mistakes: mistakes that learners make in several exercises, declared once.

An exercise passes the text to edit, `replace`, and its replacement, `by`; the family has the name and the hint. Authors
import them as `autograder.declare.families`. They do not depend on any exercise.
"""

from __future__ import annotations

from .declare import Misconception


def mask_forgotten(call: str, then: str) -> Misconception:
    """The mask is not passed on.

    Args:
        call: the call that passes it as its last argument: "run(x, mask)".
        then: the end of the hint, which says what needs the mask.
    """
    return Misconception(
        "forgot to pass the mask on",
        replace=call,
        by=_last_argument(call, "mask", ""),
        hint=f"Blocked words are still looked at. {then}",
    )


def mask_inverted(call: str, here: str = 'True means "may attend" from start to end.') -> Misconception:
    """The mask is passed on with True and False swapped.

    Args:
        call: the call that passes it as its last argument: "run(x, mask)".
        here: the end of the hint, which says what True means.
    """
    return Misconception(
        "inverted the mask on its way",
        replace=call,
        by=_last_argument(call, "mask", ", None if mask is None else ~mask"),
        hint=f"Your words look exactly where they may not. {here}",
    )


def _last_argument(call: str, name: str, by: str) -> str:
    """Return `call` with its last argument, `name`, and the comma before it replaced."""
    start, found, rest = call.rpartition(f", {name})")
    if not found or rest:
        raise ValueError(f"{name} is not the last argument of {call}")
    return f"{start}{by})"


def output_and_weights(returned: str, output: str, turned: str) -> tuple[Misconception, Misconception]:
    """The weights are not returned, or output and weights are returned in the wrong order.

    Args:
        returned: the text that returns both.
        output: the text that returns the output alone.
        turned: the text that returns the weights first.
    """
    return (
        Misconception(
            "returned only the output",
            replace=returned,
            by=output,
            hint="Return two tensors: the output, and the weights that made it.",
            check="shapes",
        ),
        Misconception(
            "returned the weights first",
            replace=returned,
            by=turned,
            hint="The order of the outputs is: output, then weights.",
            check="shapes",
        ),
    )


def gradient_cut_off(replace: str, by: str) -> Misconception:
    """The values are right, but no gradient flows back."""
    return Misconception(
        "cut the gradient off",
        replace=replace,
        by=by,
        hint="The numbers are right, and training could not change them: torch has kept no record of how they came "
        "about. Something cuts that record off: detach, .data, numpy or no_grad, perhaps.",
    )


def layer_never_used(whose: str, name: str, replace: str, by: str, then: str = "") -> Misconception:
    """A layer is made, but another one is used in its place.

    Args:
        whose: the output of the unused layer: "values".
        name: the mistake's name, as in any `Misconception`.
        then: the end of the hint.
    """
    hint = f"The layer for the {whose} is there but never used, so it can never learn."
    return Misconception(name, replace, by, f"{hint} {then}".rstrip())


def layers_exchanged(one: str, other: str, replace: str, by: str) -> Misconception:
    """Two layers are used in each other's place.

    Args:
        one: what the first layer makes: "keys".
        other: what the second layer makes: "values".
    """
    return Misconception(
        f"made the {one} with the layer of the {other}, and the {other} with that of the {one}",
        replace,
        by,
        hint="New layers are as good as each other, so training would hide it. A layer that is filled with trained "
        "numbers shows it: each of its layers has learned one thing, the one that its name says.",
    )


def asked_whether_true(what: str, replace: str, by: str, *shown_by: str, thing: str = "tensor") -> Misconception:
    """A value that may be None is tested for truth, which fails for a tensor of several entries.

    Args:
        what: the value, with its verb: "the mask is", "the biases are".
        thing: the noun for it in the hint.
    """
    one = "is one" if what.endswith(" is") else "are any"
    return Misconception(
        f"asked whether {what} true, not whether there {one}",
        replace,
        by,
        hint=f"A {thing} of many entries is neither true nor false. Ask whether it is None.",
        check="shapes",
        shown_by=shown_by,
    )


def recorded_by_torch(name: str, hint: str) -> Misconception:
    """Parameters are overwritten while autograd records: no_grad is missing."""
    return Misconception(name, replace="with torch.no_grad():", by="if True:", hint=hint, check="shapes")


def added_back(what: str, replace: str, by: str, around: str, then: str = "") -> Misconception:
    """The input is added to the output.

    Args:
        what: the name of the input: "the query".
        around: the part of a transformer around which the input is added: "the layer".
        then: the end of the hint.
    """
    hint = f"A transformer does add its input back, but around {around}, not in it."
    return Misconception(f"added {what} to the output", replace, by, f"{hint} {then}".rstrip())


def without_biases(layers: str, hint: str) -> Misconception:
    """Layers are made without biases.

    Args:
        layers: the text that makes the layers, each with `nn.Linear(size_in, size_out)`.
    """
    return Misconception("left out the biases", layers, layers.replace(")", ", bias=False)"), hint, check="shapes")
