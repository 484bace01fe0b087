"""Cuts cells apart that were merged: what belongs to different released cells stands in pieces of its own again.

`autograder.realign.realign` calls this first. No text is lost: every line is in one of the pieces, in the same order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

from nbformat import NotebookNode

from ..notebook.lines import lines_of
from ..notebook.outline import outline
from .pieces import DEFINITION, Piece, piece_of, set_type
from .release import Release, Slot
from .repairs import MERGED, Repair

_MOST_CUTS = 300  # of one cell; a whole chapter merged into one has fewer
_MOST_IN_PROSE = 20  # definitions: the rest of the cell is read from each of them on


def cut_at_released_text(pieces: list[Piece], release: Release, repairs: list[Repair]) -> list[Piece]:
    """Cut where a marker, or the text of a released cell that is nowhere else, stands within a piece."""
    pieces = _cut(pieces, release, repairs, lambda piece: _marker_lines(piece, release))
    own = {piece.slot for piece in pieces}
    lost = [slot for slot in release.slots if (slot.checks or slot.imports) and slot not in own]
    pieces = _cut(pieces, release, repairs, lambda piece: _released_lines(piece, lost))
    return _cut(pieces, release, repairs, lambda piece: _text_lines(piece, release))


def cut_at_definitions(pieces: list[Piece], release: Release, repairs: list[Repair]) -> list[Piece]:
    """Cut where an exercise begins that has no cell of its own, in a piece that is something else's."""
    written = {piece.slot for piece in pieces if piece.slot and _writes(piece, piece.slot)}
    homeless = {name for name, slot in release.exercises.items() if slot not in written}
    return _cut(pieces, release, repairs, lambda piece: _definition_lines(piece, release, homeless))


def _writes(piece: Piece, slot: Slot) -> bool:
    """Return whether the exercise of `slot` is really written here: more than the stub that was handed out."""
    return piece.is_code and slot.exercise in piece.outline.binds and not slot.is_stub_in(piece.source)


def _cut(
    pieces: list[Piece], release: Release, repairs: list[Repair], starts: Callable[[Piece], Iterable[int]]
) -> list[Piece]:
    """Cut each piece before the lines (from 0) that `starts` names."""
    done = []
    for piece in pieces:
        wanted = set(itertools.islice(starts(piece), _MOST_CUTS)) - {0}  # before the first line is nothing to cut off
        if not wanted:
            done.append(piece)
            continue
        parts: list[list[str]] = [[]]
        has_text = False  # the last of them
        for number, line in enumerate(lines_of(piece.source)):
            if number in wanted and has_text:
                parts.append([])
                has_text = False
            parts[-1].append(line)
            has_text = has_text or bool(line.strip() and not (piece.is_code and line.startswith("#")))
        if len(parts) == 1 or not any(line.strip() for line in parts[-1]):
            done.append(piece)
            continue
        cut = [_part(piece, "\n".join(part).strip("\n"), release) for part in parts]
        heir = next((part for part in cut if piece.slot and _fits(part, piece.slot)), cut[0])
        if piece.slot and (heir.marked is None or heir.marked is piece.slot):
            heir.slot, heir.cell.metadata = piece.slot, piece.cell.metadata
            heir.cell.update({key: piece.cell[key] for key in ("id",) if key in piece.cell})
        repairs += [Repair(MERGED, name) for part in cut if (name := _name(part, release))]
        done += cut
    return done


def _name(part: Piece, release: Release) -> str:
    if part.slot:
        return part.slot.name
    return next((name for name in release.exercises if part.is_code and name in part.outline.defines), "")


def _part(piece: Piece, source: str, release: Release) -> Piece:
    cell = NotebookNode(piece.cell)
    cell.source, cell.metadata = source, NotebookNode()
    cell.pop("id", None)
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    part = piece_of(cell, release)
    if part.slot and part.slot.cell.cell_type == "markdown":
        set_type(part.cell, "markdown")
    return part


def _fits(part: Piece, slot: Slot) -> bool:
    return part.marked is slot or (bool(slot.exercise) and not slot.checks and slot.exercise in part.outline.binds)


def _marker_lines(piece: Piece, release: Release) -> Iterator[int]:
    """Where a marker stands within a piece, and where something else follows a check or an unwritten exercise."""
    lines = lines_of(piece.source)
    marked = [
        (number, slot)
        for number, line in enumerate(lines)
        if (slot := release.marked(line)) and not (piece.is_code and piece.outline.within(number + 1))
    ]
    for (number, slot), (following, _) in itertools.pairwise([*marked, (len(lines), None)]):
        yield number
        if not slot or not slot.exercise:
            continue
        body = lines_of(slot.body)
        start = next((n for n in range(number + 1, following) if lines[n].strip()), number + 1)
        end = start + len(body)
        if [line.rstrip() for line in lines[start:end]] == body:
            # Up to the next marker: to read all that follows, for each of many, would take the square of their number.
            rest = "\n".join(lines[end:following])
            if _binds(rest) if slot.checks else slot.exercise not in outline(rest).binds:
                yield end


def _binds(source: str) -> bool:
    return bool(outline(source).binds) or any(DEFINITION.match(line) for line in lines_of(source))


def _released_lines(piece: Piece, lost: list[Slot]) -> Iterator[int]:
    """Where a check, or the imports, stand that are nowhere else and have lost every name."""
    if not piece.is_code or (piece.slot and piece.slot.checks):
        return
    lines = [line.rstrip() for line in lines_of(piece.source)]
    for slot in lost:
        body = lines_of(slot.body)
        if body[0] not in lines:
            continue
        start = lines.index(body[0])
        if lines[start : start + len(body)] == body and not piece.outline.within(start + 1):
            yield from (start, start + len(body))


def _text_lines(piece: Piece, release: Release) -> Iterator[int]:
    """Where the lesson's prose stands within code that does not parse for it."""
    is_exercise = piece.slot is not None and piece.slot.exercise
    if piece.outline.parses or not (piece.is_code or is_exercise):
        return
    for slot in release.slots:
        if slot.cell.cell_type == "markdown" and (found := piece.source.find(slot.body)) > 0:
            yield piece.source.count("\n", 0, found)
            yield piece.source.count("\n", 0, found) + len(lines_of(slot.body))


def _definition_lines(piece: Piece, release: Release, homeless: set[str]) -> Iterator[int]:
    """Where exercises that are written nowhere else begin, in a piece that holds another one too."""
    lines = lines_of(piece.source)
    begun = [
        (found[1], number)
        for number, line in enumerate(lines)
        if (found := DEFINITION.match(line)) and found[1] in release.exercises
    ]
    if not piece.is_code and not piece.outline.parses:  # in prose, only what is Python to the end
        written_here = [number for name, number in begun if name in homeless]
        yield from (n for n in written_here[:_MOST_IN_PROSE] if outline("\n".join(lines[n:])).parses)
        return
    names = [name for name, _ in begun]
    owner = piece.slot.exercise if piece.slot and piece.slot.exercise in names else next(iter(names), "")
    for name, number in begun:
        if name in homeless and name != owner:
            while number > 0 and lines[number - 1].startswith(("@", "#")):
                number -= 1
            if not piece.outline.within(number + 1):  # a decorator's line is where its statement begins
                yield number
