"""What a person sees in JupyterLab: the lesson, its widgets, nbgrader's and jupytext's extensions, no pop-up."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from playwright.sync_api import BrowserContext, Locator, Page, expect

from autograder.classroom.class_folder import ClassFolder
from autograder.classroom.record import read_record
from autograder.classroom.results import class_results
from autograder.course.chapter import REPOSITORY_ROOT, Chapter
from autograder.outcomes import Outcome
from tests.support.lab import jupyter_lab
from tests.support.real_course import CHAPTERS, chapters_of_every_run
from tests.support.run_notebook import (
    NOT_COMPILED,
    assert_every_check_passed,
    cells_with_widgets,
    partly_solved,
    progress_cell,
    read_quicker,
    solved,
)
from tests.support.toy import TOY, HandIn

LEARNERS_LAB = REPOSITORY_ROOT / ".ci" / "learners-lab"  # what `make lab` sets

pytestmark = [pytest.mark.slow, pytest.mark.browser]

LESSON = "01_single_head"
expect.set_options(timeout=60_000)


# What a person without a mouse can reach in a widget, the likeliest first; then what they press.
# A menu must be opened first: JupyterLab takes the arrow keys of a closed one for its own.
CONTROLS = {
    "[role=slider]": ("ArrowRight",),
    "select": ("Space", "ArrowDown", "Enter"),
    "input[type=checkbox]": ("Space",),
}


@dataclass(frozen=True)
class Press:
    """What a person does to a widget's control, and the text below the picture afterwards.

    Args:
        name: how the control is read aloud; None for the widget's first of that role.
    """

    role: Any
    name: str | None
    key: str
    then: str


# By chapter: a control by which its widget is found (role and name), and what is done to that widget.
PRESSES: dict[str, tuple[tuple[Any, str | None], list[Press]]] = {
    "02_why_many_heads": (
        ("button", "4 heads"),
        [
            Press("button", "4 heads", "Space", "head 3 looks at"),
            Press("slider", None, "ArrowRight", "Answers: what is it like?"),
        ],
    ),
    "03_a_head_each": (
        ("slider", None),
        [
            Press("slider", None, "ArrowRight", "In each of the 16 heads: q, k, v (1, 10, 32)"),
            Press("checkbox", None, "Space", "head_width(512, 15) says: ValueError: d_model 512"),
        ],
    ),
    "04_all_heads_at_once": (
        ("checkbox", "padding in front"),
        [
            Press("slider", None, "ArrowLeft", "56 of 64 scores survive. Blocked are 8 on padding."),
            Press("checkbox", "causal", "Space", "21 in the future, 1 on padding, 7 on both."),
            Press("checkbox", "padding in front", "Space", "Row 0, framed, has nothing left to look at"),
        ],
    ),
}


# By chapter: the name of a figure that comes after all the rest has been computed.
LAST_FIGURES = {"06_inside_a_real_model": "Similarity as heads fall silent"}


def run_all(page: Page) -> None:
    page.get_by_text("| Idle").wait_for()
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).click()


def save(page: Page, path: Path) -> NotebookNode:
    """Have JupyterLab save the front notebook, and return its file's content."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("Control+s")
    for _ in range(100):
        page.wait_for_timeout(100)
        with contextlib.suppress(nbformat.reader.NotJSONError):  # half of it is written
            if path.stat().st_mtime_ns != before:
                return nbformat.read(path, as_version=4)
    raise AssertionError("JupyterLab does not save the notebook")


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that runs, in one page for all tests: loading it costs more than most of what they do in it.

    Args:
        address: where it answers.
        folder: the folder that it shows.
        page: the page in which it is open.
    """

    address: str
    folder: Path
    page: Page

    def open(self, path: str) -> Page:
        """Open a file of the folder, and close all that was open before, with its kernels."""
        self.page.evaluate(CLOSE_ALL)
        assert self.page.locator(".jp-Dialog").all_inner_texts() == []  # it would keep the keyboard to itself
        execute(self.page, "docmanager:open", path)
        self.page.locator(".jp-Notebook:visible").wait_for()
        return self.page


def execute(page: Page, command: str, path: str) -> None:
    """Have JupyterLab execute a command on a file or folder, and wait until it has."""
    page.evaluate(EXECUTE, [command, path])


EXECUTE = "async ([command, path]) => { await jupyterapp.commands.execute(command, { path }) }"
CLOSE_ALL = """async () => {
    for (const opened of [...jupyterapp.shell.widgets("main")]) {
        await opened.context?.sessionContext?.ready;  // else it asks for a kernel afterwards
        if (opened.context) opened.context.model.dirty = false;  // nobody is asked whether to save it
        opened.close();
    }
    await jupyterapp.serviceManager.sessions.shutdownAll();
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, context: BrowserContext) -> Iterator[Lab]:
    """A JupyterLab on a copy of the notebooks and solutions. It draws every cell, even outside the view."""
    home = tmp_path_factory.mktemp("home")
    for folder in ("notebooks", "solutions"):
        shutil.copytree(REPOSITORY_ROOT / folder, home / "course" / folder)
    for chapter in CHAPTERS:
        copied = home / "course" / solved(chapter).relative_to(REPOSITORY_ROOT)
        nbformat.write(read_quicker(solved(chapter)), copied)
    settings = home / ".jupyter" / "lab" / "user-settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in NOT_COMPILED.items():
            patch.setenv(variable, value)
        with jupyter_lab(home / "course", home, LEARNERS_LAB) as address:
            page = context.new_page()
            page.goto(f"{address}/lab?reset")
            page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")
            yield Lab(address, home / "course", page)


