"""Tests that are skipped for want of a program are counted by what is missing, and by nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.support import needs


def test_skips_are_counted_by_the_program_whatever_was_graded_till_then() -> None:
    reasons = [
        "needs bubblewrap: apt install bubblewrap",
        "needs bubblewrap: apt install bubblewrap\n0 of 5 submissions of 00_rows are graded and saved",
        "needs Chromium: apt install chromium",
        "runs on a Mac only",
    ]
    reports = [
        SimpleNamespace(nodeid=f"test.py::test_{number}", longrepr=("test.py", 1, f"Skipped: {reason}"))
        for number, reason in enumerate(reasons)
    ]
    reporter = SimpleNamespace(stats={"skipped": reports})
    config: Any = SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=lambda name: reporter))
    assert needs._skipped(config) == {
        "needs bubblewrap: apt install bubblewrap": ["test.py::test_0", "test.py::test_1"],
        "needs Chromium: apt install chromium": ["test.py::test_2"],
    }
