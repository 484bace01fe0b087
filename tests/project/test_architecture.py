"""The diagrams of packages in docs/architecture.md are those of the code."""

from __future__ import annotations

import re

import grimp
import pytest

from autograder.course.chapter import REPOSITORY_ROOT

Arrows = frozenset[tuple[str, str]]
ROOMS = {path.parent.name for path in (REPOSITORY_ROOT / "autograder").glob("*/__init__.py")}
FORMER = "former_names"  # may import everything, and nothing imports it


def package_of(module: str, inside: str) -> str:
    """Return the part of the package `inside` that a module belongs to; of another package, that package."""
    top, _, rest = module.partition(".")
    return rest.partition(".")[0] if top == inside else top


def imports(inside: str, known: set[str]) -> Arrows:
    """Return which of the `known` parts of a package imports which."""
    graph = grimp.build_graph("autograder", "manyheads")
    found = {
        (package_of(importer, inside), package_of(imported, inside))
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    }
    return frozenset((above, below) for above, below in found if above != below and {above, below} <= known)


def below(package: str, arrows: Arrows) -> set[str]:
    """Return all packages that can be reached from a package."""
    next_ones = {end for start, end in arrows if start == package}
    return next_ones.union(*(below(one, arrows) for one in next_ones))


def without_what_follows(arrows: Arrows) -> Arrows:
    """Return the arrows that do not follow from others."""
    return frozenset(arrow for arrow in arrows if arrow[1] not in below(arrow[0], arrows - {arrow}))


def parts_of_manyheads() -> set[str]:
    """Return the packages of `manyheads` and the modules beside them that import one or another such module."""
    children = grimp.build_graph("manyheads").find_children("manyheads")
    parts = {child.partition(".")[2] for child in children} - {FORMER}
    return {part for arrow in imports("manyheads", parts) for part in arrow}


@pytest.fixture(scope="module")
def drawn() -> tuple[Arrows, ...]:
    page = (REPOSITORY_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    diagrams = re.findall(r"```mermaid\nflowchart TD\n(.*?)```", page, re.DOTALL)
    return tuple(frozenset(re.findall(r"^ +(\w+) --> (\w+)$", diagram, re.MULTILINE)) for diagram in diagrams)


def test_every_arrow_is_an_import_that_does_not_follow_from_others_and_none_is_missing(
    drawn: tuple[Arrows, ...],
) -> None:
    grading, learning = drawn
    assert grading == without_what_follows(imports("autograder", ROOMS | {"manyheads"}))
    assert learning == without_what_follows(imports("manyheads", parts_of_manyheads()))


def test_every_package_is_drawn(drawn: tuple[Arrows, ...]) -> None:
    grading, learning = ({package for arrow in arrows for package in arrow} for arrows in drawn)
    assert grading == ROOMS | {"manyheads"}
    packages = {path.parent.name for path in (REPOSITORY_ROOT / "manyheads").glob("*/__init__.py")} - {FORMER}
    assert packages <= learning
