"""Turns a handed-in file's bytes into JSON data, as forgivingly as that can be done without guessing.

`autograder.realign.read_submission` calls it. What it overlooks comes back as words, so that it can be told.
"""

from __future__ import annotations

import json
from typing import Any

from nbformat import NotebookNode

_SPACE = " \t\r\n\0"  # what a disk or an upload may leave behind the end, and means nothing


class NotJson(ValueError):
    """Bytes that hold no JSON. Its text is the reason, for the learner and the instructor."""


def decode(content: bytes) -> tuple[Any, list[str]]:
    """Return the JSON data in `content` and what was overlooked in it, in words.

    Objects are `NotebookNode`s. The encoding is told by the file's mark, or by where its zeros are. Text behind the
    end of the data is left out: programs that write a shorter file over a longer one leave it there.

    Raises:
        NotJson: if it is in another encoding, or not JSON.
    """
    encoding = json.detect_encoding(content)
    try:
        text = content.decode(encoding)
    except UnicodeError:
        raise NotJson(
            "the file is in an encoding that is not known here, and that Jupyter does not read either: ask for the "
            "file as Jupyter or Colab saved it"
        ) from None
    overlooked = [] if encoding.startswith("utf-8") else [f"it was saved as {encoding[:6].upper()}, not as UTF-8"]
    text = text.removeprefix("\ufeff").lstrip(_SPACE)
    try:
        data, end = json.JSONDecoder(object_hook=NotebookNode).raw_decode(text)
    except (ValueError, RecursionError):
        raise NotJson("the file is not JSON, so it is not a notebook: ask for the .ipynb file itself") from None
    if text[end:].strip(_SPACE):
        overlooked.append("there was text after the notebook's end, which was left out")
    return data, overlooked


def whole_characters(text: str) -> str:
    """Return `text` with the halves of a character joined, and a half without its other half replaced by "�".

    JSON may hold half a surrogate pair; no file can.
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")
