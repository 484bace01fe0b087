"""Decides whose a handed-in file is, from its name and the class's roster. Where that is not certain, it says so.

Called by `autograder.intake.collect` for each file. It compares keys and whole names; it never guesses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..classroom.identity import KEYS, Comparison, Index, compare
from ..classroom.layouts import Layout
from ..classroom.person import MAX_ID, Person, squash, student_id
from .file_names import Named


@dataclass(frozen=True)
class Whose:
    """Whose a file is.

    Args:
        people: the owner, or all members of the group; empty where it is not known.
        reason: why it is not known, and what to do.
        is_group: whether it was handed in for a group.
        told: what an instructor should look at, though the owner is known; "" for nothing.
    """

    people: tuple[Person, ...] = ()
    reason: str = ""
    is_group: bool = False
    told: str = ""


@dataclass
class Owners:
    """The people a file can belong to.

    Args:
        people: everybody known.
    """

    people: Sequence[Person]
    _met: dict[str, Person] = field(default_factory=dict)  # by layout and number: who was met without a roster
    _numbers: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        self.is_complete = any(person.listed for person in self.people)
        self._index = Index(self.people)
        self._students = {person.student.casefold(): person for person in self.people}

    def expect(self, names: Iterable[Named]) -> None:
        """Take note of all files of a download: two numbers with one name are two people of that name."""
        for named in names:
            self._numbers[named.layout, squash(named.owner)].add(named.number)

    def of(self, named: Named) -> Whose:
        """Return whose `named` is."""
        if named.anonymous:
            return Whose(reason=named.anonymous)
        read = (named, *named.alternatives)
        found = {tuple(p.student for p in whose.people): whose for whose in map(self._known, read) if whose.people}
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            names = ", ".join(sorted({student for students in found for student in students}))
            return Whose(reason=f"it may be any of {names}: {_how_to_tell(named)}")
        unclear = next((whose for whose in map(self._known, read) if whose.reason), None)
        if unclear is not None:
            return unclear
        if self.is_complete:
            return Whose(reason=f"nobody on the roster is {named.owner!r}{_numbered(named)}: add them, or rename it")
        if named.alternatives:
            return Whose(reason=f"its name can be read in several ways, {named.owner!r} is one: give a roster")
        if named.is_stray:
            return Whose(reason="its name is not written as the others are: rename it after a student id")
        return self._new(named)

    def called(self, text: str) -> list[Person]:
        """Return those whom somebody means who writes `text`: by student id, else by any key or the name."""
        exact = self._index.find("student", student_id(text))
        written = [person for person in exact if person.student == student_id(text)]
        if exact:
            return written or exact
        keys = [person for key in KEYS for person in self._index.find(key, text)]
        return list(dict.fromkeys([*keys, *self._index.find("name", squash(text))]))

    def _known(self, named: Named) -> Whose:
        """Return which of the people known it is, nobody and no reason where it is none of them."""
        if len(named.claims) > 1:  # a group, each of whom is named
            each = [self._known(replace(named, claims=(claim,), owner=claim.name)) for claim in named.claims]
            missing = [claim.name for claim, whose in zip(named.claims, each, strict=True) if not whose.people]
            if missing:
                return Whose(reason=f"it is a group's, and the roster must have {', '.join(missing)}: add them")
            return Whose(tuple(person for whose in each for person in whose.people), is_group=True)
        name = squash(named.owner)
        found = self._by_keys(named)
        if len(found) == 1 and name in found[0].groups and name not in found[0].names:
            found = []  # a group's file carries the number of one member
        found = found or self._by_name(named)
        if len(found) > 1:
            names = ", ".join(sorted(person.student for person in found))
            return Whose(reason=f"it may be any of {names}: {_how_to_tell(named)}")
        if found and named.claims and compare(found[0], named.claims[0]).names is False:
            told = f"it is taken for {found[0].student}'s by its number, and named after {named.owner!r}"
            return Whose(tuple(found), told=told)
        group = [] if found else self._index.find("group", name)
        return Whose(tuple(found or group), is_group=bool(group))

    def _by_keys(self, named: Named) -> list[Person]:
        if named.layout in (Layout.PLAIN, Layout.EXCHANGE):
            return self.called(named.owner)
        if named.layout == Layout.MOODLE:
            # Groups have numbers, too: the name must be theirs, or the word for everybody.
            numbered = self._index.find("participant", named.number) if named.number else []
            return [p for p in numbered if _full_names(named, p) & {*p.names, squash(_participant(p)[0])}]
        claim = next(iter(named.claims), Person(""))
        found = [person for person in self._index.alike(claim) if _is_claimed(named, compare(person, claim))]
        if not found and claim.login:  # a student id may be the login, though no roster said so
            called = self._index.find("student", student_id(claim.login))
            found = [person for person in called if not person.login and compare(person, claim).names is not False]
        return found

    def _by_name(self, named: Named) -> list[Person]:
        found = self._index.find("name", squash(named.owner))
        if named.layout == Layout.MOODLE:
            for group, name in _split_at_hyphens(named.owner):
                if self._index.find("group", group):
                    found += [person for person in self._index.find("name", name) if group in person.groups]
        # Someone whose number is known to be another is somebody else of the same name.
        return [p for p in dict.fromkeys(found) if not self._has_another_number(p, named)]

    def _has_another_number(self, person: Person, named: Named) -> bool:
        if named.layout == Layout.MOODLE:
            known = _participant(person)[1]
            return bool(known and named.number and known != named.number)
        return any(compare(person, claim).differ for claim in named.claims)

    def _new(self, named: Named) -> Whose:
        """Without a roster, the name makes the student id; two people of one name need one."""
        key = f"{named.layout} {named.number or named.owner}"
        student = student_id(named.owner)
        if not student:
            return Whose(reason="its name does not say whose it is")
        if len(named.owner) > MAX_ID:
            return Whose(reason=f"its name is longer than a student id may be ({MAX_ID} characters): rename it")
        if named.layout == Layout.PLAIN:
            key = f"{Layout.PLAIN} {student.casefold()}"
        met = self._met.get(key)
        if met is not None:
            return Whose((met,))
        if named.layout == Layout.MOODLE and squash(named.owner) == "participant":
            return Whose(reason=f"Moodle hides whose it is: {_how_to_tell(named)}")
        numbers = self._numbers[named.layout, squash(named.owner)]
        if named.layout not in (Layout.CANVAS, Layout.CANVAS_QUIZ) and len(numbers) > 1:
            return Whose(reason=f"{len(numbers)} people are called {named.owner!r}: {_how_to_tell(named)}")
        if student.casefold() in self._students:
            if not named.number:
                return Whose(reason=f"{student!r} is somebody else's student id: {_how_to_tell(named)}")
            student = f"{student}-{named.number}"
        claim = (
            named.claims[0] if named.claims else Person("", name=named.owner if named.layout == Layout.MOODLE else "")
        )
        name = "" if named.layout in (Layout.CANVAS, Layout.CANVAS_QUIZ) else claim.name
        met = replace(claim, student=student, name=name, listed=False)
        self._met[key] = self._students[student.casefold()] = met
        return Whose((met,))


def _is_claimed(named: Named, how: Comparison) -> bool:
    """Whether a key says that it is a person's file, and nothing contradicts it."""
    return how.is_same and (how.names is not False or named.is_numbers_own)


