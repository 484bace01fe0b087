"""The course under other Pythons and versions: what was tried here, and what each gave. `make pythons` runs it.

Each row is an environment of its own below `--folder`, made, used and removed: one that has each package at the lower
bound of its range, one with the newest of each, one as on Colab, for each Python from 3.11 on that is found here; and
one for each release of torch, in which every known mistake must keep its name. It needs an hour, gigabytes of downloads
and 5 GB of disk. `--only WORD` tries the rows whose name has that word. It ends with 1 if one failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cuda_stubs import write_stubs
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ON_COLAB = {"python": "3.13", "torch": "2.11.0"}
# The grader's other packages want newer ones than what a learner may have: the row "as on Colab" tries these.
OLDEST_WITH_GRADER = {"ipywidgets": "8.0.0", "ipython": "8.20.0"}
TORCH_WANTS = ("filelock", "typing_extensions", "sympy", "networkx", "jinja2", "fsspec", "setuptools")
NAMED = ["python", "benchmarks/named.py"]
DEMO = ["python", "-m", "autograder", "demo", "{folder}/demo"]
DOCTOR = ["python", "-m", "autograder", "doctor"]


@dataclass(frozen=True)
class Row:
    """One environment to try.

    Args:
        name: what is special about it.
        python: "3.13".
        torch: the version; "" for the one that constraints.txt pins.
        packages: what else pip installs.
        steps: the commands, each of which must succeed.
    """

    name: str
    python: str
    torch: str
    packages: tuple[str, ...]
    steps: tuple[list[str], ...]


def rows() -> Iterator[Row]:
    """Return all rows."""
    everything = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["grading"]]
    newest = tuple(name for name in everything if Requirement(name).name != "torch")
    for python in PYTHONS:
        yield Row(f"newest of everything, Python {python}", python, "", newest, (NAMED, DOCTOR, DEMO))
    yield Row("lower bounds, Python 3.11", "3.11", "", tuple(lower_bounds(everything)), (NAMED, DOCTOR, DEMO))
    colab = (ROOT / "requirements-colab.txt").read_text(encoding="utf-8")
    as_there = tuple(row for row in re.findall(r"^\S+==\S+$", colab, re.MULTILINE) if not row.startswith("torch"))
    learners = (*as_there, "nbformat", "packaging")
    yield Row("as on Colab", ON_COLAB["python"], ON_COLAB["torch"], learners, (NAMED,))
    for torch in releases("torch"):
        yield Row(f"torch {torch}", "3.11", torch, newest, (NAMED,))


def lower_bounds(requirements: Sequence[str]) -> Iterator[str]:
    """Return each package but torch at the lowest version that its range has."""
    for requirement in map(Requirement, requirements):
        [lowest] = [bound.version for bound in requirement.specifier if bound.operator == ">="]
        if requirement.name != "torch":
            yield f"{requirement.name}=={OLDEST_WITH_GRADER.get(requirement.name, lowest)}"


def releases(package: str) -> list[str]:
    """Return the newest release of each minor version of a package in its range, as pip lists them, oldest first."""
    [wanted] = [one for one in map(Requirement, PROJECT["dependencies"]) if one.name == package]
    command = [sys.executable, "-m", "pip", "index", "versions", package]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    listed = re.findall(r"[\d.]+(?:\+\w+)?", told.partition("Available versions:")[2].partition("\n")[0])
    found = sorted({Version(version).public for version in listed if version.strip(".")}, key=Version)
    return list({Version(v).release[:2]: v for v in found if v in wanted.specifier}.values())


def attempt(row: Row, folder: Path) -> str:
    """Make the row's environment, take its steps, and return what they gave, or why there are none."""
    base = found(row.python)
    if base is None:
        return f"not tried: there is no python{row.python} here"
    shutil.rmtree(folder, ignore_errors=True)
    python = folder / "bin" / "python"
    torch = f"torch=={row.torch or pinned('torch')}"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    made = (
        [base, "-m", "venv", str(folder)],
        [*pip, *TORCH_WANTS],
        [*pip, "--no-deps", torch],
        [*pip, *row.packages],
    )
    given = []
    for command in (*made, *row.steps):
        words = [str(python) if word == "python" else word.format(folder=folder) for word in command]
        variables = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(words, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"FAILED: {' '.join(command[:4])} … {last_lines(done.stdout + done.stderr)}"
        if torch in command and not imports_torch(python):
            if lacking := [program for program in ("gcc", "nm", "readelf") if shutil.which(program) is None]:
                return f"not tried: torch wants CUDA's libraries, and standing in for them wants {', '.join(lacking)}"
            write_stubs(next(folder.glob("lib/python*/site-packages/torch")))
        if command in row.steps:
            given.append(what_it_gave(command, done.stdout))
    return "; ".join(given)


def found(version: str) -> str | None:
    """Return the interpreter of that version, if it runs: pyenv has a command for those that are switched off, too."""
    base = shutil.which(f"python{version}")
    runs = base is not None and subprocess.run([base, "--version"], capture_output=True, check=False).returncode == 0
    return base if runs else None


def imports_torch(python: Path) -> bool:
    """Return whether torch finds all that it wants."""
    return subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode == 0


def what_it_gave(command: list[str], told: str) -> str:
    """Return a step's result in a few words."""
    if command is NAMED:
        counted = json.loads(told.splitlines()[-1])
        return f"torch {counted['torch']}: {counted['mistakes']} mistakes, {len(counted['not named'])} not named"
    if command is DOCTOR:
        return next(row.removeprefix("✓ ") for row in told.splitlines() if "sealed kernel" in row)
    return "demo: " + next(row for row in told.splitlines() if re.match(r"\d+ graded", row))


def last_lines(told: str) -> str:
    """Return the end of what a command printed, in one line."""
    return " / ".join(told.strip().splitlines()[-3:])[-600:]


def pinned(package: str) -> str:
    """Return a package's version in constraints.txt."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return re.findall(rf"^{package}==(\S+)$", text, re.MULTILINE)[0]


def main() -> int:
    """Try all rows that are wanted, and print the table as it grows. Return 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / ".pythons", help="where environments are made")
    parser.add_argument("--only", action="append", help="a word of the rows' names")
    options = parser.parse_args()
    failed = 0
    print("| what | gave |\n|---|---|")
    for row in rows():
        if options.only is None or any(word in row.name for word in options.only):
            gave = attempt(row, options.folder.absolute())
            print(f"| {row.name} | {gave} |", flush=True)
            failed += gave.startswith("FAILED")
            shutil.rmtree(options.folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
