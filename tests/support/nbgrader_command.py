"""Run an nbgrader command in a class folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from autograder.classroom.class_folder import ClassFolder


def nbgrader(folder: ClassFolder, *arguments: str, timeout: int = 300) -> subprocess.CompletedProcess[str]:
    """Run `nbgrader` with `arguments`, and return how it ended and what it printed. `timeout` is in seconds."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder.root,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
