"""A check's card: the same words as its text, readable on any page, and nothing in it that runs or loads."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from autograder.course.chapter import Chapter
from autograder.course.exams import VISIBLE_SEED, set_exams
from manyheads import check
from manyheads.card import Card, State, result_card
from manyheads.checking.diagnosis import Finding, examine
from manyheads.checking.divergence import excerpt
from manyheads.checking.exam import Check, Exam
from manyheads.checking.stage import Stage
from manyheads.checking.wording import Message
from tests.support.judging import asking

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"' onmouseover=alert(1)"


@pytest.fixture
def exam(toy: Chapter) -> Exam:
    return set_exams(toy, VISIBLE_SEED)["scale_rows"]


def words(card: Card) -> str:
    return " ".join(BeautifulSoup(card._repr_html_(), "html.parser").get_text(" ").split())


def wrong_card(toy: Chapter, exam: Exam, source: str) -> Card:
    names: dict[str, Any] = dict(toy.namespace())
    exec(source, names)
    finding = examine(exam, asking(names)(exam, {}), Check.OUTPUTS)
    assert finding is not None
    return result_card(exam, Check.OUTPUTS, finding)


def test_a_passed_check_is_green_with_its_points(exam: Exam) -> None:
    card = result_card(exam, Check.OUTPUTS, None)
    assert (card.state, repr(card)) == (State.PASSED, "✓ scale_rows.outputs · 2 cases")
    assert words(card) == "✓ scale_rows.outputs · 2 cases · 2 points"


def test_a_known_mistake_is_the_headline_and_every_word_of_the_text_is_on_the_card(toy: Chapter, exam: Exam) -> None:
    card = wrong_card(toy, exam, "def scale_rows(x, factors): return x + factors[:, None]")
    assert card.message is not None
    shown = words(card)
    assert shown.index(card.message.mistake) < shown.index(card.message.sentence)
    for part in (card.message.hint, card.message.expected, card.message.got, card.message.detail, card.message.case):
        assert " ".join(part.split()) in shown
        assert " ".join(part.split()) in " ".join(repr(card).split())


def test_the_picture_outlines_the_entries_that_differ_and_no_other(toy: Chapter, exam: Exam) -> None:
    source = "def scale_rows(x, factors):\n    y = x * factors[:, None]\n    y[0, 1] = 7.5\n    return y"
    card = wrong_card(toy, exam, source)
    _, yours = BeautifulSoup(card._repr_html_(), "html.parser").select("table table, div table")[-2:]
    outlined = [cell.get_text() for cell in yours.select("td") if "transparent" not in str(cell["style"])]
    assert outlined == ["7.50"]
    assert yours.find_parent(attrs={"aria-hidden": "true"}) is not None, "the text says it without"


@pytest.mark.parametrize("shape", [(3,), (2, 9), (2, 3, 20, 4), (1, 1)])
def test_an_excerpt_holds_the_first_difference_and_is_small(shape: tuple[int, ...]) -> None:
    right = torch.arange(float(torch.Size(shape).numel())).reshape(shape)
    got = right.clone()
    got.view(-1)[-1] += 1
    cut = excerpt("x", right, got, right == got)
    if right.numel() < 2:
        assert cut is None
        return
    assert cut is not None
    assert sum(map(sum, cut.differs)) == 1
    assert all(len(rows) <= 6 and len(row) <= 6 for rows in (cut.expected, cut.got) for row in rows)
    [[place]] = [[(i, j) for j, differs in enumerate(row) if differs] for i, row in enumerate(cut.differs) if any(row)]
    assert cut.got[place[0]][place[1]] == cut.expected[place[0]][place[1]] + 1 == right.numel()


def test_whatever_a_message_says_is_text_on_the_card(exam: Exam) -> None:
    message = Message(*[HOSTILE] * 7, further=(HOSTILE,), note=HOSTILE)
    page = BeautifulSoup(result_card(exam, Check.OUTPUTS, Finding(message, Stage.VALUES))._repr_html_(), "html.parser")
    assert page.find(["script", "img", "style", "link", "iframe"]) is None
    assert not [name for tag in page.find_all() for name in tag.attrs if name.startswith("on")]
    assert page.get_text().count(HOSTILE) == 9


@pytest.mark.slow
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=2, max_size=9))
def test_any_numbers_can_be_drawn(numbers: list[float]) -> None:
    got = torch.tensor(numbers, dtype=torch.float64)
    cut = excerpt("x", torch.zeros_like(got), got, torch.zeros_like(got, dtype=torch.bool))
    card = Card(State.WRONG, "a", "a", replace(Message("wrong"), excerpt=cut))
    assert "rgba(" in card._repr_html_()
    assert not re.search(r"rgba\([^)]*(nan|inf)", card._repr_html_())


class Request(InteractiveShell):
    """IPython in a kernel, as far as a check needs it: the cell's request."""

    parent_header: dict[str, Any]


