"""Runs an nbgrader command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def nbgrader(
    folder: Path, *arguments: str, home: Path | None = None, timeout: int = 300
) -> subprocess.CompletedProcess[str]:
    """Run `nbgrader` with `arguments` in `folder`, and return its exit status and output.

    Args:
        home: the home directory, by default this user's.
        timeout: in seconds.
    """
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path, **({"HOME": str(home)} if home else {})},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
