"""Rejoins cells that were split in the middle: pieces that parse only together.

`autograder.realign.realign` calls this after separating merged cells.
"""

from __future__ import annotations

from ..notebook.lines import lines_of
from ..notebook.outline import outline, starts_indented
from .pieces import DEFINITION, Piece
from .release import Release
from .repairs import Kind, Repair

_MOST_PARTS = 5  # per join
_MOST_JOINS = 50  # per cell


def join(pieces: list[Piece], release: Release, repairs: list[Repair]) -> list[Piece]:
    """Return `pieces` with the parts of split exercises joined."""
    pieces = list(pieces)
    for index, piece in enumerate(pieces):
        exercise = _exercise_begun(piece, release)
        if not exercise:
            continue
        for _ in range(_MOST_JOINS):
            last = _end_of_split(pieces, index, exercise)
            if last is None:
                break
            piece.cell.source = "\n".join(part.source for part in pieces[index : last + 1] if part.source.strip())
            piece.slot = release.exercises[exercise]
            repairs.append(Repair(Kind.SPLIT, exercise))
            del pieces[index + 1 : last + 1]
    return pieces


def _exercise_begun(piece: Piece, release: Release) -> str:
    if piece.slot and piece.slot.exercise:
        return "" if piece.slot.checks else piece.slot.exercise
    if not piece.is_code:
        return ""
    names = (found[1] for line in lines_of(piece.source) if (found := DEFINITION.match(line)))
    return next((name for name in names if name in release.exercises), "")


def _end_of_split(pieces: list[Piece], index: int, exercise: str) -> int | None:
    """Return the index of the last piece that continues the one at `index`, None if there is none."""
    source, fragments = pieces[index].source, not pieces[index].outline.parses
    for last in range(index + 1, min(index + _MOST_PARTS, len(pieces))):
        part = pieces[last]
        if part.is_blank:
            continue
        if not part.is_code or part.marked or (part.slot and part.slot.exercise != exercise):
            return None
        fragments = fragments or starts_indented(part.source) or not part.outline.parses
        source += "\n" + part.source
        if fragments and exercise in outline(source).binds:
            return last
    return None
