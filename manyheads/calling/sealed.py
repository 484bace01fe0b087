"""Seals source that learners' files carry, so that nobody reads it by chance: not in a printed exam, not in a file.

It is a veil, not a lock: whoever wants to can open it. What must not be had while somebody is graded must not be there.
"""

from __future__ import annotations

import base64
import bz2  # its output is the same everywhere; zlib's is not, and fixtures are compared from one machine to the next

_MARK = "sealed:"


def sealed(source: str) -> str:
    """Return `source` as text that tells nothing to a reader. "" and text that is sealed already stay as they are."""
    if not source or source.startswith(_MARK):
        return source
    return _MARK + base64.b85encode(bz2.compress(source.encode())).decode("ascii")


def unsealed(text: str) -> str:
    """Return the source that `sealed` made `text` of; text that is not sealed as it is."""
    if not text.startswith(_MARK):
        return text
    return bz2.decompress(base64.b85decode(text.removeprefix(_MARK))).decode()
