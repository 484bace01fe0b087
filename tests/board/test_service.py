"""What learners' machines send to the board is untrusted: forged, false and too many reports change nothing."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from autograder.board import serve
from autograder.board.lesson import STUCK_AFTER
from autograder.board.service import service
from autograder.board.state import Board
from autograder.board.store import Store
from autograder.problems import Problem

from .boards import CATALOGUE, Clock, a_store

ROW = {"exercise": "scale", "check": "outputs", "stage": "values", "mistake": "forgot to scale"}


class InClass:
    """A board and its clients."""

    def __init__(self, store: Store, prefix: str = "") -> None:
        self.clock = Clock()
        self.store, self.board = store, Board(store, CATALOGUE, self.clock)
        self.client = TestClient(service(self.board, prefix), base_url="http://board", follow_redirects=False)

    def join(self) -> dict[str, str]:
        answer = self.client.post("/join", json={"code": self.board.class_code})
        return {"authorization": f"Bearer {answer.json()['token']}"}

    def report(self, headers: Mapping[str, str] | Mapping[bytes, bytes], **changed: Any) -> int:
        return self.client.post("/report", json=a_report(**changed), headers=headers).status_code

    def sign_in(self) -> None:
        answer = self.client.get("/sign-in", params={"key": self.board.teacher_key})
        assert answer.status_code == 303

    def shown(self) -> dict[str, Any]:
        return self.board.for_teacher()

    def again(self) -> Board:
        """The board after a restart."""
        return Board(self.store, CATALOGUE, self.clock)


def a_report(**changed: Any) -> dict[str, Any]:
    return {"id": secrets.token_hex(16), **ROW, **changed}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[InClass]:
    store = a_store(tmp_path)
    room = InClass(store)
    with room.client:
        yield room
    store.close()


def test_a_report_shows(room: InClass) -> None:
    assert room.report(room.join()) == 200
    shown = room.shown()
    assert (shown["learners"], shown["exercise"], shown["standing"]["working"]) == (1, "scale", 1)
    assert shown["mistakes"][0]["hint"] == "Twice too large."


@pytest.mark.parametrize("code", ["", "WRONG", None, 5, ["x"], "é" * 9, {"a": 1}, "\ud800"])
def test_a_wrong_class_code_joins_nothing(room: InClass, code: object) -> None:
    assert room.client.post("/join", content=json.dumps({"code": code})).status_code == 403


def test_the_class_code_may_be_typed_in_small_letters(room: InClass) -> None:
    assert room.client.post("/join", json={"code": f" {room.board.class_code.lower()} "}).status_code == 200


def test_nobody_reports_under_anothers_alias(room: InClass) -> None:
    mine, other = room.join(), room.join()
    alias = other["authorization"].partition(".")[0]
    for forged in (
        f"{alias}.{mine['authorization'].partition('.')[2]}",
        alias,
        f"{alias}.",
        "Bearer",
        "Bearer \xe9.\xfc",
        f"Basic {mine['authorization'][7:]}",
    ):
        assert room.report({b"authorization": forged.encode("latin-1")}) == 401
    assert room.report({}) == 401
    assert room.shown()["learners"] == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"exercise": "<script>alert(1)</script>"},
        {"exercise": None},
        {"exercise": ["scale"]},
        {"check": "all"},
        {"check": {}},
        {"stage": "done"},
        {"id": "1"},
        {"id": 7},
        {"id": "A" * 32},
    ],
)
def test_what_the_course_does_not_have_is_refused(room: InClass, changed: dict[str, Any]) -> None:
    assert room.report(room.join(), **changed) == 422
    assert room.shown()["learners"] == 0


@pytest.mark.parametrize("mistake", ["<img src=x onerror=alert(1)>", "summed columns", 7, None, ["forgot to scale"]])
def test_a_mistake_that_the_exercise_does_not_have_has_no_name_on_the_board(room: InClass, mistake: object) -> None:
    assert room.report(room.join(), mistake=mistake) == 200
    [shown] = room.shown()["mistakes"]
    assert (shown["name"], shown["learners"]) == ("", 1)


def test_a_megabyte_is_not_read(room: InClass) -> None:
    mine = room.join()
    assert room.report(mine, mistake="x" * 1_000_000) == 413
    large = {"name": "x" * 1_000_000}
    assert room.client.post("/help", json=large, headers=mine).status_code == 413


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"7", b"\xff", b"[" * 4000, b'"' + b"\\u0000" * 500 + b'"'])
def test_what_is_no_json_object_is_refused(room: InClass, body: bytes) -> None:
    assert room.client.post("/report", content=body, headers=room.join()).status_code == 400


def test_a_report_that_is_sent_again_counts_once(room: InClass) -> None:
    mine, sent = room.join(), a_report()
    for _ in range(3):
        assert room.client.post("/report", json=sent, headers=mine).status_code == 200
    assert len(list(room.store.reports())) == 1
    assert asyncio.run(replayed(room.again(), mine, sent)) == 1


async def replayed(board: Board, headers: dict[str, str], sent: dict[str, Any]) -> int:
    """Send a report again after a restart, and return how many reports there are."""
    await board.report(headers["authorization"].removeprefix("Bearer "), sent)
    return len(list(board._store.reports()))


def test_nobody_uses_up_anothers_reports(room: InClass) -> None:
    sent = a_report()
    room.client.post("/report", json={**sent, "stage": "passed"}, headers=room.join())
    room.client.post("/report", json=sent, headers=room.join())
    assert room.shown()["learners"] == 2


@pytest.mark.slow
def test_a_flood_stops_its_sender_alone(room: InClass) -> None:
    mine, other = room.join(), room.join()
    answers = [room.report(mine) for _ in range(60)]
    assert answers.count(429) >= 25
    assert room.report(other) == 200
    room.clock.now += 5
    assert room.report(mine) == 200


@pytest.mark.slow
def test_one_address_cannot_fill_the_board(room: InClass) -> None:
    codes = {room.client.post("/join", json={"code": room.board.class_code}).status_code for _ in range(1001)}
    assert codes == {200, 429}
    room.board.join(room.board.class_code, "another address")


def test_a_clock_that_is_set_back_locks_nobody_out(room: InClass) -> None:
    mine = room.join()
    room.report(mine)
    for _ in range(2):  # an hour, and then a day: another lesson
        room.clock.now -= 60 * 60
        assert room.report(mine) == 200
        assert room.shown()["learners"] == 1
        room.clock.now -= 24 * 60 * 60
    room.report(mine)
    room.clock.now += STUCK_AFTER
    room.report(mine)
    assert room.shown()["standing"]["stuck"] == 1


def test_what_a_driver_cannot_write_stops_no_other(room: InClass) -> None:
    with pytest.raises(UnicodeEncodeError):  # no error of SQLAlchemy's
        asyncio.run(room.store.set("a lone surrogate", "\ud800"))
    assert room.report(room.join()) == 200


def test_a_call_for_help_is_text_and_short(room: InClass) -> None:
    mine = room.join()
    name = "<b>Ada</b>\x1b[31m\u202e\n\n  second row" + "x" * 500
    answer = room.client.post("/help", json={"name": name, "exercise": "sums"}, headers=mine)
    assert answer.json() == {"place": 1}
    [call] = room.shown()["help"]
    assert call["name"].startswith("<b>Ada</b> second row")
    assert len(call["name"]) <= 60
    assert call["exercise"] == "sums"


@pytest.mark.parametrize("name", ["", "  ", None, 7, "\u202e"])
def test_a_call_for_help_needs_a_name(room: InClass, name: object) -> None:
    assert room.client.post("/help", json={"name": name}, headers=room.join()).status_code == 422


def test_a_learner_waits_once_and_may_stop_waiting(room: InClass) -> None:
    ada, bob = room.join(), room.join()
    for name, headers in (("Ada", ada), ("Bob", bob), ("Ada again", ada)):
        room.client.post("/help", json={"name": name}, headers=headers)
    assert [call["name"] for call in room.shown()["help"]] == ["Bob", "Ada again"]
    room.client.delete("/help", headers=ada)
    assert [call["name"] for call in room.again().for_teacher()["help"]] == ["Bob"]


def test_calls_for_help_have_a_limit(room: InClass) -> None:
    mine = room.join()
    answers = [room.client.post("/help", json={"name": "Ada"}, headers=mine).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 429, 429]


@pytest.mark.parametrize("path", ["/teacher", "/projector", "/teacher/events", "/projector/events"])
def test_the_pages_are_for_the_teacher(room: InClass, path: str) -> None:
    assert room.client.get(path).status_code == 403
    room.client.cookies.set("board", "a guess")
    assert room.client.get(path).status_code == 403


@pytest.mark.parametrize("action", ["answer", "pin", "show", "lesson"])
def test_the_switches_are_for_the_teacher(room: InClass, action: str) -> None:
    assert room.client.post(f"/teacher/{action}", json={"shown": True}).status_code == 403


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "", "text/plain; application/json"]
)
def test_another_page_cannot_press_the_switches(room: InClass, kind: str) -> None:
    room.sign_in()
    sent = room.client.post("/teacher/show", content=b'{"shown": true}', headers={"content-type": kind})
    assert sent.status_code == 415
    room.report(room.join())
    sent = room.client.post("/teacher/lesson", content=b"{}", headers={"content-type": kind})
    assert (sent.status_code, room.shown()["learners"]) == (415, 1)
    assert room.client.get("/class.json").json() == {"shown": False}
    allowed = room.client.options(
        "/teacher/show", headers={"origin": "http://other.board", "access-control-request-method": "POST"}
    )
    assert not any(name.startswith("access-control") for name in allowed.headers)


def test_the_teachers_key_is_kept_in_a_cookie_that_other_sites_cannot_use(room: InClass) -> None:
    answer = room.client.get("/sign-in", params={"key": room.board.teacher_key})
    assert answer.headers["location"] == "/teacher"
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    assert room.client.get("/sign-in", params={"key": "a guess"}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "secure"),
    [
        ({}, False),
        ({"x-scheme": "https"}, True),
        ({"x-forwarded-proto": "https,http"}, True),
        ({"x-scheme": "http"}, False),
    ],
)
def test_the_cookie_of_a_browser_that_speaks_https_is_for_https_alone(
    room: InClass, headers: dict[str, str], secure: bool
) -> None:
    answer = room.client.get("/sign-in", params={"key": room.board.teacher_key}, headers=headers)
    assert ("secure" in answer.headers["set-cookie"].lower()) == secure


class FakeHub:
    """A hub on which the code "teacher" is a teacher's."""

    def address(self, state: str) -> str:
        return f"http://hub/authorize?state={state}"

    async def may_teach(self, code: str) -> bool:
        return code == "teacher"


