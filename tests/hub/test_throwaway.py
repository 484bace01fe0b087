"""The machine to throw away: what a command changes in it is gone with it."""

from __future__ import annotations

import contextlib
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
    with contextlib.suppress(OSError):
        os.rmdir("/run/mount")  # which mount makes where it is not there
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


def test_a_command_finds_the_programs_of_root_whatever_path_its_user_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert in_it("command -v useradd && echo $PATH").stdout.split()[1].startswith("/usr/bin:/bin:")


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ('unshare: no line matching user "ada" in /etc/subuid: Success', "usermod --add-subuids"),
        ("unshare: unrecognized option '--map-auto'", "util-linux 2.38"),
        ("unshare: unshare failed: Operation not permitted", "sysctl"),
        ("unshare: unshare failed: No space left on device", "user.max_user_namespaces=10000"),
        ("mount: /etc: wrong fs type, bad option, bad superblock on overlay", "Linux 5.11"),
    ],
)
def test_an_ordinary_user_is_told_what_a_look_needs(
    said: str, fix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing_programs(tmp_path, monkeypatch, said)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Problem, match="without root") as refused:
        throwaway.require()
    assert fix in str(refused.value)
    assert f"({said})" in str(refused.value)
    assert "sudo make hub" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_root_in_a_container_is_told_what_a_look_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refusing_programs(tmp_path, monkeypatch, "setpriv: setresuid failed: Invalid argument")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(Problem, match="start the container with --privileged"):
        throwaway.require()


def refusing_programs(folder: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """Make an `unshare` that only says why it refuses."""
    for name in ("unshare", "newuidmap"):
        program = folder / name
        program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize("outside", ["", "/srv", os.readlink("/proc/self/ns/mnt")])
def test_nothing_is_mounted_over_the_machine_s_own_folders(outside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throwaway, "_mount", lambda *words: pytest.fail(f"mounted {words}"))
    with pytest.raises(SystemExit, match="would change this machine itself"):
        throwaway.main(outside, [], ["true"])
