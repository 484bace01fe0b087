"""Programs that the tests need besides Python packages: checks for them and installs them.

    python3 tests/support/machine.py    install what is missing, if this user may; else say in one line what to install

It imports nothing but the standard library: `make test` runs it before anything is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Program:
    """A program that some tests need.

    Args:
        name: what people call it.
        packages: what Debian calls its package and, if that is another name, Ubuntu; or the package's name in npm.
        works: returns whether it is installed and can be used.
        npm: whether it comes from npm.
    """

    name: str
    packages: tuple[str, ...]
    works: Callable[[], bool]
    npm: bool = False


def chromium() -> str | None:
    """Return the path of a Chromium. Its name is Debian's, Ubuntu's, or that of Google's own package."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def postgresql() -> Path | None:
    """Return the folder with PostgreSQL's programs. Debian keeps a server's programs out of PATH."""
    initdb = shutil.which("initdb")
    if initdb:
        return Path(initdb).resolve().parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def seals() -> bool:
    """Return whether bubblewrap is installed and may make namespaces: in many containers it may not."""
    command = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    return is_installed(SANDBOX) and subprocess.run(command, capture_output=True).returncode == 0


def proxies() -> bool:
    """Return whether JupyterHub's proxy is installed, and starts: Debian's does not where Node is not Debian's."""
    program = shutil.which("configurable-http-proxy")
    return program is not None and subprocess.run([program, "--version"], capture_output=True).returncode == 0


SANDBOX = Program("bubblewrap", ("bubblewrap",), seals)
BROWSER = Program("Chromium", ("chromium", "chromium-browser"), lambda: chromium() is not None)
DATABASE = Program("PostgreSQL", ("postgresql",), lambda: postgresql() is not None)
PROXY = Program("configurable-http-proxy", ("configurable-http-proxy",), proxies, npm=True)
PROGRAMS = (SANDBOX, BROWSER, DATABASE, PROXY)


def is_installed(program: Program) -> bool:
    """Return whether it is installed, whether it can be used or not."""
    return shutil.which("bwrap") is not None if program is SANDBOX else program.works()


def missing() -> list[Program]:
    """Return the programs that are missing, or cannot be used."""
    return [program for program in PROGRAMS if not program.works()]


def how_to_get(programs: Sequence[Program]) -> str:
    """Return what to do to have `programs`."""
    absent = [program for program in programs if not is_installed(program)]
    ways = []
    for how, npm in (("apt install", False), ("npm install --global", True)):
        names = [program.packages[0] for program in absent if program.npm is npm]
        ways += [f"{how} {' '.join(names)}"] if names else []
    if len(absent) < len(programs):
        ways.append("bubblewrap may make no namespaces here, `.venv/bin/autograder doctor` says what to allow")
    return "; ".join(ways)


def install(programs: Sequence[Program]) -> None:
    """Install `programs` with apt or npm, if this user may; say so first."""
    as_root = _as_root()
    if as_root is None or not programs:
        return
    names = " ".join(program.packages[0] for program in programs)
    print(f"The tests need {names}: installing with {' '.join([*as_root, 'apt-get'])}, or npm", flush=True)
    from_npm = [program.packages[0] for program in programs if program.npm]
    if from_npm and shutil.which("npm"):
        done = subprocess.run([*as_root, "npm", "install", "--global", *from_npm], capture_output=True, text=True)
        if done.returncode:
            print(f"npm does not install {' '.join(from_npm)}: {done.stderr.strip()[:300]}", flush=True)
    programs = [program for program in programs if not program.npm]
    if not programs:
        return
    _apt(as_root, "update")
    for program in programs:
        refusal = ""
        for package in program.packages:  # Ubuntu's name is tried where Debian's is unknown
            refused = _apt(as_root, "install", "--yes", package)
            if not refused:
                break
            refusal = refusal or refused
        else:
            print(f"apt-get does not install {program.packages[0]}: {refusal}", flush=True)


def _as_root() -> list[str] | None:
    """Return the words before a command that make it run as root; None if this user may not, or without apt."""
    if shutil.which("apt-get") is None:
        return None
    if os.getuid() == 0:
        return []
    sudo = ["sudo", "--non-interactive"]
    allowed = shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True).returncode == 0
    return sudo if allowed else None


def _apt(as_root: Sequence[str], *words: str) -> str:
    """Run apt-get, and return why it failed, "" if it did not."""
    command = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet=2", *words]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return (done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}") if done.returncode else ""


def main() -> int:
    install([program for program in missing() if not is_installed(program)])
    still = missing()
    if still:
        names = " and ".join(program.name for program in still)
        print(f"Tests that need {names} will be skipped. To run them too: {how_to_get(still)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