def test_on_a_hub_teachers_sign_in_there(room: InClass) -> None:
    client = TestClient(service(room.board, "/services/board", FakeHub()), base_url="http://b", follow_redirects=False)
    to_hub = client.get("/services/board/teacher")
    state = to_hub.headers["location"].partition("state=")[2]
    assert client.post("/services/board/teacher/show", json={"shown": True}).status_code == 403
    for query in ({"code": "learner", "state": state}, {"code": "teacher", "state": "a guess"}, {"code": "teacher"}):
        assert client.get("/services/board/oauth_callback", params=query).status_code == 403
    back = client.get("/services/board/oauth_callback", params={"code": "teacher", "state": state})
    assert back.headers["location"] == "/services/board/teacher"
    assert client.get("/services/board/teacher").status_code == 200


def test_without_a_hub_nobody_signs_in_there(room: InClass) -> None:
    assert room.client.get("/oauth_callback", params={"code": "teacher", "state": ""}).status_code == 403


def test_a_page_runs_nothing_but_the_boards_own_script(room: InClass) -> None:
    room.sign_in()
    for path in ("/teacher", "/projector", "/"):
        answer = room.client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_projector_gets_no_names(room: InClass) -> None:
    room.client.post("/help", json={"name": "Ada"}, headers=room.join())
    assert room.board.for_projector()["waiting"] == 1
    assert "Ada" not in json.dumps(room.board.for_projector())