def move(page: Page, widget: Locator) -> None:
    """Move the widget's first slider, or else its first control of another kind, by keyboard."""
    for kind, keys in CONTROLS.items():
        for control in widget.locator(kind).all():
            if control.is_visible() and control.is_enabled():
                at_its_end = control.get_attribute("aria-valuenow") == control.get_attribute("aria-valuemax")
                control.focus()
                for key in ("ArrowLeft",) if at_its_end and kind == "[role=slider]" else keys:
                    page.keyboard.press(key)
                return
    raise AssertionError(f"no control in {widget.inner_text()}")


# One whose widgets have all kinds of controls.
@pytest.mark.timeout(600)
@chapters_of_every_run("04_all_heads_at_once")
def test_the_solved_notebook_passes_every_check_and_its_widgets_follow_the_keyboard(lab: Lab, chapter: Chapter) -> None:
    notebook = read_quicker(solved(chapter))
    page = lab.open(f"solutions/{chapter.name}/{chapter.name}.ipynb")
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.locator(".jp-Notebook h1").first.wait_for()
    run_all(page)
    page.wait_for_function(EVERY_CELL_HAS_RUN, timeout=400_000, polling=500)
    assert_every_check_passed(chapter, save(page, lab.folder / "solutions" / chapter.name / f"{chapter.name}.ipynb"))
    for picture in page.locator(".jp-OutputArea-output img, .jp-MarkdownCell img").all():
        assert picture.evaluate(DECODED_WIDTH) > 100
    for drawing in page.locator(".jp-OutputArea-output svg.manyheads:visible").all():
        assert (drawing.bounding_box() or {"width": 0})["width"] > 100
    if chapter.name in LAST_FIGURES:
        expect(page.get_by_role("img", name=LAST_FIGURES[chapter.name])).to_be_visible()

    if chapter.name in PRESSES:
        (role, name), presses = PRESSES[chapter.name]
        found = page.locator(".jp-OutputArea-output").filter(has=page.get_by_role(role, name=name))
        for press in presses:
            work(page, found.first, press)

    widgets = page.locator(".jp-OutputArea-output").filter(has=page.locator(".manyheads-picture"))
    expect(widgets).to_have_count(len(cells_with_widgets(notebook)))
    for widget in widgets.all():
        if widget.locator(".widget-hprogress").count():
            # It shows how training goes, and moves by itself.
            expect(widget).to_contain_text(re.compile(r"step (\d+) of \1\D[\s\S]*after \1 steps"))
            continue
        widget.scroll_into_view_if_needed()
        picture, words = widget.locator(".manyheads-picture"), widget.locator("[role=status]")
        before, said = picture.inner_html(), words.inner_text()
        move(page, widget)
        expect(words).not_to_have_text(said)
        wait_until_it_differs(picture, before)
        expect(picture.locator("svg")).to_be_visible()
    assert faults == []


