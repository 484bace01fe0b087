"""The quiz needs no script, tells right from wrong without colour, and cannot be seen through by an answer's place."""

from __future__ import annotations

import re

import pytest
from IPython.display import HTML

from manyheads import quiz as module
from manyheads.quiz import multiple_choice, quiz


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    pages: list[str] = []

    def display(html: HTML) -> None:
        assert html.data is not None
        pages.append(html.data)

    monkeypatch.setattr(module, "display", display)
    return pages


def questions(count: int) -> list[module.Question]:
    return [
        multiple_choice(f"Number {n}?", ("right", "it is"), ("wrong", "no"), ("wronger", "not at all"))
        for n in range(count)
    ]


def test_each_answer_unfolds_to_a_sign_a_word_and_the_reason(shown: list[str]) -> None:
    quiz(multiple_choice("Is `x < y`?", ("yes, `x`", "x is 1"), ("no", "x & y")))

    (page,) = shown
    answers = dict(re.findall(r"<summary>(.*?)</summary><p [^>]*>(.*?)</p>", page))
    assert len(answers) == 2
    right, wrong = (next(text for head, text in answers.items() if head.startswith(start)) for start in ("yes", "no"))
    assert "✓</span> Right.</strong> x is 1" in right
    assert "✗</span> Not quite.</strong> x &amp; y" in wrong
    assert re.search(r"Is <code [^>]*>x &lt; y</code>\?", page)
    assert "<script" not in page
    assert "http" not in page


def test_the_right_answer_is_in_any_place_and_the_order_is_the_same_at_each_run(shown: list[str]) -> None:
    quiz(*questions(40))
    quiz(*questions(40))

    assert shown[0] == shown[1]
    places = [
        re.findall(r"<summary>(\w+)</summary>", part).index("right") for part in shown[0].split('role="group"')[1:]
    ]
    assert all(places.count(place) >= 5 for place in range(3))


def test_only_one_answer_of_a_question_is_open_at_a_time(shown: list[str]) -> None:
    quiz(*questions(2))

    groups = re.findall(r'<details name="([^"]+)"', shown[0])
    assert len(groups) == 6
    assert len(set(groups)) == 2
    assert len(set(groups[:3])) == 1
