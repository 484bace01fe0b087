"""The diagram of packages in docs/architecture.md is the one of the code."""

from __future__ import annotations

import re

import grimp
import pytest

from autograder.course.chapter import REPOSITORY_ROOT

Arrows = frozenset[tuple[str, str]]
ROOMS = {path.parent.name for path in (REPOSITORY_ROOT / "autograder").glob("*/__init__.py")}


def package_of(module: str) -> str:
    top, _, rest = module.partition(".")
    return top if top == "manyheads" else rest.partition(".")[0]


def imports() -> Arrows:
    """Return which package imports which."""
    graph = grimp.build_graph("autograder", "manyheads")
    found = {
        (package_of(importer), package_of(imported))
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    }
    known = ROOMS | {"manyheads"}
    return frozenset((above, below) for above, below in found if above != below and {above, below} <= known)


def below(package: str, arrows: Arrows) -> set[str]:
    """Return all that can be reached from a package."""
    next_ones = {end for start, end in arrows if start == package}
    return next_ones.union(*(below(one, arrows) for one in next_ones))


def without_what_follows(arrows: Arrows) -> Arrows:
    """Return the arrows that no others make up for."""
    return frozenset(arrow for arrow in arrows if arrow[1] not in below(arrow[0], arrows - {arrow}))


@pytest.fixture(scope="module")
def drawn() -> Arrows:
    page = (REPOSITORY_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    [diagram] = re.findall(r"```mermaid\nflowchart TD\n(.*?)```", page, re.DOTALL)
    return frozenset(re.findall(r"^ +(\w+) --> (\w+)$", diagram, re.MULTILINE))


def test_every_arrow_is_an_import_that_does_not_follow_from_others_and_none_is_missing(drawn: Arrows) -> None:
    assert drawn == without_what_follows(imports())


def test_every_package_is_drawn(drawn: Arrows) -> None:
    assert {package for arrow in drawn for package in arrow} == ROOMS | {"manyheads"}
