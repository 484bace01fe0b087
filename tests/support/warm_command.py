"""Runs a module's command in a process that has imported what it needs.

A new Python takes seconds to import torch and nbgrader, and a test may give ten commands. So each of pytest's workers
has one process that imports them when the first command is given, and a command runs in a fork of it: in its own
folder, with its own environment and output, and with nothing left from the command before.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from autograder.course.chapter import REPOSITORY_ROOT

_IMPORTED = ("nbgrader.apps.nbgraderapp", "nbgrader.apps", "autograder.nbgrader_steps.execute", "nbconvert.exporters")


def run(
    module: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Do what `python -m module arguments` does in `folder`, and return its exit code and output.

    Raises:
        subprocess.TimeoutExpired: if it takes more than `timeout` seconds. The command is killed then.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch) / name for name in ("stdout", "stderr")]
        asked = [module, list(arguments), str(folder), dict(environment), *map(str, files)]
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        if not select.select([server.stdout], [], [], timeout)[0]:
            _end(server)
            raise subprocess.TimeoutExpired([module, *arguments], timeout)
        code = int(server.stdout.readline())
        said = [file.read_text(encoding="utf-8", errors="replace") for file in files]
    return subprocess.CompletedProcess([module, *arguments], code, *said)


@cache
def _server() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", __name__]
    server = subprocess.Popen(
        command,
        cwd=REPOSITORY_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    atexit.register(_end, server)
    return server


def _end(server: subprocess.Popen[str]) -> None:
    """Kill the process, and the command that it runs."""
    _server.cache_clear()
    if server.poll() is None:
        os.killpg(server.pid, 9)
        server.wait()


def _serve() -> None:
    """Run the commands that are asked for on stdin, and answer each with its exit code."""
    for name in _IMPORTED:
        importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            answers.close()
            _command(*json.loads(line))
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _command(module: str, arguments: list[str], folder: str, environment: dict[str, str], *files: str) -> None:
    """Become the command: what it raises ends this process."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, file in enumerate((os.devnull, *files)):
        opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.path[0] = folder
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve()
