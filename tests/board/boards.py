"""A catalogue of two exercises, reports of them, and a board that runs on loopback."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import uvicorn

from autograder.board.catalogue import KnownExercise
from autograder.board.lesson import Report
from autograder.board.serve import Server
from autograder.board.service import service
from autograder.board.state import Board
from autograder.board.store import Store
from autograder.classroom.class_folder import ClassFolder
from manyheads.checking.exam import Check
from manyheads.checking.stage import Stage

CATALOGUE = {
    "scale": KnownExercise("scale", "1 · Rows", {"forgot to scale": "Twice too large.", "scaled twice": "Too small."}),
    "sums": KnownExercise("sums", "1 · Rows", {"summed columns": "One sum a row."}),
}


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def report(
    alias: str,
    at: float,
    exercise: str = "scale",
    stage: Stage = Stage.PASSED,
    check: Check = Check.OUTPUTS,
    mistake: str = "",
) -> Report:
    return Report(alias, at, exercise, check, stage, mistake)


def wrong(alias: str, at: float, mistake: str = "", exercise: str = "scale") -> Report:
    return report(alias, at, exercise, Stage.VALUES, mistake=mistake)


def solved(alias: str, at: float, exercise: str = "scale") -> list[Report]:
    return [report(alias, at, exercise, check=Check.SHAPES), report(alias, at, exercise)]


@contextlib.contextmanager
def on_loopback(board: Board, port: int = 0) -> Generator[str]:
    """Serve a board in a thread, and yield its address."""
    started = threading.Event()

    class Starting(Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    server = Starting(uvicorn.Config(service(board), port=port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    assert started.wait(30)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


@contextlib.contextmanager
def own_process(folder: ClassFolder, *options: str) -> Generator[tuple[subprocess.Popen[str], str, str]]:
    """Run `autograder board`, and yield the process, the teacher's link and the class code."""
    command = [sys.executable, "-m", "autograder", "board", str(folder.root), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        try:
            link = next(line.split()[-1] for line in said.splitlines() if "sign-in" in line)
            yield process, link, said.split('", "')[1].split('"')[0]
        finally:
            process.terminate()
            process.wait(30)


def a_store(folder: Path) -> Store:
    return Store(f"sqlite:///{folder / 'board.db'}")
