"""The board's pages in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from autograder.board.state import Board
from manyheads.board import Client

from .boards import CATALOGUE, Clock, a_store, on_loopback

pytestmark = [pytest.mark.slow, pytest.mark.browser]
WIDER_THAN_SHOWN = "parts => parts.filter(part => part.scrollWidth > part.clientWidth).map(part => part.textContent)"
HTML = "<img src=x onerror='document.title=1'>Ada"


@pytest.fixture
def board(tmp_path: Path) -> Iterator[tuple[Board, str]]:
    store = a_store(tmp_path)
    board = Board(store, CATALOGUE, Clock())
    with on_loopback(board) as address:
        yield board, address
    store.close()


def test_a_teacher_watches_a_class(board: tuple[Board, str], page: Page, tmp_path: Path) -> None:
    state, address = board
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    ada, bob = (Client(lambda name=name: tmp_path / name) for name in ("ada", "bob"))

    page.goto(f"{address}/sign-in?key={state.teacher_key}")
    expect(page.get_by_role("heading", name="Nobody has run a check yet")).to_be_visible()
    assert state.teacher_key not in page.url
    expect(page.locator("#join")).to_have_text(f'check.join("{address}", "{state.class_code}")')

    for learner in (ada, bob):
        learner.join(address, state.class_code)
        learner.report("scale", "outputs", "values", "forgot to scale")
    expect(page.get_by_role("heading", name="scale", exact=True)).to_be_visible()
    expect(page.locator(".standing .working .count")).to_have_text("2")
    expect(page.get_by_text("Twice too large.")).to_be_visible()

    ada.help(HTML)
    expect(page.locator("#calls strong")).to_have_text(HTML)
    assert "board" in page.title()
    page.goto(f"{address}/projector")
    expect(page.get_by_text("Waiting for help: 1")).to_be_visible()
    assert "Ada" not in page.content()

    bob.report("scale", "shapes", "passed", "")
    bob.report("scale", "outputs", "passed", "")
    expect(page.locator(".standing .done .count")).to_have_text("1")

    page.goto(f"{address}/teacher")
    page.get_by_label("Exercise").select_option("sums")
    expect(page.get_by_role("heading", name="sums", exact=True)).to_be_visible()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Nobody is waiting.")).to_be_visible()
    page.get_by_label("Exercise").select_option("")
    page.get_by_label("Learners see how far the class is").check()
    expect(page.get_by_role("heading", name="scale", exact=True)).to_be_visible()
    page.goto(address)
    expect(page.get_by_text("scale: 1 of 2 are done.")).to_be_visible()

    page.goto(f"{address}/teacher")
    page.get_by_role("button", name="New lesson").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator(".standing .done .count")).to_have_text("1")
    page.get_by_role("button", name="New lesson").click()
    page.get_by_role("button", name="Begin", exact=True).click()
    expect(page.get_by_role("heading", name="Nobody has run a check yet")).to_be_visible()
    ada.report("scale", "outputs", "values", "forgot to scale")
    expect(page.locator(".standing .working .count")).to_have_text("1")
    assert problems == []


def test_a_page_without_its_board_says_so_and_goes_on_when_it_is_back(tmp_path: Path, page: Page) -> None:
    store = a_store(tmp_path)
    state = Board(store, CATALOGUE, Clock())
    with on_loopback(state) as address:
        page.goto(f"{address}/sign-in?key={state.teacher_key}")
        expect(page.get_by_role("heading", name="Nobody has run a check yet")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_text(re.compile("No connection"))
    with on_loopback(state, int(address.rpartition(":")[2])):
        expect(page.get_by_role("alert")).to_be_hidden()
    store.close()


def test_on_a_phone_nothing_is_cut_off_and_bars_that_are_compared_are_of_one_length(
    board: tuple[Board, str], page: Page, tmp_path: Path
) -> None:
    state, address = board
    learner = Client(lambda: tmp_path / "ada")
    learner.join(address, state.class_code)
    for exercise in CATALOGUE:
        learner.report(exercise, "outputs", "values", "")
    page.goto(f"{address}/sign-in?key={state.teacher_key}")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        for name in ("teacher", "projector", ""):
            page.goto(f"{address}/{name}")
            expect(page.locator("#said" if name == "" else ".overview li").first).to_be_visible()
            assert page.locator("html, pre").evaluate_all(WIDER_THAN_SHOWN) == []
            lengths = page.locator(".overview .bar").evaluate_all("bars => bars.map(bar => bar.clientWidth)")
            assert len(set(lengths)) == (0 if name == "" else 1)
