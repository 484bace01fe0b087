"""Merges a new roster into the class's known people. A known person keeps their student id.

Entries that agree in a key are the same person. Contradictory rows are left out and reported: a learner who is
duplicated, or confused with another, would get the wrong grade.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..problems import Skipped
from .identity import KEYS, TITLES, Index, are_near, compare
from .person import Person
from .roster_rows import Entry


@dataclass
class Joined:
    """The result of `join`.

    Args:
        people: all people, by student id.
        refused: rows that were left out, because it is not certain whether they are a known person.
        to_check: changes to known people, and matches by weak evidence, that a person should check.
    """

    people: dict[str, Person]
    refused: list[Skipped] = field(default_factory=list)
    to_check: list[Skipped] = field(default_factory=list)


def join(known: Sequence[Person], entries: Sequence[Entry]) -> Joined:
    """Return the `known` people, updated with a roster's `entries`, and the new people in it.

    Known people keep their student id, because their grades are stored under it.
    """
    joined = Joined({person.student: person for person in known})
    index, rows = Index(known), Index(entry.person for entry in entries)
    sure = [_same(index, entry) for entry in entries]
    taken = Counter(found[0].student for found in sure if len(found) == 1)
    for entry, same in zip(entries, sure, strict=True):
        if len(same) > 1 or (same and taken[same[0].student] > 1):
            names = " or ".join(person.student for person in same)
            reason = f"it matches {names}, but another row matches too, or its keys belong to two: correct the roster"
            joined.refused.append(Skipped(entry.label, reason))
            continue
        old, reason = (same[0], "") if same else _weaker(index, rows, entry, taken)
        if reason:
            joined.refused.append(Skipped(entry.label, reason))
        elif old is None:
            joined.people[entry.person.student] = entry.person
        else:
            joined.people[old.student] = _updated(old, entry.person)
            changes = _changes_to_check(old, entry.person)
            if changes:
                joined.to_check.append(Skipped(entry.label, changes))
    return joined


def _same(index: Index, entry: Entry) -> list[Person]:
    """Return the known people who certainly match a row: one, or several if the row contradicts itself."""
    person = entry.person
    alike = [(old, compare(old, person)) for old in index.alike(person)]
    found = {old.student: old for old, how in alike if how.is_same}
    if found:  # another person's number or login contradicts the match; an email address may be a family's
        found |= {old.student: old for old, how in alike if set(how.agree) - {"email"}}
    for old in _called(index, entry):
        compared = compare(old, person)
        if not compared.differ and compared.names is not False:
            found[old.student] = old
    return list(found.values())


def _called(index: Index, entry: Entry) -> list[Person]:
    """Return the people with the row's student id and, among unlisted people, with any of its keys as student id."""
    keys = {entry.person.student, *(getattr(entry.person, key) for key in KEYS)} - {""}
    found = [old for key in keys for old in index.find("student", key)]
    return [old for old in found if not old.listed or old.student.casefold() == entry.person.student.casefold()]


def _weaker(index: Index, rows: Index, entry: Entry, taken: Counter[str]) -> tuple[Person | None, str]:
    """Match a row that has no certain match: return the person (None for a new one), and why it is refused, or ""."""
    person = entry.person
    for old in index.find("student", person.student):
        return None, f"{old.student!r} is another person in the class: add a column student_id, or correct roster.csv"
    alike = [old for old in index.alike(person) if not taken[old.student]]
    for old in alike:
        compared = compare(old, person)
        if compared.is_contradictory:
            keys = [*compared.agree, *compared.near]
            others = [_differing(old, person, key) for key in (*compared.differ, *compared.near)]
            if compared.names is False:
                others.append(f"their name there is {old.name!r}")
            return None, (
                f"its {TITLES[keys[0]]} is that of {old.student}, but {'; '.join(others) or 'no name confirms it'}: "
                "if they are one person, make this roster and the class's roster.csv agree"
            )
    near = [old for old in _near_ids(index, entry) if not taken[old.student]]
    if near:
        is_named = len(near) == 1 and compare(near[0], person).names
        return (
            (near[0], "")
            if is_named
            else (
                None,
                f"{person.student!r} may be {near[0].student!r} without its zeros: write ids as in the class",
            )
        )
    namesakes = [old for old in alike if compare(old, person).names]
    if not namesakes:
        return None, ""
    is_only = len(namesakes) == 1 and len([r for r in rows.alike(person) if compare(r, person).names]) == 1
    old = namesakes[0]
    if is_only and compare(old, person).is_name_alone and not (entry.has_own_id and old.listed):
        return old, ""
    if not old.listed and not is_only:
        return None, ""  # several people may own the submission: `collect` lists its file
    what = _first_difference(old, entry)
    return None, (
        f"{old.student} has the same name, but {what}: if they are one person, make both rosters agree; "
        f"if they are two, keep a row for each in the roster"
    )


def _near_ids(index: Index, entry: Entry) -> list[Person]:
    """Return the people whose student id differs from the row's only in dropped zeros."""
    if not entry.has_own_id:
        return []
    found = index.find_near("student", entry.person.student)
    return [old for old in found if are_near(old.student, entry.person.student)]


def _first_difference(old: Person, entry: Entry) -> str:
    differ = compare(old, entry.person).differ
    if differ:
        return _differing(old, entry.person, differ[0])
    return f"another student id than {entry.person.student!r}" if entry.has_own_id else "no key in common"


def _differing(old: Person, new: Person, key: str) -> str:
    return f"the {TITLES[key]} {getattr(old, key)!r}, not {getattr(new, key)!r}"


def _updated(old: Person, new: Person) -> Person:
    values: dict[str, Any] = {name: value for name, value in asdict(new).items() if value not in ("", False)}
    for key in compare(old, new).near:
        values[key] = max(getattr(old, key), getattr(new, key), key=len)  # the one that still has its zeros
    values["student"] = old.student
    return replace(old, **values)


def _changes_to_check(old: Person, new: Person) -> str:
    """Return the changes that an instructor should check, or ""."""
    compared = compare(old, new)
    changed = [
        f"{TITLES[key]} {getattr(new, key)!r} was read as {old.student}'s {getattr(old, key)!r}, without its zeros"
        for key in compared.near
    ]
    changed += [
        f"{old.student}'s {TITLES[key]} changed from {getattr(old, key)!r} to {getattr(new, key)!r}"
        for key in compared.differ
    ]
    if compared.is_name_alone and old.listed and old.student.casefold() != new.student.casefold():
        changed.append(f"matched with {old.student} by the name alone")
    return "; ".join(changed)
