"""`autograder collect`: puts handed-in files where nbgrader expects them, `submitted/STUDENT/ASSIGNMENT/`.

It takes what Canvas or Moodle gives a teacher who downloads all submissions, or a folder or zip of notebooks. It
writes below the class folder only, replaces nothing unless told to, and lists all that it did not take, with reasons.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tqdm import tqdm

from ..classroom.class_folder import ClassFolder, in_use
from ..classroom.gradebook import require_writable
from ..classroom.person import Person, student_id
from ..classroom.receipts import Receipt, read_receipts, write_receipts
from ..classroom.roster import keep_roster, read_entries, roster
from ..classroom.roster_join import join
from ..classroom.times import Reading, Unclear, keep_reading, read_reading
from ..problems import Problem, Skipped
from .by_owner import by_owner
from .choose_file import Choice, choose
from .collected import Collected
from .file_names import Named
from .lms_names import TIMESTAMP
from .read_names import read_names
from .source_files import Damaged, HandedIn, digest, handed_in
from .worth import Worth

_SPARE = 2**28  # bytes that stay free on the disk


def collect(
    folder: ClassFolder,
    assignment: str,
    source: Path,
    update: bool = False,
    roster_file: Path | None = None,
    progress: bool = False,
    reading: Reading | None = None,
) -> Collected:
    """Take the notebooks of `source` in.

    Args:
        source: a folder, or a zip file.
        update: replace a submission that is there already and differs.
        roster_file: a CSV file that says who is in the class; it is joined with what the class knows.
        progress: show a progress bar on stderr.
        reading: how dates and times are meant, now and later; by default as said before.

    Raises:
        Problem: if `source` or the roster cannot be read, the gradebook not be written, or the disk has no room.
    """
    if source.resolve() == folder.root:
        raise Problem(f"{source} is the class folder itself; name the folder with the handed-in files")
    require_writable(folder.gradebook_url, "nothing is collected")
    joined = join(roster(folder), read_entries(roster_file) if roster_file else ())
    people = joined.people
    if reading is not None:
        keep_reading(folder, reading)
    with in_use(folder), handed_in(source) as (files, skipped):
        collected = Collected(skipped=skipped, refused_rows=joined.refused, to_check=joined.to_check)
        receipts = read_receipts(folder, assignment)
        owned = by_owner(read_names(files, assignment, list(people.values())), people, receipts, collected)
        with Worth(folder, assignment) as worth:
            choices = {student: choose(assignment, student, names, worth) for student, names in owned.items()}
        collected.to_check += [
            Skipped(choice.file.file.name, f"{worth.unread[choice.file.file.name]}, so it may hold no work at all")
            for choice in choices.values()
            if choice.file is not None and choice.file.file.name in worth.unread
        ]
        _require_room(folder, (choice.file for choice in choices.values()))
        taking = _Taking(folder, assignment, update, receipts, collected, read_reading(folder))
        try:
            for student in tqdm(sorted(choices), desc=assignment, unit="student", disable=not progress):
                taking.take(people[student], choices[student])
        finally:
            write_receipts(folder, assignment, receipts)
    keep_roster(folder, people.values())
    present = set(folder.students(assignment))
    collected.missing = sorted(p.student for p in people.values() if p.listed and p.student not in present)
    return collected


@dataclass(frozen=True)
class _Taking:
    """Takes one student's files in after the other."""

    folder: ClassFolder
    assignment: str
    update: bool
    receipts: dict[str, Receipt]
    collected: Collected
    reading: Reading

    def take(self, person: Person, choice: Choice) -> None:
        self.collected.unclear += choice.unclear
        set_aside = choice.set_aside
        if choice.file is not None:
            try:
                self._take_notebook(person, choice.file, choice.timestamp)
            except Damaged as damaged:
                self.collected.skipped.append(Skipped(choice.file.file.name, str(damaged)))
                reason = f"{choice.file.file.parts[-1]} goes before it, and cannot be read"
                set_aside = tuple(Skipped(skipped.name, reason) for skipped in set_aside)
                self._remove_empty(person)
        elif choice.others and not self.folder.notebook(person.student, self.assignment).is_file():
            self._take_others(person, choice.others)
            self._remove_empty(person)
        self.collected.set_aside += set_aside

    def _remove_empty(self, person: Person) -> None:
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
                self.collected.not_replaced.append(student)
                return
        else:
            is_same = False
        if not is_same:
            named.file.copy_to(path)
            path.with_name(TIMESTAMP).unlink(missing_ok=True)  # it spoke of the file before
        (self.collected.same if is_same else self.collected.taken).append(student)
        self._keep_time(person, path.with_name(TIMESTAMP), named, timestamp)
        self._keep_receipt(student, named)

    def _take_others(self, person: Person, others: Iterable[Named]) -> None:
        taken = 0
        for named in others:
            name = student_id(named.original) or "file"
            try:
                named.file.copy_to(self.folder.submission(person.student, self.assignment) / name)
            except Damaged as damaged:
                self.collected.skipped.append(Skipped(named.file.name, str(damaged)))
                continue
            taken += 1
            self._keep_receipt(person.student, named)
        if taken:
            self.collected.no_notebook.append(person.student)

    def _keep_receipt(self, student: str, named: Named) -> None:
        self.receipts[student] = Receipt(
            named.layout, named.file.name, named.owner, named.number, named.attachment, named.late
        )

    def _keep_time(self, person: Person, path: Path, named: Named, timestamp: HandedIn | None) -> None:
        """Write when it was handed in where nbgrader's late penalties look for it."""
        said = {"its name": named.time, "the roster": person.submitted}
        if timestamp is not None:
            try:
                with timestamp.opened() as file:
                    said[timestamp.name] = file.read(100).decode("utf-8", errors="replace").strip()
            except Damaged as damaged:
                self._ask_time(person, timestamp.name, str(damaged))
                return
        said = {by: text for by, text in said.items() if text.strip("- ")}
        times: dict[datetime, str] = {}
        for by, text in said.items():
            try:
                times.setdefault(self.reading.when(text).replace(microsecond=0), by)
            except Unclear as unclear:
                self._ask_time(person, unclear.text, unclear.why)
                return
        if len(times) > 1:
            shown = ", ".join(f"{time:%Y-%m-%d %H:%M:%S} UTC by {by}" for time, by in times.items())
            self._ask_time(
                person, shown, "two times are given: write the right one into the roster, and delete the other"
            )
        elif times:
            [time] = times
            path.write_text(f"{time:%Y-%m-%d %H:%M:%S} UTC\n", encoding="utf-8")
            if timestamp is not None and timestamp.name in times.values():
                self.collected.times_from_files.append(person.student)

    def _ask_time(self, person: Person, said: str, why: str) -> None:
        self.collected.times.setdefault(why, []).append(f"{person.student} ({said})")


def _require_room(folder: ClassFolder, files: Iterable[Named | None]) -> None:
    needed, free = sum(named.file.size for named in files if named), shutil.disk_usage(folder.root).free
    if needed > free - _SPARE:
        raise Problem(f"the files need {needed / 2**20:,.0f} MB, and the disk of {folder.root} has {free / 2**20:,.0f}")
