"""Using the report in a real browser: filter, show names, print, with the keyboard only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePath

import pytest
from playwright.sync_api import Page, expect

from autograder.classroom.history import Why
from autograder.classroom.results import ClassResults, LearnerResult, MisconceptionCount, State
from autograder.report.report import render
from autograder.report.wrong_code import CodeSample
from tests.support.class_results import HOSTILE, NOON, hostile_class, learner, moving, results

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DISPLAYS = "elements => elements.map(element => getComputedStyle(element).display)"
SAMPLE = CodeSample((HOSTILE, "    return q @ k"), (False, True), 2, 3)


@pytest.fixture
def small_with_mistakes(small_class: ClassResults) -> ClassResults:
    """The small class, its misconceptions in the learners' exercises too."""

    def made(one: LearnerResult) -> LearnerResult:
        exercises = {
            exercise: replace(
                done,
                misconceptions=tuple(
                    mistake.name
                    for mistake in small_class.misconceptions
                    if mistake.exercise == exercise and one.student in mistake.students
                ),
            )
            for exercise, done in one.exercises.items()
        }
        return replace(one, exercises=exercises)

    return replace(small_class, learners=tuple(map(made, small_class.learners)))


@pytest.fixture
def opened(page: Page, tmp_path: Path, small_with_mistakes: ClassResults) -> Iterator[Page]:
    """The report of three classes, the second of them hostile, the third of 60. Any console message or request fails
    the test."""
    crowd = results(
        *(
            learner(f"s{place:03}-{'x' * (place % 9) * 20}", State.RIGHT, State.UNWRITTEN, State.WRONG)
            for place in range(60)
        )
    )
    path = tmp_path / "report.html"
    samples = [{("attention_scores", "forgot to scale"): SAMPLE}, {(HOSTILE, HOSTILE): SAMPLE}, {}]
    shown = [replace(small_with_mistakes, names={"bo": "Zoe Zimmer"}), hostile_class(), crowd]
    pages = {("ada", "01_single_head"): PurePath("feedback/ada #1/01.html")}
    page_text = render(shown, HOSTILE, NOON, samples, secret="s", pages=pages)
    path.write_text(page_text, encoding="utf-8")
    said: list[str] = []
    requested: list[str] = []
    page.set_viewport_size({"width": 1280, "height": 720})
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: requested.append(request.url))
    page.goto(f"{path.as_uri()}#a1")
    yield page
    assert said == []
    assert {url.partition("#")[0] for url in requested if not url.startswith("data:")} == {path.as_uri()}


def turn_to(page: Page, shown: str) -> None:
    """Choose an assignment, or the overview, in the list of contents."""
    page.locator(f"nav a[href='#{shown}']").click()
    expect(page.locator(f"#{shown} > h2")).to_be_visible()


def shown_rows(page: Page, article: str = "#a1") -> list[str]:
    return page.locator(f"{article} .grid-table tbody th:visible .who").all_inner_texts()


def test_nothing_that_a_learner_wrote_runs_and_the_page_is_as_wide_as_its_window(opened: Page) -> None:
    assert opened.title().startswith("<script>"), "the hostile name is shown as text, and did not run"
    assert opened.evaluate("[document.images.length, document.scripts.length]") == [0, 1]
    for shown in ("overview", "a1", "a2", "a3"):
        turn_to(opened, shown)
        for width in (1280, 400):
            opened.set_viewport_size({"width": width, "height": 720})
            assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_the_content_policy_stops_markup_that_gets_in_all_the_same(
    page: Page, tmp_path: Path, small_class: ClassResults
) -> None:
    smuggled = (
        "<script>document.title = 'pwned'</script><img src='data:,' onerror=\"document.title = 'pwned'\">"
        "<p id=styled style='color: rgb(1, 2, 3)'>x</p><img src='http://127.0.0.1:9/x.png'>"
    )
    path = tmp_path / "report.html"
    path.write_text(render([small_class], "class", NOON).replace("<main", f"{smuggled}<main"), encoding="utf-8")
    refused: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.on("response", lambda response: asked.append(response.url))
    page.on("requestfailed", lambda request: asked.append(f"{request.failure} {request.url}"))
    page.goto(path.as_uri())
    assert page.title() == "class: results"
    assert page.locator("#styled").evaluate("e => getComputedStyle(e).color") != "rgb(1, 2, 3)"
    page.get_by_role("button", name="All exercises").click()  # and our own script runs
    expect(page.locator(".shown")).to_have_text("7 learners")
    assert sum("Content Security Policy" in text for text in refused) >= 3
    assert "csp http://127.0.0.1:9/x.png" in asked, "it was stopped before it went out"