def work(page: Page, widget: Locator, press: Press) -> None:
    """Do to a widget what `press` says, and check that picture and words follow."""
    picture, control = widget.locator(".manyheads-picture"), widget.get_by_role(press.role, name=press.name).first
    before = picture.inner_html()
    control.scroll_into_view_if_needed()
    control.focus()
    page.keyboard.press(press.key)
    widget.get_by_text(press.then).wait_for()
    wait_until_it_differs(picture, before)
    expect(picture.locator("svg")).to_be_visible()


def wait_until_it_differs(picture: Locator, before: str) -> None:
    """Wait until a picture is another one: words and picture come one after the other."""
    picture.page.wait_for_function(
        "([now, before]) => now.innerHTML !== before", arg=[picture.element_handle(), before]
    )


NOTE_WAITING = """() => new MutationObserver(() => {
    if (document.querySelector(".manyheads-waiting")) window.hasWaited = true;
}).observe(document.body, {subtree: true, attributes: true, attributeFilter: ["class"]})"""

CUT_OFF = "cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent)"

DECODED_WIDTH = "image => image.decode().then(() => image.naturalWidth)"

# The number in front of a cell stands there once it has run; a folded cell has none.
EVERY_CELL_HAS_RUN = r"""() => {
    const prompts = [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")].map(p => p.textContent.trim());
    return prompts.some(prompt => prompt) && prompts.every(prompt => !prompt || /\[\d+\]/.test(prompt));
}"""


def test_make_lab_has_jupytext_nothing_of_nbgraders_and_no_news_pops_up(lab: Lab) -> None:
    made = subprocess.run(["make", "-n", "lab"], cwd=REPOSITORY_ROOT, capture_output=True, text=True, check=True)
    assert f"JUPYTER_CONFIG_PATH={LEARNERS_LAB} " in made.stdout
    page = lab.open(f"notebooks/{LESSON}/{LESSON}.ipynb")
    page.get_by_role("heading", name="1 · One head, by hand").wait_for()
    menus = page.locator(".lm-MenuBar-itemLabel").all_inner_texts()
    assert "Kernel" in menus
    assert "Nbgrader" not in menus
    page.locator(".jp-NotebookPanel-toolbar [data-jp-item-name='run']").first.wait_for()
    assert page.get_by_role("button", name="Validate").count() == 0
    assert page.locator("[title*='Create Assignment'], [title*='Assignment List']").count() == 0
    assert page.request.get(f"{lab.address}/formgrader").status == 404
    assert page.locator(".jp-Notification-Toast, .Toastify__toast").count() == 0
    page.set_viewport_size({"width": 1024, "height": 768})
    assert page.locator(".jp-CodeCell .cm-scroller").count() > 10
    assert page.locator(".jp-CodeCell .cm-scroller").evaluate_all(CUT_OFF) == []
    page.set_viewport_size({"width": 1400, "height": 1000})

    page.evaluate(CLOSE_ALL)
    execute(page, "filebrowser:go-to-path", f"solutions/{LESSON}")
    page.locator(".jp-DirListing-item", has_text="lesson.py").click(button="right")
    page.get_by_text("Open With").hover()
    page.get_by_text("Jupytext Notebook", exact=True).click()
    page.locator(".jp-Notebook h1", has_text="1 · One head, by hand").wait_for()
    asked = page.locator(".jp-Dialog", has_text="Select Kernel")  # a lesson's source names none
    asked.get_by_role("button", name="Select").last.click()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()


