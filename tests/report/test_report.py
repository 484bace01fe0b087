"""What an instructor can rely on in the page that `autograder report` writes."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

from autograder.classroom.class_folder import ClassFolder
from autograder.classroom.csv_table import number
from autograder.classroom.history import Why
from autograder.classroom.results import (
    NOT_GRADED,
    ClassResults,
    ExerciseResult,
    LearnerResult,
    MisconceptionCount,
    State,
)
from autograder.outcomes import Outcome
from autograder.pages import assets, look
from autograder.report import report
from autograder.report.histogram import axis, histogram
from autograder.report.misunderstood import exercise_shares, pairs
from autograder.report.report import render, write_report
from autograder.report.score_changes import movement
from autograder.report.submissions_to_open import ADVICE, BY_HAND, concerns
from autograder.report.wrong_code import CodeSample
from autograder.safe_text import clean
from tests.support.class_results import HINT, HOSTILE, NOON, hostile_class, learner, moving, results, unjudged

pytestmark = pytest.mark.slow

ASSETS = {
    name: str(assets.asset("autograder.report", file))
    for name, file in (("script", "report.js"), ("style", "report.css"))
}


def hash_of(element: Tag) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(element.get_text().encode()).digest()).decode()}'"


_pages: dict[str, BeautifulSoup] = {}


def page(*shown: ClassResults, class_name: str = "Attention 2026") -> BeautifulSoup:
    """Return the report. Read only: tests that ask for the same one share it."""
    content = repr((shown, class_name))
    if content not in _pages:
        _pages[content] = BeautifulSoup(render(shown, class_name, NOON), "html.parser")
    return _pages[content]


def words(element: Tag | BeautifulSoup) -> str:
    """Return the element's text with single spaces, symbols and unseen text included."""
    return re.sub(r"\s+", " ", element.get_text(" ")).strip()


def only(found: Tag | BeautifulSoup, selector: str) -> Tag:
    matches = found.select(selector)
    assert len(matches) == 1, f"{len(matches)} elements match {selector}"
    return matches[0]


def section(soup: BeautifulSoup, heading: str) -> Tag:
    """Return the section under an h3."""
    matches = [h3.find_parent("section") for h3 in soup.select("h3") if words(h3) == heading]
    assert len(matches) == 1, f"{len(matches)} sections are called {heading!r}"
    assert isinstance(matches[0], Tag)
    return matches[0]


def row(soup: BeautifulSoup, student: str) -> Tag:
    """Return a learner's row of the table."""
    rows = [
        th.find_parent("tr") for th in soup.select(".grid-table tbody th") if words(only(th, "bdi.name")) == student
    ]
    assert len(rows) == 1
    assert isinstance(rows[0], Tag)
    return rows[0]


# What is shown


def test_the_head_says_which_class_and_when(small_class: ClassResults) -> None:
    header = words(only(page(small_class), "header"))
    assert "Attention 2026" in header
    assert "28 September 2026, 12:05 UTC" in header


def test_the_counts_add_up_and_the_middle_of_the_class_is_named(small_class: ClassResults) -> None:
    tiles = [words(tile) for tile in page(small_class).select(".tile")]
    assert tiles == ["Submissions 7", "Graded 4", "Need a look 3", "Mean 6.5 of 10", "Median 7.5 of 10"]


def test_the_histogram_has_every_score_once_and_full_marks_apart(small_class: ClassResults) -> None:
    bars = histogram(small_class)
    assert sum(bar.count for bar in bars) == 5
    assert [bar.words for bar in bars if bar.count] == [
        "2 to under 4",
        "4 to under 6",
        "6 to under 8",
        "8 to under 10",
        "10 (full marks)",
    ]


