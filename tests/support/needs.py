"""Tests that need a missing program are skipped, and counted at the end. In CI nothing may be missing.

A test that opens a browser or seals a kernel in this process needs no mark: it is skipped when it asks for one. The
marks `browser`, `sandbox`, `postgresql` and `hub` skip it before it begins; a test must have one if another process
needs the program. It is a plugin, registered by `conftest`.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable

import pytest

from autograder.run import cluster
from autograder.sandbox import bubblewrap as sandbox
from tests.support.machine import BROWSER, DATABASE, PROXY, SANDBOX, Program, how_to_get, missing

_MARKS = {"sandbox": SANDBOX, "browser": BROWSER, "postgresql": DATABASE, "hub": PROXY}
_MISSING = missing()
_WANT = "needs "  # so begins the reason of each skip for want of something that could be installed


def skip_without(program: Program) -> None:
    """Skip the test that is running if `program` cannot be used here."""
    if program in _MISSING:
        pytest.skip(_reason(program))


@pytest.fixture(autouse=True, scope="session")
def nothing_is_sealed_in_vain() -> None:
    """Without bubblewrap, asking for a sandbox, or for workers that need one, skips the test."""
    if SANDBOX not in _MISSING:
        return

    def command(*_: object, **__: object) -> None:
        skip_without(SANDBOX)

    def workers(get: Callable[..., object], which: object, *, sandbox: bool = True) -> object:
        if sandbox:
            skip_without(SANDBOX)
        return get(which, sandbox=sandbox)

    replaced = pytest.MonkeyPatch()
    replaced.setattr(sandbox, "command", command)
    for get in (cluster.local, cluster.started, cluster.running):
        replaced.setattr(cluster, get.__name__, functools.partial(workers, get))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark, program in _MARKS.items():
            if program in _MISSING and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=_reason(program)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    in_ci = os.environ.get("CI", "") not in ("", "0", "false")
    if in_ci and _skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skipped = _skipped(config)
    if not skipped:
        return
    if config.cache:
        config.cache.set("needs/skipped", skipped)
    count = sum(map(len, skipped.values()))
    terminalreporter.section(f"{count} tests were skipped for want of something", red=True, bold=True)
    for reason, names in sorted(skipped.items()):
        terminalreporter.line(f"{len(names)}: {reason}")
        for file, tests in Counter(name.partition("::")[0] for name in names).items():
            terminalreporter.line(f"    {file}: {tests}")
    terminalreporter.line("Their names: .pytest_cache/v/needs/skipped")


def _reason(program: Program) -> str:
    return f"{_WANT}{program.name}: {how_to_get([program])}"


def _skipped(config: pytest.Config) -> dict[str, list[str]]:
    """Return the tests that were skipped because a program is missing, by reason."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    found: dict[str, list[str]] = {}
    for report in reporter.stats.get("skipped", []) if reporter else []:
        reason = report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""
        reason = reason.partition("\n")[0]  # a run that was skipped in its midst adds what was graded till then
        if reason.startswith(_WANT):
            found.setdefault(reason, []).append(report.nodeid)
    return found
