"""Runs an nbgrader command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support import warm_command


def nbgrader(
    folder: Path, *arguments: str, home: Path | None = None, timeout: int = 300, anew: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run `nbgrader` with `arguments` in `folder`, and return its exit status and output.

    Args:
        home: the home directory, by default this user's.
        timeout: in seconds.
        anew: whether to run it in a new Python, as a person does: that takes seconds longer.
    """
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, **({"HOME": str(home)} if home else {})}
    if not anew:
        return warm_command.run("nbgrader", arguments, folder, environment, timeout)
    command = [sys.executable, "-m", "nbgrader", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout)
