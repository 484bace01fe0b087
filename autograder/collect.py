"""`autograder collect`: puts handed-in files where nbgrader expects them, `submitted/STUDENT/ASSIGNMENT/`.

It takes what Canvas or Moodle gives a teacher who downloads all submissions, or a folder or zip of notebooks. It
writes below the class folder only, replaces nothing unless told to, and lists all that it did not take, with reasons.
"""

from __future__ import annotations

import contextlib
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from pathlib import Path

import dateutil.parser
from tqdm import tqdm

from .choose import Choice, choose
from .class_folder import ClassFolder
from .file_names import CANVAS, PLAIN, Named, read_names
from .handed_in import HandedIn, Skipped, digest, handed_in
from .problems import Problem, one_line
from .receipts import Receipt, read_receipts, write_receipts
from .roster import Person, join, keep_roster, read_roster, roster, student_id
from .whose import Owners
from .worth import Worth

TIMESTAMP = "timestamp.txt"  # nbgrader's name for the file that says when a submission was handed in
_SPARE = 2**28  # bytes that stay free on the disk


@dataclass
class Collected:
    """What one `collect` did.

    Args:
        taken, same, kept: students whose file was taken, was there already, or stayed although this one differs.
        late: students whose file is late, as far as the LMS says.
        no_notebook: students who handed in something else; it is taken, and graded as "unreadable".
        unclear: files of a student with several, of which nobody can say which to grade; none was taken.
        unknown: files of nobody that the roster knows, or of one of several people.
        set_aside: files of those whose notebook was taken: other notebooks, and what lay beside it.
        skipped: everything else.
        missing: students on the roster of whom there is nothing, from now or before.
    """

    taken: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    no_notebook: list[str] = field(default_factory=list)
    unclear: list[Skipped] = field(default_factory=list)
    unknown: list[Skipped] = field(default_factory=list)
    set_aside: list[Skipped] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def collect(
    folder: ClassFolder,
    assignment: str,
    source: Path,
    update: bool = False,
    roster_file: Path | None = None,
    progress: bool = False,
) -> Collected:
    """Take the notebooks of `source` in.

    Args:
        source: a folder, or a zip file.
        update: replace a submission that is there already and differs.
        roster_file: a CSV file that says who is in the class; it is joined with what the class knows.
        progress: show a progress bar on stderr.

    Raises:
        Problem: if `source` or the roster cannot be read, or the disk has no room.
    """
    if source.resolve() == folder.root:
        raise Problem(f"{source} is the class folder itself; name the folder with the handed-in files")
    known = join(roster(folder), read_roster(roster_file) if roster_file else ())
    with handed_in(source) as (files, skipped):
        collected = Collected(skipped=skipped)
        named = read_names(files, assignment, {person.canvas_id for person in known} - {""})
        people = {person.student: person for person in known}
        owned = _by_owner(named, people, collected)
        worth = Worth(folder, assignment)
        choices = {student: choose(assignment, student, names, worth) for student, names in owned.items()}
        _require_room(folder, (choice.file for choice in choices.values()))
        receipts = read_receipts(folder, assignment)
        taking = _Taking(folder, assignment, update, receipts, collected)
        try:
            for student in tqdm(sorted(choices), desc=assignment, unit="student", disable=not progress):
                taking.take(people[student], choices[student])
        finally:
            write_receipts(folder, assignment, receipts)
    keep_roster(folder, people.values())
    present = set(folder.students(assignment))
    collected.missing = sorted(p.student for p in people.values() if p.listed and p.student not in present)
    return collected


