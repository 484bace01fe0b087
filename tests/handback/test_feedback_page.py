"""What a learner reads on their feedback page, in a real browser: what is wrong first, then their own code."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from playwright.sync_api import Page, expect

from autograder.classroom.graded_points import GradedPoints
from autograder.classroom.results import ExerciseResult, LearnerResult, State
from autograder.course.notebooks import read_text, set_solution, to_text
from autograder.handback.feedback_page import Facts, render
from autograder.judge.verdict import Verdict
from autograder.outcomes import Outcome
from manyheads.checking.exam import Check
from manyheads.checking.stage import Stage
from tests.support.toy import TOY, TOY_COURSE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHAPTER = TOY_COURSE / "solutions" / TOY
MISTAKE = "added the factors"
MESSAGE = f"""\
The result has the right shape and the wrong numbers.

Expected  result[0, 0] = 1
Got       result[0, 0] = 2
Case      small rows: x (2, 3)

This is what comes out if you {MISTAKE}.
Multiply, row by row."""
Show = Callable[..., Page]


def verdict(exercise: str, check: str, stage: str, message: str, misconception: str | None = None) -> Verdict:
    worth = {"shapes": 1.0, "outputs": 2.0}[check]
    earned = worth if stage == "passed" else 0.0
    return Verdict(exercise, Check(check), f"{exercise}-{check}", worth, earned, Stage(stage), message, misconception)


VERDICTS = (
    verdict("scale_rows", "shapes", "passed", "✓ scale_rows.shapes · 2 cases"),
    verdict("scale_rows", "outputs", "values", MESSAGE, MISTAKE),
    verdict("row_sums", "shapes", "passed", "✓ row_sums.shapes · 2 cases"),
    verdict("row_sums", "outputs", "passed", "✓ row_sums.outputs · 2 cases\nrow_sums itself is right."),
    verdict("RowLayer", "shapes", "unsolved", "This one is not written yet."),
    verdict("RowLayer", "outputs", "unsolved", "This one is not written yet."),
)
EXERCISES = {
    "scale_rows": ExerciseResult(1.0, 3.0, State.PARTLY, (MISTAKE,), (MESSAGE,)),
    "row_sums": ExerciseResult(3.0, 3.0, State.CARRIED),
    "RowLayer": ExerciseResult(0.0, 3.0, State.UNWRITTEN, messages=("This one is not written yet.",)),
}
ADA = LearnerResult("ada", Outcome.GRADED, "", 4.0, EXERCISES, penalty=1.0, repairs=("A cell was moved.",))


@pytest.fixture
def show(page: Page, built_toy: Path, tmp_path: Path) -> Show:
    """Open the page of a notebook with cells of the learner's own. It may ask for nothing."""

    def show(
        learner: LearnerResult = ADA,
        verdicts: tuple[Verdict, ...] = VERDICTS,
        *,
        judged: bool = True,
        replace: tuple[str, str] = ("", ""),
        **more: Any,
    ) -> Page:
        notebook = read_text(built_toy / "notebooks" / TOY / f"{TOY}.ipynb")
        for cell in notebook.cells:
            cell.source = re.sub(*replace, cell.source)
        set_solution(notebook, "scale_rows", "def scale_rows(x, factors): return x + factors[:, None]")
        drawn = new_output("display_data", data={"text/html": "<table><tr><td>a table</td></tr></table>"})
        notebook.cells[3:3] = [
            new_code_cell("1 / 0", outputs=[new_output("error", ename="E", evalue="", traceback=["\x1b[31mby zero"])]),
            new_code_cell("mine()", outputs=[drawn]),
            new_markdown_cell(r"My notes: $\frac{a}{b}$"),
        ]
        path = tmp_path / "autograded.ipynb"
        path.write_text(to_text(notebook), encoding="utf-8")
        facts = Facts("0 · Rows", "Ada Lovelace", learner, 9.0, verdicts, **more)
        made = tmp_path / "page.html"
        made.write_text(render(facts, path if judged else None, CHAPTER), encoding="utf-8")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: asked.append(message.text))
        page.goto(made.as_uri())
        assert [address for address in asked if not address.startswith("data:")] == [made.as_uri()]
        return page

    return show


def test_the_score_comes_first_then_each_exercise_with_its_mistake_in_words(show: Show) -> None:
    page = show()
    assert page.locator("header h1").inner_text() == "0 · Rows"
    assert "Ada Lovelace" in page.locator("header").inner_text()
    assert "3 of 9 points" in page.locator("header").inner_text()
    assert "Handed in late: 1 of 4 points" in page.locator("main").inner_text()
    rows = [" ".join(row.inner_text().split()) for row in page.locator(".exercises tbody tr").all()]
    assert rows == [
        f"scale_rows ◐ partly 1 / 3 It looks as if you {MISTAKE}.",
        "row_sums ✓* carried 3 / 3 Right. It was checked with a working version of what it builds on.",
        "RowLayer ○ not written 0 / 3 Not written yet.",
    ]
    page.get_by_role("link", name="RowLayer").click()
    expect(page.locator("#exercise-RowLayer")).to_be_in_viewport()


