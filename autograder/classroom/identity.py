"""Decides whether two sources speak of the same person, by the keys that both have.

A key is a number, login or address that belongs to one person. Keys that agree make two entries one person; keys that
differ make them two; a name alone is weaker than either. A roster's rows, a gradebook's rows and the names of files
are all compared here, and where keys contradict each other nobody is chosen.
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
    """How two entries compare.

    Args:
        agree: keys that both have, and that are equal.
        near: keys that a spreadsheet may have changed: 417 for 00417.
        differ: keys that both have, and that are not equal.
        names: whether they have a name in common; None where one has no name.
    """

    agree: tuple[str, ...]
    near: tuple[str, ...]
    differ: tuple[str, ...]
    names: bool | None

    @property
    def is_same(self) -> bool:
        """Whether a key says that they are one person, and nothing says that they are two."""
        if self.names:
            return bool(self.agree) or (bool(self.near) and not self.differ)
        # Two of a family may share an address.
        return bool(self.agree) and not self.differ and not (self.names is False and self.agree == ("email",))

    @property
    def is_contradictory(self) -> bool:
        """Whether a key says that they are one person, and another, or the name, that they are two."""
        return bool(self.agree or self.near) and not self.is_same

    @property
    def is_name_alone(self) -> bool:
        """Whether they have a name in common, and no key that both have."""
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
    """Whether two different numbers are the same to a spreadsheet, which drops zeros: 00417, 417 and 417.0."""
    return one != other and one[:1].isdecimal() and _without_zeros(one) == _without_zeros(other)


def _without_zeros(number: str) -> str:
    return re.sub(r"\.0+$", "", number).lstrip("0")


@dataclass
class Index:
    """People, found by anything that is theirs. Looking one up does not go through all of them.

    Args:
        people: whom to find.
    """

    people: Iterable[Person] = ()
    _places: dict[tuple[str, str], list[Person]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for person in self.people:
            self.add(person)

    def add(self, person: Person) -> None:
        """Add somebody. Who is replaced by a newer entry must be added to a new index."""
        for entry in _entries(person):
            self._places[entry].append(person)

    def find(self, kind: str, value: str) -> list[Person]:
        """Return everybody with this value: of a key, of "name" or "group" (squashed), of "student", case apart."""
        return list(self._places.get((kind, value.casefold()), ()))

    def find_near(self, kind: str, value: str) -> list[Person]:
        """Return everybody with this value but for zeros: of a key, or of "student"."""
        return self.find(f"{kind} without zeros", _without_zeros(value))

    def alike(self, person: Person) -> list[Person]:
        """Return everybody who has a key, a number but for zeros, or a name in common with `person`."""
        found: dict[int, Person] = {}
        for entry in _entries(person):
            if not entry[0].startswith(("group", "student")):
                found |= {id(other): other for other in self._places.get(entry, ())}
        return list(found.values())


def _entries(person: Person) -> set[tuple[str, str]]:
    student = person.student.casefold()
    entries = {("student", student), ("student without zeros", _without_zeros(student))}
    for key in KEYS:
        value = getattr(person, key).casefold()
        if value:
            entries |= {(key, value), (f"{key} without zeros", _without_zeros(value))}
    entries |= {("participant", person.participant.rpartition(" ")[2])} if person.participant else set()
    entries |= {("name", name) for name in person.names} | {("group", group) for group in person.groups}
    return entries
