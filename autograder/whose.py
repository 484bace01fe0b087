"""Decides whose a handed-in file is, from its name and the class's roster. Where that is not certain, it says so.

Called by `autograder.collect` for each file. It compares numbers and whole names; it never guesses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .file_names import CANVAS, MOODLE, PLAIN, Named, squash
from .roster import Person, student_id


@dataclass(frozen=True)
class Whose:
    """Whose a file is.

    Args:
        people: the owner, or all members of the group; empty where it is not known.
        reason: why it is not known, and what to do.
    """

    people: tuple[Person, ...] = ()
    reason: str = ""


@dataclass
class Owners:
    """The people a file can belong to.

    Args:
        people: everybody known.
    """

    people: Sequence[Person]
    _met: dict[str, Person] = field(default_factory=dict)  # by layout and number: who was met without a roster

    def __post_init__(self) -> None:
        self.is_complete = any(person.listed for person in self.people)
        self._by_student = {person.student.casefold(): person for person in self.people}

    def of(self, named: Named) -> Whose:
        """Return whose `named` is."""
        if named.anonymous:
            return Whose(reason="Canvas hides whose it is: switch anonymous grading off, and download again")
        found = self._by_number(named) or self._by_name(named)
        if len(found) == 1:
            return Whose(tuple(found))
        if found:
            names = ", ".join(person.student for person in found)
            return Whose(reason=f"it may be any of {names}: {_how_to_tell(named)}")
        group = self._group(named.owner)
        if group:
            return Whose(tuple(group))
        if self.is_complete:
            return Whose(reason=f"nobody on the roster is {named.owner!r}{_numbered(named)}: add them, or rename it")
        return self._new(named)

    def _by_number(self, named: Named) -> list[Person]:
        if not named.number:
            return []
        if named.layout == MOODLE:  # groups have numbers, too: the name must be theirs, or the word for everybody
            numbered = [person for person in self.people if _participant(person)[1] == named.number]
            return [p for p in numbered if _full_names(named) & {*p.names, squash(_participant(p)[0])}]
        found = [person for person in self.people if person.canvas_id == named.number]
        # A group's file carries the number of one member: it is the whole group's, unless it is named after them.
        of_a_group = found and found[0] in self._group(named.owner)
        return [] if of_a_group and squash(named.owner) not in found[0].names else found

    def _by_name(self, named: Named) -> list[Person]:
        if named.layout == PLAIN:
            exact = self._by_student.get(student_id(named.owner).casefold())
            if exact is not None:
                return [exact]
            for key in ("login", "sis_id", "email", "canvas_id"):
                found = [p for p in self.people if named.owner and getattr(p, key).casefold() == named.owner.casefold()]
                if found:
                    return found
        # Someone whose number is known to be another is somebody else of the same name.
        others = [person for person in self.people if not self._has_another_number(person, named)]
        exact = [person for person in others if squash(named.owner) in person.names]
        return exact or [person for person in others if _full_names(named) & person.names]

    def _has_another_number(self, person: Person, named: Named) -> bool:
        known = {CANVAS: person.canvas_id, MOODLE: _participant(person)[1]}.get(named.layout, "")
        return bool(known and named.number and known != named.number)

    def _group(self, name: str) -> list[Person]:
        return [person for person in self.people if person.group and squash(person.group) == squash(name)]

    def _new(self, named: Named) -> Whose:
        """Without a roster, the name makes the student id; two people of one name need one."""
        key = f"{named.layout} {named.number or named.owner}"
        student = student_id(named.owner)
        if not student:
            return Whose(reason="its name does not say whose it is")
        met = self._met.get(key)
        if met is None:
            taken = [person for person in (*self.people, *self._met.values()) if person.student == student]
            if taken and named.layout == MOODLE:
                return Whose(reason=f"two people are called {named.owner!r}: {_how_to_tell(named)}")
            if taken and named.layout == CANVAS:
                student = f"{student}-{named.number}"
            name = named.owner if named.layout == MOODLE else ""
            canvas_id = named.number if named.layout == CANVAS else ""
            met = Person(student, name=name, canvas_id=canvas_id, listed=False)
            self._met[key] = met
        return Whose((met,))


def _full_names(named: Named) -> set[str]:
    """Return the owner's possible names, squashed. Moodle may put a group's before it: "Group A-Ada Lovelace"."""
    tails = [named.owner[place + 1 :] for place, c in enumerate(named.owner) if c == "-" and named.layout == MOODLE]
    return {squash(name) for name in (named.owner, *tails)} - {""}


def _participant(person: Person) -> tuple[str, str]:
    """Return the word and the number of "Participant 123"."""
    word, _, number = person.participant.rpartition(" ")
    return word, number


def _numbered(named: Named) -> str:
    what: Mapping[str, str] = {CANVAS: "Canvas user", MOODLE: "Moodle participant"}
    return f" ({what[named.layout]} {named.number})" if named.number else ""


def _how_to_tell(named: Named) -> str:
    if named.layout == MOODLE:
        return "give Moodle's grading worksheet as --roster, whose Identifier tells them apart"
    if named.layout == CANVAS:
        return "give a roster with the column canvas_id, which tells them apart"
    return "name the file after their student id"
