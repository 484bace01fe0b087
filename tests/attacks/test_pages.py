"""Pages that show learners' work (feedback, the formgrader's, the report) run nothing in a browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.api import Gradebook
from playwright.sync_api import Dialog, Page
from pygments.token import STANDARD_TYPES

from autograder.handback.feedback import write_feedback
from autograder.nbgrader_steps.make_inert import MakeInert
from autograder.pages.safe_html import clean_html, harmless_html, markdown2html, prose
from autograder.report.report import write_report
from tests.support.lab import browser_page, jupyter_lab
from tests.support.nbgrader_command import nbgrader
from tests.support.toy import TOY

from .conftest import EARLIER, Graded
from .pages import ATTACKS, HOSTILE, RUN, SCRIPTS

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1800)]

_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
# What lies over others, leads out of its frame, or takes input. Of what learners wrote, nothing may.
_OUT_OF_PLACE = """
() => [...document.querySelectorAll('#notebook-container *, main *:not(.unseen)')].filter(element => {
    const style = getComputedStyle(element);
    return ['fixed', 'sticky', 'absolute'].includes(style.position)
        || ['IFRAME', 'OBJECT', 'EMBED', 'FORM', 'BASE', 'META', 'LINK', 'STYLE', 'SCRIPT', 'VIDEO', 'AUDIO']
            .includes(element.tagName)
        || [...element.attributes].some(({name, value}) => name.startsWith('on')
            || /^\\s*(javascript|vbscript|data:text)/i.test(value));
}).map(element => element.outerHTML.slice(0, 200))
"""


# Classes of highlighted code, which only have colours.
HIGHLIGHTED = {*filter(None, STANDARD_TYPES.values()), "highlight", "hl-ipython3", "hl-python"}


class Visit:
    """A page in a browser without a network, and what it tried to load."""

    def __init__(self, page: Page) -> None:
        self.page, self.dialogs, self.asked = page, list[str](), set[str]()
        page.on("dialog", self._dialog)
        page.on("request", lambda request: self.asked.add(request.url))
        page.route(lambda url: not url.startswith(("file:", "http://127.0.0.1")), lambda route: route.abort())

    def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def open(self, address: str) -> None:
        self.page.goto("about:blank")  # what the page before still asks for is not this one's
        self.asked.clear()
        self.page.goto(address, wait_until="load")
        for link in self.page.get_by_text("click me").all():  # who reads it may click
            if link.is_visible():
                link.evaluate(
                    "element => element.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))"
                )

    def acted(self) -> list[str]:
        """Return everything that ran or was shown, but should not have been."""
        owned = self.page.evaluate("() => [window.owned ? 'owned' : '', document.title === 'owned' ? 'title' : '']")
        return [*filter(None, owned), *self.dialogs]


@pytest.fixture(scope="module")
def visit() -> Iterator[Visit]:
    with browser_page() as page:
        yield Visit(page)


@pytest.fixture(scope="module")
def feedback(attacked: Graded) -> dict[str, Path]:
    """The feedback pages of the learners who attack them, and of an honest one."""
    for students in ("hostile-*", EARLIER):
        done = nbgrader(attacked.folder.root, "generate_feedback", TOY, "--student", students, "--force", timeout=600)
        assert done.returncode == 0, done.stderr
    return {name: attacked.folder.feedback(name, TOY) for name in [EARLIER, *(attack.name for attack in ATTACKS)]}


def test_the_attacks_would_work_on_a_page_that_is_not_ours(visit: Visit, tmp_path: Path) -> None:
    cells = [new_markdown_cell(text) for text in SCRIPTS]
    path = tmp_path / "page.html"
    path.write_text(HTMLExporter().from_notebook_node(new_notebook(cells=cells))[0])
    visit.open(path.as_uri())
    assert {"owned", "title", "1"} <= set(visit.acted())
    visit.dialogs.clear()


def test_feedback_runs_nothing_loads_nothing_and_shows_the_score(visit: Visit, feedback: dict[str, Path]) -> None:
    visit.open(feedback[EARLIER].as_uri())
    pages_own = visit.asked - {feedback[EARLIER].as_uri()}  # nbgrader's template asks for MathJax
    assert [address for address in pages_own if "mathjax" not in address] == []
    for name, path in feedback.items():
        visit.open(path.as_uri())
        assert visit.acted() == [], name
        assert visit.asked - {path.as_uri()} == pages_own, name
        assert visit.page.evaluate(_OUT_OF_PLACE) == [], name
        heading = visit.page.locator("h4").first
        assert "(Score: " in heading.inner_text()
        on_top = heading.evaluate(
            "h => { const box = h.getBoundingClientRect();"
            " return document.elementFromPoint(box.x + 20, box.y + box.height / 2) === h }"
        )
        assert on_top, name


def test_our_own_feedback_does_neither_and_nothing_covers_the_score(
    attacked: Graded, visit: Visit, feedback: dict[str, Path]
) -> None:
    done = write_feedback(attacked.folder, TOY, students=feedback.keys())  # in the place of nbgrader's
    assert done.failed == []
    assert done.pages.keys() == feedback.keys()
    for name, path in done.pages.items():
        visit.open(path.as_uri())
        assert visit.acted() == [], name
        assert {url for url in visit.asked if not url.startswith("data:")} == {path.as_uri()}, name
        assert visit.page.evaluate(_OUT_OF_PLACE) == [], name
        score = visit.page.locator("header .big")
        on_top = score.evaluate(
            "h => { const box = h.getBoundingClientRect();"
            " return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2) === h }"
        )
        assert on_top, name
        own = visit.page.evaluate("() => [...document.querySelectorAll('.prose *, .box *')].map(e => e.className)")
        assert {part for names in own if isinstance(names, str) for part in names.split()} <= HIGHLIGHTED, name


def test_the_formgraders_page_runs_nothing_of_theirs(
    attacked: Graded, visit: Visit, tmp_path: Path, feedback: dict[str, Path]
) -> None:
    with Gradebook(attacked.folder.gradebook_url) as gradebook:
        ids = {name: gradebook.find_submission_notebook(TOY, TOY, name).id for name in feedback}
    with jupyter_lab(attacked.folder.root, tmp_path) as address:
        for name, number in ids.items():
            visit.open(f"{address}/formgrader/submissions/{number}/?index=0")
            visit.page.locator("input.score").first.wait_for()
            assert visit.acted() == [], name
            strangers = {url for url in visit.asked if not url.startswith(address) and "mathjax" not in url}
            assert strangers == set(), name
            own = f"{address}/formgrader/"
            assert {url for url in visit.asked if url.startswith(address) and not url.startswith(own)} == set(), name
            assert visit.page.evaluate(_OUT_OF_PLACE) == [], name
        for place in (f"manage_submissions/{TOY}", f"gradebook/{TOY}/{TOY}", "manage_students"):
            visit.open(f"{address}/formgrader/{place}")
            visit.page.get_by_text(EARLIER).first.wait_for(state="attached")
            assert visit.acted() == [], place


def test_the_report_runs_nothing_and_loads_nothing(attacked: Graded, visit: Visit) -> None:
    path = write_report(attacked.folder, [TOY])
    visit.open(path.as_uri())
    assert visit.acted() == []
    assert visit.asked == {path.as_uri()}
    text = visit.page.content()
    assert "\x1b" not in text
    assert "malformed messages" in text


def test_what_is_harmless_is_still_shown(visit: Visit, tmp_path: Path) -> None:
    prose = (
        "# Title\n\nText with **bold**, `code`, $\\sqrt{d_k}$, H<sub>2</sub>O, 1 < 2 & 3.\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "<details><summary>A hint</summary>\n\nIt helps.\n\n</details>\n\n```python\ndef f(x):\n    return x\n```\n\n"
        "![a picture](attachment:a.png) [a link](https://pytorch.org/docs)"
    )
    cells = [new_markdown_cell(prose, attachments={"a.png": {"image/png": _PNG}}), new_code_cell("x")]
    cells[1].outputs = [
        new_output(
            "display_data",
            data={"image/png": _PNG, "text/plain": "<Figure>"},
            metadata={"image/png": {"width": 30, "height": 20}},
        ),
        new_output("display_data", data={"text/html": "<table><tr><td>cell of a table</td></tr></table>"}),
        new_output(
            "display_data", data={"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"}
        ),
        new_output("stream", name="stdout", text="\x1b[1;31mred\x1b[0m\n"),
        new_output("error", ename="E", evalue="v", traceback=["\x1b[1;31m✗ f.outputs\x1b[0m", "", "Expected  1"]),
    ]
    notebook = new_notebook(cells=cells)
    nbformat.validate(notebook)
    notebook, _ = MakeInert().preprocess(notebook, {})
    exporter = HTMLExporter(sanitize_html=True, filters={"markdown2html": markdown2html, "clean_html": clean_html})
    path = tmp_path / "page.html"
    path.write_text(exporter.from_notebook_node(notebook)[0])
    visit.open(path.as_uri())
    page = visit.page
    for words in ("Title", "bold", "1 < 2 & 3", "A hint", "cell of a table", "red", "✗ f.outputs", "Expected  1"):
        assert page.get_by_text(words).first.is_visible(), words
    pictures = page.locator("img").evaluate_all("all => all.map(image => image.complete && image.naturalWidth > 0)")
    assert pictures == [True, True, True]
    assert page.locator("table td").count() == 3
    assert page.locator("a[href='https://pytorch.org/docs']").count() == 1
    assert page.locator("span.k").count() > 0  # the code is still in colour


@pytest.mark.parametrize("text", HOSTILE)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = harmless_html(text)
    assert harmless_html(once) == once
    assert RUN not in once or "<" not in once.partition(RUN)[0][-1:]


@pytest.mark.parametrize(
    "text",
    [
        "<div>" * 40_000,
        "<div>" * 290,
        "<" * 190_000,
        "> " * 90_000,
        "&" * 190_000,
        "<a b=" * 6_000,
        "<p>" + "".join(f"<b id={number}>" for number in range(300)) + "</p><p>x" * 20_000,
        '<div class="' + "modal" * 30_000 + '!">',
        "\\begin{a}" * 5_000,
        "> - " * 10_000,
        "$" + "{" * 1_900 + "$",
        "$x^{x^{x^{x}}}$ " * 3_000,
        r"$\newcommand{\a}{\b\b}\newcommand{\b}{\c\c}\newcommand{\c}{\d\d}\a$" * 300,
    ],
)
def test_text_made_to_be_slow_is_not(text: str) -> None:
    started = time.process_time()
    assert clean_html(text)
    assert markdown2html({}, text)
    assert prose(text)
    assert time.process_time() - started < 5  # seconds of CPU time; each took minutes once, or would


@pytest.mark.parametrize("name", ["modal show", "modal", "navbar-fixed-top", "alert", "k modal", "hidden", "affix"])
def test_no_class_of_the_pages_own_style_sheet_is_left(name: str) -> None:
    cleaned = harmless_html(
        f'<div class="{name}" id="toc" style="position:fixed">9 / 9<span class="{name}">x</span></div>'
    )
    assert set(re.findall(r'class="([^"]*)"', cleaned)) <= {"", "k"}
    assert "id=" not in cleaned
    assert "style=" not in cleaned


def test_a_formula_is_shown_in_a_box_that_it_cannot_leave() -> None:
    output = new_output("display_data", data={"text/latex": r"$\kern-99em\raise99em{<b>9/9</b>}$"})
    notebook, _ = MakeInert().preprocess(new_notebook(cells=[new_code_cell("x", outputs=[output])]), {})
    assert list(notebook.cells[0].outputs[0].data) == ["text/html", "text/plain"]
    shown = clean_html(notebook.cells[0].outputs[0].data["text/html"])
    assert "<b>" not in shown
    assert "contain: content" in shown