def test_below_is_the_learners_own_code_with_its_verdicts_and_the_lesson_is_folded(show: Show) -> None:
    page = show()
    exercise = page.locator("#exercise-scale_rows")
    assert "return x + factors[:, None]" in exercise.locator("pre").first.inner_text()
    wrong = exercise.locator(".failed")
    assert wrong.locator(".headline").inner_text() == f"This is what comes out if you {MISTAKE}."
    assert "Multiply, row by row." in wrong.inner_text()
    assert "Expected  result[0, 0] = 1\nGot       result[0, 0] = 2" in wrong.locator("pre").inner_text()
    colours = [
        element.evaluate("e => getComputedStyle(e).backgroundColor") for element in page.locator(".verdict").all()
    ]
    assert len(set(colours)) == 3, "passed, failed and not written differ"
    assert page.locator("#exercise-RowLayer .verdict").count() == 1, "both checks said the same"
    assert "row_sums itself is right." in page.locator("#exercise-row_sums").inner_text()
    body = page.locator("main").inner_text()
    assert "by zero" in body
    assert "a table" in body
    assert "the end" not in body, "that is a cell of the lesson"
    page.locator(".lesson summary").last.click()
    assert "the end" in page.locator("main").inner_text()
    assert page.locator(".lesson").first.evaluate("e => e.open") is False


def test_a_picture_of_another_release_does_not_make_a_cell_the_learners(show: Show) -> None:
    redrawn, rewritten = (r"base64,[\w+/=]+", "base64,PHN2Zy8+"), ("0 · Rows", "0 · Mine")
    assert "A cell of the lesson that you changed" not in show(replace=redrawn).inner_text("main")
    assert "A cell of the lesson that you changed" in show(replace=rewritten).inner_text("main")


def test_formulas_are_drawn_without_a_script(show: Show) -> None:
    page = show()
    assert page.evaluate("document.scripts.length") == 0
    heights = page.locator("math :is(mfrac, mfrac > *)").evaluate_all(
        "es => es.map(e => e.getBoundingClientRect().height)"
    )
    assert heights[0] > 1.3 * max(heights[1:]) > 0, "one above the other"


def test_it_fits_a_phone_has_a_dark_theme_and_prints_without_the_lesson(show: Show) -> None:
    page = show()
    for width in (390, 1024, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(paper)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(paper) != light
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(paper) == light
    assert page.locator(".lesson:visible").count() == 0
    assert page.locator("#exercise-scale_rows .failed").is_visible()


def test_an_unreadable_file_is_explained_to_its_author(show: Show) -> None:
    reason = "the file is not JSON, so it is not a notebook; the .ipynb file itself is needed"
    page = show(LearnerResult("ada", Outcome.UNREADABLE, reason, None), (), judged=False, has_earlier_grade=True)
    said = page.locator("main").inner_text()
    assert reason in said
    assert "What to do: Open the notebook in which you worked" in said
    assert "The score of your previous submission stays." in said
    assert "ask for" not in said, "that would be for an instructor"
    assert "point" not in page.locator("header").inner_text()


def test_points_and_comments_by_hand_are_there(show: Show) -> None:
    points = {"scale_rows-outputs": GradedPoints(0.0, 1.5, 0.0, to_check=False)}
    page = show(points=points, comments={"scale_rows": "See me about <b>broadcasting</b>."})
    exercise = page.locator("#exercise-scale_rows").inner_text()
    assert "1.5 / 2 points, set by your instructor" in exercise
    assert "Your instructor: See me about <b>broadcasting</b>." in exercise


@pytest.mark.parametrize(("outcome", "says"), [(Outcome.TIMEOUT, "ran too long"), (Outcome.CRASHED, "ended its own")])
def test_a_notebook_that_was_stopped_says_so_first(show: Show, outcome: Outcome, says: str) -> None:
    stopped = LearnerResult(
        "ada", outcome, "cell 3 ran longer than 30 s", 0.0, {"scale_rows": ExerciseResult(0, 3, State.UNKNOWN)}
    )
    said = show(stopped).locator("main").inner_text()
    assert says in said.splitlines()[0]
    assert "cell 3 ran longer than 30 s" in said
    assert "Not judged" in said