@pytest.mark.parametrize(
    ("scores", "points", "labels"),
    [
        ([0, 1, 3, 3], 3, ["0", "1", "2", "3"]),
        ([0, 12, 21, 22], 22, ["0–3", "4–7", "8–11", "12–15", "16–19", "20–21", "22"]),
        ([1.5, 4], 4, ["0–<1", "1–<2", "2–<3", "3–<4", "4"]),
        ([-1, 150], 100, ["0–19", "20–39", "40–59", "60–79", "80–99", "100"]),
        ([0.5], 2.5, ["0–<1", "1–<2", "2–<2.5", "2.5"]),
    ],
)
def test_the_histogram_s_ranges_fit_the_scores_and_lose_none(
    scores: list[float], points: float, labels: list[str]
) -> None:
    some = [LearnerResult(f"s{place}", Outcome.GRADED, "", score) for place, score in enumerate(scores)]
    bars = histogram(ClassResults("a", "A", {"x": points}, tuple(some), ()))
    assert [bar.label for bar in bars] == labels
    assert sum(bar.count for bar in bars) == len(scores)
    assert bars[-1].count == sum(score >= points for score in scores)


@pytest.mark.parametrize(
    ("most", "ticks"), [(1, [0, 1]), (5, [0, 1, 2, 3, 4, 5]), (7, [0, 2, 4, 6, 8]), (69, [0, 20, 40, 60, 80])]
)
def test_the_axis_counts_whole_learners_up_to_the_tallest_bar(most: int, ticks: list[int]) -> None:
    assert axis(most) == ticks


def test_the_drawn_bars_are_as_tall_as_their_counts(small_class: ClassResults) -> None:
    doubled = replace(
        small_class, learners=(*small_class.learners, learner("hal", State.RIGHT, State.RIGHT, State.RIGHT))
    )
    heights = [float(str(bar["height"])) for bar in page(doubled).select("svg .bar")]
    counts = [bar.count for bar in histogram(doubled)]
    assert counts[-1] == 2
    assert heights == [pytest.approx(heights[-1] * count / 2) for count in counts]
    assert heights[-1] > 100


def test_each_chart_says_its_numbers_in_words_too(small_class: ClassResults) -> None:
    soup = page(small_class)
    drawing = only(soup, "svg[role=img]")
    assert words(only(soup, f"#{drawing['aria-labelledby']}")).startswith("Bar chart")
    table = [words(line) for line in section(soup, "Scores").select("tbody tr")]
    assert table == [f"{bar.words} {bar.count}" for bar in histogram(small_class)]


def test_the_pass_rates_are_sentences_with_their_numbers(small_class: ClassResults) -> None:
    lines = [words(line) for line in section(page(small_class), "Pass rate by exercise").select(".bars > li")]
    assert len(lines) == 3
    assert "attention_ scores 80% 4 of 5 solved this; 1 wrong" in lines[0]
    assert "causal_ mask 80% 4 of 5 solved this; 1 not written; 1 stuck here" in lines[1]
    assert "40% 2 of 5 solved this, 1 of them carried; 1 partly, 1 wrong, 1 not judged; 2 stuck here" in lines[2]


def test_a_bar_is_as_long_as_its_share(small_class: ClassResults) -> None:
    soup = page(small_class)
    assert [bar["width"] for bar in soup.select(".solved")] == ["80.0%", "80.0%", "40.0%"]
    known = section(soup, "Misconceptions").select_one("ol")
    assert known
    assert [bar["width"] for bar in known.select(".mistaken")] == ["40.0%", "20.0%"]


def test_misconceptions_keep_their_order_with_count_exercise_hint_and_names(small_class: ClassResults) -> None:
    first, second = section(page(small_class), "Misconceptions").select(
        ".bars > li[data-mistake]:not([data-mistake=none])"
    )
    assert "left out the projection in Multi Head Attention 2 of 5" in words(first)
    assert "The heads never mix." in words(only(first, ".hint"))
    assert "forgot to scale in attention_ scores 1 of 5" in words(second)
    assert HINT in words(only(second, ".hint"))
    who = only(first, "details")
    assert sorted(words(name) for name in who.select(".names .name")) == ["chen", "dora"]
    assert not who.has_attr("open"), "names stay folded on a projector"


