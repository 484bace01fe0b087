"""The lists of packages agree: pyproject.toml, the conda environment, the pins, and Colab's versions."""

from __future__ import annotations

import ast
import platform
import re
import sys
import tomllib
from importlib.metadata import distributions, packages_distributions

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from autograder.course.chapter import REPOSITORY_ROOT

ON_CONDA = {"torch": "pytorch"}  # what is called otherwise there
PROJECT = tomllib.loads((REPOSITORY_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA = REPOSITORY_ROOT / "environment.yml"
OURS = {"manyheads", "autograder", "huggingface_hub"}  # the last is Colab's, and used where it is


def requirements(lines: list[str]) -> dict[str, SpecifierSet]:
    """Return the versions asked for by package. conda's `python=3.11` means `python==3.11.*`."""
    parsed = [Requirement(re.sub(r"(?<![<>=~!])=(?!=)([\d.]+)$", r"==\1.*", line)) for line in lines]
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in parsed}


def differences(project: dict[str, SpecifierSet], conda: dict[str, SpecifierSet]) -> list[str]:
    """List the differences between the conda environment and the project's packages, one line each."""
    wanted = {ON_CONDA.get(name, name): specifier for name, specifier in project.items()}
    found = [f"environment.yml lacks {name}{specifier}" for name, specifier in wanted.items() if name not in conda]
    found += [f"environment.yml has {name}, which pyproject.toml does not name" for name in conda if name not in wanted]
    for name in wanted.keys() & conda.keys():
        if wanted[name] != conda[name]:
            found.append(f"environment.yml has {name}{conda[name]}, and pyproject.toml {name}{wanted[name]}")
    return sorted(found)


def conda_environment() -> tuple[dict[str, SpecifierSet], list[str]]:
    """Return what conda installs and what pip installs, as lines, of environment.yml."""
    listed = yaml.safe_load(CONDA.read_text(encoding="utf-8"))["dependencies"]
    [by_pip] = [part["pip"] for part in listed if isinstance(part, dict)]
    return requirements([part for part in listed if isinstance(part, str)]), by_pip


def project_packages(*extras: str) -> dict[str, SpecifierSet]:
    named = [line for extra in ("grading", *extras) for line in PROJECT["optional-dependencies"][extra]]
    return requirements([*PROJECT["dependencies"], *(line for line in named if not line.startswith("manyheads["))])


def pins(name: str, python: str = platform.python_version()) -> dict[str, Version]:
    """Return the versions that a file pins for a version of Python."""
    pinned: dict[str, Version] = {}
    for line in (REPOSITORY_ROOT / name).read_text(encoding="utf-8").splitlines():
        if "==" in line.partition(";")[0] and not line.startswith("#"):
            one = Requirement(line)
            [exact] = one.specifier
            if one.marker is None or one.marker.evaluate({"python_full_version": python}):
                pinned[canonicalize_name(one.name)] = Version(exact.version)
    return pinned


def test_the_conda_environment_has_the_same_packages_with_the_same_bounds() -> None:
    by_conda, by_pip = conda_environment()
    named_by_pip = requirements([line for line in by_pip if not line.startswith("-")])
    assert named_by_pip == {}
    packages = dict(by_conda)
    for tool in ("python", "pip"):
        packages.pop(tool)
    assert differences(project_packages(), packages) == []
    assert "--editable ." in by_pip  # and the course itself


def test_the_conda_environments_python_is_one_that_the_project_takes() -> None:
    by_conda, _ = conda_environment()
    [specifier] = by_conda["python"]
    assert SpecifierSet(PROJECT["requires-python"]).contains(specifier.version.removesuffix(".*"))


@pytest.mark.parametrize(
    ("conda", "says"),
    [
        (["pytorch>=2.9"], "environment.yml lacks rich>=13"),
        (["pytorch>=2.9", "rich>=12"], "environment.yml has rich>=12, and pyproject.toml rich>=13"),
        (["pytorch>=2.9", "rich>=13", "dask"], "environment.yml has dask, which pyproject.toml does not name"),
    ],
)
def test_a_difference_is_named(conda: list[str], says: str) -> None:
    assert differences(requirements(["torch>=2.9", "rich>=13"]), requirements(conda)) == [says]


@pytest.mark.parametrize(
    ("file", "wanted"),
    [("constraints.txt", project_packages("hub")), ("requirements-colab.txt", requirements(PROJECT["dependencies"]))],
)
def test_every_pin_is_a_version_that_the_project_takes(file: str, wanted: dict[str, SpecifierSet]) -> None:
    pinned = pins(file)
    common = pinned.keys() & wanted.keys()
    assert "torch" in common
    assert [f"{name}=={pinned[name]}" for name in common if pinned[name] not in wanted[name]] == []


def test_every_pin_can_be_installed_with_the_oldest_python() -> None:
    """Some systems' own Python is older than a package's new version asks for, by its third number."""
    [oldest] = SpecifierSet(PROJECT["requires-python"])
    pinned = pins("constraints.txt", oldest.version)
    asked = {
        canonicalize_name(one.name): SpecifierSet("".join(one.metadata.get_all("Requires-Python") or []))
        for one in distributions()
        if Version(one.version) == pinned.get(canonicalize_name(one.name))
    }
    assert len(asked) > 100
    assert [f"{name}=={pinned[name]}" for name, of in asked.items() if f"{oldest.version}.0" not in of] == []


def test_colabs_list_has_all_learners_packages() -> None:
    needed = requirements(PROJECT["dependencies"]).keys()
    assert needed <= pins("requirements-colab.txt").keys()


def test_every_package_of_the_project_is_pinned_and_torch_is_the_same_everywhere() -> None:
    pinned = pins("constraints.txt")
    assert project_packages("hub").keys() <= pinned.keys()
    assert pins("requirements-colab.txt")["torch"] == pinned["torch"]
    assert pins("requirements-colab.txt").keys() <= pinned.keys() | {"ipython", "ipykernel"}


def imported(package: str) -> dict[str, set[str]]:
    """Return the modules that a package of the course imports from others, each with the distributions that have it.

    Optional imports, in a `try` or with `suppress`, need not be installed.
    """
    there = packages_distributions()
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (REPOSITORY_ROOT / package).rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
    others = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - OURS
    return {name: {canonicalize_name(found) for found in there.get(name, [])} for name in others}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "declared"),
    [("manyheads", requirements(PROJECT["dependencies"])), ("autograder", project_packages("hub", "site"))],
)
def test_every_package_that_is_imported_is_declared_with_a_lower_bound(
    package: str, declared: dict[str, SpecifierSet]
) -> None:
    found = imported(package)
    assert len(found) > 5
    assert {name: of for name, of in found.items() if not of & declared.keys()} == {}
    assert [name for name, of in declared.items() if not any(bound.operator == ">=" for bound in of)] == []
