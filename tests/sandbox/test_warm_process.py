"""A warm process that cannot start is reported, and does not block anything."""

from __future__ import annotations

import subprocess

import pytest

from autograder.problems import Problem
from autograder.sandbox import warm_process as warm


@pytest.mark.timeout(30)
def test_a_warm_process_that_cannot_start_blocks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(warm, "_shared", None)
    monkeypatch.setattr(warm, "_processes", {})
    monkeypatch.setattr(subprocess, "Popen", fail)
    for _ in range(2):  # the lock was given back
        with pytest.raises(Problem, match="temporarily unavailable"):
            warm.warm_process()