def test_a_class_without_known_mistakes_says_so(small_class: ClassResults) -> None:
    text = words(section(page(replace(small_class, misconceptions=())), "Misconceptions"))
    assert "No known mistake was recognised." in text


def test_each_learner_s_row_has_score_and_the_state_of_each_exercise_in_words(small_class: ClassResults) -> None:
    soup = page(small_class)
    rows = {
        student: [words(cell) for cell in row(soup, student).select("td.score, td.state")]
        for student in ("ada", "bo", "chen", "emeka")
    }
    assert rows == {
        "ada": ["10 / 10", "✓ right", "✓ right", "✓ right"],
        "bo": ["8 / 10 ✎ by hand", "✗ wrong", "✓ right", "✓* carried"],
        "chen": ["7.5 / 10", "✓ right", "✓ right", "◐ partly 2.5 of 5"],
        "emeka": ["2 / 10", "✓ right", "○ not written", "– not judged"],
    }


def test_points_that_an_instructor_changed_are_shown_where_the_state_does_not_tell_them() -> None:
    right, wrong = (
        learner("ada", State.RIGHT, State.RIGHT, State.RIGHT, hand=True),
        learner("bo", State.WRONG, State.RIGHT, State.RIGHT, hand=True),
    )
    lowered = replace(right, exercises={**right.exercises, "causal_mask": ExerciseResult(1.5, 3.0, State.RIGHT)})
    raised = replace(wrong, exercises={**wrong.exercises, "attention_scores": ExerciseResult(1.0, 2.0, State.WRONG)})
    soup = page(results(lowered, raised))
    assert "✓ right 1.5 of 3 ✎" in words(row(soup, "ada"))
    assert "✗ wrong 1 of 2 ✎" in words(row(soup, "bo"))


def test_the_manual_mark_is_only_on_manual_scores(small_class: ClassResults) -> None:
    marked = [words(row(page(small_class), name)) for name in ["ada", "bo", "chen", "dora", "emeka"]]
    assert ["by hand" in text for text in marked] == [False, True, False, False, False]


def test_a_learners_messages_are_below_their_row(small_class: ClassResults) -> None:
    soup = page(small_class)
    toggle = only(row(soup, "emeka"), "details summary")
    assert re.fullmatch(r"2 messages for Learner \d emeka , in the row below", words(toggle))
    below = only(soup, f"#{toggle['aria-controls']}")
    assert below.find_previous_sibling("tr") is row(soup, "emeka")
    assert [pre.get_text() for pre in below.select("pre")] == [
        "causal_mask: what came\nis not what was expected",
        "MultiHeadAttention: what came\nis not what was expected",
    ]
    assert not row(soup, "ada").select("details")
    assert "no messages" in words(row(soup, "ada"))


def test_every_symbol_is_explained(small_class: ClassResults) -> None:
    legend = words(only(page(small_class), ".legend"))
    for state in look.STATES.values():
        assert f"{state.symbol} {state.words} {state.meaning}" in legend
    assert "✎ by hand" in legend


def test_no_two_states_share_their_symbol_or_their_words() -> None:
    assert set(look.STATES) == {State.RIGHT, State.CARRIED, State.PARTLY, State.WRONG, State.UNWRITTEN, State.UNKNOWN}
    assert len({state.symbol for state in look.STATES.values()}) == len(look.STATES)
    assert len({state.words for state in look.STATES.values()}) == len(look.STATES)


# Submissions that need a look


