"""torch gets at most as many threads as there are free cores, unless the user has set a number."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from manyheads import threads


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with 8 idle cores, whose torch has a thread for each, and on which the user has set nothing."""
    before = torch.get_num_threads()
    for name in threads._SAID:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr(threads, "_quota", lambda: float("inf"))
    monkeypatch.setattr(threads, "_set", None)
    torch.set_num_threads(8)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("allowed", "quota", "load", "free"),
    [
        (8, float("inf"), 0.2, 8),
        (8, float("inf"), 5.0, 3),
        (8, float("inf"), 40.0, 1),
        (2, float("inf"), 0.0, 2),
        (2, float("inf"), 4.0, 1),  # half of the machine is busy, and so is half of these two
        (8, 2.0, 0.0, 2),
        (8, 0.5, 0.0, 1),
        (1, float("inf"), 0.0, 1),
    ],
)
def test_free_cores_are_usable_and_idle(
    allowed: int, quota: float, load: float, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(allowed)))
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(threads, "_quota", lambda: quota)
    assert threads.free_cores() == free


def test_torch_gets_the_free_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (5.0, 0.0, 0.0))
    threads.take_share()
    assert torch.get_num_threads() == 3


def test_a_small_model_gets_one_thread_and_what_follows_has_as_many_as_before() -> None:
    with threads.one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 8

    @threads.one_thread()
    def train() -> int:
        return torch.get_num_threads()

    assert (train(), torch.get_num_threads(), train()) == (1, 8, 1)


def test_our_own_share_of_threads_is_not_a_users_setting() -> None:
    threads.limit(3)
    with threads.one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
    threads.limit(2)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("name", threads._SAID)
def test_a_variable_that_a_user_has_set_counts_more(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "8")
    monkeypatch.setattr(os, "getloadavg", lambda: (40.0, 0.0, 0.0))
    threads.take_share()
    with threads.one_thread():
        assert torch.get_num_threads() == 8


def test_a_number_that_a_user_has_given_torch_counts_more_before_within_and_after() -> None:
    torch.set_num_threads(5)
    threads.limit(2)
    with threads.one_thread():
        assert torch.get_num_threads() == 5
    torch.set_num_threads(8)
    with threads.one_thread():
        torch.set_num_threads(6)
    assert torch.get_num_threads() == 6


def test_more_threads_than_torch_has_are_never_asked_for() -> None:
    torch.set_num_threads(4)  # its own number where each core has two hyperthreads
    threads.limit(6)
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize(
    ("listed", "files", "quota"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/", {"cpu.max": "max 100000"}, float("inf")),
        ("0::/a/b", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
        ("0::/not/seen/from/inside", {"cpu.max": "200000 100000"}, 2),
        ("0::/", {"cpu.max": "nonsense"}, float("inf")),
        ("4:cpu,cpuacct:/d", {"cpu/d/cpu.cfs_quota_us": "50000", "cpu/d/cpu.cfs_period_us": "100000"}, 0.5),
        ("4:cpu,cpuacct:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, float("inf")),
        ("3:memory:/\n0::/", {}, float("inf")),
    ],
)
def test_a_control_groups_quota_is_read_in_both_versions(
    listed: str, files: dict[str, str], quota: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the real one
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(threads, "_CGROUPS", tmp_path)
    read = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda path, **how: listed if str(path) == "/proc/self/cgroup" else read(path, **how)
    )
    assert threads._quota() == quota


@pytest.mark.slow
def test_a_notebook_on_a_busy_machine_gets_one_thread_by_importing_its_checks() -> None:
    code = (
        "import os; os.getloadavg = lambda: (1000.0, 0, 0)\n"
        "from manyheads import check, try_it\nimport torch\nprint(torch.get_num_threads())"
    )
    environment = {name: value for name, value in os.environ.items() if name not in threads._SAID}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert shown.stdout == "1\n"