def test_names_are_hidden_until_asked_for_and_then_sorted(opened: Page) -> None:
    turn_to(opened, "overview")
    hidden = opened.locator("body").inner_text()
    turn_to(opened, "a1")
    hidden += opened.locator("body").inner_text()
    assert not re.search(r"\b(ada|bo|Zoe|chen|dora|emeka|fay|gus)\b", hidden)
    assert "no notebook inside" not in hidden
    assert shown_rows(opened) == [f"Learner {number}" for number in sorted(map(number_of, shown_rows(opened)))]
    opened.get_by_label("Show names").check()
    assert shown_rows(opened) == ["ada", "chen", "dora", "emeka", "fay", "gus", "Zoe Zimmer bo"]
    assert opened.get_by_text(re.compile("Learner \\d")).locator("visible=true").count() == 0
    opened.get_by_label("Show names").uncheck()
    assert shown_rows(opened) == [f"Learner {number}" for number in sorted(map(number_of, shown_rows(opened)))]


def number_of(alias: str) -> int:
    return int(alias.removeprefix("Learner "))


def test_by_keyboard_alone_the_class_is_filtered_by_exercise_misconception_and_outcome(opened: Page) -> None:
    press, active = opened.keyboard.press, "document.activeElement"
    opened.goto(opened.url.partition("#")[0])
    press("Tab")
    assert opened.evaluate(f"{active}.textContent") == "Skip to the results"
    press("Tab")
    assert opened.evaluate(f"{active}.id") == "show-names"
    press("Space")
    press("Tab")  # the overview, which is shown already
    press("Tab")
    press("Enter")
    expect(opened.locator("#a1 > h2")).to_be_visible()
    for _ in range(50):
        press("Tab")
        if opened.evaluate(f"{active}.dataset.exercise === '2'"):
            break
    assert opened.evaluate(f"{active}.matches(':focus-visible') && getComputedStyle({active}).outlineStyle") == "solid"
    press("Enter")
    article, status = opened.locator("#a1"), opened.locator("#a1 .shown")
    expect(article.get_by_role("button", name="MultiHeadAttention")).to_have_attribute("aria-pressed", "true")
    expect(status).to_have_text("7 of 7 learners: MultiHeadAttention")
    assert article.locator(".grid-table thead th:visible").all_inner_texts()[2].startswith("MultiHead")
    assert article.locator(".grid-table thead th:visible").count() == 4
    assert article.locator("[aria-labelledby=a1-exercises] .bars > li:visible").count() == 1

    press("Tab")
    press("l")  # the misconception whose name begins so
    expect(status).to_have_text(re.compile("2 of 7 learners: MultiHeadAttention, left out the projection"))
    assert shown_rows(opened) == ["chen", "dora"]
    press("Tab")
    press("n")  # need a look
    expect(status).to_have_text(re.compile("1 of 7 learners: .*need a look"))
    assert shown_rows(opened) == ["chen"]
    press("Tab")
    assert opened.evaluate(f"{active}.type") == "search"
    press("Tab")
    assert opened.evaluate(f"{active}.textContent") == "Show all again"
    press("Enter")
    expect(status).to_have_text("7 learners")
    assert len(shown_rows(opened)) == 7
    assert opened.evaluate(f"{active}.textContent") == "All exercises"


def test_the_overview_has_each_learners_scores_and_total_and_leads_to_feedback(opened: Page) -> None:
    turn_to(opened, "overview")
    opened.get_by_label("Show names").check()

    def row(name: str) -> list[str]:
        cells = opened.locator("#overview tbody tr", has_text=name).first.locator("th, td")
        return [" ".join(cell.inner_text().split()) for cell in cells.all()]

    assert row("ada") == ["ada", "10", "✓10", "not submitted", "not submitted"]
    assert row("fay") == ["fay", "0", "unreadable", "not submitted", "not submitted"]
    assert row("s001") == ["s001-xxxxxxxxxxxxxxxxxxxx", "2", "not submitted", "not submitted", "◐2"]
    assert opened.locator("#overview tfoot").inner_text().split()[-2:] == ["1", "2"], "the means of the last two"
    [link] = opened.locator("#overview td:nth-child(3) a:visible").all()
    assert (link.inner_text(), link.get_attribute("href")) == ("10", "feedback/ada%20%231/01.html")
    turn_to(opened, "a1")
    assert opened.locator("#a1 td a:visible").count() == 1
    opened.get_by_label("Show names").uncheck()
    assert opened.locator("#a1 td a:visible").count() == 0, "its address would tell the name"


