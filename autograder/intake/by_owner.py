"""Sorts the files of one download by their owners, and lists those of which it is not certain whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..classroom.layouts import Layout
from ..classroom.person import Person
from ..classroom.receipts import Receipt
from ..problems import Skipped
from .collected import Collected
from .file_names import Named, squash
from .find_owner import Owners, Whose
from .lms_names import TIMESTAMP


def by_owner(
    names: Sequence[Named], people: dict[str, Person], receipts: Mapping[str, Receipt], collected: Collected
) -> dict[str, list[Named]]:
    """Sort the files by student. Add to `people` who is new, and what the names say of those who are not."""
    owners = Owners(list(people.values()))
    owners.expect(names)
    owned: dict[str, list[tuple[Named, Whose]]] = {}
    for name in names:
        is_plain = name.layout == Layout.PLAIN
        is_anybodys = name.is_notebook or name.is_time or not is_plain or (owners.is_complete and name.levels)
        whose = owners.of(name) if is_anybodys else Whose()
        if not name.is_notebook and not name.is_time and name.original == TIMESTAMP:
            reason = (
                "a learner can write such a file, so its time does not count: give it in the roster's column submitted"
            )
            collected.skipped.append(Skipped(name.file.name, reason))
        elif not whose.people and not name.is_notebook and is_plain:
            collected.skipped.append(Skipped(name.file.name, "it is not a notebook"))
        elif not whose.people:
            collected.unknown.append(Skipped(name.file.name, whose.reason))
        else:
            for person in whose.people:
                people.setdefault(person.student, person)
                owned.setdefault(person.student, []).append((name, whose))
    certain: dict[str, list[Named]] = {}
    for student, files in owned.items():
        person = people[student]
        if not _is_one_persons(person, files, receipts.get(student), collected):
            continue
        certain[student] = [named for named, _ in files]
        own = [
            named
            for named, whose in files
            if named.layout in (Layout.CANVAS, Layout.CANVAS_QUIZ) and not whose.is_group
        ]
        if own and not person.canvas_id:
            people[student] = replace(person, canvas_id=own[0].number)
    return certain


def _is_one_persons(
    person: Person, files: Sequence[tuple[Named, Whose]], before: Receipt | None, collected: Collected
) -> bool:
    """Whether a student's files are one person's: the LMS gives two people of one name two numbers."""
    own = [named for named, whose in files if not whose.is_group and named.number]
    numbers = {(named.layout, named.number) for named in own}
    of_layouts = {named.layout for named in own}
    if before is not None and before.number and any(squash(named.owner) == squash(before.owner) for named in own):
        numbers |= {(before.layout, before.number)} if before.layout in of_layouts else set()
    if len(numbers) > len(of_layouts):
        shown = " and ".join(sorted(number for _, number in numbers))
        reason = (
            f"the LMS has the numbers {shown} for whom the class knows as {person.student}: "
            "are they two people of one name? Give the LMS's own roster, which has these numbers"
        )
        collected.unknown += [Skipped(named.file.name, reason) for named, _ in files]
        return False
    told = {named.file.name: whose.told for named, whose in files if whose.told}
    collected.to_check += [Skipped(name, words) for name, words in told.items()]
    return True
