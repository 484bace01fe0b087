"""The machine to throw away: what a command changes in it is gone with it."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from autograder.hub import throwaway
from autograder.problems import Problem

pytestmark = pytest.mark.slow


def in_it(script: str, *shown: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script in such a machine; skip the test where there can be none."""
    try:
        refused = subprocess.run(throwaway.command("true"), capture_output=True, text=True).stderr
    except Problem as problem:
        refused = str(problem)
    if refused:
        pytest.skip(f"accounts can only be made by root, or where users may make namespaces: {refused}")
    return subprocess.run(throwaway.command("sh", "-c", script, shown=shown), capture_output=True, text=True)


def test_accounts_and_files_that_a_command_makes_are_gone_when_it_ends(tmp_path: Path) -> None:
    name = "throwaway-learner"
    before = {folder: sorted(os.listdir(folder)) for folder in ("/run", "/mnt", "/srv")}
    script = (
        f"useradd --create-home {name} && touch /tmp/left /srv/left /var/left /home/{name}/left && id --name -u {name}"
    )
    done = in_it(script)
    assert done.stdout.strip() == name, done.stderr
    with pytest.raises(KeyError):
        pwd.getpwnam(name)
    for folder in ("/tmp", "/srv", "/var"):
        assert not Path(folder, "left").exists()
    assert not Path("/home", name).exists()
    assert {folder: sorted(os.listdir(folder)) for folder in before} == before


def test_a_folder_that_is_shown_is_the_machine_s_own(tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    assert in_it(f"ls {tmp_path}; ls /tmp", tmp_path).stdout.split()[0] == "here"
    assert in_it(f"ls {tmp_path}").stdout == ""


@pytest.mark.parametrize("outside", ["", "/srv", os.readlink("/proc/self/ns/mnt")])
def test_nothing_is_mounted_over_the_machine_s_own_folders(outside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throwaway, "_mount", lambda *words: pytest.fail(f"mounted {words}"))
    with pytest.raises(SystemExit, match="would change this machine itself"):
        throwaway.main(outside, [], ["true"])
