"""`autograder collect`: puts submitted files where nbgrader expects them, in `submitted/STUDENT/ASSIGNMENT/`.

It reads an LMS's download of all submissions, or a folder or zip of notebooks. It writes only inside the class
folder, replaces submissions only with `update`, and lists every file that it did not collect, with the reason.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..classroom.class_folder import ClassFolder, in_use
from ..classroom.gradebook import require_writable
from ..classroom.person import Person, student_id
from ..classroom.receipts import Receipt, read_receipts, write_receipts
from ..classroom.roster import read_entries, roster, write_roster
from ..classroom.roster_join import join
from ..classroom.times import Reading, Unclear, read_reading, store_reading
from ..problems import Problem, Skipped
from ..progress import progress_bar
from .by_owner import by_owner
from .choose_file import Choice, choose
from .collected import Collected
from .file_names import Named
from .lms_names import TIMESTAMP
from .read_names import read_names
from .source_files import Damaged, HandedIn, digest, handed_in
from .worth import Worth

_RESERVE = 2**28  # bytes that must stay free on the disk


def collect(
    folder: ClassFolder,
    assignment: str,
    source: Path,
    *,
    update: bool = False,
    roster_file: Path | None = None,
    progress: bool = False,
    reading: Reading | None = None,
) -> Collected:
    """Collect the notebooks in `source`.

    Args:
        source: a folder, or a zip file.
        update: replace submissions that were collected before and differ.
        roster_file: a CSV file of the class's learners; it is merged into the class's roster.
        progress: show a progress bar on stderr.
        reading: how to read dates and times, stored for later calls; by default as stored.

    Raises:
        Problem: if `source` or the roster cannot be read, the gradebook cannot be written, or the disk is full.
    """
    if source.resolve() == folder.root:
        raise Problem(f"{source} is the class folder itself; name the folder with the submitted files")
    require_writable(folder.gradebook_url, "nothing is collected")
    joined = join(roster(folder), read_entries(roster_file) if roster_file else ())
    people = joined.people
    if reading is not None:
        store_reading(folder, reading)
    with in_use(folder), handed_in(source) as (files, skipped):
        collected = Collected(skipped=skipped, refused_rows=joined.refused, to_check=joined.to_check)
        receipts = read_receipts(folder, assignment)
        owned = by_owner(read_names(files, assignment, list(people.values())), people, receipts, collected)
        with Worth(folder, assignment) as worth:
            choices = {student: choose(assignment, student, names, worth) for student, names in owned.items()}
        collected.to_check += [
            Skipped(choice.file.file.name, f"{worth.unread[choice.file.file.name]}, so it may contain no work")
            for choice in choices.values()
            if choice.file is not None and choice.file.file.name in worth.unread
        ]
        _require_room(folder, (choice.file for choice in choices.values()))
        taking = _Taking(folder, assignment, update, receipts, collected, read_reading(folder))
        try:
            with progress_bar(f"Collecting {assignment}", len(choices), shown=progress) as bar:
                for student in sorted(choices):
                    taking.take(people[student], choices[student])
                    bar.update()
        finally:
            write_receipts(folder, assignment, receipts)
    write_roster(folder, people.values())
    present = set(folder.students(assignment))
    collected.missing = sorted(p.student for p in people.values() if p.listed and p.student not in present)
    return collected


@dataclass(frozen=True)
class _Taking:
    """Copies the chosen files into the class folder, one student at a time."""

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
                reason = f"{choice.file.file.parts[-1]} was chosen before it, but cannot be read"
                set_aside = tuple(Skipped(skipped.name, reason) for skipped in set_aside)
                self._remove_empty(person)
        elif choice.others and not self.folder.notebook(person.student, self.assignment).is_file():
            self._take_others(person, choice.others)
            self._remove_empty(person)
        self.collected.set_aside += set_aside

    def _remove_empty(self, person: Person) -> None:
        made = self.folder.submission(person.student, self.assignment)
        for folder in (made, made.parent):
            with contextlib.suppress(OSError):  # not empty
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
            path.with_name(TIMESTAMP).unlink(missing_ok=True)  # it belonged to the replaced file
        (self.collected.same if is_same else self.collected.taken).append(student)
        self._write_time(person, path.with_name(TIMESTAMP), named, timestamp)
        self._add_receipt(student, named)

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
            self._add_receipt(person.student, named)
        if taken:
            self.collected.no_notebook.append(person.student)

    def _add_receipt(self, student: str, named: Named) -> None:
        self.receipts[student] = Receipt(
            named.layout, named.file.name, named.owner, named.number, named.attachment, named.late
        )

    def _write_time(self, person: Person, path: Path, named: Named, timestamp: HandedIn | None) -> None:
        """Write the submission time to `path`, where nbgrader's late penalties read it."""
        sources = {"its name": named.time, "the roster": person.submitted}
        if timestamp is not None:
            try:
                with timestamp.opened() as file:
                    sources[timestamp.name] = file.read(100).decode("utf-8", errors="replace").strip()
            except Damaged as damaged:
                self._report_time(person, timestamp.name, str(damaged))
                return
        sources = {source: text for source, text in sources.items() if text.strip("- ")}
        times: dict[datetime, str] = {}
        for source, text in sources.items():
            try:
                times.setdefault(self.reading.when(text).replace(microsecond=0), source)
            except Unclear as unclear:
                self._report_time(person, unclear.text, unclear.why)
                return
        if len(times) > 1:
            shown = ", ".join(f"{time:%Y-%m-%d %H:%M:%S} UTC in {source}" for time, source in times.items())
            why = "there are two different times: write the right one into the roster, and delete the other"
            self._report_time(person, shown, why)
        elif times:
            [time] = times
            path.write_text(f"{time:%Y-%m-%d %H:%M:%S} UTC\n", encoding="utf-8")
            if timestamp is not None and timestamp.name in times.values():
                self.collected.times_from_files.append(person.student)

    def _report_time(self, person: Person, time: str, why: str) -> None:
        self.collected.times.setdefault(why, []).append(f"{person.student} ({time})")


def _require_room(folder: ClassFolder, files: Iterable[Named | None]) -> None:
    needed, free = sum(named.file.size for named in files if named), shutil.disk_usage(folder.root).free
    if needed > free - _RESERVE:
        raise Problem(
            f"the files need {needed / 2**20:,.0f} MB plus {_RESERVE / 2**20:.0f} MB in reserve, but the disk of "
            f"{folder.root} has {free / 2**20:,.0f} MB free"
        )
