"""The wheel that learners install contains everything that the course needs, no solution, and builds without a
warning."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

import pytest

from autograder.course.chapter import REPOSITORY_ROOT
from tests.support.real_course import CHAPTERS
from tests.support.wheel import PACKAGES, build_wheel


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.mark.slow
def test_the_wheel_holds_both_packages_whole_and_nothing_else(built: tuple[Path, str]) -> None:
    names = {name for name in zipfile.ZipFile(built[0]).namelist() if ".dist-info/" not in name}
    files = (path for package in PACKAGES for path in (REPOSITORY_ROOT / package).rglob("*") if path.is_file())
    wanted = {path for path in files if "__pycache__" not in path.parts and path.suffix != ".md"}  # .md: for readers
    assert names == {path.relative_to(REPOSITORY_ROOT).as_posix() for path in wanted}
    assert {f"manyheads/fixtures/{chapter.name}.safetensors" for chapter in CHAPTERS} <= names
    assert {f"{package}/py.typed" for package in PACKAGES} <= names  # type checkers read the packages' own types
    assert {"manyheads/models/minilm_reference.safetensors", "autograder/report/templates/report.html.j2"} <= names


@pytest.mark.slow
def test_building_it_says_nothing_about_files_left_out(built: tuple[Path, str]) -> None:
    assert "absent from the `packages` configuration" not in built[1]
    assert "Package would be ignored" not in built[1]


def test_what_learners_install_has_lower_bounds_alone() -> None:
    """An upper bound or a pin would change Colab's own packages."""
    project = tomllib.loads((REPOSITORY_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in (*project["dependencies"], project["requires-python"]):
        assert requirement.count(">=") == 1, requirement
        assert not set("<~!,") & set(requirement), requirement