def test_the_submissions_that_need_a_look_come_first(small_class: ClassResults) -> None:
    soup = page(small_class)
    assert [words(h3) for h3 in soup.select("h3")] == [
        "Filters",
        "Submissions that need a look",
        "Scores",
        "Pass rate by exercise",
        "Misconceptions",
        "Learners",
    ]
    text = words(section(soup, "Submissions that need a look"))
    for told in ("chen cell 12 ran longer than 30 s", "fay no notebook inside", "gus the worker went away"):
        assert told in text
    assert not re.search(r"\b(ada|bo|dora|emeka)\b", text)


def test_the_most_pressing_outcome_comes_first_and_equal_reasons_together() -> None:
    found = concerns(
        results(
            unjudged("a", NOT_GRADED, "run it"),
            unjudged("b", Outcome.UNREADABLE, "empty"),
            unjudged("c", Outcome.CRASHED, "ended"),
            unjudged("d", NOT_GRADED, "run it"),
            unjudged("e", Outcome.NEEDS_REVIEW, "fault"),
            unjudged("f", Outcome.UNREADABLE, "too large"),
            unjudged("g", Outcome.TIMEOUT, "slow"),
        )
    )
    assert [(c.outcome, c.students) for c in found] == [
        (Outcome.NEEDS_REVIEW, ("e",)),
        (Outcome.CRASHED, ("c",)),
        (Outcome.TIMEOUT, ("g",)),
        (Outcome.UNREADABLE, ("b",)),
        (Outcome.UNREADABLE, ("f",)),
        (NOT_GRADED, ("a", "d")),
    ]


def test_every_outcome_is_explained() -> None:
    assert set(ADVICE) == {*Outcome, NOT_GRADED, BY_HAND}


def test_an_outcome_unknown_to_the_page_is_shown_first_not_dropped() -> None:
    found = concerns(results(unjudged("a", Outcome.CRASHED, ""), unjudged("b", "eaten", "by a dog")))
    assert [concern.outcome for concern in found] == ["eaten", Outcome.CRASHED]


def test_a_class_in_which_all_went_well_reads_a_calm_none() -> None:
    soup = page(
        results(
            learner("ada", State.RIGHT, State.RIGHT, State.RIGHT), learner("bo", State.RIGHT, State.RIGHT, State.PARTLY)
        )
    )
    text = words(section(soup, "Submissions that need a look"))
    assert "None. All 2 submissions were run to the end and graded." in text


def test_every_concern_says_what_to_do(small_class: ClassResults) -> None:
    with_hand = replace(
        learner("hal", State.RIGHT, State.RIGHT, State.RIGHT, hand=True), manual_scores_to_check=("causal_mask",)
    )
    shown = replace(small_class, learners=(*small_class.learners, with_hand))
    text = words(section(page(shown), "Submissions that need a look"))
    assert text.startswith("Submissions that need a look 1 needs review, 1 timeout, 1 unreadable, 1 score by hand:")
    assert text.count("What to do:") == 4
    assert "autograder collect --update" in text
    assert "in causal_mask" in text
    assert all(advice.do for advice in ADVICE.values())


# Names


def test_a_learner_is_a_number_with_the_name_beside_it_hidden_by_the_style(small_class: ClassResults) -> None:
    soup = page(small_class)
    for who in soup.select(".who"):
        assert re.fullmatch(r"Learner \d+", words(only(who, ".alias")))
        assert who.select(".name")
    assert ".name { display: none; }" in ASSETS["style"]
    switch = only(soup, "#show-names")
    assert not switch.has_attr("checked")
    assert switch["autocomplete"] == "off", "a browser must not bring names back when it reloads the page"
    outside = BeautifulSoup(str(soup), "html.parser")
    for name in outside.select(".name"):
        name.decompose()
    assert not re.search(r"\b(ada|bo|chen|dora|emeka|fay|gus)\b", words(outside))


