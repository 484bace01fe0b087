"""A demonstration that fails says in two lines what to do, whatever the reason."""

from __future__ import annotations

import pytest

from manyheads import try_it


def split_heads() -> None:
    raise NotImplementedError()


def test_an_exercise_that_is_not_written_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with try_it():
        split_heads()

    assert capsys.readouterr().out == (
        "There is something to see here once split_heads is written. Then run this cell again.\n"
    )


def test_a_name_that_a_later_cell_has_changed_is_not_blamed_on_the_exercises_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with try_it():
        raise ValueError("not enough values to unpack")

    said = capsys.readouterr().out
    assert "needs working exercises above it. For now it stops with ValueError: not enough values to unpack" in said
    assert "a later cell has changed a name that is used here: run the cells above again" in said
