"""A piece: a cell of a submission, or a part of one, with the released cells that its names refer to.

`autograder.realign.realign` works on pieces. They are shallow copies of cells: fields are replaced, never mutated, so
that the submission itself does not change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nbformat import NotebookNode

from ..course.notebooks import grade_id
from ..notebook.lines import lines_of
from ..notebook.outline import Outline, outline
from .release import Release, Slot

DEFINITION = re.compile(
    r"(?:async\s+def|def|class)\s+(\w+)"
)  # matches at the start of a line, even in source that does not parse


@dataclass(eq=False)
class Piece:
    """A cell of the submission, or a part of one.

    Args:
        cell: a copy of the cell, whose fields may be replaced.
        slot: the released cell identified by its whole source, its metadata, its id or its marker, in this order.
        marked: the released cell identified by its marker.
    """

    cell: NotebookNode
    slot: Slot | None
    marked: Slot | None

    @property
    def source(self) -> str:
        return self.cell.source

    @property
    def is_code(self) -> bool:
        return self.cell.cell_type == "code"

    @property
    def outline(self) -> Outline:
        return outline(self.source)

    @property
    def is_blank(self) -> bool:
        """Whether it contains only whitespace and, in code, comments."""
        lines = (line.strip() for line in lines_of(self.source))
        return not any(line and not (self.is_code and line.startswith("#")) for line in lines)


def set_type(cell: NotebookNode, cell_type: str) -> None:
    """Change the type of `cell`, with the fields that the notebook format requires for it."""
    cell.cell_type = cell_type
    if cell_type == "code":
        cell.pop("attachments", None)
        cell.outputs, cell.execution_count = [], None
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


def piece_of(cell: NotebookNode, release: Release) -> Piece:
    """Return a copy of `cell` as a piece."""
    first_line = next((line for line in lines_of(cell.source) if line.strip()), "")
    # The exact text of a released cell is better evidence than its metadata or id, which copying and splitting change.
    slot = release.by_body.get(cell.source.strip()) or release.by_name.get(grade_id(cell))
    for name in (cell.get("id"), cell.metadata.get("id")):  # Colab stores ids in the metadata
        slot = slot or (release.by_id.get(name) if isinstance(name, str) else None)
    marked = release.marked(first_line)
    return Piece(NotebookNode(cell), slot or marked, marked)
