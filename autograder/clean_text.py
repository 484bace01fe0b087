"""Takes out of a text what could act on the screen of whoever reads it. The report writes no other."""

from __future__ import annotations

import re
import unicodedata

_LONGEST_TEXT = 4000  # characters of one text: a message ends in print, whatever a learner's repr holds
_ESCAPES = re.compile(
    r"(?:\x1b\]|\x9d).*?(?:\x07|\x1b\\|\x9c)"  # operating system commands: titles, links
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor moves
    r"|\x1b[ -/]*[0-~]",  # all others
    re.DOTALL,
)
_REORDERING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: str) -> str:
    """Return `text` without what could act on a reader's screen: terminal escapes, control characters, and marks
    that turn the reading direction. Very long text is cut.
    """
    kept = "".join(
        "\ufffd" if unicodedata.category(char) == "Cs" else char  # half a character: UTF-8 cannot hold it
        for char in _ESCAPES.sub("", text)
        if char in "\n\t" or (unicodedata.category(char) != "Cc" and char not in _REORDERING)
    )
    return kept if len(kept) <= _LONGEST_TEXT else f"{kept[:_LONGEST_TEXT]}… (cut: {len(kept)} characters)"
