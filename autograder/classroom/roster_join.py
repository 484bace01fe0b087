"""Joins a roster that is given with the people whom the class knows: who is known stays one person under one id.

Whoever agrees in a key is the same. What contradicts is left out and asked about: a learner who is doubled, or taken
for another, gets the wrong grade.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

from ..problems import Skipped
from .identity import KEYS, TITLES, Index, are_near, compare
from .person import Person
from .roster_rows import Entry


@dataclass
class Joined:
    """The outcome.

    Args:
        people: everybody, by student id.
        asked: rows that were left out, because it is not certain whether they are about somebody known.
        told: what was changed of those known, or decided by little, and is worth a look.
    """

    people: dict[str, Person]
    refused: list[Skipped] = field(default_factory=list)
    to_check: list[Skipped] = field(default_factory=list)


def join(known: Sequence[Person], given: Sequence[Entry]) -> Joined:
    """Return the people `known` with what a newly `given` roster says of them, and the new ones.

    Whoever is known keeps their student id: their grades are filed under it.
    """
    joined = Joined({person.student: person for person in known})
    index, rows = Index(known), Index(entry.person for entry in given)
    sure = [_same(index, entry) for entry in given]
    taken = Counter(found[0].student for found in sure if len(found) == 1)
    for entry, same in zip(given, sure, strict=True):
        if len(same) > 1 or (same and taken[same[0].student] > 1):
            names = " or ".join(person.student for person in same)
            reason = f"it may be {names}, as another row may be, or its keys are those of two: mend the roster"
            joined.refused.append(Skipped(entry.label, reason))
            continue
        old, reason = (same[0], "") if same else _weaker(index, rows, entry, taken)
        if reason:
            joined.refused.append(Skipped(entry.label, reason))
        elif old is None:
            joined.people[entry.person.student] = entry.person
        else:
            joined.people[old.student] = _updated(old, entry.person)
            words = _what_changed(old, entry.person)
            if words:
                joined.to_check.append(Skipped(entry.label, words))
    return joined


def _same(index: Index, entry: Entry) -> list[Person]:
    """Return those known who are certainly the person of a row: one, or more where the row contradicts itself."""
    person = entry.person
    alike = [(old, compare(old, person)) for old in index.alike(person)]
    found = {old.student: old for old, how in alike if how.is_same}
    if found:  # a number or login of somebody else's contradicts it; an address may be a family's
        found |= {old.student: old for old, how in alike if set(how.agree) - {"email"}}
    for old in _called(index, entry):
        compared = compare(old, person)
        if not compared.differ and compared.names is not False:
            found[old.student] = old
    return list(found.values())


def _called(index: Index, entry: Entry) -> list[Person]:
    """Return those known by the row's student id, and who only handed in, under any of the row's keys."""
    keys = {entry.person.student, *(getattr(entry.person, key) for key in KEYS)} - {""}
    found = [old for key in keys for old in index.find("student", key)]
    return [old for old in found if not old.listed or old.student.casefold() == entry.person.student.casefold()]


def _weaker(index: Index, rows: Index, entry: Entry, taken: Counter[str]) -> tuple[Person | None, str]:
    """Return whom a row is about that no key decides, None for somebody new, and why that must be asked, or ""."""
    person = entry.person
    for old in index.find("student", person.student):
        return None, f"the class knows somebody else as {old.student!r}: add a column student_id, or mend roster.csv"
    alike = [old for old in index.alike(person) if not taken[old.student]]
    for old in alike:
        compared = compare(old, person)
        if compared.is_contradictory:
            keys = [*compared.agree, *compared.near]
            others = [_differing(old, person, key) for key in (*compared.differ, *compared.near)]
            if compared.names is False:
                others.append(f"they are called {old.name!r} there")
            return None, (
                f"its {TITLES[keys[0]]} is that of {old.student}, but {'; '.join(others) or 'no name says so'}: "
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
                f"{person.student!r} may be {near[0].student!r} without its zeros: write ids as the class has them",
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
        return None, ""  # several may be the one who handed in: their file is asked about
    what = _first_difference(old, entry)
    return None, (
        f"{old.student} has that name, and {what}: if they are one person, write the same into both rosters; "
        f"if they are two, keep a row about each in the roster"
    )


def _near_ids(index: Index, entry: Entry) -> list[Person]:
    """Return those whose student id is the row's but for zeros."""
    if not entry.has_own_id:
        return []
    found = index.find_near("student", entry.person.student)
    return [old for old in found if are_near(old.student, entry.person.student)]


def _first_difference(old: Person, entry: Entry) -> str:
    differ = compare(old, entry.person).differ
    if differ:
        return _differing(old, entry.person, differ[0])
    return f"another student id than {entry.person.student!r}" if entry.has_own_id else "no key that both have"


def _differing(old: Person, new: Person, key: str) -> str:
    return f"the {TITLES[key]} {getattr(old, key)!r}, not {getattr(new, key)!r}"


def _updated(old: Person, new: Person) -> Person:
    said = {name: value for name, value in asdict(new).items() if value not in ("", False)}
    for key in compare(old, new).near:
        del said[key]  # the one with its zeros is the right one, whichever that is
        said[key] = max(getattr(old, key), getattr(new, key), key=len)
    return replace(old, **{**said, "student": old.student})


def _what_changed(old: Person, new: Person) -> str:
    """Say what an instructor should look at, or ""."""
    compared = compare(old, new)
    changed = [
        f"{TITLES[key]} {getattr(new, key)!r} is taken for {old.student}'s {getattr(old, key)!r}, without its zeros"
        for key in compared.near
    ]
    changed += [
        f"{old.student}'s {TITLES[key]} was {getattr(old, key)!r}, and is {getattr(new, key)!r} now"
        for key in compared.differ
    ]
    if compared.is_name_alone and old.listed and old.student.casefold() != new.student.casefold():
        changed.append(f"taken for {old.student} by the name alone")
    return "; ".join(changed)
