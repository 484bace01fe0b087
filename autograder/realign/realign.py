"""Realigns a submission with the release, so that learners do not lose work by accident.

Submitted notebooks have cells duplicated, deleted, moved, split, merged, or without metadata, or were saved by other
programs. `autograder.nbgrader_steps.realign.Realign` calls `realign` before grading. It guarantees: every released cell
that nbgrader knows occurs once, with its own metadata, and checks come after the cells they need; every line that the
learner wrote is still there, in the same order; and all repairs are listed.

If an exercise is written several times, the last cell that defines it is used, because its definition remains when the
learner's own notebook runs from top to bottom. An unchanged stub is used only if there is nothing else. Code that
merely defines the exercise's name is used only if no cell with its metadata, id or marker holds a solution.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode
from rapidfuzz import fuzz

from ..course.notebooks import grade_id
from ..notebook.lines import lines_of
from .pieces import Piece, piece_of, set_type
from .place_cells import Item, place_checks, put_back, raise_imports
from .rejoin_split import join
from .release import Release, Slot, marker
from .released_imports import restore
from .repairs import NOTE_ID, Kind, Repair, presentable
from .separate_merged import cut_at_definitions, cut_at_released_text

_ALIKE = 75  # of 100: the similarity to a stub from which a cell counts as its exercise
_COMPARED = 4000  # characters of each cell
_MOST_COMPARED = 300  # cells
_MOST_PASSES = 4
# Metadata that editors store for themselves. Removing it has no effect, so it is not reported.
_EDITORS_OWN = {
    "ExecuteTime", "cellView", "colab", "colab_type", "collapsed", "deletable", "editable", "execution",
    "executionInfo", "heading_collapsed", "id", "jupyter", "nbgrader", "outputId", "scrolled", "trusted", "vscode",
}  # fmt: skip


@dataclass(frozen=True)
class Realigned:
    """A realigned submission.

    Args:
        notebook: the notebook to grade.
        repairs: the repairs, in no particular order.
    """

    notebook: NotebookNode
    repairs: tuple[Repair, ...]


def realign(submission: NotebookNode, release: Release) -> Realigned:
    """Return `submission` realigned with `release`. `submission` itself is not changed.

    It never raises for a notebook that `nbformat` can read. Passes are repeated until nothing changes, because one
    repair may enable another: a cell that is cut out of prose may be half of a split one.
    """
    notebook, repairs = _pass(submission, release)
    for _ in range(_MOST_PASSES if repairs else 0):
        before = notebook
        notebook, more = _pass(before, release)
        if notebook == before:
            break
        repairs += more
    return Realigned(notebook, tuple(dict.fromkeys(repairs)))


def _pass(submission: NotebookNode, release: Release) -> tuple[NotebookNode, list[Repair]]:
    repairs: list[Repair] = []
    pieces = [piece_of(cell, release) for cell in submission.cells if cell.get("id") != NOTE_ID]
    pieces = cut_at_released_text(pieces, release, repairs)
    pieces = join(pieces, release, repairs)
    pieces = cut_at_definitions(pieces, release, repairs)
    chosen = {slot: piece for slot in release.exercises.values() if (piece := _written(slot, pieces, release))}
    chosen |= _similar(pieces, chosen, release)
    exercise_pieces = set(map(id, chosen.values()))
    for piece in pieces:  # of duplicate checks the last one counts; of other duplicates, the first
        slot = piece.slot
        if slot and id(piece) not in exercise_pieces and (slot.checks or not (slot.exercise or slot in chosen)):
            chosen[slot] = piece
    slots = {id(piece): slot for slot, piece in chosen.items()}
    items = [item for piece in pieces for item in _settled(piece, slots.get(id(piece)), release, repairs)]
    items = put_back(items, release, repairs)
    items = raise_imports(items, repairs)
    items = place_checks(items, release, repairs)
    return _notebook(submission, items, release, repairs), repairs


def _written(slot: Slot, pieces: Sequence[Piece], release: Release) -> Piece | None:
    """Return the piece in which the exercise of `slot` is written, None if there is none."""
    ranked = [(_rank(piece, slot, release), index) for index, piece in enumerate(pieces)]
    best = max(ranked, default=(0, 0))
    return pieces[best[1]] if best[0] > 0 else None


def _rank(piece: Piece, slot: Slot, release: Release) -> int:
    """Rank `piece` as a candidate for the exercise of `slot`: 0 if it is none."""
    outline, own = piece.outline, piece.slot is slot
    if slot.exercise not in outline.defines and not (own and outline.defines.isdisjoint(release.exercises)):
        return 0  # not a candidate, or it defines another exercise, whatever its metadata says
    if slot.exercise in outline.binds:
        if slot.is_stub_in(piece.source):
            return 3 if piece.is_code else 2
        return (9 if own else 8) if piece.is_code else (7 if own else 6)
    if piece.is_blank:
        return 1
    if piece.is_code:
        return 5 if not outline.parses else 4
    return 2 if piece.marked is not slot else 0  # prose may quote a marker


def _similar(pieces: Sequence[Piece], chosen: dict[Slot, Piece], release: Release) -> dict[Slot, Piece]:
    """Return pieces that have lost all names, but are similar to the stub of a missing exercise."""
    missing = [slot for slot in release.exercises.values() if slot not in chosen]
    taken = {id(piece) for piece in chosen.values()}
    others = release.exercises.keys()
    nameless = [
        piece
        for piece in pieces
        if piece.is_code and not (piece.slot or piece.is_blank or id(piece) in taken or piece.outline.binds & others)
    ]
    found: dict[Slot, Piece] = {}
    for slot in missing:
        for piece in reversed(nameless[:_MOST_COMPARED]):
            alike = fuzz.ratio(piece.source[:_COMPARED], slot.cell.source[:_COMPARED], score_cutoff=_ALIKE)
            if alike and id(piece) not in {id(other) for other in found.values()}:
                found[slot] = piece
                break
    return found


def _settled(piece: Piece, slot: Slot | None, release: Release, repairs: list[Repair]) -> list[Item]:
    """Return the items for `piece` as the released cell `slot`, or as the learner's own cell if that is None."""
    return _released(piece, slot, repairs) if slot else _own(piece, release, repairs)


