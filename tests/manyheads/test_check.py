"""What a learner sees when they run a check cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from autograder.course.chapter import Chapter
from autograder.course.exams import VISIBLE_SEED, set_exams
from manyheads import check


@pytest.fixture
def exams(toy: Chapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The learner's checks, for the toy course."""
    monkeypatch.setattr(check, "all_exams", lambda: set_exams(toy, VISIBLE_SEED))


@pytest.fixture
def run(exams: None, toy: Chapter) -> Callable[[str], InteractiveShell]:
    """Runs a cell in a fresh IPython, after the lesson's imports and all reference solutions."""
    shell = InteractiveShell()
    shell.run_cell(toy.imports).raise_error()
    for source in toy.reference.values():
        shell.run_cell(source).raise_error()

    def run(source: str) -> Any:
        return shell.run_cell(source)

    return run


Run = Callable[[str], Any]


def test_a_passing_check_prints_one_line_and_nothing_else(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check.outputs(scale_rows)").success
    printed = capsys.readouterr()
    assert printed.out == "✓ scale_rows.outputs · 2 cases\n"
    assert printed.err == ""


def test_a_failing_check_shows_its_message_and_no_traceback(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("def scale_rows(x, factors): return x + factors[:, None]")
    assert not run("check.outputs(scale_rows)").success
    printed = capsys.readouterr()
    assert "✗ scale_rows.outputs" in printed.out
    assert "if you added the factors" in printed.out
    assert "Rows are multiplied." in printed.out
    assert "Traceback" not in printed.out
    assert "check.py" not in printed.out
    assert printed.err == ""  # nbgrader fails a cell that writes there


def test_a_wrong_answer_that_is_looked_into_prints_no_more_than_a_right_one(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []
    for sign in "*+":
        run(f"def scale_rows(x, factors):\n    print('called')\n    return x {sign} factors[:, None]")
        assert run("check.shapes(scale_rows)").success
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_unwritten_code_gets_a_kind_message(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("def scale_rows(x, factors): raise NotImplementedError()")
    run("check.shapes(scale_rows)")
    assert "not written yet" in capsys.readouterr().out


def test_a_slip_costs_once(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("def scale_rows(x, factors): return x + factors[:, None]")
    assert run("check.outputs(row_sums)").success
    assert run("check.outputs(RowLayer)").success
    printed = capsys.readouterr().out
    assert "row_sums itself is right. It was checked with a working scale_rows" in printed
    assert "a working scale_rows and row_sums" in printed


def test_an_exercise_counts_as_written_when_only_what_it_builds_on_is_not(run: Run) -> None:
    run("def scale_rows(x, factors): raise NotImplementedError()")
    assert run("check.outputs(row_sums)").success


def test_its_own_mistake_is_named_even_if_what_it_builds_on_is_wrong_too(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("def scale_rows(x, factors): return x + factors[:, None]")
    run("def row_sums(x, factors):\n    y = scale_rows(x, factors)\n    return y, y.mean(dim=1)")
    assert not run("check.outputs(row_sums)").success
    printed = capsys.readouterr().out
    assert "if you took the mean" in printed
    assert "what is wrong here is in row_sums itself" in printed


def test_the_learners_code_is_back_after_a_check_with_stand_ins(run: Run) -> None:
    run("def scale_rows(x, factors): return 'mine'")
    run("check.outputs(row_sums)")
    assert run("scale_rows(1, 2)").result == "mine"


def test_a_forbidden_call_is_refused_and_a_comment_about_it_is_not(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("def scale_rows(x, factors):\n    # not torch.diag\n    return x * factors[:, None]")
    assert run("check.outputs(scale_rows)").success
    run("def scale_rows(x, factors): return torch.diag(factors) @ x")
    assert not run("check.outputs(scale_rows)").success
    assert "uses diag" in capsys.readouterr().out


def test_a_forbidden_call_in_a_layer_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    exam = check.all_exams()["RowLayer"]
    monkeypatch.setitem(vars(exam), "forbids", ("Bilinear",))
    run(
        "class RowLayer(nn.Module):\n    def __init__(self, a, b):\n        super().__init__()\n"
        "        self.project = nn.Bilinear(a, a, b)\n    def forward(self, x, f): return x"
    )
    result = run("check.shapes(RowLayer)")
    assert "Bilinear" in str(result.error_in_exec)


def test_an_alias_is_found_by_the_name_it_was_given(run: Run) -> None:
    run("scale_rows = lambda x, factors: x * factors[:, None]")
    assert run("check.outputs(scale_rows)").success


def test_an_argument_that_is_not_an_exercise_is_refused(run: Run) -> None:
    assert isinstance(run("check.shapes(torch.zeros)").error_in_exec, TypeError)
    assert isinstance(run("check.shapes(3)").error_in_exec, TypeError)


def test_a_learners_exit_does_not_end_the_notebook(run: Run) -> None:
    run("def scale_rows(x, factors): raise SystemExit")
    assert isinstance(run("check.shapes(scale_rows)").error_in_exec, check.CheckFailed)


def test_a_learners_lying_tensor_earns_nothing(run: Run) -> None:
    run(
        "class Liar(torch.Tensor):\n    def __eq__(self, other): return True\n"
        "    @classmethod\n    def __torch_function__(cls, f, types, args=(), kwargs=None): return True\n"
        "def scale_rows(x, factors): return torch.zeros_like(x).as_subclass(Liar)"
    )
    assert not run("check.outputs(scale_rows)").success


def test_gradients_flow_through_a_checked_function(run: Run) -> None:
    result = run(
        "x = torch.ones(2, 3, requires_grad=True)\nscale_rows(x, torch.ones(2)).sum().backward()\n"
        "check.outputs(scale_rows)\nx.grad"
    )
    assert torch.equal(result.result, torch.ones(2, 3))
