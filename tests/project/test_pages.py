"""The repository's Markdown pages are true: links lead somewhere, commands exist, counts are right."""

from __future__ import annotations

import re
import shlex
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from autograder.cli import demo
from autograder.cli.app import app
from autograder.course.chapter import REPOSITORY_ROOT
from autograder.course.contents_page import counts
from autograder.course.home import read_home
from tests.support.real_course import CHAPTERS

README = (REPOSITORY_ROOT / "README.md").read_text(encoding="utf-8")
_FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^()\s]+)\)")


def _pages() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=REPOSITORY_ROOT, capture_output=True, text=True)
    names = listed.stdout.split() or ["README.md", "CONTRIBUTING.md"]  # without git, as in an archive
    return [REPOSITORY_ROOT / name for name in names if "toy_course" not in name]


PAGES = _pages()
pages = pytest.mark.parametrize("page", PAGES, ids=[path.relative_to(REPOSITORY_ROOT).as_posix() for path in PAGES])


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+?)\s*$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain)


@pages
def test_links_to_the_repositorys_files_and_sections_lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", _FENCED.sub("", page.read_text(encoding="utf-8")))
    for target in _LINK.findall(text):
        if re.match(r"[a-z]+:|//", target):
            continue
        file, _, anchor = target.partition("#")
        # a line of the changelog is read where the changelog is
        folder = REPOSITORY_ROOT if page.name.endswith((".added.md", ".changed.md", ".fixed.md")) else page.parent
        path = (folder / file).resolve() if file else page
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path), target


def _command_lines(page: Path) -> list[str]:
    """Return what follows `autograder` where a page shows a command: in its fenced blocks, and between backticks."""
    text = page.read_text(encoding="utf-8")
    shown = [line for block in _FENCED.findall(text) for line in block.splitlines()[1:-1]]
    shown += re.findall(r"`([^`\n]+)`", _FENCED.sub("", text))
    starts = (re.match(r"\s*(?:\.venv/bin/)?autograder ([a-z][^#]*)", line) for line in shown)
    return [match[1].strip() for match in starts if match]


@pytest.mark.slow
@pages
def test_commands_that_a_page_shows_exist_with_their_options(page: Path) -> None:
    group: Any = typer.main.get_command(app)
    for line in _command_lines(page):
        found, words = group, shlex.split(line)
        while words and hasattr(found, "commands") and words[0] in found.commands:
            found = found.commands[words.pop(0)]
        assert found is not group, f"there is no command: autograder {line}"
        options = {name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)}
        for word in words:
            if word.startswith("-"):
                assert word.partition("=")[0] in options | {"--help", "-h"}, f"autograder {line}"


def test_the_readmes_make_targets_exist() -> None:
    makefile = (REPOSITORY_ROOT / "Makefile").read_text(encoding="utf-8")
    text = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    shown = set(re.findall(r"(?:^|`)make ([a-z][\w-]*)\b", text, re.MULTILINE))
    assert {"demo", "test", "site"} <= shown
    for target in shown:
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target


def test_the_readme_lists_every_chapter_and_counts_the_course() -> None:
    assert counts(CHAPTERS) in README
    for chapter in CHAPTERS:
        assert f"[{chapter.title}](notebooks/{chapter.name}/{chapter.name}.ipynb)" in README
    assert len(re.findall(r"^\| \[", README, re.MULTILINE)) == len(CHAPTERS)
    assert read_home(REPOSITORY_ROOT).site in README


def test_the_demos_class_is_as_large_as_the_readme_says() -> None:
    [size] = re.findall(r"a sample class of (\d+) learners", README)
    assert int(size) == len(demo.submissions(CHAPTERS[0])) + 1  # and one whose file is not a notebook


def test_in_every_chapter_the_demo_has_right_mistaken_and_unfinished_learners() -> None:
    for chapter in CHAPTERS:
        written = list(demo.submissions(chapter).values())
        assert written[0] == chapter.reference
        assert written[-1] == {}
        for exercise in chapter.exercises.values():
            if exercise.misconceptions:
                mistaken = chapter.mistaken(exercise.name, exercise.misconceptions[0])
                assert any(one.get(exercise.name) == mistaken for one in written), exercise.name