def _own(piece: Piece, release: Release, repairs: list[Repair]) -> list[Item]:
    """Return the items for a cell that is not a released one; none if it is only a copy of a stub or check."""
    lost = piece.slot if piece.slot and piece.slot.exercise else None
    copy_of = _stub_of(piece, release) or (
        lost if lost and lost.checks and not _others_text(piece.source, lost) else None
    )
    if copy_of is not None:
        repairs.append(Repair(Kind.DUPLICATE, copy_of.name))
        return []
    if lost and not lost.checks and piece.is_code and not piece.is_blank:
        twice = lost.exercise in piece.outline.binds
        repairs.append(Repair(Kind.DUPLICATE if twice else Kind.SPLIT, lost.name))
    if grade_id(piece.cell) in release.questions:
        return [Item(piece.cell, None, piece)]
    unknown = "" if lost else grade_id(piece.cell) or _foreign_name(piece.source, release)
    if unknown:
        repairs.append(Repair(Kind.UNKNOWN, presentable(unknown)))
    return [Item(piece.cell, None, piece)]


def _released(piece: Piece, slot: Slot, repairs: list[Repair]) -> list[Item]:
    """Give a piece its released cell's type and, for a check, its text. Other code in a check gets its own cell."""
    if slot.name and grade_id(piece.cell) != slot.name:
        repairs.append(Repair(Kind.RECOGNISED, slot.name))
    if (slot.name or slot.imports) and not piece.is_code:
        repairs.append(Repair(Kind.CELL_TYPE, slot.name or "imports"))
        set_type(piece.cell, "code")
    item = Item(piece.cell, slot, piece)
    if slot.imports and not slot.exercise and piece.source.strip() != slot.cell.source.strip():
        return [item, *(Item(cell, None, None) for cell in restore(piece, slot, repairs))]
    if not slot.checks or piece.source == slot.cell.source:
        return [item]
    beside = [Item(_extra(piece), None, None)] if _others_text(piece.source, slot) else []
    if piece.source.strip() not in (slot.cell.source.strip(), slot.body):
        repairs.append(Repair(Kind.CHECK_EDITED, slot.name))
    piece.cell.source = slot.cell.source
    return [*beside, item]


def _stub_of(piece: Piece, release: Release) -> Slot | None:
    code = piece.outline.code
    return next((slot for slot in release.exercises.values() if piece.is_code and code and code == slot.stub), None)


def _foreign_name(source: str, release: Release) -> str:
    first_line = source.lstrip().partition("\n")[0]
    found = marker(first_line)
    return found[1] if found and release.marked(first_line) is None else ""


def _others_text(source: str, slot: Slot) -> bool:
    """Return whether a check cell contains code that is not the release's."""
    released = {line.strip() for line in lines_of(slot.cell.source)}
    lines = (line.strip() for line in lines_of(source))
    return any(line and not line.startswith("#") and line not in released for line in lines)


def _extra(piece: Piece) -> NotebookNode:
    cell = copy.deepcopy(piece.cell)
    cell.pop("id", None)
    return cell


def _notebook(submission: NotebookNode, items: Sequence[Item], release: Release, repairs: list[Repair]) -> NotebookNode:
    """Return the notebook of `items`, with the metadata and ids of the release."""
    released_ids = {slot.cell.id for slot in release.slots}
    used: set[str] = set()
    asked: set[str] = set()  # only the first copy of a question is graded: nbgrader refuses duplicate ids
    for number, item in enumerate(items):
        cell = item.cell
        question = release.questions.get(grade_id(cell)) if item.slot is None else None
        unknown = {key for key in cell.metadata if key not in _EDITORS_OWN}
        if item.slot is None or item.piece is not None:
            expected = item.slot.cell.metadata if item.slot else {}
            if unknown - set(expected):
                repairs.append(Repair(Kind.METADATA, item.slot.name if item.slot and item.slot.name else "a cell"))
            cell.metadata = nbformat.from_dict(item.slot.cell.metadata if item.slot else {})  # a copy, of all of it
        wanted = item.slot.cell.id if item.slot else cell.get("id") or ""
        if item.slot is None and (
            wanted in released_ids or wanted in used or not re.fullmatch(r"[\w-]{1,64}", wanted, re.ASCII)
        ):
            wanted = _new_id(number, used | released_ids)
        cell.id = wanted
        used.add(wanted)
        if question is not None and (name := grade_id(question)) not in asked:
            asked.add(name)
            cell.metadata = nbformat.from_dict(question.metadata)
            if cell.cell_type != question.cell_type:
                set_type(cell, question.cell_type)
    if submission.metadata.get("kernelspec", {}).get("name") != release.notebook.metadata.kernelspec.name:
        repairs.append(Repair(Kind.KERNEL))
    if (submission.nbformat, submission.nbformat_minor) < (release.notebook.nbformat, release.notebook.nbformat_minor):
        repairs.append(Repair(Kind.FORMAT))
    return NotebookNode(
        nbformat=release.notebook.nbformat,
        nbformat_minor=release.notebook.nbformat_minor,
        metadata=copy.deepcopy(release.notebook.metadata),
        cells=[item.cell for item in items],
    )


def _new_id(number: int, used: set[str]) -> str:
    name = f"extra-{number}"
    while name in used:
        name += "-x"
    return name