def _full_names(named: Named, person: Person) -> set[str]:
    """Return the owner's possible names, squashed. Moodle may put a group of theirs before it: "Lab 3-Ada Lovelace".

    What comes before a hyphen is else a part of the name: "Anna-Maria Schmidt" is not Maria Schmidt.
    """
    tails = (name for group, name in _split_at_hyphens(named.owner) if group in person.groups)
    return {squash(named.owner), *tails} - {""}


def _split_at_hyphens(text: str) -> list[tuple[str, str]]:
    """Return what comes before each hyphen and what comes after it, squashed."""
    pieces = [squash(piece) for piece in text.split("-")]
    return [("".join(pieces[:at]), "".join(pieces[at:])) for at in range(1, len(pieces))]


def _participant(person: Person) -> tuple[str, str]:
    """Return the word and the number of "Participant 123"."""
    word, _, number = person.participant.rpartition(" ")
    return word, number


def _numbered(named: Named) -> str:
    what: Mapping[str, str] = {
        Layout.CANVAS: "Canvas user",
        Layout.CANVAS_QUIZ: "Canvas user",
        Layout.MOODLE: "Moodle participant",
    }
    return f" ({what[named.layout]} {named.number})" if named.number and named.layout in what else ""


def _how_to_tell(named: Named) -> str:
    if named.layout == Layout.MOODLE:
        return "give Moodle's grading worksheet as --roster, whose Identifier tells them apart"
    if named.layout in (Layout.CANVAS, Layout.CANVAS_QUIZ):
        return "give a roster with the column canvas_id, which tells them apart"
    if named.layout == Layout.PLAIN:
        return "name the file after their student id"
    return "give a roster with a column (login, email, sis_id) that tells them apart"
