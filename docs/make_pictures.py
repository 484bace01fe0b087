"""Makes the README's pictures, `python -m docs.make_pictures`: real screenshots of JupyterLab and of the report.

It needs Chromium at the command `chromium`. The notebook is the released one with solutions written into it, one of
them with a known mistake; the report is the demo class's.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from autograder.build import REPOSITORY_ROOT
from autograder.chapter import read_chapter
from autograder.source_notebook import read_text, set_solution, to_text
from tests.lab import browser_page, jupyter_lab

PICTURES = REPOSITORY_ROOT / "docs" / "pictures"
LESSON, EXERCISE, MISTAKE = "01_single_head", "attention_scores", "forgot to scale"


def main() -> None:
    """Make every picture anew."""
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        _lesson(folder)
        _report(folder)


def _lesson(home: Path) -> None:
    chapter = read_chapter(REPOSITORY_ROOT / "solutions" / LESSON)
    [mistake] = [m for m in chapter.exercises[EXERCISE].misconceptions if m.name == MISTAKE]
    notebook = read_text(REPOSITORY_ROOT / "notebooks" / LESSON / f"{LESSON}.ipynb")
    for exercise, source in chapter.reference.items():
        set_solution(notebook, exercise, source)
    course = home / "course"
    course.mkdir()
    (course / "solved.ipynb").write_text(to_text(notebook), encoding="utf-8")
    set_solution(notebook, EXERCISE, chapter.mistaken(EXERCISE, mistake))
    (course / "mistaken.ipynb").write_text(to_text(notebook), encoding="utf-8")
    shots = {
        "mistaken": ("failing-check", f"# grade: {EXERCISE}.outputs", 880, 500),
        "solved": ("head-map", "head_map(attention, causal_mask)", 880, 680),
    }
    with jupyter_lab(course, home) as address:
        for notebook_name, (picture, text, width, height) in shots.items():
            with browser_page(width, height) as page:
                page.goto(f"{address}/doc/tree/{notebook_name}.ipynb?reset")
                page.get_by_role("heading", name="1 · One head, by hand").wait_for()
                page.get_by_text("| Idle").wait_for()
                page.get_by_text("Run", exact=True).first.click()
                page.get_by_text("Run All Cells", exact=True).click()
                cell = page.locator(".jp-CodeCell", has_text=text).first
                # "attached": JupyterLab draws only what is in view
                cell.locator(".jp-OutputArea-output").first.wait_for(state="attached")
                cell.evaluate("cell => cell.scrollIntoView({block: 'start'})")
                page.wait_for_timeout(1000)
                cell.evaluate("cell => cell.scrollIntoView({block: 'start'})")
                page.wait_for_timeout(500)
                page.screenshot(path=PICTURES / f"{picture}.png")


def _report(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "autograder", "demo", str(folder / "demo-class")], check=True)
    with browser_page(1180, 1150) as page:
        page.goto((folder / "demo-class" / "report.html").as_uri())
        page.screenshot(path=PICTURES / "report.png")


if __name__ == "__main__":
    main()
