"""Places released cells in a realigned submission: restores missing ones, and moves checks below the cells they need.

`autograder.realign.realign` calls these functions in turn. The learner's own cells are never reordered, since a cell
that is moved up could miss a definition. Only released cells move: imports up, checks down.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from nbformat import NotebookNode

from ..notebook.outline import outline
from .pieces import Piece
from .release import Release, Slot
from .repairs import Kind, Repair


@dataclass(eq=False)
class Item:
    """A cell of the realigned notebook.

    Args:
        cell: the cell.
        slot: the released cell that it stands for; None for the learner's own cells.
        piece: its piece of the submission; None for a cell that was restored or separated.
    """

    cell: NotebookNode
    slot: Slot | None
    piece: Piece | None


def put_back(items: Sequence[Item], release: Release, repairs: list[Repair]) -> list[Item]:
    """Return `items` with missing exercises and imports added, each below the cells it follows in the release."""
    items = list(items)
    present = {item.slot for item in items if item.slot}
    bound = {name for item in items if item.cell.cell_type == "code" for name in outline(item.cell.source).binds}
    for slot in release.slots:
        exercise = bool(slot.exercise) and not slot.checks
        lost_imports = slot.imports and not outline(slot.cell.source).binds <= bound
        if slot in present or not (exercise or lost_imports):
            continue
        before = [index for index, item in enumerate(items) if item.slot and item.slot.index < slot.index]
        items.insert(before[-1] + 1 if before else 0, _released(slot))
        present.add(slot)
        repairs.append(Repair(Kind.MISSING, slot.name or "imports"))
    return items


def raise_imports(items: Sequence[Item], repairs: list[Repair]) -> list[Item]:
    """Return `items` with the release's imports above the first exercise, which may need them."""
    items = list(items)
    first = next((index for index, item in enumerate(items) if item.slot and item.slot.exercise), len(items))
    late = [item for item in items[first:] if item.slot and item.slot.imports and _from_above(item, items)]
    for item in late:
        items.remove(item)
        repairs.append(Repair(Kind.MOVED, "imports"))
    return items[:first] + late + items[first:]


def _from_above(imports: Item, items: Sequence[Item]) -> bool:
    """Return whether the release has these imports above its first exercise."""
    exercises = [item.slot.index for item in items if item.slot and item.slot.exercise]
    return imports.slot is not None and imports.slot.index < min(exercises, default=0)


def place_checks(items: Sequence[Item], release: Release, repairs: list[Repair]) -> list[Item]:
    """Return `items` with each check once, moved down if it is above a cell that it needs."""
    items = list(items)
    present = {item.slot: item for item in items if item.slot and item.slot.checks}
    needs = _Needs(items)
    for slot in release.checks:
        item = present.get(slot)
        needed = needs.of(slot.exercise)
        indices = {id(cell): index for index, cell in enumerate(items)}
        bottom = max(indices[id(cell)] for cell in needed)
        if item is not None and indices[id(item)] > bottom:
            continue
        if item is not None:
            items.remove(item)
            repairs.append(Repair(Kind.MOVED, slot.name))
            bottom -= 1  # the removed check was above that cell
        else:
            repairs.append(Repair(Kind.MISSING, slot.name))
        earlier = [index for index, other in enumerate(items) if _same_exercise_before(other, slot)]
        items.insert(max([bottom, *earlier]) + 1, item or _released(slot))
    return items


def _same_exercise_before(item: Item, slot: Slot) -> bool:
    return item.slot is not None and item.slot.exercise == slot.exercise and item.slot.index < slot.index


def _released(slot: Slot) -> Item:
    return Item(copy.deepcopy(slot.cell), slot, None)


class _Needs:
    """Finds the cells that an exercise needs: its own, and those of other exercises and helpers that it names."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._exercises = {
            item.slot.exercise: item for item in items if item.slot and item.slot.exercise and not item.slot.checks
        }
        # A helper that is defined several times is available from its first definition on.
        self._definers: dict[str, Item] = {}
        for item in reversed(items):
            if item.slot is None and item.cell.cell_type == "code":
                self._definers |= dict.fromkeys(outline(item.cell.source).defines, item)
        self._definers |= self._exercises

    def of(self, exercise: str) -> list[Item]:
        """Return the cells that must be above the checks of `exercise`, its own first."""
        needed = {id(found): found for found in [self._exercises[exercise]]}
        waiting = list(needed.values())
        while waiting:
            uses = outline(waiting.pop().cell.source).uses
            found = {id(item): item for name in uses & self._definers.keys() if (item := self._definers[name])}
            waiting += [item for key, item in found.items() if key not in needed]
            needed |= found
        return list(needed.values())
