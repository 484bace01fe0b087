"""The gradebook may be a PostgreSQL database, as nbgrader's `db_url` allows: tested with a real server on loopback."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

from autograder.board.state import Board
from autograder.board.store import Store
from autograder.classroom.class_folder import ClassFolder
from autograder.classroom.results import class_results
from autograder.course.chapter import Chapter
from autograder.outcomes import Outcome
from autograder.run.grade import grade
from tests.board.boards import CATALOGUE, Clock
from tests.support.machine import postgresql
from tests.support.nbgrader_command import nbgrader
from tests.support.toy import TOY, HandIn

PROGRAMS = postgresql()

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user can access; pytest's own folders are private."""
    with tempfile.TemporaryDirectory(prefix="postgresql-") as path:
        yield Path(path)


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """A server for this test: its SQLAlchemy URL."""
    assert PROGRAMS is not None
    data = folder / "data"
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.getuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    settings: dict[str, Any] = {"user": user, "cwd": folder, "capture_output": True, "check": True}
    name = user or pwd.getpwuid(os.getuid()).pw_name
    subprocess.run([PROGRAMS / "initdb", "--auth=trust", f"--username={name}", "-D", data], **settings)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    subprocess.run([PROGRAMS / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], **settings)
    try:
        subprocess.run([PROGRAMS / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", name, "grades"], **settings)
        yield f"postgresql+psycopg2://{name}@127.0.0.1:{port}/grades"
    finally:
        subprocess.run([PROGRAMS / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **settings)


def test_a_class_with_its_gradebook_in_postgresql(
    toy_class: ClassFolder, hand_in: HandIn, toy: Chapter, server: str
) -> None:
    with (toy_class.root / "nbgrader_config.py").open("a") as config:
        config.write(f"c.CourseDirectory.db_url = {server!r}\n")
    (toy_class.root / "gradebook.db").unlink()
    generated = nbgrader(toy_class.root, "generate_assignment", TOY, "--force")
    assert generated.returncode == 0, generated.stderr
    right = dict(toy.reference)
    hand_in(toy_class, "ada", right)
    hand_in(toy_class, "bo", {**right, "scale_rows": "def scale_rows(x, factors): return x + factors[:, None]"})

    assert grade(toy_class, TOY, workers=2, progress=False).outcomes == {Outcome.GRADED: 2}

    assert [learner.score for learner in class_results(toy_class, TOY).learners] == [9, 7]
    with Gradebook(server) as gradebook:
        changed: Any = gradebook.find_grade("scale_rows-outputs", TOY, TOY, "bo")
        changed.manual_score = 1
        gradebook.db.commit()
    assert grade(toy_class, TOY, workers=2, regrade=True, progress=False).outcomes == {Outcome.GRADED: 2}
    assert [learner.score for learner in class_results(toy_class, TOY).learners] == [9, 8]
    feedback = nbgrader(toy_class.root, "generate_feedback", TOY)
    assert feedback.returncode == 0, feedback.stderr
    assert not (toy_class.root / "gradebook.db").exists()


def test_the_board_keeps_its_record_in_postgresql(server: str) -> None:
    async def in_class(identity: str = "a" * 32) -> None:
        board = Board(store, CATALOGUE, Clock())
        sent = {"id": identity, "exercise": "scale", "check": "outputs", "stage": "values", "mistake": "scaled twice"}
        token = board.join(board.class_code)
        await board.report(token, sent)
        await Board(store, CATALOGUE, Clock()).report(token, sent)
        await board.pin("sums")
        await board.pin("scale")
        await board.call_for_help(token, {"name": "Ada"})

    store = Store(server)
    with asyncio.Runner() as runner:
        runner.run(in_class())
        assert Board(store, CATALOGUE, Clock()).for_teacher()["learners"] == 1
        runner.run(Board(store, CATALOGUE, Clock()).begin_lesson())
        empty = Board(store, CATALOGUE, Clock()).for_teacher()
        assert (empty["learners"], empty["pinned"], empty["help"]) == (0, False, [])
        runner.run(in_class(identity="b" * 32))
    assert [lesson for lesson, _ in store.reports_by_lesson()] == [0, 1]
    shown = Board(store, CATALOGUE, Clock()).for_teacher()
    store.close()
    assert (shown["learners"], shown["exercise"], shown["mistakes"][0]["name"]) == (1, "scale", "scaled twice")
    assert [call["name"] for call in shown["help"]] == ["Ada"]
