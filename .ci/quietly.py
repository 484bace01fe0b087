"""Run a command whose output only matters if it fails: say in one line what is done, keep the output in a log.

    python3 .ci/quietly.py LOG WHAT COMMAND...

pip says much that is not for the reader of `make demo`. What it downloads can take minutes, so on a terminal the line
shows how far that is; elsewhere each large file gets a line of its own. pip must be told `--progress-bar raw`.

It needs nothing but Python: it runs before anything is installed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

LARGE = 20e6  # bytes; smaller downloads are over in seconds
TAIL = 30  # lines of the log that are shown where the command fails

_DOWNLOADING = re.compile(r"Downloading (?:\S*/)?([\w.]+?)-\d\S* \(([\d.]+) (kB|MB|GB)\)")
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9}


class Line:
    """The line that says what is being done."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.on_terminal = sys.stdout.isatty()
        self.package = ""
        self.shown = 0.0
        print(what, end="" if self.on_terminal else "\n", flush=True)

    def read(self, said: str) -> None:
        """Take in a line of the command's output."""
        if found := _DOWNLOADING.search(said):
            self.package, size, unit = found.groups()
            if not self.on_terminal and float(size) * _UNITS[unit] >= LARGE:
                print(f"  downloading {self.package} ({size} {unit})", flush=True)
        elif (found := _PROGRESS.search(said)) and int(found[2]) >= LARGE:
            self._show(f"{self.package} {int(found[1]) / 1e6:.0f} of {int(found[2]) / 1e6:.0f} MB")
        elif said.startswith("Installing collected packages"):
            self._show("unpacking", at_once=True)

    def _show(self, how_far: str, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if self.on_terminal and (at_once or now - self.shown > 0.2):
            self.shown = now
            print(f"\r\033[K{self.what} {how_far}", end="", flush=True)

    def end(self) -> None:
        if self.on_terminal:
            print(f"\r\033[K{self.what}", flush=True)


def main(log: Path, what: str, command: list[str]) -> int:
    """Run `command`, and return its exit code."""
    line = Line(what)
    last: list[str] = []
    with log.open("a", encoding="utf-8") as file:
        print("$", *command, file=file, flush=True)
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for said in process.stdout:
                line.read(said)
                if not _PROGRESS.match(said):
                    file.write(said)
                    last = [*last, said][-TAIL:]
    line.end()
    if process.returncode:
        print(*last, sep="", end="", file=sys.stderr)
        print(f"This failed: {what} All that was said is in {log}.", file=sys.stderr)
    return process.returncode


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
    except KeyboardInterrupt:  # the command has got it too
        sys.exit(130)
