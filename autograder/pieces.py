"""A submission's cells as pieces: cells that were merged are cut apart, cells that were split are joined again.

`autograder.realign` starts here. No text is lost on the way: every line of the submission is in one of the pieces,
in the same order.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from nbformat import NotebookNode

from .outline import Outline, outline, starts_indented
from .released import Release, Slot
from .repair import MERGED, SPLIT, Repair
from .source_notebook import grade_id

_MOST_PARTS = 5  # that one cell may have been split into
_DEFINITION = re.compile(r"(?:async\s+def|def|class)\s+(\w+)")


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
        lines = (line.strip() for line in self.source.splitlines())
        return not any(line and not (self.is_code and line.startswith("#")) for line in lines)


def pieces_of(notebook: NotebookNode, release: Release) -> tuple[list[Piece], list[Repair]]:
    """Return the pieces of `notebook` in order, and what was cut and joined. `notebook` itself is not changed."""
    whole = [_piece(cell, release) for cell in notebook.cells]
    repairs: list[Repair] = []
    pieces = _cut(whole, release, repairs, lambda piece: _marker_lines(piece, release))
    own = {piece.slot for piece in pieces}
    lost = [slot for slot in release.slots if (slot.checks or slot.imports) and slot not in own]
    pieces = _cut(pieces, release, repairs, lambda piece: _released_lines(piece, lost))
    pieces = _cut(pieces, release, repairs, lambda piece: _text_lines(piece, release))
    pieces = _joined(pieces, release, repairs)
    written = {piece.slot for piece in pieces if piece.slot and _writes(piece, piece.slot)}
    homeless = {name for name, slot in release.exercises.items() if slot not in written}
    pieces = _cut(pieces, release, repairs, lambda piece: _definition_lines(piece, release, homeless))
    return pieces, repairs


def set_type(cell: NotebookNode, cell_type: str) -> None:
    """Make `cell` one of another type, with what the format asks of that type."""
    cell.cell_type = cell_type
    if cell_type == "code":
        cell.pop("attachments", None)
        cell.outputs, cell.execution_count = [], None
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


def _piece(cell: NotebookNode, release: Release) -> Piece:
    first_line = next((line for line in cell.source.splitlines() if line.strip()), "")
    # A released cell's very text says more than a name beside it, which may have come with a copy or a cut.
    slot = release.by_body.get(cell.source.strip()) or release.by_name.get(grade_id(cell))
    for name in (cell.get("id"), cell.metadata.get("id")):  # Colab keeps ids in the metadata
        slot = slot or (release.by_id.get(name) if isinstance(name, str) else None)
    marked = release.marked(first_line)
    return Piece(copy.deepcopy(cell), slot or marked, marked)


def _writes(piece: Piece, slot: Slot) -> bool:
    """Return whether the exercise of `slot` is really written here: more than the stub that was handed out."""
    return piece.is_code and slot.exercise in piece.outline.binds and piece.outline.code != slot.stub


def _cut(
    pieces: list[Piece], release: Release, repairs: list[Repair], starts: Callable[[Piece], Iterable[int]]
) -> list[Piece]:
    """Cut each piece before the lines (from 0) that `starts` names."""
    done = []
    for piece in pieces:
        lines = piece.source.splitlines()
        parts: list[list[str]] = [[]]
        wanted = set(starts(piece))
        for number, line in enumerate(lines):
            has_text = any(part.strip() and not (piece.is_code and part.startswith("#")) for part in parts[-1])
            if number in wanted and has_text:
                parts.append([])
            parts[-1].append(line)
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
    cell = copy.deepcopy(piece.cell)
    cell.source = source
    cell.metadata = {}
    cell.pop("id", None)
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    part = _piece(cell, release)
    if part.slot and part.slot.cell.cell_type == "markdown":
        set_type(part.cell, "markdown")
    return part


def _fits(part: Piece, slot: Slot) -> bool:
    return part.marked is slot or (bool(slot.exercise) and not slot.checks and slot.exercise in part.outline.binds)


def _marker_lines(piece: Piece, release: Release) -> Iterator[int]:
    """Where a marker stands within a piece, and where something else follows a check."""
    lines = piece.source.splitlines()
    for number, line in enumerate(lines):
        slot = release.marked(line)
        if slot is None or (piece.is_code and piece.outline.within(number + 1)):
            continue
        yield number
        if slot.checks:
            body = slot.body.splitlines()
            start = next((n for n in range(number + 1, len(lines)) if lines[n].strip()), number + 1)
            end = start + len(body)
            if [line.rstrip() for line in lines[start:end]] == body and _binds("\n".join(lines[end:])):
                yield end


def _binds(source: str) -> bool:
    return bool(outline(source).binds) or any(_DEFINITION.match(line) for line in source.splitlines())


def _released_lines(piece: Piece, lost: list[Slot]) -> Iterator[int]:
    """Where a check, or the imports, stand that are nowhere else and have lost every name."""
    if not piece.is_code or (piece.slot and piece.slot.checks):
        return
    lines = [line.rstrip() for line in piece.source.splitlines()]
    for slot in lost:
        body = slot.body.splitlines()
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
            yield piece.source.count("\n", 0, found) + len(slot.body.splitlines())


def _definition_lines(piece: Piece, release: Release, homeless: set[str]) -> Iterator[int]:
    """Where exercises that are written nowhere else begin, in a piece that holds another one too."""
    lines = piece.source.splitlines()
    begun = [
        (found[1], number)
        for number, line in enumerate(lines)
        if (found := _DEFINITION.match(line)) and found[1] in release.exercises and piece.is_code
    ]
    names = [name for name, _ in begun]
    owner = piece.slot.exercise if piece.slot and piece.slot.exercise in names else next(iter(names), "")
    for name, number in begun:
        if name in homeless and name != owner and not piece.outline.within(number + 1):
            while number > 0 and lines[number - 1].startswith(("@", "#")):
                number -= 1
            yield number


def _joined(pieces: list[Piece], release: Release, repairs: list[Repair]) -> list[Piece]:
    """Put together again what does not stand by itself and does together."""
    pieces = list(pieces)
    for index, piece in enumerate(pieces):
        exercise = _exercise_begun(piece, release)
        if not exercise:
            continue
        while (last := _end_of_split(pieces, index, exercise)) is not None:
            piece.cell.source = "\n".join(part.source for part in pieces[index : last + 1] if part.source.strip())
            piece.slot = release.exercises[exercise]
            repairs.append(Repair(SPLIT, exercise))
            del pieces[index + 1 : last + 1]
    return pieces


def _exercise_begun(piece: Piece, release: Release) -> str:
    if not piece.is_code:
        return ""
    if piece.slot and piece.slot.exercise:
        return "" if piece.slot.checks else piece.slot.exercise
    names = (found[1] for line in piece.source.splitlines() if (found := _DEFINITION.match(line)))
    return next((name for name in names if name in release.exercises), "")


def _end_of_split(pieces: list[Piece], index: int, exercise: str) -> int | None:
    """Return the index of the last piece that goes on with the one at `index`, None where none does."""
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
