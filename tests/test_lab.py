"""What a person sees in JupyterLab: the lesson, its widgets, nbgrader's and jupytext's extensions, no pop-up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from autograder.build import REPOSITORY_ROOT
from autograder.class_folder import ClassFolder
from autograder.record import GRADED, read_record
from autograder.results import class_results

from .conftest import TOY, HandIn
from .lab import browser_page, jupyter_lab, needs_chromium

pytestmark = [pytest.mark.slow, pytest.mark.browser, needs_chromium]

LESSON = "01_single_head"


def run_all(page: Page) -> None:
    page.get_by_text("| Idle").wait_for()
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).click()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A JupyterLab on a copy of the notebooks and solutions."""
    home = tmp_path_factory.mktemp("home")
    for folder in ("notebooks", "solutions"):
        shutil.copytree(REPOSITORY_ROOT / folder, home / "course" / folder)
    with jupyter_lab(home / "course", home) as address:
        yield address


def test_the_solved_lesson_runs_and_its_widgets_follow_the_keyboard(lab: str) -> None:
    with browser_page() as page:
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("requestfailed", lambda request: faults.append(request.url))
        page.goto(f"{lab}/lab/tree/solutions/{LESSON}/{LESSON}.ipynb")
        page.get_by_role("heading", name="1 · One head, by hand").wait_for()
        assert page.locator(".jp-Notebook img").first.evaluate("image => image.naturalWidth") > 100
        run_all(page)

        for name, control, key in (
            ("the scaling explorer", page.get_by_role("slider").first, "ArrowRight"),
            ("the head map", page.get_by_role("checkbox", name="causal"), "Space"),
        ):
            control.wait_for()
            control.scroll_into_view_if_needed()
            widget = page.locator(".jp-OutputArea-output").filter(has=control).first
            picture = widget.locator("img").element_handle()
            before, words = picture.get_attribute("src"), widget.inner_text()
            control.focus()
            page.keyboard.press(key)
            page.wait_for_function("([image, before]) => image.src !== before", arg=[picture, before])
            page.wait_for_function(
                "([widget, before]) => widget.innerText !== before", arg=[widget.element_handle(), words]
            )
            assert picture.evaluate("image => image.naturalWidth") > 500, name
        assert faults == []


def test_the_extensions_are_there_and_no_news_pops_up(lab: str) -> None:
    with browser_page() as page:
        page.goto(f"{lab}/lab/tree/notebooks/{LESSON}/{LESSON}.ipynb?reset")
        page.get_by_role("button", name="Validate").wait_for()  # nbgrader's
        page.get_by_role("heading", name="1 · One head, by hand").wait_for()
        assert page.locator(".jp-Notification-Toast, .Toastify__toast").count() == 0

        page.goto(f"{lab}/lab/tree/solutions/{LESSON}?reset")
        page.locator(".jp-DirListing-item", has_text="lesson.py").click(button="right")
        page.get_by_text("Open With").hover()
        page.get_by_text("Jupytext Notebook", exact=True).click()
        page.locator(".jp-Notebook h1", has_text="1 · One head, by hand").wait_for()


def test_a_failing_check_shows_its_message_alone(lab: str) -> None:
    with browser_page() as page:
        page.goto(f"{lab}/lab/tree/notebooks/{LESSON}/{LESSON}.ipynb?reset")
        page.get_by_role("heading", name="1 · One head, by hand").wait_for()
        run_all(page)
        shown = page.locator(".jp-OutputArea-output", has_text="✗ project.shapes").first
        shown.get_by_text("not written yet").wait_for()
        # Not inner_text: JupyterLab draws only what is in view. What white space it keeps is its own affair.
        words = "✗ project.shapes This one is not written yet: raise NotImplementedError() still stands there."
        assert "".join((shown.text_content() or "").split()) == words.replace(" ", "")


def test_the_formgraders_autograde_button_judges_a_submission(
    toy_class: ClassFolder, hand_in: HandIn, tmp_path: Path
) -> None:
    hand_in(toy_class, "ada", {"scale_rows": "def scale_rows(x, factors): return x + factors[:, None]"})
    with jupyter_lab(toy_class.root, tmp_path) as address, browser_page() as page:
        page.goto(f"{address}/formgrader/manage_submissions/{TOY}")
        row = page.get_by_role("row").filter(has_text="ada")
        row.get_by_text("needs autograding").wait_for()
        row.locator("td.autograde-submission a, .autograde a").first.click()
        page.get_by_text("Successfully autograded").first.wait_for()
    record = read_record(toy_class.record_path("ada", TOY))
    assert record is not None
    assert record.outcome == GRADED
    [ada] = class_results(toy_class, TOY).learners
    assert ada.exercises["scale_rows"].misconceptions == ("added the factors",)
    assert os.access(toy_class.root / "autograded" / "ada" / TOY / f"{TOY}.ipynb", os.R_OK)