def _by_owner(named: Sequence[Named], people: dict[str, Person], collected: Collected) -> dict[str, list[Named]]:
    """Sort the files by student. Add to `people` who is new, and what the names say of those who are not."""
    owners = Owners(list(people.values()))
    owned: dict[str, list[Named]] = {}
    for name in named:
        is_anybodys = name.is_notebook or name.layout != PLAIN or (owners.is_complete and len(name.file.parts) > 1)
        if not is_anybodys and name.original != TIMESTAMP:
            collected.skipped.append(Skipped(name.file.name, "it is no notebook"))
            continue
        whose = owners.of(name)
        if not whose.people and not name.is_notebook and name.layout == PLAIN:
            collected.skipped.append(Skipped(name.file.name, "it is no notebook"))
        elif not whose.people:
            collected.unknown.append(Skipped(name.file.name, whose.reason))
        for person in whose.people:
            people.setdefault(person.student, person)
            if name.layout == CANVAS and len(whose.people) == 1 and not person.canvas_id:
                people[person.student] = replace(person, canvas_id=name.number)
            owned.setdefault(person.student, []).append(name)
    return owned


@dataclass(frozen=True)
class _Taking:
    """Takes one student's files in after the other."""

    folder: ClassFolder
    assignment: str
    update: bool
    receipts: dict[str, Receipt]
    collected: Collected

    def take(self, person: Person, choice: Choice) -> None:
        self.collected.set_aside += choice.set_aside
        self.collected.unclear += choice.unclear
        try:
            if choice.file is not None:
                self._take_notebook(person, choice.file, choice.timestamp)
            elif choice.others and not self.folder.notebook(person.student, self.assignment).is_file():
                self._take_others(person, choice.others)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            names = [choice.file] if choice.file else choice.others
            reason = f"it is damaged ({one_line(error)}): download the zip again, or ask for the file"
            self.collected.skipped += [Skipped(named.file.name, reason) for named in names]
            made = self.folder.submission(person.student, self.assignment)
            for folder in (made, made.parent):
                with contextlib.suppress(OSError):  # something is in it
                    folder.rmdir()

    def _take_notebook(self, person: Person, named: Named, timestamp: HandedIn | None) -> None:
        student, path = person.student, self.folder.notebook(person.student, self.assignment)
        before = self.receipts.get(student)
        if named.late:
            self.collected.late.append(student)
        if path.is_file():
            with path.open("rb") as there:
                is_same = digest(there) == named.file.digest()
            is_older = before is not None and before.attachment > named.attachment > 0
            if not is_same and (not self.update or is_older):
                self.collected.kept.append(student)
                return
            (self.collected.same if is_same else self.collected.taken).append(student)
        else:
            self.collected.taken.append(student)
            is_same = False
        if not is_same:
            named.file.copy_to(path)
            path.with_name(TIMESTAMP).unlink(missing_ok=True)  # it spoke of the file before
        self._keep_time(person, path.with_name(TIMESTAMP), timestamp)
        self._keep_receipt(student, named)

    def _take_others(self, person: Person, others: Iterable[Named]) -> None:
        for named in others:
            name = student_id(named.original) or "file"
            named.file.copy_to(self.folder.submission(person.student, self.assignment) / name)
            self._keep_receipt(person.student, named)
        self.collected.no_notebook.append(person.student)

    def _keep_receipt(self, student: str, named: Named) -> None:
        self.receipts[student] = Receipt(
            named.layout, named.file.name, named.owner, named.number, named.attachment, named.late
        )

    def _keep_time(self, person: Person, path: Path, timestamp: HandedIn | None) -> None:
        """Write when it was handed in where nbgrader's late penalties look for it."""
        said, by = person.submitted, "the roster"
        if timestamp is not None:
            by = timestamp.name
            with timestamp.opened() as file:
                said = file.read(100).decode("utf-8", errors="replace").strip()
        if not said or said == "-":
            return
        try:
            time = dateutil.parser.parse(said).astimezone(UTC)  # without a zone: this machine's
        except (ValueError, OverflowError):
            reason = f"it does not say in words known here when {person.student} handed in: {said[:60]!r}"
            self.collected.skipped.append(Skipped(by, reason))
            return
        path.write_text(f"{time:%Y-%m-%d %H:%M:%S} UTC\n", encoding="utf-8")


def _require_room(folder: ClassFolder, files: Iterable[Named | None]) -> None:
    needed, free = sum(named.file.size for named in files if named), shutil.disk_usage(folder.root).free
    if needed > free - _SPARE:
        raise Problem(f"the files need {needed / 2**20:,.0f} MB, and the disk of {folder.root} has {free / 2**20:,.0f}")
