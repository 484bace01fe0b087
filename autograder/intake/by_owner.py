"""Groups the files of one download by owner, and lists the files whose owner is not certain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..classroom.layouts import Layout
from ..classroom.person import Person
from ..classroom.receipts import Receipt
from ..problems import Skipped
from .collected import Collected
from .file_names import Named, squash
from .find_owner import Owners, Ownership
from .lms_names import TIMESTAMP


def by_owner(
    names: Sequence[Named], people: dict[str, Person], receipts: Mapping[str, Receipt], collected: Collected
) -> dict[str, list[Named]]:
    """Group the files by student.

    Adds new students to `people`, and Canvas's number to known ones. Files without an owner go into `collected`.
    """
    owners = Owners(list(people.values()))
    owners.expect(names)
    owned: dict[str, list[tuple[Named, Ownership]]] = {}
    for name in names:
        is_plain = name.layout == Layout.PLAIN
        is_anybodys = name.is_notebook or name.is_time or not is_plain or (owners.is_complete and name.levels)
        ownership = owners.of(name) if is_anybodys else Ownership()
        if not name.is_notebook and not name.is_time and name.original == TIMESTAMP:
            reason = (
                "the learner could have written this file, so its time is not used: give the time in the roster's "
                "column submitted"
            )
            collected.skipped.append(Skipped(name.file.name, reason))
        elif not ownership.people and not name.is_notebook and is_plain:
            collected.skipped.append(Skipped(name.file.name, "it is not a notebook"))
        elif not ownership.people:
            collected.unknown.append(Skipped(name.file.name, ownership.reason))
        else:
            for person in ownership.people:
                people.setdefault(person.student, person)
                owned.setdefault(person.student, []).append((name, ownership))
    certain: dict[str, list[Named]] = {}
    for student, files in owned.items():
        person = people[student]
        if not _is_one_persons(person, files, receipts.get(student), collected):
            continue
        certain[student] = [named for named, _ in files]
        own = [
            named
            for named, ownership in files
            if named.layout in (Layout.CANVAS, Layout.CANVAS_QUIZ) and not ownership.is_group
        ]
        if own and not person.canvas_id:
            people[student] = replace(person, canvas_id=own[0].number)
    return certain


def _is_one_persons(
    person: Person, files: Sequence[tuple[Named, Ownership]], before: Receipt | None, collected: Collected
) -> bool:
    """Whether a student's files belong to one person: an LMS gives two people with the same name two numbers."""
    own = [named for named, ownership in files if not ownership.is_group and named.number]
    numbers = {(named.layout, named.number) for named in own}
    of_layouts = {named.layout for named in own}
    if before is not None and before.number and any(squash(named.owner) == squash(before.owner) for named in own):
        numbers |= {(before.layout, before.number)} if before.layout in of_layouts else set()
    if len(numbers) > len(of_layouts):
        shown = " and ".join(sorted(number for _, number in numbers))
        reason = (
            f"the LMS has the numbers {shown} for {person.student}: are they two people with the same name? "
            "Use the LMS's own roster, which has these numbers"
        )
        collected.unknown += [Skipped(named.file.name, reason) for named, _ in files]
        return False
    to_check = {named.file.name: ownership.to_check for named, ownership in files if ownership.to_check}
    collected.to_check += [Skipped(name, reason) for name, reason in to_check.items()]
    return True
