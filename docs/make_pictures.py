"""Makes the README's pictures, `python -m docs.make_pictures`: real screenshots of JupyterLab and of the report.

It needs Chromium at the command `chromium`. The notebooks are the released ones with solutions written into them, one
with a known mistake; the report is the demo class's.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from autograder.course.build import REPOSITORY_ROOT
from autograder.course.chapter import read_chapter
from autograder.course.notebooks import read_text, set_solution, to_text
from tests.support.lab import browser_page, jupyter_lab

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = REPOSITORY_ROOT / "docs" / "pictures"


@dataclass(frozen=True)
class Shot:
    """A cell of a solved lesson, after it and all cells before it have run.

    Args:
        picture: the file's name without its ending.
        lesson: the chapter.
        cell: text in the cell to show.
        mistake: (exercise, misconception) to make in it, or None.
        size: of the browser's window, in pixels.
    """

    picture: str
    lesson: str
    cell: str
    size: tuple[int, int]
    mistake: tuple[str, str] | None = None


SHOTS = (
    Shot(
        "failing-check",
        "01_single_head",
        "# grade: attention_scores.outputs",
        (880, 600),
        mistake=("attention_scores", "forgot to scale"),
    ),
    Shot("projection-explorer", "03_a_head_each", "projection_explorer(head_width", (900, 846)),
)


def main() -> None:
    """Make every picture again."""
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        _lessons(folder)
        _report(folder)


def _lessons(home: Path) -> None:
    course = home / "course"
    course.mkdir()
    for shot in SHOTS:
        chapter = read_chapter(REPOSITORY_ROOT / "solutions" / shot.lesson)
        notebook = read_text(REPOSITORY_ROOT / "notebooks" / shot.lesson / f"{shot.lesson}.ipynb")
        for exercise, source in chapter.reference.items():
            set_solution(notebook, exercise, source)
        if shot.mistake:
            exercise, name = shot.mistake
            [mistake] = [m for m in chapter.exercises[exercise].misconceptions if m.name == name]
            set_solution(notebook, exercise, chapter.mistaken(exercise, mistake))
        shown = max(place for place, cell in enumerate(notebook.cells) if shot.cell in cell.source)
        notebook.cells = notebook.cells[: shown + 1]
        (course / f"{shot.picture}.ipynb").write_text(to_text(notebook), encoding="utf-8")
    with jupyter_lab(course, home, REPOSITORY_ROOT / ".ci" / "learners-lab") as address:  # as `make lab` shows it
        for shot in SHOTS:
            with browser_page(*shot.size) as page:
                _shoot(page, f"{address}/doc/tree/{shot.picture}.ipynb?reset", shot)


def _shoot(page: Page, address: str, shot: Shot) -> None:
    page.set_default_timeout(600_000)  # the whole lesson runs, perhaps on a busy machine
    page.goto(address)
    page.locator(".jp-Notebook h1").first.wait_for()
    page.get_by_text("| Idle").wait_for()
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).click()
    cell = page.locator(".jp-CodeCell", has_text=shot.cell).last
    # "attached": JupyterLab draws only what is in view
    cell.locator(".jp-OutputArea-output").first.wait_for(state="attached")
    for pause in (1000, 500):  # it moves once more after the output above it has been drawn
        cell.evaluate("cell => cell.scrollIntoView({block: 'start'})")
        page.wait_for_timeout(pause)
    page.screenshot(path=PICTURES / f"{shot.picture}.png")


def _report(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "autograder", "demo", str(folder / "demo-class")], check=True)
    with browser_page(1180, 1480) as page:
        page.goto((folder / "demo-class" / "report.html").as_uri())
        page.get_by_role("button", name="attention_scores").click()
        page.screenshot(path=PICTURES / "report.png")


if __name__ == "__main__":
    main()
