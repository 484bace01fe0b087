"""Decides whether two entries are the same person, by the keys that both have.

A key is a number, login or email address of one person. Entries with equal keys are one person, entries with different
keys are two; a name alone is weaker evidence than either. Rows of rosters, rows of gradebooks and names of files are
compared here. If keys contradict each other, no match is made.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from .person import Person

KEYS = ("canvas_id", "sis_id", "login", "email")
TITLES = {"canvas_id": "Canvas number", "sis_id": "ID number", "login": "login", "email": "address"}


@dataclass(frozen=True)
class Comparison:
    """The result of comparing two entries.

    Args:
        agree: keys that both have and that are equal.
        near: keys that both have and that a spreadsheet may have changed: 417 and 00417.
        differ: keys that both have and that are not equal.
        names: whether they have a name in common; None if one has no name.
    """

    agree: tuple[str, ...]
    near: tuple[str, ...]
    differ: tuple[str, ...]
    names: bool | None

    @property
    def is_same(self) -> bool:
        """Whether keys show that they are one person, and neither keys nor names contradict it."""
        if self.names:
            return bool(self.agree) or (bool(self.near) and not self.differ)
        # Members of a family may share an email address.
        return bool(self.agree) and not self.differ and not (self.names is False and self.agree == ("email",))

    @property
    def is_contradictory(self) -> bool:
        """Whether one key shows that they are one person, but another key or the name shows that they are two."""
        return bool(self.agree or self.near) and not self.is_same

    @property
    def is_name_alone(self) -> bool:
        """Whether they have a name in common, but no key that both have."""
        return bool(self.names) and not (self.agree or self.near or self.differ)


def compare(one: Person, other: Person) -> Comparison:
    """Compare two entries by their keys and names."""
    agree, near, differ = [], [], []
    for key in KEYS:
        first, second = getattr(one, key).casefold(), getattr(other, key).casefold()
        if first and second:
            (agree if first == second else near if are_near(first, second) else differ).append(key)
    names = bool(one.names & other.names) if one.names and other.names else None
    return Comparison(tuple(agree), tuple(near), tuple(differ), names)


def are_near(one: str, other: str) -> bool:
    """Whether two different numbers are equal for a spreadsheet, which drops zeros: 00417, 417 and 417.0."""
    return one != other and one[:1].isdecimal() and _without_zeros(one) == _without_zeros(other)


def _without_zeros(number: str) -> str:
    return re.sub(r"\.0+$", "", number).lstrip("0")


@dataclass
class Index:
    """An index of people by keys, names, groups and student ids.

    Args:
        people: the people to index.
    """

    people: Iterable[Person] = ()
    _entries: dict[tuple[str, str], list[Person]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for person in self.people:
            self.add(person)

    def add(self, person: Person) -> None:
        """Add a person. The index cannot replace or remove entries."""
        for entry in _entries_of(person):
            self._entries[entry].append(person)

    def find(self, kind: str, value: str) -> list[Person]:
        """Return the people with this value, ignoring case.

        Args:
            kind: a key, "student", "participant", or "name" or "group", whose values are squashed.
        """
        return list(self._entries.get((kind, value.casefold()), ()))

    def find_near(self, kind: str, value: str) -> list[Person]:
        """Return the people with this value of a key or of "student", ignoring dropped zeros."""
        return self.find(f"{kind} without zeros", _without_zeros(value))

    def alike(self, person: Person) -> list[Person]:
        """Return the people who share a key (ignoring dropped zeros) or a name with `person`."""
        found: dict[int, Person] = {}
        for entry in _entries_of(person):
            if not entry[0].startswith(("group", "student")):
                found |= {id(other): other for other in self._entries.get(entry, ())}
        return list(found.values())


def _entries_of(person: Person) -> set[tuple[str, str]]:
    student = person.student.casefold()
    entries = {("student", student), ("student without zeros", _without_zeros(student))}
    for key in KEYS:
        value = getattr(person, key).casefold()
        if value:
            entries |= {(key, value), (f"{key} without zeros", _without_zeros(value))}
    entries |= {("participant", person.participant.rpartition(" ")[2])} if person.participant else set()
    entries |= {("name", name) for name in person.names} | {("group", group) for group in person.groups}
    return entries
