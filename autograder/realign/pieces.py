"""A piece: a cell of a submission, or a part of one, with what it says of where it belongs.

`autograder.realign.realign` works on these. They are copies, down to a cell's fields: what a field holds is replaced
and never changed, so that the submission itself stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nbformat import NotebookNode

from ..course.notebooks import grade_id
from ..notebook.lines import lines_of
from ..notebook.outline import Outline, outline
from .release import Release, Slot

DEFINITION = re.compile(r"(?:async\s+def|def|class)\s+(\w+)")  # at a line's start, in source that may not parse


@dataclass(eq=False)
class Piece:
    """A cell of the submission, or a part of one.

    Args:
        cell: a copy of the cell that may be changed.
        slot: the released cell that its whole source, its metadata, its id or its marker names, in this order.
        marked: the released cell that its marker names.
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
        """Whether there is nothing but space and, in code, comments."""
        lines = (line.strip() for line in lines_of(self.source))
        return not any(line and not (self.is_code and line.startswith("#")) for line in lines)


def set_type(cell: NotebookNode, cell_type: str) -> None:
    """Make `cell` one of another type, with what the format asks of that type."""
    cell.cell_type = cell_type
    if cell_type == "code":
        cell.pop("attachments", None)
        cell.outputs, cell.execution_count = [], None
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


def piece_of(cell: NotebookNode, release: Release) -> Piece:
    """Return `cell` as a piece that may be changed."""
    first_line = next((line for line in lines_of(cell.source) if line.strip()), "")
    # A released cell's very text says more than a name beside it, which may have come with a copy or a cut.
    slot = release.by_body.get(cell.source.strip()) or release.by_name.get(grade_id(cell))
    for name in (cell.get("id"), cell.metadata.get("id")):  # Colab keeps ids in the metadata
        slot = slot or (release.by_id.get(name) if isinstance(name, str) else None)
    marked = release.marked(first_line)
    return Piece(NotebookNode(cell), slot or marked, marked)
