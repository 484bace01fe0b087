"""A demonstration that fails says in two lines what to do, whatever the reason."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

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


MADE = "with try_it():\n    split_heads()\n    model = 1"
USED = "with try_it():\n    print([model for _ in range(2)])"


@pytest.mark.parametrize(
    ("cells", "advice"),
    [
        ([MADE, USED], "There is something to see here once model is there: a cell above makes it."),
        ([USED], "This cell uses model, which is not defined. Have the cells above it been run?"),
        (
            [MADE, "def f():\n    return model", "with try_it():\n    f()"],
            "There is something to see here once model is there: a cell above makes it.",
        ),
        (
            ["def g():\n    model = 1", "def f():\n    return model", "with try_it():\n    f()"],
            "This cell needs working exercises above it.",
        ),
    ],
)
def test_a_name_that_a_cell_above_has_not_made_yet_is_told_apart_from_a_mistake(
    cells: list[str], advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = InteractiveShell()
    shell.user_ns.update(try_it=try_it, split_heads=split_heads)
    for cell in cells:
        capsys.readouterr()
        shell.run_cell(cell, store_history=True).raise_error()
    said = capsys.readouterr().out
    assert said.startswith(advice)
    assert ("a later cell has changed" in said) == advice.startswith("This cell needs")
