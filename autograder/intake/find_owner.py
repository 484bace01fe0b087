"""Finds the owner of a submitted file from its name and the class's roster. If that is not certain, it says why.

Called by `autograder.intake.by_owner` for each file. It compares keys and whole names; it never guesses.
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
class Ownership:
    """The owner of a file.

    Args:
        people: the owner, or all members of the group; empty if the owner is not known.
        reason: why the owner is not known, and what to do.
        is_group: whether it was submitted for a group.
        to_check: what an instructor should check although the owner is known, or "".
    """

    people: tuple[Person, ...] = ()
    reason: str = ""
    is_group: bool = False
    to_check: str = ""


@dataclass
class Owners:
    """Finds the owners of files.

    Args:
        people: all known people.
    """

    people: Sequence[Person]
    _met: dict[str, Person] = field(default_factory=dict)  # people known only from file names, by layout and number
    _numbers: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        self.is_complete = any(person.listed for person in self.people)
        self._index = Index(self.people)
        self._students = {person.student.casefold(): person for person in self.people}

    def expect(self, names: Iterable[Named]) -> None:
        """Register all files of a download: one name with two numbers means two people with that name."""
        for named in names:
            self._numbers[named.layout, squash(named.owner)].add(named.number)

    def of(self, named: Named) -> Ownership:
        """Return the owner of `named`."""
        if named.anonymous:
            return Ownership(reason=named.anonymous)
        read = (named, *named.alternatives)
        found = {
            tuple(p.student for p in ownership.people): ownership
            for ownership in map(self._known, read)
            if ownership.people
        }
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            names = ", ".join(sorted({student for students in found for student in students}))
            return Ownership(reason=f"it may be any of {names}: {_how_to_distinguish(named)}")
        unclear = next((ownership for ownership in map(self._known, read) if ownership.reason), None)
        if unclear is not None:
            return unclear
        if self.is_complete:
            return Ownership(
                reason=f"{named.owner!r}{_numbered(named)} is not on the roster: add them, or rename the file"
            )
        if named.alternatives:
            return Ownership(reason=f"its name can be read in several ways, e.g. as {named.owner!r}: give a roster")
        if named.is_stray:
            return Ownership(reason="its name does not follow the pattern of the others: rename it after a student id")
        return self._new(named)

    def called(self, text: str) -> list[Person]:
        """Return the people that `text` may refer to: by student id, else by any key or the name."""
        exact = self._index.find("student", student_id(text))
        written = [person for person in exact if person.student == student_id(text)]
        if exact:
            return written or exact
        keys = [person for key in KEYS for person in self._index.find(key, text)]
        return list(dict.fromkeys([*keys, *self._index.find("name", squash(text))]))

    def _known(self, named: Named) -> Ownership:
        """Return the owner among the known people; without people and reason if it is none of them."""
        if len(named.claims) > 1:  # a group whose members are all named
            each = [self._known(replace(named, claims=(claim,), owner=claim.name)) for claim in named.claims]
            missing = [claim.name for claim, ownership in zip(named.claims, each, strict=True) if not ownership.people]
            if missing:
                return Ownership(reason=f"it is from a group, and the roster lacks {', '.join(missing)}: add them")
            return Ownership(tuple(person for ownership in each for person in ownership.people), is_group=True)
        name = squash(named.owner)
        found = self._by_keys(named)
        if len(found) == 1 and name in found[0].groups and name not in found[0].names:
            found = []  # a group's file has the number of one member
        found = found or self._by_name(named)
        if len(found) > 1:
            names = ", ".join(sorted(person.student for person in found))
            return Ownership(reason=f"it may be any of {names}: {_how_to_distinguish(named)}")
        if found and named.claims and compare(found[0], named.claims[0]).names is False:
            to_check = f"assigned to {found[0].student} by its number, but named after {named.owner!r}"
            return Ownership(tuple(found), to_check=to_check)
        group = [] if found else self._index.find("group", name)
        return Ownership(tuple(found or group), is_group=bool(group))

    def _by_keys(self, named: Named) -> list[Person]:
        if named.layout in (Layout.PLAIN, Layout.EXCHANGE):
            return self.called(named.owner)
        if named.layout == Layout.MOODLE:
            # Groups have numbers too, so the name must also match: the person's, or Moodle's word for "Participant".
            numbered = self._index.find("participant", named.number) if named.number else []
            return [p for p in numbered if _full_names(named, p) & {*p.names, squash(_participant(p)[0])}]
        claim = next(iter(named.claims), Person(""))
        found = [person for person in self._index.alike(claim) if _is_claimed(named, compare(person, claim))]
        if not found and claim.login:  # a student id may be the login, even if no roster says so
            called = self._index.find("student", student_id(claim.login))
            found = [person for person in called if not person.login and compare(person, claim).names is not False]
        return found

    def _by_name(self, named: Named) -> list[Person]:
        found = self._index.find("name", squash(named.owner))
        if named.layout == Layout.MOODLE:
            for group, name in _split_at_hyphens(named.owner):
                if self._index.find("group", group):
                    found += [person for person in self._index.find("name", name) if group in person.groups]
        # A person with a different number is another person with the same name.
        return [p for p in dict.fromkeys(found) if not self._has_another_number(p, named)]

    def _has_another_number(self, person: Person, named: Named) -> bool:
        if named.layout == Layout.MOODLE:
            known = _participant(person)[1]
            return bool(known and named.number and known != named.number)
        return any(compare(person, claim).differ for claim in named.claims)

    def _new(self, named: Named) -> Ownership:
        """Return a new person named after the file, if there is no roster. Two people with one name need a roster."""
        key = f"{named.layout} {named.number or named.owner}"
        student = student_id(named.owner)
        if not student:
            return Ownership(reason="its name does not contain an owner's name")
        if len(named.owner) > MAX_ID:
            return Ownership(reason=f"its name is longer than a student id may be ({MAX_ID} characters): rename it")
        if named.layout == Layout.PLAIN:
            key = f"{Layout.PLAIN} {student.casefold()}"
        met = self._met.get(key)
        if met is not None:
            return Ownership((met,))
        if named.layout == Layout.MOODLE and squash(named.owner) == "participant":
            return Ownership(reason=f"Moodle hides the owner's name: {_how_to_distinguish(named)}")
        numbers = self._numbers[named.layout, squash(named.owner)]
        if named.layout not in (Layout.CANVAS, Layout.CANVAS_QUIZ) and len(numbers) > 1:
            return Ownership(reason=f"{len(numbers)} people are called {named.owner!r}: {_how_to_distinguish(named)}")
        if student.casefold() in self._students:
            if not named.number:
                return Ownership(reason=f"{student!r} is another learner's student id: {_how_to_distinguish(named)}")
            student = f"{student}-{named.number}"
        claim = (
            named.claims[0] if named.claims else Person("", name=named.owner if named.layout == Layout.MOODLE else "")
        )
        name = "" if named.layout in (Layout.CANVAS, Layout.CANVAS_QUIZ) else claim.name
        met = replace(claim, student=student, name=name, listed=False)
        self._met[key] = self._students[student.casefold()] = met
        return Ownership((met,))


def _is_claimed(named: Named, how: Comparison) -> bool:
    """Whether a key assigns the file to a person, and nothing contradicts it."""
    return how.is_same and (how.names is not False or named.is_numbers_own)


def _full_names(named: Named, person: Person) -> set[str]:
    """Return the owner's possible names, squashed. Moodle may put the group's name first: "Lab 3-Ada Lovelace".

    A prefix that is not one of the person's groups belongs to the name: "Anna-Maria Schmidt" is not Maria Schmidt.
    """
    tails = (name for group, name in _split_at_hyphens(named.owner) if group in person.groups)
    return {squash(named.owner), *tails} - {""}


def _split_at_hyphens(text: str) -> list[tuple[str, str]]:
    """Return the text split at each hyphen in turn, as (before, after), squashed."""
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


def _how_to_distinguish(named: Named) -> str:
    if named.layout == Layout.MOODLE:
        return "give Moodle's grading worksheet as --roster, whose column Identifier distinguishes them"
    if named.layout in (Layout.CANVAS, Layout.CANVAS_QUIZ):
        return "give a roster with the column canvas_id, which distinguishes them"
    if named.layout == Layout.PLAIN:
        return "name the file after their student id"
    return "give a roster with a column (login, email, sis_id) that distinguishes them"
