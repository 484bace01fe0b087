"""Links of the repository's files work on the site."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.course.home import Home
from autograder.site.links import Relinker

GITHUB = "https://github.com/school/heads"


@pytest.fixture
def relinker(tmp_path: Path) -> Relinker:
    for name in ("docs/pictures/one.png", "docs/lms.md", "README.md", "solutions/lesson.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    pages = {"README.md": "index.md", "docs/lms.md": "teach/lms.md", "notebooks/a/a.ipynb": "learn/a.ipynb"}
    return Relinker(tmp_path, Home("school/heads", "v1"), pages)


@pytest.mark.parametrize(
    ("path", "link", "changed"),
    [
        ("README.md", "[LMS](docs/lms.md)", "[LMS](teach/lms.md)"),
        ("README.md", "[LMS](docs/lms.md#canvas)", "[LMS](teach/lms.md#canvas)"),
        ("docs/lms.md", "[front](../README.md)", "[front](../index.md)"),
        ("docs/lms.md", "[1](../notebooks/a/a.ipynb)", "[1](../learn/a.ipynb)"),
        ("docs/lms.md", "[code](../solutions/lesson.py)", f"[code]({GITHUB}/blob/v1/solutions/lesson.py)"),
        ("README.md", "[a folder](solutions)", f"[a folder]({GITHUB}/tree/v1/solutions)"),
        ("README.md", "[out](https://example.org/x.md)", "[out](https://example.org/x.md)"),
        ("README.md", "[here](#i-teach)", "[here](#i-teach)"),
        ("README.md", "[mail](mailto:a@example.org)", "[mail](mailto:a@example.org)"),
        ("README.md", "![p](docs/pictures/one.png)", "![p](pictures/docs-pictures-one.png)"),
        ("docs/lms.md", "![p](pictures/one.png)", "![p](../pictures/docs-pictures-one.png)"),
        (
            "README.md",
            "[![badge](docs/pictures/one.png)](docs/lms.md)",
            "[![badge](pictures/docs-pictures-one.png)](teach/lms.md)",
        ),
        ("README.md", "`![What it shows](pictures/none.svg)`", "`![What it shows](pictures/none.svg)`"),
    ],
)
def test_a_link_leads_to_a_page_or_to_github(relinker: Relinker, path: str, link: str, changed: str) -> None:
    assert relinker.changed(f"See {link}, and on.", path) == f"See {changed}, and on."


def test_pictures_come_along(relinker: Relinker) -> None:
    relinker.changed("![p](docs/pictures/one.png) ![q](docs/pictures/none.png)", "README.md")
    assert relinker.pictures == {"pictures/docs-pictures-one.png": relinker.root / "docs/pictures/one.png"}