def test_learners_see_the_class_only_if_the_teacher_wants(room: InClass) -> None:
    room.report(room.join(), stage="passed")
    assert room.client.get("/class.json").json() == {"shown": False}
    room.sign_in()
    room.client.post("/teacher/show", json={"shown": True})
    seen = {"shown": True, "exercise": "scale", "done": 0, "learners": 1}
    assert room.client.get("/class.json").json() == seen
    assert room.again().for_learners() == seen


def test_an_exercise_can_be_chosen(room: InClass) -> None:
    room.report(room.join())
    room.sign_in()
    assert room.client.post("/teacher/pin", json={"exercise": "sums"}).status_code == 200
    assert room.again().for_projector()["exercise"] == "sums"
    assert room.client.post("/teacher/pin", json={"exercise": "<b>"}).status_code == 422
    room.client.post("/teacher/pin", json={"exercise": ""})
    assert room.shown()["exercise"] == "scale"


def test_a_new_lesson_begins_empty_and_the_record_stays(room: InClass) -> None:
    ada, bob = room.join(), room.join()
    room.report(ada)
    room.client.post("/help", json={"name": "Ada"}, headers=ada)
    room.sign_in()
    room.client.post("/teacher/pin", json={"exercise": "sums"})
    room.client.post("/teacher/show", json={"shown": True})
    assert room.client.post("/teacher/lesson", json={}).status_code == 200
    empty = {"learners": 0, "exercise": "", "pinned": False, "waiting": 0, "overview": [], "help": []}
    for shown in (room.shown(), room.again().for_teacher()):
        assert {name: shown[name] for name in empty} == empty
        assert shown["shown_to_learners"]
    assert room.client.get("/class.json").json() == {"shown": True}
    room.clock.now -= 30  # set back by a time server: what comes now is of this lesson nevertheless
    assert room.report(bob, stage="passed") == 200  # without joining again
    assert room.client.post("/help", json={"name": "Bob"}, headers=bob).json() == {"place": 1}
    assert room.shown()["learners"] == 1
    assert room.again().for_teacher() == room.shown()
    assert sorted(lesson for lesson, _ in room.store.reports_by_lesson()) == [0, 1]