def test_numbers_are_shuffled_by_the_secret_the_same_in_each_chapter_and_the_table_follows_them() -> None:
    crowd = results(*(learner(f"s{place:02}", State.RIGHT, State.RIGHT, State.RIGHT) for place in range(30)))

    def order(secret: str, chapter: int) -> list[str]:
        html = render([crowd, crowd], "class", NOON, secret=secret)
        article = BeautifulSoup(html, "html.parser").select("article")[chapter]
        numbers = [words(alias) for alias in article.select("tbody th .alias")]
        assert numbers == [f"Learner {place}" for place in range(1, 31)]
        return [words(name) for name in article.select("tbody th .name")]

    assert order("one", 0) == order("one", 1)
    assert order("one", 0) != order("two", 0)
    assert order("one", 0) != sorted(order("one", 0))


def test_an_anonymous_page_holds_no_name_and_nothing_that_a_learner_may_have_signed(small_class: ClassResults) -> None:
    absent = replace(small_class, missing=("zoe",))
    html = render([absent], "class", NOON, secret="s", anonymous=True)
    soup = BeautifulSoup(html, "html.parser")
    for own in ASSETS.values():
        html = html.replace(own, "")
    assert not re.search(r"\b(ada|bo|chen|dora|emeka|fay|gus|zoe)\b", html)
    assert "what came" not in html, "a message may quote the learner"
    assert "no notebook inside" not in html, "a reason may quote a file's name"
    assert "data-place" not in html, "nor does the order tell"
    assert "Anonymous: no names are in this file" in html
    assert not soup.select("#show-names")
    assert len(soup.select(".grid-table tbody th[scope=row]")) == 7


# What the class misunderstood


def test_the_code_behind_a_mistake_says_how_many_wrote_it_and_marks_what_the_reference_has_not(
    small_class: ClassResults,
) -> None:
    sample = CodeSample(("def f(q):", "    return q * '<b>'"), (False, True), wrote_it=3, of=5, cut=2)
    html = render([small_class], "class", NOON, [{("attention_scores", "forgot to scale"): sample}])
    found = only(BeautifulSoup(html, "html.parser"), ".code")
    assert words(only(found, "summary")) == "The code behind it: 3 of 5 wrote this"
    lines = only(found, "pre").get_text()
    assert lines == "def f(q):\ndiffers:     return q * '<b>'\n… and 2 more lines"
    assert [line.get_text() for line in found.select(".differs")] == ["differs:     return q * '<b>'\n"]
    assert not found.select("b")
    assert found.select(".k")


def test_wrong_answers_without_a_name_are_counted_apart(small_class: ClassResults) -> None:
    lines = section(page(small_class), "Misconceptions").select("[data-mistake=none]")
    assert [words(line).partition(" Who")[0] for line in lines] == [
        "in Multi Head Attention 2 of 5",
        "in attention_ scores 1 of 5",
    ]


def test_a_mistake_made_in_several_chapters_is_named_with_its_places(small_class: ClassResults) -> None:
    more = replace(
        small_class,
        title="Many heads",
        misconceptions=(MisconceptionCount("causal_mask", "forgot to scale", "", ("bo", "dora")),),
    )
    table = only(page(small_class, more), ".across table")
    assert [words(line) for line in table.select("tbody tr")] == [
        "forgot to scale 2 1 One head: attention_ scores 1; Many heads: causal_ mask 2"
    ]
    assert not page(small_class).select(".across")


def test_mistakes_made_together_need_two_learners() -> None:
    def both(student: str) -> LearnerResult:
        exercises = {
            "attention_scores": ExerciseResult(0, 2, State.WRONG, ("forgot to scale",)),
            "causal_mask": ExerciseResult(0, 3, State.WRONG, ("off by one",)),
        }
        return LearnerResult(student, Outcome.GRADED, "", 0.0, exercises)

    assert pairs(results(both("ada"))) == []
    [pair] = pairs(results(both("ada"), both("bo")))
    assert (pair.one, pair.other, pair.count) == (
        ("attention_scores", "forgot to scale"),
        ("causal_mask", "off by one"),
        2,
    )


