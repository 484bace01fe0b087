"""Each package says what it is for and which of its modules the others may import."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from autograder.course.chapter import REPOSITORY_ROOT

AUTOGRADER = REPOSITORY_ROOT / "autograder"
MANYHEADS = REPOSITORY_ROOT / "manyheads"
ROOMS = sorted(path.parent for top in (AUTOGRADER, MANYHEADS) for path in top.rglob("*/__init__.py"))
SOURCES = [path for folder in (AUTOGRADER, MANYHEADS) for path in sorted(folder.rglob("*.py"))]
USERS = [*SOURCES, *sorted((REPOSITORY_ROOT / "solutions").rglob("*.py"))]  # lessons, too
names = [room.relative_to(REPOSITORY_ROOT).as_posix().replace("/", ".") for room in ROOMS]
rooms = pytest.mark.parametrize("room", ROOMS, ids=names)


def dotted(path: Path) -> str:
    return path.relative_to(REPOSITORY_ROOT).with_suffix("").as_posix().replace("/", ".")


@cache
def imported(path: Path) -> frozenset[str]:
    """Return the modules that the one at `path` imports, anywhere in it, and the names that it imports from a
    package."""
    return frozenset(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    package = dotted(path.parent)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                yield f"{module}.{alias.name}" if REPOSITORY_ROOT.joinpath(*module.split(".")).is_dir() else module


@rooms
def test_a_room_says_in_three_sentences_what_it_is_for(room: Path) -> None:
    package = importlib.import_module(dotted(room))
    assert package.__doc__
    assert len([sentence for sentence in package.__doc__.split(".") if sentence.strip(" \n`")]) >= 1
    assert len(package.__doc__) < 400


@pytest.mark.slow
@rooms
def test_what_a_room_offers_is_there_and_used_elsewhere(room: Path) -> None:
    offered = importlib.import_module(dotted(room)).__all__
    assert list(offered) == sorted(offered)
    others = [path for path in USERS if path.parent != room]
    used = {
        module.rpartition(".")[2] for path in others for module in imported(path) if module.startswith(dotted(room))
    }
    used |= {"app"}  # the command's own entry
    assert set(offered) <= used


@pytest.mark.slow
@rooms
def test_nothing_outside_a_room_imports_what_it_does_not_offer(room: Path) -> None:
    offered = {f"{dotted(room)}.{name}" for name in importlib.import_module(dotted(room)).__all__}
    for path in SOURCES:
        if path.parent != room:
            past = {module for module in imported(path) if module.rpartition(".")[0] == dotted(room)} - offered
            assert not past, f"{path} imports {past}"


def test_the_tests_of_a_package_are_in_a_folder_of_its_name() -> None:
    tests = REPOSITORY_ROOT / "tests"
    beside = {"attacks", "data", "manyheads", "notebooks", "project", "support", "toy_course"}
    folders = {path.name for path in tests.iterdir() if path.is_dir() and not path.name.startswith("__")}
    packages = {path.name for path in AUTOGRADER.iterdir() if (path / "__init__.py").exists()}
    assert folders - beside <= packages
    assert packages - folders <= {"nbgrader_steps", "notebook"}  # what they do shows in the tests of run and realign
    folders = {path.parent.name for path in (tests / "manyheads").glob("*/__init__.py")}
    assert folders == {path.parent.name for path in MANYHEADS.glob("*/__init__.py")} - {"former_names"}