def test_no_report_gets_into_the_lesson_before_or_after_its_own(room: InClass) -> None:
    """Reports are committed in the background: one that was asked for before the switch belongs to the old lesson."""

    async def mixed() -> list[tuple[int, int]]:
        seen: list[tuple[int, int]] = []
        for _ in range(10):
            tokens = [room.board.join(room.board.class_code) for _ in range(7)]
            sent = [room.board.report(token, a_report()) for token in tokens]
            await asyncio.gather(*sent[:3], room.board.begin_lesson(), *sent[3:])
            seen.append((room.shown()["learners"], room.again().for_teacher()["learners"]))
        return seen

    assert asyncio.run(mixed()) == [(4, 4)] * 10


def test_a_restart_changes_nothing(room: InClass) -> None:
    ada, bob = room.join(), room.join()
    room.report(ada)
    room.report(bob, stage="passed", mistake="")
    room.clock.now += STUCK_AFTER
    room.report(ada)
    room.client.post("/help", json={"name": "Ada"}, headers=ada)
    before, after = room.shown(), room.again().for_teacher()
    assert before == after
    assert room.again().teacher_key == room.board.teacher_key


def test_a_database_that_fails_is_no_lost_report(room: InClass, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, sent = room.join(), a_report()
    with room.store._engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE reports RENAME TO gone")
    assert room.client.post("/report", json=sent, headers=mine).status_code == 503
    with room.store._engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO reports")
    assert room.client.post("/report", json=sent, headers=mine).status_code == 200
    assert room.shown()["learners"] == 1


def test_it_can_be_served_below_a_path(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    room = InClass(store, prefix="/services/board")
    with room.client:
        assert room.client.get("/services/board/health").status_code == 200
        answer = room.client.get("/services/board/sign-in", params={"key": room.board.teacher_key})
        assert answer.headers["location"] == "/services/board/teacher"
        assert "Path=/services/board/" in answer.headers["set-cookie"]
        assert room.client.get("/services/board/teacher").status_code == 200
        assert room.client.get("/health").status_code == 404
    store.close()


def test_a_class_code_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    with pytest.raises(Problem, match="can be guessed"):
        Board(store, CATALOGUE, Clock(), class_code="2026")
    store.close()


def test_other_databases_are_refused() -> None:
    with pytest.raises(Problem, match="SQLite or PostgreSQL"):
        Store("mysql://localhost/board")


def test_a_database_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="cannot be opened"):
        Store(f"sqlite:///{tmp_path / 'no such folder' / 'board.db'}")


def test_the_limit_on_open_files_suffices_for_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(serve.resource, "setrlimit", lambda _, limits: set_to.append(limits))
    for now in ((1024, 1_000_000), (1024, 3000), (1_000_000, 1_000_000)):
        monkeypatch.setattr(serve.resource, "getrlimit", lambda _, now=now: now)
        serve._allow_files()
    assert set_to == [(4000, 1_000_000), (3000, 3000)]