def test_the_tables_are_sorted_by_any_column_and_searched_by_what_is_shown(opened: Page) -> None:
    turn_to(opened, "overview")
    names = opened.get_by_label("Show names")
    names.check()
    table = opened.locator("#overview .grid-table")
    table.get_by_role("button", name="One head").first.click()
    assert shown_rows(opened, "#overview")[:3] == ["ada", "Zoe Zimmer bo", "chen"], "10, 8 and 7.5 points"
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    table.get_by_role("button", name="One head").first.click()
    assert shown_rows(opened, "#overview")[-1] == "ada"
    search, status = opened.locator("#overview input"), opened.locator("#overview .shown")
    search.fill(" ZIM")
    assert shown_rows(opened, "#overview") == ["Zoe Zimmer bo"]
    expect(status).to_have_text("1 of 70 learners")
    names.uncheck()
    assert shown_rows(opened, "#overview") == [], "a search must not tell whose number is whose"
    opened.locator("#overview .clear").click()
    assert len(shown_rows(opened, "#overview")) == 70
    turn_to(opened, "a1")
    names.check()
    opened.locator("#a1").get_by_role("button", name="Score", exact=True).click()
    assert shown_rows(opened)[:2] == ["ada", "Zoe Zimmer bo"]
    opened.locator("#a1 input").fill("zoe")
    expect(opened.locator("#a1 .shown")).to_have_text("1 of 7 learners: “zoe”")


def test_one_assignment_is_shown_at_a_time_so_there_is_one_bar_of_filters(opened: Page) -> None:
    for shown in ("overview", "a2", "a1"):
        turn_to(opened, shown)
        assert [article.get_attribute("id") for article in opened.locator("article:visible").all()] == [shown]
        assert opened.locator(".filters:visible").count() == 1
        assert opened.locator("nav [aria-current]").get_attribute("href") == f"#{shown}"
    opened.go_back()
    expect(opened.locator("#a2 > h2")).to_be_visible()


def test_a_table_that_is_wider_than_a_phone_says_so(opened: Page) -> None:
    said = opened.locator("#a1 .sideways")
    assert not said.is_visible()
    opened.set_viewport_size({"width": 390, "height": 800})
    expect(said).to_be_visible()


def test_where_a_mistake_was_made_can_be_read_on_a_phone(page: Page, tmp_path: Path, small_class: ClassResults) -> None:
    again = MisconceptionCount("causal_mask", "forgot to scale", "", ("bo", "dora"))
    shown = [small_class, replace(small_class, title="Many heads", misconceptions=(again,))]
    path = tmp_path / "report.html"
    path.write_text(render(shown, "A class", NOON, [{}, {}], secret="s", pages={}), encoding="utf-8")
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(path.as_uri())
    expect(page.locator(".across .sideways")).to_be_visible()
    where = page.locator(".across tbody td").last
    assert where.evaluate("cell => cell.getBoundingClientRect().width") > 250
    mistake = page.locator(".across tbody th").first
    assert mistake.evaluate("cell => parseFloat(getComputedStyle(cell).paddingLeft)") > 5


def test_an_outcome_means_the_chosen_exercise_or_any(opened: Page) -> None:
    opened.get_by_label("Show names").check()
    article = opened.locator("#a1")
    outcome = article.get_by_label("Outcome")
    outcome.select_option("state-wrong")
    assert shown_rows(opened) == ["dora", "Zoe Zimmer bo"]
    article.get_by_role("button", name="MultiHeadAttention").click()
    assert shown_rows(opened) == ["dora"]
    outcome.select_option("state-not-judged")
    assert shown_rows(opened) == ["emeka", "fay", "gus"]
    article.get_by_role("button", name="All exercises").click()
    assert shown_rows(opened) == ["emeka", "fay", "gus"]
    outcome.select_option("short")
    assert shown_rows(opened) == ["chen", "dora", "emeka", "fay", "gus", "Zoe Zimmer bo"]


def test_a_misconception_links_to_its_learners_and_a_row_to_its_messages(opened: Page) -> None:
    opened.get_by_label("Show names").check()
    card = opened.locator("#a1 .mistakes > li", has_text="forgot to scale")
    card.get_by_text("Who").click()
    card.get_by_role("button", name="Show them in the table").click()
    assert shown_rows(opened) == ["Zoe Zimmer bo"]
    assert opened.evaluate("document.activeElement.id") == "a1-learners"
    summary = opened.locator("#a1 .details-cell summary:visible")
    told = opened.locator(f"#{summary.get_attribute('aria-controls')}")
    assert not told.is_visible()
    summary.focus()
    opened.keyboard.press("Enter")
    assert "attention_scores: what came" in told.inner_text()