def test_learners_are_stuck_if_they_solve_nothing_from_an_exercise_on(small_class: ClassResults) -> None:
    assert [share.stuck for share in exercise_shares(small_class)] == [(), ("emeka",), ("chen", "dora")]


def test_learners_without_a_submission_are_listed(small_class: ClassResults) -> None:
    soup = page(replace(small_class, missing=("yan", "zoe")))
    assert "Missing 2" in [words(tile) for tile in soup.select(".tile")]
    assert sorted(words(name) for name in section(soup, "Not submitted").select(".name")) == ["yan", "zoe"]
    assert "Not submitted" not in words(page(small_class))


# How scores moved


def test_each_step_is_counted_by_its_cause_and_each_learner_from_first_to_now() -> None:
    shown = results(
        moving("ada", 4, 7, 10), moving("bo", 10, 8, why=Why.REGRADED), moving("chen", 10), moving("dora", 5, None, 5)
    )
    found = movement(shown)
    assert [(move.student, move.first, move.now) for move in found.moves] == [
        ("ada", 4, 10),
        ("dora", 5, 5),
        ("bo", 10, 8),
    ]
    assert [(cause.why, cause.rose, cause.same, cause.fell, cause.mean) for cause in found.causes] == [
        ("resubmitted", 2, 1, 0, 2),
        ("regraded", 0, 0, 1, -2),
    ]
    soup = page(shown)
    text = words(section(soup, "How scores changed"))
    assert "3 learners have more than one score: 1 rose, 1 stayed the same, 1 fell." in text
    assert "4 (first graded, 1 September, 10:00) → 7 (resubmitted, 2 September, 10:00) → 10" in text
    assert [len(soup.select(f".slopes .{kind}")) for kind in ("rose", "stayed", "fell")] == [1, 1, 1]


def test_a_class_that_was_graded_once_has_no_movement(small_class: ClassResults) -> None:
    assert "How scores changed" not in words(page(small_class))


# Unusual classes


def test_a_class_without_submissions_says_so_and_shows_no_empty_charts() -> None:
    soup = page(results())
    assert "There are no submissions yet." in words(soup)
    assert not soup.select("svg, table, .tiles")


def test_a_class_without_assignments_says_so() -> None:
    assert "This class has no assignments yet." in words(page())


def test_a_class_of_unreadable_submissions_has_no_scores_and_names_everybody() -> None:
    soup = page(results(*(unjudged(name, Outcome.UNREADABLE, "not JSON") for name in ("ada", "bo", "chen"))))
    assert [words(tile) for tile in soup.select(".tile")] == [
        "Submissions 3",
        "Graded 0",
        "Need a look 3",
        "Mean and median – no scores",
    ]
    assert "There are no scores yet" in words(section(soup, "Scores"))
    assert not soup.select("svg")
    for name in ("ada", "bo", "chen"):
        assert "no score" in words(row(soup, name))
        assert "not JSON" in words(row(soup, name))


def test_an_assignment_worth_nothing_is_shown_all_the_same() -> None:
    worthless = ClassResults("a", "A", {"x": 0.0}, (LearnerResult("ada", Outcome.GRADED, "", 0.0),), ())
    assert "This chapter awards no points." in words(page(worthless))


def test_several_assignments_have_a_contents_list_whose_links_arrive(small_class: ClassResults) -> None:
    soup = page(small_class, replace(small_class, title="Many heads", assignment="02_many_heads"))
    links = only(soup, "nav").select("a")
    assert [words(link) for link in links] == ["Overview", "One head", "Many heads"]
    for link in links:
        assert words(only(only(soup, str(link["href"])), "h2")) == words(link)
    assert "7 submissions, median 7.5 of 10, 3 need a look" in words(only(soup, "nav"))
    assert not page(small_class).select("nav")


