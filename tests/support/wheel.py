"""Build the course's wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from autograder.course.chapter import REPOSITORY_ROOT

PACKAGES = ("manyheads", "autograder")


def build_wheel(folder: Path) -> tuple[Path, str]:
    """Build the wheel of this tree, from a copy and without a network. Returns it and the build's output."""
    tree = folder / "tree"
    for name in PACKAGES:
        shutil.copytree(REPOSITORY_ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    # A solution that lay in the copy would be seen in the wheel.
    shutil.copytree(REPOSITORY_ROOT / "solutions", tree / "solutions", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (
        *REPOSITORY_ROOT.glob("LICENSE*"),
        *(REPOSITORY_ROOT / name for name in ("README.md", "pyproject.toml")),
    ):
        shutil.copy(path, tree)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--verbose"]
    built = subprocess.run([*command, "-w", str(folder), str(tree)], capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = folder.glob("*.whl")
    return wheel, built.stdout + built.stderr
