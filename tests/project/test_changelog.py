"""A fragment in changelog.d/ becomes a line of the changelog, and one with an invalid name is an error."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.course.chapter import REPOSITORY_ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What towncrier reads of this project. No change waits for a version."""
    for name in ("pyproject.toml", "CHANGELOG.md", "changelog.d/README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY_ROOT / name, tmp_path / name)
    return tmp_path


def towncrier(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "towncrier", *arguments, "--dir", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=folder, timeout=120)


@pytest.mark.slow
def test_every_change_that_waits_can_be_drafted() -> None:
    draft = towncrier(REPOSITORY_ROOT, "build", "--draft", "--version", "next")
    assert draft.returncode == 0, draft.stderr
    waiting = [path for path in (REPOSITORY_ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    lines = [line.strip() for path in waiting for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if line not in draft.stdout] == []


@pytest.mark.slow
def test_each_type_has_its_heading_and_names_its_issue(project: Path) -> None:
    for kind in ("added", "changed", "fixed", "removed", "security"):
        (project / "changelog.d" / f"15.{kind}.md").write_text(f"**Authors:** something was {kind}.\n")

    draft = towncrier(project, "build", "--draft", "--version", "9.9")

    assert draft.returncode == 0, draft.stderr
    for kind in ("added", "changed", "fixed", "removed", "security"):
        assert f"### {kind.capitalize()}\n\n- **Authors:** something was {kind}. (#15)\n" in draft.stdout
    assert draft.stdout.startswith("## 9.9 – ")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["15.improved.md", "a-word.md"])
def test_a_fragment_of_no_type_is_an_error(project: Path, name: str) -> None:
    (project / "changelog.d" / name).write_text("Something.\n")
    assert towncrier(project, "build", "--draft", "--version", "9.9").returncode != 0


def test_a_release_is_listed_above_earlier_ones(project: Path) -> None:
    page = project / "CHANGELOG.md"
    before = page.read_text(encoding="utf-8")
    (project / "changelog.d" / "+sorted.changed.md").write_text("**Instructors:** the report sorts.\n")

    built = towncrier(project, "build", "--yes", "--version", "9.9")

    after = page.read_text(encoding="utf-8")
    head, _, old = before.partition("## ")
    assert built.returncode == 0, built.stderr
    assert after.startswith(head)
    assert after.endswith(old)
    assert after.index("## 9.9 – ") < after.index("the report sorts") < after.index(old)
