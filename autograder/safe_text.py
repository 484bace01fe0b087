"""Removes terminal escapes, control characters and bidirectional marks from text that learners wrote.

All code that prints such text, or puts it into a message, a notebook or a page, calls this module first.
"""

from __future__ import annotations

import re
import unicodedata

_LONGEST_TEXT = 4000  # characters: the repr of a learner's object may be of any length
_ESCAPES = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c\x9d]*(?:\x07|\x1b\\|\x9c)"  # operating system commands: titles, links
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor moves
    r"|\x1b[ -/]*[0-~]",  # all others
)
_REORDERING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,40}m")


def clean(text: str) -> str:
    """Return `text` without terminal escapes, control characters and marks that change the reading direction.

    Line ends and tabs stay. Text over 4000 characters is cut.
    """
    cleaned = "".join(
        "\ufffd" if unicodedata.category(char) == "Cs" else char  # a lone surrogate cannot be encoded as UTF-8
        for char in _ESCAPES.sub("", text)
        if char in "\n\t" or (unicodedata.category(char) != "Cc" and char not in _REORDERING)
    )
    return cleaned if len(cleaned) <= _LONGEST_TEXT else f"{cleaned[:_LONGEST_TEXT]}… (cut: {len(cleaned)} characters)"


def without_controls(text: str) -> str:
    """Return `text` without control characters and terminal escapes, except colours, which notebooks show."""
    parts: list[str] = []
    end = 0
    for found in _COLOUR.finditer(text):
        parts += [_plain(text[end : found.start()]), found[0]]
        end = found.end()
    return "".join([*parts, _plain(text[end:])])


def _plain(text: str) -> str:
    return _CONTROLS.sub("", _ESCAPES.sub("", text))
