"""Seals source in learners' files, so that it is not read by accident: not in a printed exam, not in a file.

This is not encryption: anyone can unseal it. Source that must not be available during grading must not be there.
"""

from __future__ import annotations

import base64
import bz2  # its output is the same everywhere; zlib's is not, and fixtures are compared across machines

_MARK = "sealed:"


def sealed(source: str) -> str:
    """Return `source` as unreadable text. "" and text that is sealed already are returned unchanged."""
    if not source or source.startswith(_MARK):
        return source
    return _MARK + base64.b85encode(bz2.compress(source.encode())).decode("ascii")


def unsealed(text: str) -> str:
    """Return the source that `sealed` converted to `text`; text that is not sealed is returned unchanged."""
    if not text.startswith(_MARK):
        return text
    return bz2.decompress(base64.b85decode(text.removeprefix(_MARK))).decode()
