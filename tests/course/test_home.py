"""One setting names the course's home; badges, set-up cells and links follow it, and errors in it are explained."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from autograder.course.build import build, stale
from autograder.course.chapter import REPOSITORY_ROOT
from autograder.course.home import Home, move, pages, read_home
from autograder.problems import Problem
from manyheads import __version__
from tests.support.real_course import CHAPTERS
from tests.support.toy import TOY

COLAB = "https://colab.research.google.com/github/"
PAGE = f"""\
[![Open in Colab](badge.svg)]({COLAB}somebody/a-fork/blob/v0/notebooks/{TOY}/{TOY}.ipynb)
pip install "manyheads @ git+https://github.com/somebody/a-fork@v0"
git clone https://github.com/somebody/a-fork.git, or see <https://github.com/somebody/a-fork/issues>.
Read it: https://somebody.github.io/a-fork/learn/index.html, not https://somebody.github.io/another/.
Not ours: https://github.com/somebody/a-fork-of-it, {COLAB}other/course/blob/main/lesson.ipynb
"""


def test_the_home_is_read_from_one_setting_and_the_tag_is_this_versions(toy_root: Path) -> None:
    home = read_home(toy_root)
    assert home == Home("somebody/a-fork", f"v{__version__}")
    assert home.on_colab(TOY) == f"{COLAB}somebody/a-fork/blob/v{__version__}/notebooks/{TOY}/{TOY}.ipynb"
    assert home.requirement == f"manyheads @ git+https://github.com/somebody/a-fork@v{__version__}"


def test_only_the_courses_own_addresses_change(toy_root: Path) -> None:
    (toy_root / "README.md").write_text(PAGE)
    form = toy_root / ".github" / "ISSUE_TEMPLATE" / "config.yml"
    form.parent.mkdir(parents=True)
    form.write_text("url: https://github.com/somebody/a-fork/security/policy\n")
    build(toy_root)

    move(toy_root, "school/course", "spring.1")
    build(toy_root)

    assert stale(toy_root) == []
    assert (
        (toy_root / "README.md").read_text()
        == f"""\
