"""An error of the course's own explanations never costs a learner anything, and never escapes a developer."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import pytest
import torch

from manyheads.calling import failed_step, own_errors, probe, steps
from manyheads.calling.call import Answer, Call

CALL = Call({"x": torch.ones(2, 3)})


def fails(x: torch.Tensor) -> torch.Tensor:
    return x @ x


def works(x: torch.Tensor) -> torch.Tensor:
    y = x + 1
    return y


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object, **__: object) -> Any:
        raise KeyError("a slip of ours")

    # Code of the course's own, which `frames` knows by the module of its names.
    broken = FunctionType(break_down.__code__, {"__name__": "manyheads.broken", "KeyError": KeyError})
    monkeypatch.setattr(failed_step, "place_of", broken)
    monkeypatch.setattr(steps, "statement_at", broken)


def recorded() -> tuple[Answer, steps.Recording]:
    (found,) = probe.record(works, [CALL], namespace=globals())
    return found


@pytest.mark.usefixtures("broken")
def test_a_developer_sees_the_error() -> None:
    with pytest.raises(KeyError, match="a slip of ours"):
        probe.run(fails, CALL, namespace=globals())
    with pytest.raises(KeyError, match="a slip of ours"):
        recorded()


@pytest.mark.usefixtures("broken")
def test_a_learner_loses_the_explanation_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_errors, "_debugging", False)
    failure = probe.run(fails, CALL, namespace=globals()).failure
    assert failure is not None
    assert failure.kind == "RuntimeError"
    assert failure.step is None
    answer, recording = recorded()
    assert answer.failure is None
    assert not recording.complete


def test_an_error_of_a_learners_own_value_is_not_ours() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise KeyError("the learner's own")

    with pytest.raises(KeyError) as raised:
        repr(Odd())
    assert not own_errors.is_raised(raised.value)
