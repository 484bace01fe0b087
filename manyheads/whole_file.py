"""Writes a file atomically: whenever the command is stopped, the file is complete or unchanged."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: Path) -> Generator[Path]:
    """Yield a temporary path in the same folder; at the end of the block, its file replaces `path`.

    If the block raises, `path` is unchanged and the temporary file is deleted.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name[:40]}.{os.getpid()}.new")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
