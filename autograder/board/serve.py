"""Runs the board's web service until it is stopped. Called by `autograder board`."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import uvicorn
from starlette.applications import Starlette

from ..classroom.class_folder import ClassFolder
from ..problems import Problem
from .catalogue import catalogue
from .connections import Connection
from .hub_sign_in import hub_sign_in
from .service import service
from .state import Board
from .store import open_store

_MOST_CONNECTIONS = 2000
_FILES = 2 * _MOST_CONNECTIONS  # that this process may have open


@dataclass(frozen=True)
class Links:
    """What a teacher needs of a board that runs.

    Args:
        address: what learners give to `check.join`, and where they see how far the class is.
        class_code: what learners give beside it.
        teacher: the teacher's own page; it holds the key.
    """

    address: str
    class_code: str
    teacher: str


def serve(
    folder: ClassFolder,
    host: str = "127.0.0.1",
    port: int = 8790,
    database: str = "",
    address: str = "",
    prefix: str = "",
    class_code: str = "",
    ready: Callable[[Links], None] = lambda _: None,
    *,
    new_lesson: bool = False,
) -> None:
    """Run the board of a class until Ctrl-C or SIGTERM.

    Args:
        host: the address to listen on; "0.0.0.0" for all of this machine's.
        port: 0 for any free one.
        database: SQLAlchemy's URL; by default `board.db` in the class folder.
        address: what learners' machines call it, if that is not http://host:port.
        prefix: the path below which a proxy serves it.
        class_code: what learners join with; by default a random one, which is kept.
        ready: called once, when learners can join.
        new_lesson: begin one, as the switch on the teacher's page does.

    Raises:
        Problem: if the port is taken or the database cannot be opened.
    """
    _allow_files()
    known = catalogue(folder)
    store = open_store(folder, database)
    try:
        listening = socket.create_server((host, port), backlog=_MOST_CONNECTIONS)
    except OSError as error:
        store.close()
        raise Problem(f"the board cannot listen on {host}:{port}: {error.strerror}; choose another --port") from error
    prefix = f"/{prefix.strip('/')}" if prefix.strip("/") else ""
    board = Board(store, known, time.time, class_code)
    base = (address or f"http://{host}:{listening.getsockname()[1]}{prefix}").rstrip("/")
    links = Links(base, board.class_code, f"{base}/sign-in?key={board.teacher_key}")
    config = uvicorn.Config(
        service(board, prefix, hub_sign_in()),
        log_level="warning",
        access_log=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=2,
        ws="none",
        server_header=False,
        http=Connection,
        forwarded_allow_ips="127.0.0.1",
    )
    logging.getLogger("uvicorn.error").addFilter(Seldom())
    try:
        if new_lesson:
            asyncio.run(board.begin_lesson())
        ready(links)
        Server(config).run(sockets=[listening])
    finally:
        store.close()


class Server(uvicorn.Server):
    """The server of a board's `service`. It ends the pages' streams first: uvicorn would wait, and complain."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, and then all else."""
        cast(Starlette, self.config.app).state.end_streams()
        await super().shutdown(sockets)


class Seldom(logging.Filter):
    """Lets a warning that comes again and again into the log once a minute: a flood of requests fills no disk."""

    _MINUTE = 60.0

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[object, float] = {}  # when a message was let through; uvicorn has few

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether it is more than a warning, or was not let through within the last minute."""
        if record.levelno > logging.WARNING:
            return True
        if record.created - self._last.get(record.msg, -self._MINUTE) < self._MINUTE:
            return False
        self._last[record.msg] = record.created
        return True


def _allow_files() -> None:
    """Raise the limit on open files: by default, many systems allow half as many as there may be connections."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed < _FILES:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (_FILES if most == resource.RLIM_INFINITY else min(_FILES, most), most)
        )