def test_300_learners_have_300_rows_and_one_table_of_their_own_height() -> None:
    soup = page(results(*(learner(f"s{place:03}", State.RIGHT, State.PARTLY, State.WRONG) for place in range(300))))
    assert len(soup.select(".grid-table tbody th[scope=row]")) == 300
    assert "long" in only(soup, ".scroller")["class"]


# For every reader


@pytest.fixture(params=["small", "hostile"])
def any_page(request: pytest.FixtureRequest, small_class: ClassResults) -> BeautifulSoup:
    shown = small_class if request.param == "small" else hostile_class()
    return page(shown, replace(shown, title="Another"))


def test_headings_skip_no_level(any_page: BeautifulSoup) -> None:
    levels = [int(heading.name[1]) for heading in any_page.select("h1, h2, h3, h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_table_has_a_caption_and_every_table_header_a_scope(any_page: BeautifulSoup) -> None:
    assert any_page.select("table")
    assert all(table.select("caption") for table in any_page.select("table"))
    assert {str(header.get("scope")) for header in any_page.select("th")} == {"col", "row"}


def test_every_id_is_there_once_and_every_reference_arrives(any_page: BeautifulSoup) -> None:
    ids = Counter(str(element["id"]) for element in any_page.select("[id]"))
    assert set(ids.values()) == {1}
    for attribute in ("aria-labelledby", "aria-controls"):
        targets = {str(element[attribute]) for element in any_page.select(f"[{attribute}]")}
        assert targets
        assert targets <= set(ids)


# Nothing that a learner wrote can act


def test_no_text_of_a_class_becomes_markup() -> None:
    soup = page(hostile_class(), class_name=HOSTILE)
    assert not soup.select("img, iframe, object, embed, form, base, svg[onload], [style]")
    assert [script.get_text() for script in soup.select("script")] == [ASSETS["script"]]
    handlers = [name for element in soup.find_all(True) for name in element.attrs if name.startswith("on")]
    assert handlers == []
    assert words(only(soup, "h1")).startswith('<script>document.title = "pwned"</script><img src=x onerror=')
    assert len(soup.select("pre")) == 2


def test_no_escape_or_control_character_reaches_the_page() -> None:
    html = render([hostile_class()], HOSTILE, NOON)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)
    assert "etc/passwd" not in html
    assert "[31m" not in html


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("plain √d_head, 頭, 👩‍🏫", "plain √d_head, 頭, 👩‍🏫"),
        ("two\n\tlines\r\n", "two\n\tlines\n"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b1mred", "red"),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b]8;;file:///x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(Bcharset \x1bcreset", "charset reset"),
        ("bell\x07, back\x08space, nul\x00, del\x7f", "bell, backspace, nul, del"),
        ("\u202egnp.exe", "gnp.exe"),
        ("half \ud83d of a pair", "half \ufffd of a pair"),
    ],
)
def test_clean_keeps_what_people_write_and_drops_what_acts(raw: str, kept: str) -> None:
    assert clean(raw) == kept


def test_a_message_without_end_is_cut_and_says_so() -> None:
    told = clean("x" * 1_000_000)
    assert len(told) < 5000
    assert told.endswith("… (cut: 1000000 characters)")


def test_an_id_with_half_a_character_does_not_stop_the_page() -> None:
    html = render([results(learner("ad\ud800a", State.RIGHT, State.RIGHT, State.RIGHT))], "class", NOON)
    assert "ad\ufffda" in html.encode("utf-8").decode("utf-8")


def test_the_page_names_no_address_and_loads_nothing(small_class: ClassResults) -> None:
    html = render([small_class], "class", NOON)
    addresses = re.findall(r"[a-z]+://[^\s\"'<>]+", html.replace('xmlns="http://www.w3.org/2000/svg"', ""))
    assert addresses == []
    assert re.findall(r"@import|url\(", html) == []
    loaded = [
        el
        for el in BeautifulSoup(html, "html.parser").select("[src], [srcset], link[href]")
        if el.get("href") != "data:,"
    ]
    assert loaded == []


