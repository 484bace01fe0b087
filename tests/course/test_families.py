"""A family describes a mistake that occurs in several exercises, with each exercise's names."""

from __future__ import annotations

import pytest

from autograder.declare import families


def test_the_mask_that_is_handed_on_last_can_be_forgotten_and_inverted() -> None:
    forgotten = families.mask_forgotten("run(heads, x, mask)", "Every head needs it.")
    assert (forgotten.replace, forgotten.by) == ("run(heads, x, mask)", "run(heads, x)")
    assert forgotten.hint == "Blocked words are still looked at. Every head needs it."
    assert families.mask_inverted("run(x, mask)").by == "run(x, None if mask is None else ~mask)"


@pytest.mark.parametrize("call", ["run(x)", "run(mask, x)", "run(x, mask)[0]", "run(x, unmask)"])
def test_an_author_who_names_another_call_gets_an_error(call: str) -> None:
    with pytest.raises(ValueError, match="mask is not the last argument of run"):
        families.mask_inverted(call)


def test_one_is_and_several_are() -> None:
    one, several = (families.asked_whether_true(what, "a", "b") for what in ("the mask is", "the biases are"))
    assert one.name == "asked whether the mask is true, not whether there is one"
    assert several.name == "asked whether the biases are true, not whether there are any"


def test_a_hint_ends_without_a_blank_whether_more_follows_or_not() -> None:
    for then in ("", "More."):
        for mistake in (
            families.layer_never_used("keys", "used the queries as keys", "k", "q", then=then),
            families.added_back("x", "y", "x + y", around="the layer", then=then),
        ):
            assert mistake.hint.endswith(f". {then}".rstrip())