@pytest.mark.parametrize(("somebody", "raises"), [(True, False), (False, True)])
def test_only_a_program_that_counts_errors_gets_one_for_what_is_not_written(
    toy: Chapter, monkeypatch: pytest.MonkeyPatch, somebody: bool, raises: bool
) -> None:
    monkeypatch.setattr(check, "all_exams", lambda: set_exams(toy, VISIBLE_SEED))
    shell = Request()
    shell.parent_header = {"content": {"allow_stdin": somebody}}
    monkeypatch.setattr(check, "get_ipython", lambda: shell)
    monkeypatch.setattr(check, "display", lambda card: cards.append(card))
    cards: list[Card] = []
    shell.run_cell(toy.imports).raise_error()
    shell.run_cell("def scale_rows(x, factors): raise NotImplementedError()").raise_error()
    done = shell.run_cell("check.shapes(scale_rows)")
    assert (done.error_in_exec is not None) == raises
    assert [card.state for card in cards] == ([] if raises else [State.UNWRITTEN])
    shell.run_cell("def scale_rows(x, factors): return x + 1").raise_error()
    error = shell.run_cell("check.outputs(scale_rows)").error_in_exec
    assert isinstance(error, check.CheckFailed)
    lines = error._render_traceback_()
    assert len(lines) == 1 if somebody else len(lines) > 3


def test_validate_lists_an_unwritten_exercise_in_a_line_and_says_the_same_only_once(
    toy: Chapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "all_exams", lambda: set_exams(toy, VISIBLE_SEED))
    monkeypatch.setattr(check, "_told", {})
    shell = Request()
    shell.parent_header = {"content": {"allow_stdin": False}}
    monkeypatch.setattr(check, "get_ipython", lambda: shell)
    shell.run_cell(toy.imports).raise_error()

    def said(name: str) -> list[str]:
        error = shell.run_cell(f"check.{name}(scale_rows)").error_in_exec
        assert isinstance(error, check.CheckFailed)
        return error._render_traceback_()

    shell.run_cell("def scale_rows(x, factors): raise NotImplementedError()").raise_error()
    for name in ("shapes", "outputs"):
        assert said(name) == [f"✗ scale_rows.{name}: not written yet"]
    shell.run_cell("def scale_rows(x, factors): raise IndexError('no such row')").raise_error()
    assert "no such row" in "\n".join(said("shapes"))
    again = said("outputs")
    assert again[-1] == "See scale_rows.shapes above."
    assert "no such row" not in "\n".join(again)


def test_what_the_check_of_shapes_has_just_said_is_not_said_twice(
    toy: Chapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "all_exams", lambda: set_exams(toy, VISIBLE_SEED))
    shell = Request()
    shell.parent_header = {"content": {"allow_stdin": True}}
    monkeypatch.setattr(check, "get_ipython", lambda: shell)
    cards: list[Card] = []
    monkeypatch.setattr(check, "display", cards.append)
    shell.run_cell(toy.imports).raise_error()
    shell.run_cell("def scale_rows(x, factors): raise IndexError('no such row')").raise_error()

    for name in ("outputs", "shapes", "outputs"):
        assert isinstance(shell.run_cell(f"check.{name}(scale_rows)").error_in_exec, check.CheckFailed)

    first, shapes, again = (words(card) for card in cards)
    assert "no such row" in first
    assert "no such row" in shapes
    assert "no such row" not in again
    assert again.endswith("See the card of scale_rows.shapes above.")
    shell.run_cell("def scale_rows(x, factors): raise IndexError('another')").raise_error()
    shell.run_cell("check.outputs(scale_rows)")
    assert "another" in words(cards[-1])