def test_the_content_policy_allows_only_this_script_and_style_and_comes_first(
    small_class: ClassResults,
) -> None:
    soup = page(small_class, hostile_class())
    policy = only(soup, 'meta[http-equiv="Content-Security-Policy"]')
    directives = dict(part.strip().split(" ", 1) for part in str(policy["content"]).split(";"))
    assert directives == {
        "default-src": "'none'",
        "script-src": hash_of(only(soup, "script")),
        "style-src": hash_of(only(soup, "style")),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert policy.find_previous(["style", "link", "script", "title"]) is None


@pytest.mark.parametrize(("value", "text"), [(12, "12"), (12.5, "12.5"), (1 / 3, "0.33"), (0, "0"), (100.0, "100")])
def test_scores_are_written_as_people_write_them(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_and_their_papers_differ_enough_in_both_themes(theme: str) -> None:
    """WCAG 2.2 AA: 4.5 to 1 for text, 3 to 1 for what is drawn and for the edge of a control."""
    blocks = re.findall(r":root \{(.*?)\}", ASSETS["style"], re.DOTALL)
    colours = {
        name: value
        for block in blocks[: 1 + (theme == "dark")]
        for name, value in re.findall(r"--([\w-]+): (#\w+)", block)
    }
    texts = [(ink, paper) for paper in ("paper", "panel") for ink in ("ink", "soft", "link", "look", "hand-ink")]
    texts += [(f"{state}-ink", state) for state in ("right", "carried", "partly", "wrong", "blank", "pressed")]
    texts += [(f"code-{kind}", paper) for kind in ("word", "value", "name") for paper in ("panel", "partly")]
    texts += [("ink", "look-paper"), ("look", "look-paper"), ("soft", "look-paper"), ("ink", "partly")]
    drawn = [("data", "paper"), ("mistake", "paper"), ("control", "paper"), ("control", "panel"), ("data", "track")]
    for both, least in ((texts, 4.5), (drawn, 3.0)):
        for ink, paper in both:
            assert contrast(colours[ink], colours[paper]) >= least, f"{ink} on {paper}"


def contrast(one: str, other: str) -> float:
    """Return WCAG's contrast ratio of two colours, each #rgb or #rrggbb."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


# The file


@pytest.fixture
def gathered(monkeypatch: pytest.MonkeyPatch, small_class: ClassResults) -> None:
    """Replace the gradebook: every assignment has the small class's results, with its own title."""

    def gather(folder: ClassFolder, assignment: str) -> ClassResults:
        return replace(small_class, assignment=assignment, title=f"Title of {assignment}")

    monkeypatch.setattr(report, "class_results", gather)
    monkeypatch.setattr(report, "code_samples", lambda folder, results: {})
    monkeypatch.setattr(ClassFolder, "seed", lambda folder: "the class's secret")


@pytest.mark.usefixtures("gathered")
def test_write_report_leaves_one_page_named_after_the_folder_with_the_assignments_in_order(tmp_path: Path) -> None:
    root = tmp_path / "autumn class"
    root.mkdir()
    path = write_report(ClassFolder(root), ["02_b", "01_a"])
    assert path == root / "report.html"
    assert list(root.iterdir()) == [path]
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    assert words(only(soup, "h1")) == "autumn class"
    assert [words(h2) for h2 in soup.select("article h2")] == ["Overview", "Title of 02_b", "Title of 01_a"]


@pytest.mark.usefixtures("gathered")
def test_a_report_that_fails_leaves_the_old_page_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_report(ClassFolder(tmp_path), ["01_a"])
    before = path.read_bytes()

    def full_disk(self: Path, *args: object, **kwargs: object) -> int:
        self.write_bytes(b"half a pa")
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_report(ClassFolder(tmp_path), ["01_a"])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path], "the half-written page is gone"
