"""Writes down what a part finds, as it finds it: a line for people on stdout, a line of JSON in a file.

Each part of `benchmarks/gpu.py` has one. A line is on the disk before the part goes on, so a part that is stopped or
crashes loses nothing that it has found.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.gpu import read_findings


class Findings:
    """What one part has found.

    Args:
        path: the file of JSON lines, one a finding. It may have some already: then the part was started again.
            A part may leave other files in the same folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.folder = path.parent
        self._all = read_findings(path)

    def has(self, what: str) -> bool:
        """Return whether `what` has been found already."""
        return any(found["what"] == what for found in self._all)

    def add(self, what: str, ok: bool, note: str = "", **facts: Any) -> None:
        """Write down a finding.

        Args:
            what: what was looked at, in words.
            ok: whether it is as it should be.
            note: what there is to say about it.
            facts: numbers and names that JSON can hold.
        """
        found = {"what": what, "ok": ok, "note": note, **facts}
        self._all.append(found)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found, ensure_ascii=False) + "\n")
        shown = " · ".join(filter(None, (what, *(f"{name} {value}" for name, value in facts.items()), note)))
        print(f"{'✓' if ok else '✗'} {shown}", flush=True)

    @property
    def ok(self) -> bool:
        """Whether something was found, and all of it is as it should be."""
        return bool(self._all) and all(found["ok"] for found in self._all)
