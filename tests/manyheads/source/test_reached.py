"""A learner's source is read statement by statement, in linear time."""

from __future__ import annotations

import pytest

from manyheads.source.forbidden_names import forbidden_name
from manyheads.source.magics import without_magics
from manyheads.source.presumed import shows
from manyheads.source.reached import reached, statements


def texts(source: str) -> list[str]:
    return [statement.text for statement in statements(source)]


def test_a_statement_has_its_lines_and_of_a_line_of_several_its_part() -> None:
    assert texts("a = 1  # one\n\nb = 2\n") == ["a = 1  # one", "b = 2"]
    shared = "ä = 'ö'; b = 'ü'; c = (1,\n  2); d = 4  # four"
    assert texts(shared) == ["ä = 'ö'", "b = 'ü'", "c = (1,\n  2)", "d = 4  # four"]
    assert texts("@first\n@second(1,\n  2)\ndef f():\n    return 1\ng = f") == [
        "@first\n@second(1,\n  2)\ndef f():\n    return 1",
        "g = f",
    ]
    assert texts("a = 1\r\nb = '''\r'''; c = 3") == ["a = 1", "b = '''\n'''", "c = 3"]
    assert texts("%time x = 1\nfiles = !ls") == [
        "get_ipython().run_line_magic('time', 'x = 1')",
        "files = get_ipython().getoutput('ls')",
    ]


def test_a_statement_that_is_nested_too_deeply_to_compile_costs_no_other_its_reading() -> None:
    source = "def f(x):\n    return helper(x)\ndef helper(x):\n    return x.numel()\nreturn 5\n"
    assert [statement.text[:10] for statement in reached([source], "f")] == ["def f(x):\n", "def helper"]
    assert forbidden_name(source, ("numel",), "f") == "numel"


def test_of_an_import_of_several_names_only_those_that_are_used_are_reached() -> None:
    source = "import torch.nn, torch.optim\nfrom .earlier import (\n    first,\n    second as third,\n)\n"
    found = [statement.text for statement in reached([source, "def f(x):\n    return third(torch.nn, x)"], "f")]
    assert found == [
        "import torch.nn",
        "import torch.optim",
        "from .earlier import second as third",
        "def f(x):\n    return third(torch.nn, x)",
    ]
    names = "def f(x):\n    return relu(x)\nfrom torch import relu, numel"
    assert forbidden_name(names, ("numel",), "f") is None


_LONG = 24_000  # characters of the longest of these; read in the square of that, it takes minutes


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "source",
    [
        "x0=1;" * (_LONG // 5) + "\nf = x0",
        ";".join(f"x{n}=x{n + 1}" for n in range(_LONG // 10)) + "\nf = x0",
        "f = x0\n" + "\n".join(f"x{n}=x{n + 1}" for n in range(_LONG // 10)),
        "f = x0\n" + "\n".join(f"x0=x{n}" for n in range(_LONG // 10)),
        "f = x0" + ".a" * (_LONG // 2),
        "f = x0" + "[0]" * (_LONG // 3),
        "f = " + "-" * 800 + "x0",
        "f = 'a'" + "[:]" * (_LONG // 3),
        "f = x0\n" + "%time x0 = 1\n" * (_LONG // 10),
        "f = x0\n%time 1\n" + "/x0\n" * (_LONG // 4),
        "f = x0\n%time 1\n" + "a.b = !x0\n" * (_LONG // 10),
    ],
    ids=["line", "line-of-names", "chain", "bound-again", "attributes", "items", "signs", "slices", "magics", "calls",
         "assigned"],
)  # fmt: skip
def test_reading_takes_time_in_proportion_to_what_is_read(source: str) -> None:
    for _ in range(3):
        assert forbidden_name(source, ("numel",), "f") is None
        shows(source, "f", ("numel",))
        forbidden_name.__globals__["_first"].cache_clear()


@pytest.mark.timeout(60)
def test_strings_that_would_take_gigabytes_are_not_joined() -> None:
    empty = ", ".join(["''"] * 2000)
    joined = f"'{'a' * 2000}'.join([{empty}])"
    for _ in range(3):
        joined = f"({joined}).join([{empty}])"
    assert forbidden_name(f"f = {joined}", ("numel",), "f") is None
    assert forbidden_name("f = getattr(x, 'e'.join(['num', 'l']))", ("numel",), "f") == "numel"


def test_magics_are_turned_into_python_where_they_are_few() -> None:
    assert without_magics("%time f()") == "get_ipython().run_line_magic('time', 'f()')\n"
    assert without_magics("%time f()\n" * 51) is None