[![Open in Colab](badge.svg)]({COLAB}school/course/blob/spring.1/notebooks/{TOY}/{TOY}.ipynb)
pip install "manyheads @ git+https://github.com/school/course@spring.1"
git clone https://github.com/school/course.git, or see <https://github.com/school/course/issues>.
Read it: https://school.github.io/course/learn/index.html, not https://somebody.github.io/another/.
Not ours: https://github.com/somebody/a-fork-of-it, {COLAB}other/course/blob/main/lesson.ipynb
"""
    )
    assert form.read_text() == "url: https://github.com/school/course/security/policy\n"
    for notebook in toy_root.glob("*/*/*.ipynb"):
        text = notebook.read_text()
        assert f"{COLAB}school/course/blob/spring.1/notebooks/{TOY}/{TOY}.ipynb" in text
        assert "manyheads @ git+https://github.com/school/course@spring.1" in text
        assert "somebody" not in text
    assert "school/course/blob/spring.1" in (toy_root / "notebooks" / "README.md").read_text()


def test_the_settings_file_keeps_its_comments_and_moving_twice_changes_nothing(toy_root: Path) -> None:
    settings = toy_root / "pyproject.toml"
    settings.write_text(
        '[project]\nname = "x"\n\n[tool.manyheads]\n# home\nrepository = "a/b"\n\n[tool.other]\nx = 1\n'
    )
    move(toy_root, "c/d", "v2")
    once = settings.read_text()
    assert once == (
        '[project]\nname = "x"\n\n[tool.manyheads]\n# home\nrepository = "c/d"\ntag = "v2"\n\n[tool.other]\nx = 1\n'
    )
    move(toy_root, "c/d", "v2")
    assert settings.read_text() == once
    assert move(toy_root, "c/d") == Home("c/d", "v2")  # a tag that is set stays
    assert tomllib.loads(settings.read_text())["tool"]["other"] == {"x": 1}


@pytest.mark.parametrize("repository", ["a/b", "Some-School/course.2026_b", "x/y-"])
def test_what_github_allows_is_taken(toy_root: Path, repository: str) -> None:
    assert move(toy_root, repository).repository == repository


@pytest.mark.parametrize(
    ("repository", "says"),
    [
        ("https://github.com/school/course", "--repo school/course"),
        ("https://github.com/school/course.git", "--repo school/course"),
        ("git@github.com:school/course.git", "--repo school/course"),
        ("course", "--repo OWNER/NAME"),
        ("school/course/notebooks", "--repo OWNER/NAME"),
        ("-school/course", "--repo OWNER/NAME"),
        ("school--x/course", "--repo OWNER/NAME"),
        ("school/..", "--repo OWNER/NAME"),
        ('school/course"\nevil = "1', "--repo OWNER/NAME"),
        ("", "--repo OWNER/NAME"),
    ],
)
def test_a_malformed_name_is_refused_with_what_to_write_and_nothing_changes(
    toy_root: Path, repository: str, says: str
) -> None:
    before = (toy_root / "pyproject.toml").read_text()
    with pytest.raises(Problem, match=re.escape(says)):
        move(toy_root, repository)
    assert (toy_root / "pyproject.toml").read_text() == before


@pytest.mark.parametrize("tag", ["", "a branch", "feature/x", "v1'", "--force"])
def test_a_malformed_tag_is_refused(toy_root: Path, tag: str) -> None:
    with pytest.raises(Problem, match="--tag v"):
        move(toy_root, "a/b", tag)


def test_every_page_of_this_repository_names_its_home() -> None:
    home = read_home(REPOSITORY_ROOT)
    text = "".join(page.read_text(encoding="utf-8") for page in pages(REPOSITORY_ROOT))
    for chapter in CHAPTERS:
        assert home.on_colab(chapter.name) in text
    own_words = re.findall(r"colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/", text)
    assert set(own_words) == {home.repository}
    own_reports = re.findall(r"https://github\.com/([\w.-]+/[\w.-]+)/security/(\w+)", text)
    assert set(own_reports) == {(home.repository, "advisories"), (home.repository, "policy")}


def autograder_of(fork: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the fork's own command."""
    command = [sys.executable, "-m", "autograder", *arguments]
    return subprocess.run(command, cwd=fork, capture_output=True, text=True, timeout=300)


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    """A copy of this repository with its first chapter alone, as a fork has it."""
    root = tmp_path / "fork"
    chapter = CHAPTERS[0].name
    for name in ("manyheads", "autograder"):
        ignored = shutil.ignore_patterns("*.safetensors")  # what is compiled goes along: compiling takes seconds
        shutil.copytree(REPOSITORY_ROOT / name, root / name, ignore=ignored)
    for name in ("solutions", "notebooks"):
        shutil.copytree(REPOSITORY_ROOT / name / chapter, root / name / chapter)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY_ROOT / name, root)
    fixtures = root / "manyheads" / "fixtures"
    fixtures.mkdir(exist_ok=True)
    shutil.copy(REPOSITORY_ROOT / "manyheads" / "fixtures" / f"{chapter}.safetensors", fixtures)
    return root


@pytest.mark.slow
def test_the_command_points_a_fork_at_itself_and_what_is_derived_is_fresh(fork: Path) -> None:
    done = autograder_of(fork, "configure", "--repo", "school/course", "--tag", "v7")
    assert done.returncode == 0, done.stderr
    assert f"wrote notebooks/{CHAPTERS[0].name}/{CHAPTERS[0].name}.ipynb" in done.stdout
    assert "git tag v7 && git push origin v7" in done.stdout

    assert move(fork, "school/course").tag == "v7"
    assert build(fork) == [], "all is fresh, and once more changes nothing"
    old = read_home(REPOSITORY_ROOT).repository
    for path in [fork / "README.md", *fork.glob("notebooks/**/*.*")]:
        assert old not in path.read_text(encoding="utf-8"), path


@pytest.mark.slow
def test_the_command_refuses_in_a_line_and_says_where_to_run_it(fork: Path) -> None:
    slip = autograder_of(fork, "configure", "--repo", "https://github.com/school/course")
    assert slip.returncode == 2
    assert slip.stderr.strip().splitlines() == [
        "autograder: 'https://github.com/school/course' is not a repository's name; write --repo school/course"
    ]
    shutil.rmtree(fork / "solutions")
    without = autograder_of(fork, "configure", "--repo", "school/course")
    assert without.returncode == 2
    assert "in a copy that has them" in without.stderr
    assert read_home(fork) == read_home(REPOSITORY_ROOT)