def test_checks_show_cards_and_unwritten_code_is_not_an_error(lab: Lab) -> None:
    reference = CHAPTERS[0].reference
    unscaled = reference["attention_scores"].replace(" / math.sqrt(", " / max(1, 0 * ")
    assert unscaled != reference["attention_scores"]
    stub = "def causal_mask(seq):\n    raise NotImplementedError()"
    cells = [
        CHAPTERS[0].imports,
        reference["project"],
        "check.shapes(project)",
        stub,
        "check.shapes(causal_mask)",
        unscaled,
        "check.outputs(attention_scores)",
        "check.shapes(project)  # is not run: an error ends Run All Cells",
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata=kernel)
    nbformat.write(notebook, lab.folder / "cards.ipynb")
    page = lab.open("cards.ipynb")
    run_all(page)

    cards = page.locator(".jp-OutputArea-output [role=group]")
    expect(cards).to_have_count(3)
    passed, unwritten, wrong = cards.all()
    expect(passed).to_contain_text("project.shapes · 2 cases · 1 point")
    expect(unwritten).to_contain_text("This one is not written yet")
    expect(wrong).to_contain_text("This is what comes out if you forgot to scale.")
    expect(wrong.locator("table").nth(1)).to_contain_text("Expected scores[0, :, :]")
    for card, colour in ((passed, "46, 160, 67"), (unwritten, "128, 128, 128"), (wrong, "210, 140, 0")):
        assert card.evaluate("card => getComputedStyle(card).borderLeftColor") == f"rgb({colour})"
    errors = page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]')
    expect(errors).to_have_count(1)
    assert (errors.text_content() or "").strip() == "✗ attention_scores.outputs"


def test_a_picture_can_be_touched_its_controls_are_read_aloud_and_a_still_is_left_without_a_kernel(lab: Lab) -> None:
    cells = [
        "import time, torch",
        "from manyheads.widgets import model_head_viewer",
        'viewer = model_head_viewer(torch.full((2, 3, 4, 4), 0.25), ["so", "it", "goes", "."], view="maps")',
        "quick = viewer._look",
        "viewer._look = lambda **values: time.sleep(0.6) or quick(**values)",
        "viewer",
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata=kernel)
    nbformat.write(notebook, lab.folder / "touched.ipynb")
    page = lab.open("touched.ipynb")
    run_all(page)

    expect(page.get_by_role("slider", name="layer")).to_have_attribute("aria-valuetext", "0")
    expect(page.get_by_role("slider", name="from token")).to_have_attribute("aria-valuetext", "goes")
    expect(page.get_by_role("button", name="maps", pressed=True)).to_be_visible()
    expect(page.get_by_role("button", name="lines", pressed=False)).to_be_visible()
    still, widget = page.locator(".manyheads-still"), page.locator(".manyheads-explorer")
    expect(still).to_be_hidden()
    cell = widget.locator('[data-pick="query_from=1"]').nth(2)
    cell.hover()
    expect(page.locator(".manyheads-tip")).to_have_text("head 0: “it” looks at “it”: 0.25")
    page.evaluate(NOTE_WAITING)
    cell.click()
    expect(page.get_by_role("slider", name="from token")).to_have_attribute("aria-valuetext", "it")
    expect(widget.locator("[role=status]")).to_contain_text("From it, most of all")
    assert page.evaluate("window.hasWaited")  # "drawing…" was written on the old picture
    expect(page.locator(".manyheads-waiting")).to_have_count(0)

    save(page, lab.folder / "touched.ipynb")
    page.get_by_text("Kernel", exact=True).first.click()
    page.get_by_text("Shut Down Kernel", exact=True).click()
    page.get_by_text("| No Kernel").or_(page.get_by_text("No Kernel")).first.wait_for()
    lab.open("touched.ipynb")
    expect(still).to_be_visible()
    expect(still.get_by_role("img")).to_be_visible()
    expect(page.get_by_text("model not found")).to_be_hidden()

    # As from another machine: what is not signed here is not trusted, and JupyterLab takes out SVG and styles.
    saved = nbformat.read(lab.folder / "touched.ipynb", as_version=4)
    saved.metadata["from"] = "elsewhere"
    nbformat.write(saved, lab.folder / "touched.ipynb")
    lab.open("touched.ipynb")
    expect(still).to_be_visible()
    assert still.locator("svg").count() == 0
    assert still.get_by_role("img").evaluate(DECODED_WIDTH) > 100
    expect(still).not_to_contain_text("looks at “so”", use_inner_text=True)