def test_in_a_long_table_the_header_and_the_names_stay_in_view(opened: Page) -> None:
    opened.set_viewport_size({"width": 400, "height": 900})
    turn_to(opened, "a3")
    stays = opened.locator("#a3 .scroller").evaluate(
        """scroller => {
            scroller.scrollTop = 900; scroller.scrollLeft = 120;
            const at = element => element.getBoundingClientRect(), frame = at(scroller);
            const [corner, header] = scroller.querySelectorAll("thead th");
            const name = scroller.querySelector("tbody th");
            return [scroller.scrollTop, scroller.scrollLeft,
                    at(header).top - frame.top, at(corner).left - frame.left, at(name).left - frame.left];
        }"""
    )
    assert stays[:2] == [900, 120]
    assert all(abs(distance) <= 2 for distance in stays[2:])


def test_on_paper_every_row_is_there_nothing_is_cut_and_the_filters_are_not(opened: Page) -> None:
    printed = opened.pdf(prefer_css_page_size=True, print_background=True, tagged=True)
    rows = re.findall(rb"/S\s*/TR\b", printed)
    assert len(rows) >= 7 + 3 + 60, "a learner's row is a row of the PDF"

    opened.emulate_media(media="print")
    opened.set_viewport_size({"width": 1032, "height": 720})  # A4 landscape, within its margins, in CSS pixels
    assert opened.evaluate("document.documentElement.scrollWidth") <= 1032
    assert not opened.locator("select:visible, button:not(.sort):visible, .switch:visible").count()
    assert opened.locator("#a3 .grid-table tbody th:visible").count() == 60
    cut = opened.evaluate(
        """() => [...document.querySelectorAll(".scroller, pre, .code")]
            .filter(e => e.offsetParent && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)
                         && getComputedStyle(e).overflow !== "visible").length"""
    )
    assert cut == 0
    # A button would be printed on the first page of a long table alone, and a foot on each of them.
    names = opened.locator("#a3 .grid-table .sort")
    assert names.count() > 1
    assert names.evaluate_all(DISPLAYS) == ["contents"] * names.count()
    assert set(opened.locator("tfoot").evaluate_all(DISPLAYS)) <= {"table-row-group"}
    assert opened.get_by_text("What to do:").first.is_visible(), "folded parts are open on paper"
    opened.emulate_media(media="screen")
    opened.locator("#a1").get_by_label("Outcome").select_option("short")
    opened.emulate_media(media="print")
    assert "6 of 7 learners: without full marks" in opened.locator("#a1").inner_text(), "paper says what it leaves out"


def test_on_paper_assignments_without_submissions_take_no_page_each(
    page: Page, tmp_path: Path, small_class: ClassResults
) -> None:
    def pages(*shown: ClassResults) -> int:
        path = tmp_path / "report.html"
        path.write_text(render(shown, "class", NOON), encoding="utf-8")
        page.goto(path.as_uri())
        return len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True)))

    assert pages(small_class, small_class) > pages(small_class, results())
    assert pages(small_class, *[results()] * 6) <= pages(small_class, results()) + 1


def test_scores_that_moved_are_drawn_within_their_frame(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    shown = results(moving("ada", 4, 7, 10), moving("bo", 10, 8, why=Why.BY_HAND), moving("cy", -1, 12))
    path.write_text(render([shown], "class", NOON), encoding="utf-8")
    page.goto(path.as_uri())
    frame = page.locator(".slopes").bounding_box()
    assert frame
    for line in page.locator(".slopes line").all():
        box = line.bounding_box()
        assert box
        assert frame["y"] <= box["y"]
        assert box["y"] + box["height"] <= frame["y"] + frame["height"]


def test_a_thousand_learners_are_filtered_at_once(page: Page, tmp_path: Path) -> None:
    states = (State.RIGHT, State.PARTLY, State.WRONG, State.UNWRITTEN)
    crowd = results(
        *(learner(f"s{place:04}", *(states[(place + shift) % 4] for shift in range(3))) for place in range(1000))
    )
    path = tmp_path / "report.html"
    path.write_text(render([crowd], "class", NOON), encoding="utf-8")
    page.goto(path.as_uri())
    page.get_by_label("Outcome").select_option("state-wrong")
    expect(page.locator(".shown")).to_have_text(re.compile("^750 of 1000 learners"))
    page.get_by_role("button", name="attention_scores").click()
    expect(page.locator(".shown")).to_have_text(re.compile("^250 of 1000 learners"))
