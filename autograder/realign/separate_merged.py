"""Separates cells that were merged, so that the code of each released cell is in its own piece again.

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
from .repairs import Kind, Repair

_MOST_CUTS = 300  # per cell; a whole chapter merged into one cell needs fewer
_MOST_IN_PROSE = 20  # definitions per text cell; for each, the rest of the cell is parsed


def cut_at_released_text(pieces: list[Piece], release: Release, repairs: list[Repair]) -> list[Piece]:
    """Cut pieces at markers within them, and at the text of released cells that have no piece of their own."""
    pieces = _cut(pieces, release, repairs, lambda piece: _marker_lines(piece, release))
    own = {piece.slot for piece in pieces}
    lost = [slot for slot in release.slots if (slot.checks or slot.imports) and slot not in own]
    pieces = _cut(pieces, release, repairs, lambda piece: _released_lines(piece, lost))
    return _cut(pieces, release, repairs, lambda piece: _text_lines(piece, release))


def cut_at_definitions(pieces: list[Piece], release: Release, repairs: list[Repair]) -> list[Piece]:
    """Cut pieces at the definitions of exercises that have no piece of their own."""
    written = {piece.slot for piece in pieces if piece.slot and _writes(piece, piece.slot)}
    without_piece = {name for name, slot in release.exercises.items() if slot not in written}
    return _cut(pieces, release, repairs, lambda piece: _definition_lines(piece, release, without_piece))


def _writes(piece: Piece, slot: Slot) -> bool:
    """Return whether `piece` defines the exercise of `slot`, with more than the released stub."""
    return piece.is_code and slot.exercise in piece.outline.binds and not slot.is_stub_in(piece.source)


def _cut(
    pieces: list[Piece], release: Release, repairs: list[Repair], starts: Callable[[Piece], Iterable[int]]
) -> list[Piece]:
    """Cut each piece before the lines (from 0) that `starts` returns."""
    done = []
    for piece in pieces:
        wanted = set(itertools.islice(starts(piece), _MOST_CUTS)) - {0}  # no cut before the first line
        if not wanted:
            done.append(piece)
            continue
        parts: list[list[str]] = [[]]
        has_text = False  # whether the last part has text
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
        repairs += [Repair(Kind.MERGED, name) for part in cut if (name := _name(part, release))]
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
    """Yield the lines with markers in a piece, and the lines after a check or stub at which other code follows."""
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
            # Only up to the next marker: parsing the whole rest for each marker would take quadratic time.
            rest = "\n".join(lines[end:following])
            if _binds(rest) if slot.checks else slot.exercise not in outline(rest).binds:
                yield end


def _binds(source: str) -> bool:
    return bool(outline(source).binds) or any(DEFINITION.match(line) for line in lines_of(source))


def _released_lines(piece: Piece, lost: list[Slot]) -> Iterator[int]:
    """Yield the first line, and the line after the end, of the checks and imports `lost` in a piece."""
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
    """Yield the first line, and the line after the end, of the lesson's prose in code that does not parse."""
    is_exercise = piece.slot is not None and piece.slot.exercise
    if piece.outline.parses or not (piece.is_code or is_exercise):
        return
    for slot in release.slots:
        if slot.cell.cell_type == "markdown" and (found := piece.source.find(slot.body)) > 0:
            yield piece.source.count("\n", 0, found)
            yield piece.source.count("\n", 0, found) + len(lines_of(slot.body))


def _definition_lines(piece: Piece, release: Release, without_piece: set[str]) -> Iterator[int]:
    """Yield the first lines of the exercises `without_piece` in a piece of another exercise or in prose."""
    lines = lines_of(piece.source)
    begun = [
        (found[1], number)
        for number, line in enumerate(lines)
        if (found := DEFINITION.match(line)) and found[1] in release.exercises
    ]
    if not piece.is_code and not piece.outline.parses:  # in prose, only if the rest of the cell is Python
        written_here = [number for name, number in begun if name in without_piece]
        yield from (n for n in written_here[:_MOST_IN_PROSE] if outline("\n".join(lines[n:])).parses)
        return
    names = [name for name, _ in begun]
    owner = piece.slot.exercise if piece.slot and piece.slot.exercise in names else next(iter(names), "")
    for name, number in begun:
        if name in without_piece and name != owner:
            while number > 0 and lines[number - 1].startswith(("@", "#")):
                number -= 1
            if not piece.outline.within(number + 1):  # `number` may be the line of a decorator
                yield number
