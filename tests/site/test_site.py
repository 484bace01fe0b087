"""The site as it is built, without the outputs of the lessons: it needs no network, and everybody can use it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import Page, expect

from autograder.course.chapter import REPOSITORY_ROOT
from autograder.site.build import build_site, guides_of

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of this repository. Sphinx fails at any warning, such as a link to a page that is not there."""
    to = tmp_path_factory.mktemp("site") / "site"
    build_site(REPOSITORY_ROOT, to, run=False)
    return to


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, BeautifulSoup]:
    paths = sorted(site.rglob("*.html"))
    return {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in paths}


def test_nothing_is_loaded_from_a_network(pages: dict[Path, BeautifulSoup]) -> None:
    for path, page in pages.items():
        for element in page.select("script[src], img[src], iframe[src], source[src], link:not([rel~=canonical])"):
            address = str(element.get("src") or element.get("href"))
            assert not re.match(r"(https?:)?//", address), f"{path.name} loads {address}"


def test_links_between_pages_and_to_their_sections_lead_somewhere(site: Path, pages: dict[Path, BeautifulSoup]) -> None:
    names = {path: {str(tag["id"]) for tag in page.select("[id]")} for path, page in pages.items()}
    for path, page in pages.items():
        for link in page.select("a[href]"):
            assert isinstance(link, Tag)
            target, _, anchor = str(link["href"]).partition("#")
            if re.match(r"[a-z]+:|//", target):
                continue
            file = (path.parent / target).resolve() if target else path
            assert file.exists(), f"{path.relative_to(site)}: {link['href']}"
            if anchor and file in names:
                assert anchor in names[file], f"{path.relative_to(site)}: {link['href']}"


def test_every_guide_of_the_repository_is_on_it() -> None:
    written = {path.relative_to(REPOSITORY_ROOT) for path in REPOSITORY_ROOT.glob("*.md")}
    for folder in ("docs", "autograder", "benchmarks", "manyheads", "solutions"):
        written |= {path.relative_to(REPOSITORY_ROOT) for path in (REPOSITORY_ROOT / folder).rglob("*.md")}
    assert {path.as_posix() for path in written} == set(guides_of(REPOSITORY_ROOT))


def test_a_mistake_is_found(site: Path) -> None:
    found = (site / "mistakes" / "01_single_head.html").read_text(encoding="utf-8")
    assert "You ran softmax over" in found


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(site: Path, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for name in ("index", "learn/02_why_many_heads", "mistakes/01_single_head", "api/check"):
        page.goto((site / f"{name}.html").as_uri())
        # The theme's colours fade in, and halfway they are like each other.
        page.wait_for_function(
            "scheme => document.documentElement.dataset.theme === scheme && !document.getAnimations().length",
            arg=scheme,
        )
        found = Axe().run(page).response["violations"]
        serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        assert serious == [], name


@pytest.mark.browser
def test_drawings_are_dark_on_a_dark_page(site: Path, page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto((site / "learn" / "04_all_heads_at_once.html").as_uri())
    drawings = page.locator(".bd-content img[src$='.svg']").all()
    assert len(drawings) >= 4
    for drawing in drawings:
        look = drawing.evaluate(
            "image => { const { colorScheme, filter, backgroundColor } = getComputedStyle(image); "
            "return [colorScheme, filter, backgroundColor] }"
        )
        assert look == ["dark", "none", "rgba(0, 0, 0, 0)"]


@pytest.mark.browser
def test_a_phone_shows_all_of_it(site: Path, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("index", "learn/01_single_head", "teach/grading"):
        page.goto((site / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        ends = "codes => Math.max(...codes.map(code => code.getBoundingClientRect().right))"
        assert page.locator("p code").evaluate_all(ends) <= 390, name


@pytest.mark.browser
def test_a_search_without_a_server_finds_a_mistake_as_one_would_describe_it(site: Path, page: Page) -> None:
    page.goto((site / "search.html").as_uri() + "?q=softmax+over+the+wrong+dimension+attention")
    expect(page.locator("#search-results a[href*='mistakes/01_single_head']").first).to_be_visible()
