"""Finds syntax that a newer Python knows and this one does not.

A learner on Colab may have a newer Python than the grader. What ran there must not cost points here, so such a
submission waits for a person. `ruff` reads it, which knows every Python's grammar; nothing of it runs.
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

COLAB = (3, 13)  # Colab's Python in August 2026; github.com/googlecolab/backend-info says what it is today
_VERSION = re.compile(r" on Python [\d.]+ \(syntax was added in Python (3\.\d+)\)$")
_HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
_MOST = 50  # sources that are read of one submission
_LIMIT = 20  # seconds


@dataclass(frozen=True)
class Newer:
    """Syntax that this Python lacks.

    Args:
        place: which of the sources holds it, from 0.
        line: its line there, from 1.
        needs: the Python that has it, "3.12".
    """

    place: int
    line: int
    needs: str

    @property
    def sentence(self) -> str:
        """What to do about it, for the instructor."""
        return (
            f"line {self.line} is written for Python {self.needs}, and this is Python {_HERE}: "
            f"grade with Python {self.needs} or newer"
        )


def newer_syntax(sources: Iterable[str]) -> Newer | None:
    """Return the newest syntax in `sources`, cells that do not parse here. None where there is none: they are wrong.

    A source with any other fault does not count.
    """
    kept = list(sources)[:_MOST]
    if not kept:
        return None
    with TemporaryDirectory() as folder:
        for place, source in enumerate(kept):
            Path(folder, f"{place}.py").write_text(_without_magics(source), encoding="utf-8")
        target = f"py{_HERE.replace('.', '')}"
        # F63 is none of our business, but ruff wants one rule; faults in the syntax are always told
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
        except (OSError, ValueError, subprocess.TimeoutExpired):  # then nobody knows
            return None
    by_place: dict[int, list[Newer | None]] = {}
    for fault in faults:
        if fault["code"] not in (None, "invalid-syntax"):
            continue
        place = int(Path(fault["filename"]).stem)
        found = _VERSION.search(fault["message"])
        newer = Newer(place, fault["location"]["row"], found[1]) if found else None
        by_place.setdefault(place, []).append(newer)
    newest = [one for found in by_place.values() if None not in found for one in found if one]
    return max(newest, key=lambda one: int(one.needs.partition(".")[2]), default=None)


def _without_magics(source: str) -> str:
    """Return `source` with IPython's magics as the calls they stand for, line by line as it was."""
    if not count(source):
        return source
    try:
        return without_magics(source) or source
    except Exception:  # IPython reads sources that are not Python, and fails in ways of its own
        return source
