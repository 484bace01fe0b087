"""What a learner's kernel sends to a real board, and what happens where there is none."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.board.catalogue import catalogue
from autograder.board.state import Board
from autograder.board.store import open_store
from autograder.classroom.class_folder import ClassFolder
from manyheads import board as board_module
from manyheads import check
from manyheads.board import Client, NotReached

from .boards import CATALOGUE, Clock, a_store, on_loopback, own_process, report

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    store = a_store(tmp_path)
    yield Board(store, CATALOGUE, Clock())
    store.close()


@pytest.fixture
def address(board: Board) -> Iterator[str]:
    with on_loopback(board) as address:
        yield address


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(board_module, "_PAUSE", 0.05)
    return Client(lambda: tmp_path / "home")


def until(true: Callable[[], object]) -> None:
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError(f"not so after 10 s: {inspect.getsource(true)}")


def test_a_report_reaches_the_board(client: Client, board: Board, address: str) -> None:
    client.join(f" {address}/ ", board.class_code.lower())
    client.report("scale", "outputs", "values", "forgot to scale")
    until(lambda: board.for_projector()["learners"])
    assert board.for_projector()["mistakes"][0]["name"] == "forgot to scale"


def test_what_is_sent_is_said_and_nothing_else_is_sent(
    client: Client, board: Board, address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[dict[str, object]] = []
    send = board_module._request
    monkeypatch.setattr(board_module, "_request", lambda *given: [sent.append(given[2]), send(*given)][1])
    client.join(address, board.class_code)
    client.report("scale", "outputs", "values", "forgot to scale")
    until(lambda: len(sent) == 2)
    assert sent[0] == {"code": board.class_code}
    assert sent[1].keys() == {"id", "exercise", "check", "stage", "mistake"}
    Client(client._folder).report("scale", "outputs", "passed", "")  # in another notebook
    assert "Never sent: your code, your numbers, your name" in capsys.readouterr().out


def test_other_notebooks_are_the_same_learner(client: Client, board: Board, address: str) -> None:
    client.join(address, board.class_code)
    other = Client(client._folder)
    other.report("sums", "outputs", "passed", "")
    until(lambda: board.for_projector()["learners"])
    client.report("scale", "outputs", "passed", "")
    until(lambda: len(board.for_projector()["overview"]) == 2)
    assert board.for_projector()["learners"] == 1


def test_nothing_is_sent_without_joining(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "_request", lambda *_: pytest.fail("something was sent"))
    client.report("scale", "outputs", "passed", "")
    assert client._thread is None


def test_who_left_sends_nothing_in_other_sessions_either(
    client: Client, board: Board, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANYHEADS_BOARD", address)
    monkeypatch.setenv("MANYHEADS_BOARD_CODE", board.class_code)
    client.join(address, board.class_code)
    assert client.leave()
    for one in (client, Client(client._folder)):
        one.report("scale", "outputs", "passed", "")
        assert one._waiting.empty()
    assert not client.leave()


def test_on_a_hub_it_joins_by_itself(
    client: Client, board: Board, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANYHEADS_BOARD", address)
    monkeypatch.setenv("MANYHEADS_BOARD_CODE", board.class_code)
    client.report("scale", "outputs", "passed", "")
    until(lambda: board.for_projector()["learners"])


def test_help_says_the_place(client: Client, board: Board, address: str) -> None:
    client.join(address, board.class_code)
    client.report("sums", "outputs", "passed", "")
    assert client.help("Ada") == 1
    [call] = board.for_teacher()["help"]
    assert (call["name"], call["exercise"]) == ("Ada", "sums")
    client.take_back()
    assert board.for_teacher()["help"] == []


@pytest.mark.parametrize(
    ("address", "said"),
    [("room-4:8790", "begins with http"), (NOWHERE, "no board at"), ("http://", "no board|no host")],
)
def test_an_address_without_a_board_says_so(client: Client, address: str, said: str) -> None:
    with pytest.raises(NotReached, match=said):
        client.join(address, "CODE")


def test_a_wrong_code_says_so(client: Client, address: str) -> None:
    with pytest.raises(NotReached, match="not the class code"):
        client.join(address, "CODE")


def test_help_needs_a_class(client: Client) -> None:
    with pytest.raises(NotReached, match="Join your class first"):
        client.help("Ada")


def test_a_board_that_does_not_answer_delays_nothing(
    client: Client, board: Board, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.join(address, board.class_code)
    answering = threading.Event()
    monkeypatch.setattr(board_module, "_request", lambda *_: {"answered": answering.wait(60)})
    for _ in range(1000):
        client.report("scale", "outputs", "passed", "")
    assert client._waiting.full()
    answering.set()
    until(lambda: client._waiting.empty())


def test_a_board_that_comes_back_gets_what_waits(client: Client, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "_TRIES", 10_000)
    with on_loopback(board) as address:
        client.join(address, board.class_code)
    client.report("scale", "outputs", "passed", "")
    with on_loopback(board, int(address.rpartition(":")[2])):
        until(lambda: board.for_projector()["learners"])


def test_a_board_that_stops_ends_the_pages_that_are_open(board: Board) -> None:
    with on_loopback(board) as address:
        cookie = {"cookie": f"board={board.teacher_key}"}
        events = urllib.request.urlopen(
            urllib.request.Request(f"{address}/projector/events", headers=cookie), timeout=30
        )
        assert events.readline().startswith(b"data: ")
    events.read()  # an error, if the stream was cut off
    events.close()


def test_a_folder_that_cannot_be_written_fails_nothing(tmp_path: Path, board: Board, address: str) -> None:
    (tmp_path / "file").write_text("")
    client = Client(lambda: tmp_path / "file" / "home")
    client.join(address, board.class_code)
    client.report("scale", "outputs", "passed", "")
    assert client.help("Ada") == 1


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"address": 1}', '{"address": "x", "token": "y", "more": 1}', "\0"])
def test_a_spoilt_membership_is_none(client: Client, kept: str) -> None:
    client._file.parent.mkdir()
    client._file.write_text(kept)
    client.report("scale", "outputs", "passed", "")
    with pytest.raises(NotReached):
        client.help("Ada")


def test_reporting_does_not_delay_the_end_of_the_process(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from manyheads.board import Client, _Class\n"
        f"client = Client(lambda: Path({str(tmp_path)!r})); client._keep(_Class('http://10.255.255.1', 'token'))\n"
        "for _ in range(50): client.report('scale', 'outputs', 'passed', '')\n"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0


def test_checks_report_for_people_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[tuple[str, ...]] = []
    monkeypatch.setattr(check._board, "report", lambda *given: reported.append(given))
    namespace = {"attention_scores": lambda q, k: q @ k.transpose(-2, -1)}
    for person in (False, True):
        monkeypatch.setattr(check, "_run_by_a_person", lambda person=person: person)
        with pytest.raises(check.CheckFailed):
            check._check(namespace["attention_scores"], check.Check.OUTPUTS, namespace)
    assert reported == [("attention_scores", "outputs", "values", "forgot to scale")]


@pytest.mark.slow
def test_a_board_that_is_killed_loses_nothing_that_it_acknowledged(toy_class: ClassFolder, tmp_path: Path) -> None:
    acknowledged: list[str] = []
    client = Client(lambda: tmp_path / "home")
    with own_process(toy_class) as (process, link, code):
        address = link.split("/sign-in")[0]
        client.join(address, code)
        joined = client._joined()
        assert joined is not None

        def send_many() -> None:
            for number in range(2000):
                report = {"id": f"{number:032x}", "exercise": "row_sums", "check": "outputs", "stage": "passed"}
                try:
                    board_module._request("POST", f"{address}/report", report, joined.token)
                except board_module._Unavailable as error:
                    if "too many" not in str(error):
                        return  # it was killed
                else:
                    acknowledged.append(report["id"])

        sending = threading.Thread(target=send_many)
        sending.start()
        until(lambda: len(acknowledged) >= 20)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
        sending.join(30)
    assert len(acknowledged) >= 20
    store = a_store(toy_class.root)
    again = Board(store, catalogue(toy_class), time.time)
    assert (again.class_code, link.partition("key=")[2]) == (code, again.teacher_key)
    assert again.for_projector()["learners"] == 1
    with on_loopback(again, int(address.rpartition(":")[2])):
        client.report("row_sums", "shapes", "passed", "")
        until(lambda: again.for_projector()["standing"]["done"])
    kept = {identity[-32:] for identity, _ in store.reports()}
    store.close()
    assert kept >= set(acknowledged)


@pytest.mark.slow
def test_a_board_can_be_started_with_a_new_lesson(toy_class: ClassFolder) -> None:
    store, known = open_store(toy_class), catalogue(toy_class)
    asyncio.run(store.add_report("1", report("a", time.time(), exercise="row_sums")))
    assert Board(store, known, time.time).for_projector()["learners"] == 1
    with own_process(toy_class):
        assert Board(store, known, time.time).for_projector()["learners"] == 1
    with own_process(toy_class, "--new-lesson"):
        assert Board(store, known, time.time).for_projector()["learners"] == 0
    assert len(list(store.reports_by_lesson())) == 1
    store.close()
