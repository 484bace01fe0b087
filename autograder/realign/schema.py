"""Makes a valid notebook from data with harmless violations of the notebook format, which Jupyter opens as well.

`autograder.realign.read_submission` calls it, and `autograder.nbgrader_steps.realign` if nbgrader has read the file. It
reads the valid parts of a cell's type, text, id, attachments and metadata. Outputs are left out, because no grade
depends on them. The violations are returned in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nbformat import NotebookNode

from .decoding import whole_characters

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
_CODE_FIELDS = {"cell_type", "metadata", "source", "id", "outputs", "execution_count"}
_TEXT_FIELDS = {"cell_type", "metadata", "source", "id", "attachments"}
_OLD_FIELDS = {"input", "language", "prompt_number", "collapsed", "level", "rendered"}  # format 3
_FIELDS = {"cells", "metadata", "nbformat", "nbformat_minor", "worksheets", "orig_nbformat"}


class NoNotebook(ValueError):
    """The data is not a notebook. The text is the reason, for the learner and the instructor."""


def repaired(data: Any) -> tuple[NotebookNode, list[str]]:
    """Return the notebook in `data`, in format 4, and the violations in words. `data` itself is not changed.

    The notebook is valid except for ids: each id is well-formed, but several cells may share one, and older formats
    keep ids that they do not allow. Realignment resolves that.

    Raises:
        NoNotebook: if it has no list of cells, or its format is newer than 4.
    """
    if not isinstance(data, dict) or not ("nbformat" in data or isinstance(data.get("cells"), list)):
        raise NoNotebook("the file is JSON, but not a notebook; the .ipynb file itself is needed")
    overlooked: dict[str, None] = {}

    def overlook(what: str) -> None:
        overlooked[what] = None

    major = _number(data.get("nbformat"))
    minor = _number(data.get("nbformat_minor", 0))
    if major is None or type(data.get("nbformat")) is not int or type(data.get("nbformat_minor", 0)) is not int:
        overlook("the number of its format")
    if major is not None and (major > 4 or major < 2):
        raise NoNotebook(
            f"the notebook has format {str(data['nbformat'])[:20]}, and format 4 is needed: "
            "open it in JupyterLab, save it, and submit it again"
        )
    found = _cells(data)
    if found is None:
        raise NoNotebook("the notebook is damaged: it has no list of cells; the .ipynb file itself is needed")
    if data.keys() - _FIELDS:
        overlook("fields that the format does not know")
    cells = [_cell(cell, overlook) for cell in found if isinstance(cell, dict)]
    if (minor or 0) < 5 and major == 4 and any("id" in cell for cell in cells):
        overlook("cell ids, which its format does not have")
    if len(cells) < len(found):
        overlook("entries in the list of cells that are not cells")
    metadata = NotebookNode()
    kernel = _dict(data.get("metadata"), "the notebook's metadata", overlook).get("kernelspec")
    if kernel is not None:
        name, shown = (kernel.get(key) if isinstance(kernel, dict) else None for key in ("name", "display_name"))
        if isinstance(name, str):
            metadata.kernelspec = NotebookNode(name=name, display_name=shown if isinstance(shown, str) else name)
        if not (isinstance(name, str) and isinstance(shown, str)):
            overlook("the notebook's metadata")
    # Keep the old minor version, so that realignment reports the conversion.
    minor = 0 if major in (2, 3) else min(minor or 0, 5)
    return NotebookNode(nbformat=4, nbformat_minor=minor, metadata=metadata, cells=cells), list(overlooked)


def _cells(data: Mapping[str, Any]) -> list[Any] | None:
    """Return the list of cells, None if there is none. Formats 2 and 3 have a list in each worksheet."""
    if isinstance(data.get("cells"), list):
        return data["cells"]
    sheets = data.get("worksheets")
    if not isinstance(sheets, list):
        return None
    lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return [cell for cells in lists if isinstance(cells, list) for cell in cells]


def _cell(cell: Mapping[str, Any], overlook: Callable[[str], None]) -> NotebookNode:
    kind, source = _kind(cell, overlook), _source(cell, overlook)
    if cell.get("cell_type") == "heading":
        level = _number(cell.get("level")) or 1
        source = f"{'#' * max(1, min(level, 6))} {source}"
    made = NotebookNode(cell_type=kind, source=source, metadata=_metadata(cell, overlook))
    if kind == "code":
        made.update(outputs=[], execution_count=None)
        if not isinstance(cell.get("outputs", []), list):
            overlook("outputs")
    elif attachments := _attachments(cell, overlook):
        made.attachments = attachments
    needed = ("metadata", "outputs", "execution_count") if kind == "code" and "input" not in cell else ("metadata",)
    if not cell.keys() >= set(needed):
        overlook("missing fields")
    name = cell.get("id")
    if isinstance(name, str) and _ID.fullmatch(name):
        made.id = name
    elif name is not None:
        overlook("a cell's id")
    if kind != "code" and not cell.keys().isdisjoint({"outputs", "execution_count"}):
        overlook("outputs in a text cell")
    elif cell.keys() - (_CODE_FIELDS if kind == "code" else _TEXT_FIELDS) - _OLD_FIELDS:
        overlook("fields that the format does not know")
    return made


def _kind(cell: Mapping[str, Any], overlook: Callable[[str], None]) -> str:
    kind = cell.get("cell_type")
    if kind in ("code", "markdown", "raw"):
        return kind
    if kind in ("heading", "html"):  # format 3
        return "markdown"
    overlook("a cell's type")
    known = kind.strip().lower() if isinstance(kind, str) else ""
    if known in ("code", "markdown", "raw"):
        return known
    return "raw" if cell.keys().isdisjoint({"outputs", "execution_count", "input"}) else "code"


def _source(cell: Mapping[str, Any], overlook: Callable[[str], None]) -> str:
    source = cell.get("source", cell.get("input"))
    if isinstance(source, list):
        lines = [line for line in source if isinstance(line, str)]
        if len(lines) < len(source):
            overlook("a cell's text")
        if len(lines) > 1 and not any(line.endswith("\n") for line in lines):
            overlook("lines without their ends")
            text = "\n".join(lines)
        else:
            text = "".join(lines)
    elif isinstance(source, str):
        text = source
    else:
        overlook("a cell's text")
        text = ""
    whole = whole_characters(text)
    if whole != text and "\ufffd" in whole:
        overlook("an incomplete character in a cell's text")
    # The line ends that Python's parser knows are unified, so that other code needs to handle only one.
    return whole.replace("\r\n", "\n").replace("\r", "\n")


def _metadata(cell: Mapping[str, Any], overlook: Callable[[str], None]) -> NotebookNode:
    """Return a cell's metadata without invalid entries. Nested values are emptied, except nbgrader's."""
    valid = NotebookNode()
    for key, value in _dict(cell.get("metadata"), "a cell's metadata", overlook).items():
        if not _is_allowed(key, value):
            overlook("a cell's metadata")
        elif key == "nbgrader" and isinstance(value, dict):
            valid[key] = NotebookNode({name: _flat(item) for name, item in value.items()})
        else:
            valid[whole_characters(key)] = _flat(value)
    return valid


def _is_allowed(key: str, value: Any) -> bool:
    if key in ("collapsed", "deletable", "editable"):
        return isinstance(value, bool)
    if key == "scrolled":
        return isinstance(value, bool) or value == "auto"
    if key in ("format", "name"):
        return isinstance(value, str) and (value != "" or key == "format")
    if key == "tags":
        return isinstance(value, list) and all(isinstance(tag, str) and "," not in tag for tag in value)
    return key not in ("jupyter", "execution") or isinstance(value, dict)


def _flat(value: Any) -> Any:
    """Return `value` if it is a scalar, else an empty list or dict."""
    if isinstance(value, str):
        return whole_characters(value)
    return NotebookNode() if isinstance(value, dict) else [] if isinstance(value, list) else value


def _attachments(cell: Mapping[str, Any], overlook: Callable[[str], None]) -> NotebookNode:
    valid = NotebookNode()
    for name, bundle in _dict(cell.get("attachments"), "an attachment", overlook).items():
        contents = dict(_contents(bundle)) if isinstance(bundle, dict) else {}
        if contents:
            valid[whole_characters(name)] = NotebookNode(contents)
        else:
            overlook("an attachment")
    return valid


def _contents(bundle: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for kind, content in bundle.items():
        lines = content if isinstance(content, list) else [content]
        if all(isinstance(line, str) for line in lines):
            yield whole_characters(kind), whole_characters("".join(lines))


def _dict(value: Any, what: str, overlook: Callable[[str], None]) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, dict):
        overlook(what)
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int | None:
    """Return an integer that may be given as text or float, None for anything else."""
    if isinstance(value, (str, float)):
        try:
            return int(float(value)) if len(str(value)) < 20 else None
        except (ValueError, OverflowError):
            return None
    return value if type(value) is int else None
