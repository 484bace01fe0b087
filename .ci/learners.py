"""Run the tests of what learners install, without the grader and on any system: in the environment that has it.

    python -m pip install ".[lab]"
    python -m pip install --constraint constraints.txt pytest pytest-timeout hypothesis jupytext
    python .ci/learners.py

Which tests these are follows from what they import: `manyheads`, and of the autograder only how chapters are read. They
start no kernel. Further arguments go to pytest.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_OTHERS = re.compile(
    r"^\s*(from|import) (autograder(?!\.course\.chapter )|tests(?!\.support\.figures )|\.)", re.MULTILINE
)
_OURS = re.compile(r"^from manyheads", re.MULTILINE)
LEAST = 10  # files: fewer mean that the patterns no longer find them


def learners_tests() -> list[Path]:
    """Return the files of tests that need the learners' packages alone."""
    sources = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py"))}
    return [path for path, text in sources.items() if _OURS.search(text) and not _OTHERS.search(text)]


def main() -> int:
    """Run them, and return pytest's exit code."""
    files = learners_tests()
    if len(files) < LEAST:
        print(f"Only {len(files)} files of tests were found.", file=sys.stderr)
        return 1
    command = [sys.executable, "-m", "pytest", "--noconftest", "-m", "not slow", *sys.argv[1:], *map(str, files)]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
