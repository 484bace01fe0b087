"""Connections that carry no request, and too many of them, end; the others go on."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest
import uvicorn
from uvicorn.server import ServerState

from autograder.board import connections
from autograder.board.connections import MOST_FROM_ONE, Connection
from autograder.board.serve import Seldom
from autograder.board.service import service
from autograder.board.state import Board
from autograder.classroom.class_folder import ClassFolder

from .boards import CATALOGUE, Clock, a_store, own_process

REQUEST = b"GET /health HTTP/1.1\r\nhost: board\r\n\r\n"


class Line:
    """A connection from an address, without a network."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        self.sent = b""
        self.transport = Mock(spec=asyncio.Transport)
        self.transport.get_extra_info.side_effect = {"peername": (address, 40000), "sockname": ("0.0.0.0", 1)}.get
        self.transport.write.side_effect = self._take
        self.transport.is_closing.side_effect = lambda: self.closed
        self.connection = Connection(config, ServerState(), {}, asyncio.get_running_loop())
        self.connection.connection_made(self.transport)

    def _take(self, data: bytes) -> None:
        self.sent += data

    @property
    def closed(self) -> bool:
        return bool(self.transport.close.called or self.transport.abort.called)

    async def answered(self, times: int = 1) -> None:
        while self.sent.count(b"HTTP/1.1 200") < times:
            await asyncio.sleep(0)


@pytest.fixture
def config(tmp_path: Path) -> Iterator[uvicorn.Config]:
    store = a_store(tmp_path)
    made = uvicorn.Config(service(Board(store, CATALOGUE, Clock())), log_level="error", ws="none")
    made.load()
    yield made
    store.close()


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SLOWEST_HEAD", 0.02)
    monkeypatch.setattr(connections, "_open", Counter())


@pytest.mark.parametrize("beginning", [b"", b"G", b"GET / HTTP/1.1\r\nx-slow: "])
@pytest.mark.parametrize("before", [b"", REQUEST], ids=["first", "second"])
def test_a_request_that_does_not_come_ends_its_connection(
    config: uvicorn.Config, before: bytes, beginning: bytes
) -> None:
    async def wait() -> None:
        line = Line(config, "10.0.0.7")
        if before:
            line.connection.data_received(before)
            await line.answered()
        if beginning:
            line.connection.data_received(beginning)
        elif before:
            return  # uvicorn ends it
        for _ in range(200):
            await asyncio.sleep(0.01)
            if line.closed:
                return
        raise AssertionError("it is open still")

    asyncio.run(wait())


def test_a_request_that_comes_is_answered_however_long_that_takes(config: uvicorn.Config) -> None:
    async def ask() -> None:
        line = Line(config, "10.0.0.7")
        line.connection.data_received(REQUEST)
        await line.answered()
        line.connection.data_received(REQUEST)
        await line.answered(2)
        await asyncio.sleep(0.05)
        assert not line.closed

    asyncio.run(ask())


@pytest.mark.slow
def test_one_address_cannot_take_all_connections(config: uvicorn.Config) -> None:
    async def take() -> None:
        lines = [Line(config, "10.0.0.7") for _ in range(MOST_FROM_ONE + 2)]
        assert [line.closed for line in lines] == [False] * MOST_FROM_ONE + [True] * 2
        others = [Line(config, "10.0.0.8"), *(Line(config, "127.0.0.1") for _ in range(MOST_FROM_ONE + 1))]
        assert not any(line.closed for line in others)
        lines[0].connection.connection_lost(None)
        lines[-1].connection.connection_lost(None)
        lines[-2].connection.connection_lost(None)
        again = Line(config, "10.0.0.7")
        assert not again.closed
        for line in (*lines[1:-2], *others, again):
            line.connection.connection_lost(None)
        assert not connections._open

    asyncio.run(take())


@pytest.mark.slow
def test_a_flood_of_broken_requests_fills_no_log(toy_class: ClassFolder) -> None:
    with own_process(toy_class) as (process, link, _):
        parts = urlsplit(link)
        for _ in range(50):
            with socket.create_connection((parts.hostname, parts.port)) as line:
                line.sendall(b"no request\r\n\r\n")
                assert line.recv(100).startswith(b"HTTP/1.1 400")
        process.terminate()
        assert process.stdout is not None
        assert process.stdout.read().count("Invalid HTTP request") == 1


def test_errors_are_always_logged() -> None:
    seldom = Seldom()
    records = [logging.LogRecord("", level, "", 0, "it", (), None) for level in [logging.WARNING, logging.ERROR] * 2]
    assert [seldom.filter(record) for record in records] == [True, True, False, True]
    records[0].created += 61
    assert seldom.filter(records[0])
