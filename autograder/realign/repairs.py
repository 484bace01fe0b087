"""The repairs that realignment made to a submission, as data, and the sentences that describe them.

`autograder.realign.realign` makes repairs. They are stored in the notebook's metadata until the record is written,
because nbgrader writes the notebook to a file in between and passes nothing else on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

METADATA_KEY = "manyheads"
NOTE_ID = "repairs"
_MOST_NAMES = 30  # in one sentence


class Kind(StrEnum):
    """A kind of repair."""

    RECOGNISED = "recognised"
    DUPLICATE = "duplicate"
    SPLIT = "split"
    MERGED = "merged"
    MISSING = "missing"
    MOVED = "moved"
    CELL_TYPE = "cell type"
    CHECK_EDITED = "check edited"
    UNKNOWN = "unknown cell"
    METADATA = "metadata"
    KERNEL = "kernel"
    FORMAT = "format"
    FILE = "file"


# The sentence for each kind of repair. {cells} are the affected cells.
SENTENCES: Mapping[Kind, str] = {
    Kind.RECOGNISED: (
        "These cells had lost nbgrader's id and were recognised by cell id, marker comment or code: {cells}."
    ),
    Kind.DUPLICATE: "These cells occurred more than once; the last one with a solution counts: {cells}.",
    Kind.SPLIT: "These exercises were split over several cells, which all count: {cells}.",
    Kind.MERGED: "These cells were merged with others and have been separated: {cells}.",
    Kind.MISSING: "These cells were missing and have been restored from the release: {cells}.",
    Kind.MOVED: "These cells came before code that they need and have been moved below it: {cells}.",
    Kind.CELL_TYPE: "These cells were not code cells any more and have been changed back: {cells}.",
    Kind.CHECK_EDITED: "These cells were changed and have been restored from the release: {cells}.",
    Kind.UNKNOWN: (
        "These are not graded cells of this chapter (perhaps of an older release); they are not graded: {cells}."
    ),
    Kind.METADATA: "In these cells, metadata that could affect how they run, such as tags, was removed: {cells}.",
    Kind.KERNEL: "The notebook named another kernel than the course's; it was run with the course's.",
    Kind.FORMAT: "The notebook was saved in an older notebook format, as Colab does, and has been converted.",
    Kind.FILE: "The file violates the notebook format in these points, but could be read: {cells}.",
}


@dataclass(frozen=True)
class Repair:
    """One repair.

    Args:
        cell: nbgrader's id of the released cell; "" for the whole notebook; for `Kind.FILE`, the fault in words.
    """

    kind: Kind
    cell: str = ""


def sentences(repairs: Iterable[Repair]) -> list[str]:
    """Return a sentence for each kind of repair, with the affected cells."""
    by_kind: dict[Kind, list[str]] = {}
    for repair in repairs:
        cells = by_kind.setdefault(repair.kind, [])
        if repair.cell and repair.cell not in cells:
            cells.append(repair.cell)
    return [SENTENCES[kind].format(cells=_listed(cells)) for kind, cells in by_kind.items()]


def repairs_cell(repairs: Iterable[Repair]) -> NotebookNode:
    """Return the Markdown cell that lists the repairs in the graded notebook and the feedback."""
    lines = ["**Repaired before grading.** Repairs cost no points."]
    lines += [f"- {sentence}" for sentence in sentences(repairs)]
    return new_markdown_cell("\n".join([lines[0], "", *lines[1:]]), id=NOTE_ID)


def store_repairs(notebook: NotebookNode, repairs: Iterable[Repair]) -> None:
    """Store `repairs` in the notebook's metadata, replacing anything that a learner may have put there."""
    notebook.metadata[METADATA_KEY] = {"repairs": [vars(repair) for repair in repairs]}


def stored_repairs(notebook: NotebookNode) -> tuple[Repair, ...]:
    """Return the repairs stored by `store_repairs`, () if there are none."""
    return from_json(notebook.metadata.get(METADATA_KEY, {}).get("repairs", ()))


def from_json(data: Iterable[Mapping[str, Any]]) -> tuple[Repair, ...]:
    """Return the repairs that were stored as `data`, without kinds that this version does not know."""
    return tuple(Repair(Kind(item["kind"]), item["cell"]) for item in data if item["kind"] in SENTENCES)


def presentable(name: str) -> str:
    """Return a cell's name from a learner's file if it is safe to show, else "a cell"."""
    return name if re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", name) else "a cell"


def _listed(cells: list[str]) -> str:
    shown = ", ".join(cells[:_MOST_NAMES])
    return f"{shown} and {len(cells) - _MOST_NAMES} more" if len(cells) > _MOST_NAMES else shown
