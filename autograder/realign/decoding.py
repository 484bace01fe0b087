"""Decodes a submitted file into JSON data, as leniently as possible without guessing.

Called by `autograder.realign.read_submission`. Faults that it tolerates are returned in words, to be reported.
"""

from __future__ import annotations

import json
from typing import Any

from nbformat import NotebookNode

_SPACE = " \t\r\n\0"  # ignored around the data; disks and uploads may append NUL bytes


class NotJson(ValueError):
    """The file is not JSON. The text is the reason, for the learner and the instructor."""


def decode(content: bytes) -> tuple[Any, list[str]]:
    """Return the JSON data in `content` and the tolerated faults, in words.

    Objects are `NotebookNode`s. The encoding is detected by the byte order mark, or by the positions of NUL bytes. Text
    after the data is ignored: programs that overwrite a longer file with a shorter one leave it there.

    Raises:
        NotJson: if it is not JSON in UTF-8, UTF-16 or UTF-32.
    """
    encoding = json.detect_encoding(content)
    try:
        text = content.decode(encoding)
    except UnicodeError:
        raise NotJson(
            "the file's encoding is not supported, neither here nor by Jupyter; the file as Jupyter or Colab saved it "
            "is needed"
        ) from None
    overlooked = [] if encoding.startswith("utf-8") else [f"it was saved as {encoding[:6].upper()}, not as UTF-8"]
    text = text.removeprefix("\ufeff").lstrip(_SPACE)
    try:
        data, end = json.JSONDecoder(object_hook=NotebookNode).raw_decode(text)
    except (ValueError, RecursionError):
        raise NotJson("the file is not JSON, so it is not a notebook; the .ipynb file itself is needed") from None
    if text[end:].strip(_SPACE):
        overlooked.append("there was text after the notebook's end, which was ignored")
    return data, overlooked


def whole_characters(text: str) -> str:
    """Return `text` with surrogate pairs joined, and lone surrogates replaced by "�".

    JSON may contain lone surrogates, but they cannot be written to a file.
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")
