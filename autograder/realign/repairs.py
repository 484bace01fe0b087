"""A repair: what realignment mended in one submission, as data, and the sentences that tell people of it.

`autograder.realign.realign` makes them; they travel in the notebook's own metadata from sanitising to the record,
because nbgrader writes the notebook to a file in between and carries nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

METADATA_KEY = "manyheads"
NOTE_ID = "repairs"
_MOST_NAMES = 30  # in one sentence

# Each kind of repair with its sentence. {cells} are the cells that it happened to.
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
SENTENCES: Mapping[str, str] = {
    RECOGNISED: "Lost nbgrader's name, and recognised by cell id, marker comment or code: {cells}.",
    DUPLICATE: "Were there several times: {cells}. The last one that is written counts.",
    SPLIT: "Had been split over several cells, and all of them count: {cells}.",
    MERGED: "Had been merged with other cells, and were taken out again: {cells}.",
    MISSING: "Were missing, and were put back as they were handed out: {cells}.",
    MOVED: "Stood before what they need, and were moved below it: {cells}.",
    CELL_TYPE: "Were no code cells any more, and were turned back: {cells}.",
    CHECK_EDITED: "Had been changed, and were put back as they were handed out: {cells}.",
    UNKNOWN: "Are no graded cells of this chapter (an older release may have had them); they stay, ungraded: {cells}.",
    METADATA: "Lost settings that could have changed how they run, such as tags: {cells}.",
    KERNEL: "The notebook named another kernel than the course's; it was run with the course's.",
    FORMAT: "The notebook was saved in an older form, as Colab does; it was brought up to date.",
    FILE: "The file had slips that the notebook format forbids, and it was read all the same: {cells}.",
}


@dataclass(frozen=True)
class Repair:
    """One thing that was mended.

    Args:
        kind: what, a key of `SENTENCES`.
        cell: which released cell, by nbgrader's name; "" for the whole notebook; of a file's slip, what it is.
    """

    kind: str
    cell: str = ""


def sentences(repairs: Iterable[Repair]) -> list[str]:
    """Return one sentence for each kind of repair, with the cells that it happened to."""
    by_kind: dict[str, list[str]] = {}
    for repair in repairs:
        cells = by_kind.setdefault(repair.kind, [])
        if repair.cell and repair.cell not in cells:
            cells.append(repair.cell)
    return [SENTENCES[kind].format(cells=_listed(cells)) for kind, cells in by_kind.items()]


def note(repairs: Iterable[Repair]) -> NotebookNode:
    """Return the markdown cell that tells the feedback's reader what was mended."""
    lines = ["**Mended before grading.** No points were taken for it."]
    lines += [f"- {sentence}" for sentence in sentences(repairs)]
    return new_markdown_cell("\n".join([lines[0], "", *lines[1:]]), id=NOTE_ID)


def keep(notebook: NotebookNode, repairs: Iterable[Repair]) -> None:
    """Write `repairs` into the notebook's metadata, in place of whatever a learner has put there."""
    notebook.metadata[METADATA_KEY] = {"repairs": [vars(repair) for repair in repairs]}


def kept(notebook: NotebookNode) -> tuple[Repair, ...]:
    """Return what `keep` wrote, () where it was never called."""
    return from_json(notebook.metadata.get(METADATA_KEY, {}).get("repairs", ()))


def from_json(data: Iterable[Mapping[str, Any]]) -> tuple[Repair, ...]:
    """The way back from `vars` of each repair. A kind that this version does not know is left out."""
    return tuple(Repair(item["kind"], item["cell"]) for item in data if item["kind"] in SENTENCES)


def presentable(name: str) -> str:
    """Return a cell's name as a learner's file gives it, where it is one that can be shown; else a general word."""
    return name if re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", name) else "a cell"


def _listed(cells: list[str]) -> str:
    shown = ", ".join(cells[:_MOST_NAMES])
    return f"{shown} and {len(cells) - _MOST_NAMES} more" if len(cells) > _MOST_NAMES else shown