def test_the_progress_can_be_read_in_either_theme(lab: Lab) -> None:
    notebook = partly_solved(CHAPTERS[0])
    # the title, set-up and imports, then what is written and checked, then the table
    written = [cell for cell in notebook.cells[3:] if "nbgrader" in cell.metadata]
    notebook.cells = [*notebook.cells[:3], *written, progress_cell(notebook)]
    for cell in notebook.cells:
        cell.metadata.tags = ["raises-exception"]  # "Run All Cells" else stops at the first check that fails
    nbformat.write(notebook, lab.folder / "progress.ipynb")
    page = lab.open("progress.ipynb")
    page.locator(".jp-Notebook h1").first.wait_for()
    run_all(page)
    table = page.get_by_role("table", name="Your progress in this chapter")
    table.wait_for(timeout=120_000)
    row = table.get_by_role("row").filter(has_text="attention_scores")
    expect(row).to_contain_text("partly right")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.get_by_text("Settings", exact=True).first.click()
        page.get_by_text("Theme", exact=True).first.hover()
        page.get_by_text(theme, exact=True).click()
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
        table.scroll_into_view_if_needed()
        card = page.locator(".jp-OutputArea-output [role=group]", has_text="✗").first
        words = (card.locator("strong"), card.locator("p").first, card.locator("code").first)
        for element in (table.locator("td").first, table.locator("th[scope=row]").first, *words):
            assert element.evaluate(CONTRAST) >= 4.5
        if pictures := os.environ.get("MANYHEADS_PICTURES"):
            page.screenshot(path=Path(pictures) / f"progress-{theme[-5:].strip().lower()}.png")


# The contrast between an element's text and what is behind it, as WCAG counts it. A colour may let others through.
CONTRAST = """element => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    let [behind, opaque] = [[0, 0, 0], 0];
    for (let at = element; at && opaque < 1; at = at.parentElement) {
        const [red, green, blue, alpha = 1] = numbers(getComputedStyle(at).backgroundColor);
        behind = behind.map((sum, part) => sum + [red, green, blue][part] * alpha * (1 - opaque));
        opaque += alpha * (1 - opaque);
    }
    const light = colour => colour.slice(0, 3).map(part => part / 255)
        .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    const pair = [light(numbers(getComputedStyle(element).color)), light(behind)];
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}"""


@pytest.mark.sandbox
@pytest.mark.thorough
def test_the_formgraders_autograde_button_judges_a_submission(
    page: Page, toy_class: ClassFolder, hand_in: HandIn, tmp_path: Path
) -> None:
    hand_in(toy_class, "ada", {"scale_rows": "def scale_rows(x, factors): return x + factors[:, None]"})
    with jupyter_lab(toy_class.root, tmp_path) as address:
        page.goto(f"{address}/formgrader/manage_submissions/{TOY}")
        row = page.get_by_role("row").filter(has_text="ada")
        row.get_by_text("needs autograding").wait_for()
        row.locator("td.autograde-submission a, .autograde a").first.click()
        page.get_by_text("Successfully autograded").first.wait_for()
    record = read_record(toy_class.record_path("ada", TOY))
    assert record is not None
    assert record.outcome == Outcome.GRADED
    [ada] = class_results(toy_class, TOY).learners
    assert ada.exercises["scale_rows"].misconceptions == ("added the factors",)
    assert os.access(toy_class.root / "autograded" / "ada" / TOY / f"{TOY}.ipynb", os.R_OK)
