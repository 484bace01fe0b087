"""`autograder grade`: takes a class's submissions of an assignment through nbgrader's steps, several at a time.

Only this process touches the gradebook; learners' code runs in workers. One submission's trouble is one row in the
table: it never stops the others.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning
from tqdm import tqdm

from .class_folder import ClassFolder
from .fan_out import Executed, FanOut, Job
from .record import NEEDS_REVIEW, UNREADABLE, Record, read_record
from .triage import Unreadable, read_submission


@dataclass(frozen=True)
class Run:
    """What one `grade` did.

    Args:
        outcomes: how many submissions ended how, in this run.
        unchanged: how many were graded before and had not changed.
    """

    outcomes: Counter[str]
    unchanged: int


def grade(folder: ClassFolder, assignment: str, workers: int, regrade: bool = False, progress: bool = True) -> Run:
    """Grade every submission of `assignment` that is new or changed.

    Args:
        workers: how many run at once.
        regrade: grade unchanged ones too. A score set by hand in the formgrader stays.
        progress: show a progress bar on stderr.
    """
    steps = Steps(folder, assignment)
    outcomes: Counter[str] = Counter()
    waiting = [student for student in folder.students(assignment) if regrade or steps.is_new(student)]
    unchanged = len(folder.students(assignment)) - len(waiting)
    with tqdm(total=len(waiting), desc=assignment, unit="submission", disable=not progress) as bar:

        def count(outcome: str) -> None:
            outcomes[outcome] += 1
            bar.set_postfix({name.replace(" ", "-"): number for name, number in outcomes.items()}, refresh=False)
            bar.update()

        jobs = []
        for student in waiting:
            outcome_or_job = steps.prepare(student)
            if isinstance(outcome_or_job, Job):
                jobs.append(outcome_or_job)
            else:
                count(outcome_or_job)
        for executed in FanOut(workers).run(jobs):
            count(steps.save(executed))
    return Run(outcomes, unchanged)


class Steps:
    """nbgrader's steps for one assignment, cut where a submission leaves for a worker and where it comes back."""

    def __init__(self, folder: ClassFolder, assignment: str) -> None:
        self.folder, self.assignment = folder, assignment
        self.chapter = folder.chapter(assignment)
        self.config = folder.config()

    def is_new(self, student: str) -> bool:
        """Whether a submission has changed since it was last graded, or ended by a fault of ours."""
        record = read_record(self.folder.record_path(student, self.assignment))
        fingerprint = self._fingerprint(student)
        return record is None or record.fingerprint != fingerprint or record.outcome == NEEDS_REVIEW

    def prepare(self, student: str) -> Job | str:
        """Read and sanitise a submission. Return its job, or the outcome where it cannot be graded."""
        path = self.folder.notebook(student, self.assignment)
        try:
            read_submission(path, self.chapter)
        except Unreadable as unreadable:
            return self._record(student, UNREADABLE, str(unreadable))
        try:
            with _converter(self.config, student, self.assignment, force=True) as converter:
                text = converter.sanitise(path)
        except Exception as error:  # whatever nbgrader makes of it, the other submissions go on
            return self._record(student, NEEDS_REVIEW, f"nbgrader could not prepare it: {_one_line(error)}")
        return Job(student, self.assignment, text, dict(self.config.Execute))

    def save(self, executed: Executed) -> str:
        """Write an executed submission to `autograded/`, the gradebook and its record. Return its outcome."""
        student, marked = executed.job.student, executed.marked
        if not executed.notebook:
            return self._record(student, marked.outcome, marked.reason)
        try:
            with _converter(self.config, student, self.assignment, force=True) as converter:
                converter.finish(self.folder.notebook(student, self.assignment), executed.notebook, marked)
        except Exception as error:
            return self._record(student, NEEDS_REVIEW, f"its grade could not be saved: {_one_line(error)}")
        return marked.outcome

    def _record(self, student: str, outcome: str, reason: str) -> str:
        record = Record.of(student, self.assignment, outcome, reason, self._fingerprint(student))
        record.write(self.folder.record_path(student, self.assignment))
        return outcome

    def _fingerprint(self, student: str) -> str:
        return self.folder.fingerprint(self.assignment, self.folder.notebook(student, self.assignment))


class _Autograde(Autograde):
    """nbgrader's `autograde` for one submission, in two halves."""

    coursedir: Any  # nbgrader declares it optional; here it is always set

    def sanitise(self, path: Path) -> Any:
        """Do everything that comes before running, and return the notebook's text."""
        student, assignment = self.coursedir.student_id, self.coursedir.assignment_id
        self.notebooks = [str(path)]
        self.init_destination(assignment, student)
        self.init_assignment(assignment, student)
        self._sanitizing = True
        self._init_preprocessors()
        text, _ = self.exporter.from_filename(str(path), resources=self._resources(path))
        return text

    def finish(self, path: Path, text: str, marked: Any) -> None:
        """Do everything that comes after running: scores, late penalties, the autograded file, the record."""
        self._sanitizing = False
        self._init_preprocessors()
        resources: Any = self._resources(path)
        resources["manyheads"] = marked
        notebook = nbformat.reads(text, as_version=4)
        output: Any
        output, resources = self.exporter.from_notebook_node(notebook, resources=resources)
        self.write_single_notebook(output, resources)
        self.set_permissions(self.coursedir.assignment_id, self.coursedir.student_id)

    def _resources(self, path: Path) -> Any:
        self._sanitizing, before = True, self._sanitizing
        resources = self.init_single_notebook_resources(str(path))
        self._sanitizing = before
        return resources


@contextlib.contextmanager
def _converter(config: Any, student: str, assignment: str, force: bool) -> Iterator[_Autograde]:
    """Set up nbgrader's converter for one submission, as its `start` does."""
    from nbconvert.exporters import NotebookExporter
    from nbconvert.writers.files import FilesWriter

    coursedir = CourseDirectory(config=config, student_id=student, assignment_id=assignment)
    converter = _Autograde(coursedir=coursedir, config=config, force=force)
    converter.log = logging.getLogger("autograder.nbgrader")
    converter.log.setLevel(logging.ERROR)
    converter.writer = FilesWriter(parent=converter, config=converter.config)
    converter.exporter = NotebookExporter(parent=converter, config=converter.config)
    # nbgrader's paths are relative to the course's root; it adds a submission's rows in an order that SQLAlchemy
    # warns of.
    with contextlib.chdir(coursedir.root), warnings.catch_warnings(action="ignore", category=SAWarning):
        yield converter


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else ''}"
