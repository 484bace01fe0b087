"""Finds syntax of newer Python versions than this one.

A learner on Colab may have a newer Python than the grader. Code that runs there must not lose points here, so such a
submission needs review. `ruff` parses it, since it supports the syntax of all versions; no code runs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from manyheads.source.magics import count, without_magics

COLAB = (3, 13)  # Colab's Python in August 2026; the current one is in github.com/googlecolab/backend-info
_VERSION = re.compile(r" on Python [\d.]+ \(syntax was added in Python (3\.\d+)\)$")
_HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
_MOST = 50  # sources of one submission that are checked
_LIMIT = 20  # seconds


@dataclass(frozen=True)
class Newer:
    """Syntax that this Python does not support.

    Args:
        index: the index of the source, from 0.
        line: the line in the source, from 1.
        needs: the first version that supports it, e.g. "3.12".
    """

    index: int
    line: int
    needs: str

    @property
    def sentence(self) -> str:
        """The problem and what to do about it, for the instructor."""
        return (
            f"line {self.line} needs Python {self.needs}, and this is Python {_HERE}: "
            f"grade with Python {self.needs} or newer"
        )


def newer_syntax(sources: Iterable[str]) -> Newer | None:
    """Return the newest syntax in `sources`, which do not parse here; None if the sources are simply wrong.

    Sources with other syntax errors do not count.
    """
    checked = list(sources)[:_MOST]
    if not checked:
        return None
    with TemporaryDirectory() as folder:
        for index, source in enumerate(checked):
            Path(folder, f"{index}.py").write_text(_without_magics(source), encoding="utf-8")
        target = f"py{_HERE.replace('.', '')}"
        # ruff needs at least one rule (F632 is arbitrary); syntax errors are always reported.
        options = [
            "--isolated",
            "--no-cache",
            "--select",
            "F632",
            "--target-version",
            target,
            "--output-format",
            "json",
        ]
        command = [sys.executable, "-m", "ruff", "check", *options, folder]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_LIMIT, check=False)
            faults = json.loads(done.stdout)
        except (OSError, ValueError, subprocess.TimeoutExpired):  # unknown, then
            return None
    by_source: dict[int, list[Newer | None]] = {}
    for fault in faults:
        if fault["code"] not in (None, "invalid-syntax"):
            continue
        index = int(Path(fault["filename"]).stem)
        found = _VERSION.search(fault["message"])
        newer = Newer(index, fault["location"]["row"], found[1]) if found else None
        by_source.setdefault(index, []).append(newer)
    newest = [one for found in by_source.values() if None not in found for one in found if one]
    return max(newest, key=lambda one: int(one.needs.partition(".")[2]), default=None)


def _without_magics(source: str) -> str:
    """Return `source` with IPython's magics replaced by calls, with the same line numbers."""
    if not count(source):
        return source
    try:
        return without_magics(source) or source
    except Exception:  # IPython raises various exceptions for source that is not Python
        return source
