"""`autograder grade`: runs a class's submissions of an assignment through nbgrader's steps, several at a time.

Only this process writes the gradebook; learners' code runs in workers. A failing submission becomes one row in the
table and never stops the others.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import warnings
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning
from tqdm import tqdm
from traitlets.utils.importstring import import_item

from ..classroom.class_folder import ClassFolder, in_use
from ..classroom.gradebook import open_session, roll_back
from ..classroom.record import Record, read_record
from ..course.bundle import zip_course
from ..nbgrader_steps.make_inert import INERT
from ..nbgrader_steps.realign import READ
from ..nbgrader_steps.untrusted import made_inert, read_and_realign, without_outputs
from ..outcomes import Outcome
from ..problems import one_line
from ..progress import progress_bar
from ..realign.read_submission import NeedsReview, Unreadable
from ..sandbox.bounded import BoundedProcess, OutOfBounds
from . import interrupts
from .fan_out import FanOut
from .job import Executed, Job


@dataclass(frozen=True)
class Run:
    """The result of one `grade`.

    Args:
        outcomes: the number of submissions by outcome, in this run.
        unchanged: the number of submissions that were graded before and have not changed.
    """

    outcomes: Counter[str]
    unchanged: int


def grade(
    folder: ClassFolder,
    assignment: str,
    workers: int,
    *,
    regrade: bool = False,
    progress: bool | tqdm[Any] = True,
    sandbox: bool | None = None,
    scheduler: str | None = None,
) -> Run:
    """Grade every submission of `assignment` that is new or changed.

    Args:
        workers: the number of submissions that run at once.
        regrade: grade unchanged submissions too. Manual scores stay.
        progress: whether to show a progress bar on stderr; or a bar that is there already, to count in.
        sandbox: whether submissions run in the sandbox; by default as in the class's settings.
        scheduler: address of a Dask scheduler whose workers run the submissions, instead of this machine's.

    Raises:
        Problem: if the scheduler cannot be reached or the connection is lost, the gradebook cannot be written, or
            another command is working in the class.
    """
    outcomes: Counter[str] = Counter()
    students = folder.students(assignment)
    bounded = BoundedProcess()
    steps = Steps(folder, assignment, bounded)
    if sandbox is not None:
        steps.config.Execute.sandbox = sandbox
    waiting = [student for student in students if regrade or steps.is_new(student)]
    with (
        in_use(folder),
        bounded,
        open_session(folder.gradebook_url),
        _bar(assignment, len(waiting), progress) as bar,
        interrupts.recorded() as interrupted,
    ):

        def count(outcome: str) -> None:
            outcomes[outcome] += 1
            bar.set_postfix_str(", ".join(f"{number} {name}" for name, number in outcomes.items()), refresh=False)
            bar.update()

        def jobs() -> Iterator[Job]:
            for student in waiting:
                prepared = steps.prepare(student)
                if isinstance(prepared, Job):
                    yield prepared
                else:
                    count(prepared)

        sealed = steps.config.Execute.get("sandbox", True)
        try:
            for executed in FanOut(workers, scheduler, sandbox=sealed).run(jobs()):
                count(steps.save(executed))
                if interrupted():
                    raise KeyboardInterrupt
        except BaseException as error:
            done = f"{outcomes.total()} of {len(waiting)} submissions of {assignment} are graded and saved"
            error.add_note(f"{done}; the same command continues with the rest.")
            raise
    return Run(outcomes, unchanged=len(students) - len(waiting))


def _bar(assignment: str, waiting: int, progress: bool | tqdm[Any]) -> AbstractContextManager[tqdm[Any]]:  # noqa: FBT001
    if isinstance(progress, bool):
        return progress_bar(f"Grading {assignment}", waiting, shown=progress)
    return contextlib.nullcontext(progress)  # its owner closes it


class Steps:
    """nbgrader's steps for one assignment, in two halves: before a worker runs the submission, and after it.

    Args:
        bounded: the process that reads learners' files and outputs.
    """

    def __init__(self, folder: ClassFolder, assignment: str, bounded: BoundedProcess) -> None:
        self.folder, self.assignment, self._bounded = folder, assignment, bounded
        self.chapter = folder.chapter(assignment)
        self.config = folder.config()
        self._course = zip_course(folder.solutions, assignment)
        self._judged_by = folder.judged_by(assignment)

    @functools.cached_property
    def _converter(self) -> _Autograde:
        """Made for the first submission, so that an invalid nbgrader setting is reported with a submission."""
        return _Autograde.for_class(self.config)

    def is_new(self, student: str) -> bool:
        """Whether a submission must be graded: it is new or changed, was not finished, or needs review."""
        record = read_record(self.folder.record_path(student, self.assignment))
        if record is None or record.outcome == Outcome.NEEDS_REVIEW or record.fingerprint != self._fingerprint(student):
            return True
        return bool(record.verdicts) and not self.folder.autograded(student, self.assignment).is_file()

    def prepare(self, student: str) -> Job | str:
        """Read and sanitise a submission. Return its job or, if it cannot be graded, its outcome."""
        path = self.folder.notebook(student, self.assignment)
        fingerprint = self._fingerprint(student)  # now: the file may be replaced while it is being graded
        try:
            text = self._bounded(read_and_realign, path, self.folder.solutions / self.assignment)
            text = self._converter.sanitise(path, json.loads(text, object_hook=NotebookNode))
        except (Unreadable, OutOfBounds) as unreadable:
            return self._record(student, Outcome.UNREADABLE, str(unreadable), fingerprint)
        except NeedsReview as review:
            return self._record(student, Outcome.NEEDS_REVIEW, str(review), fingerprint)
        except Exception as error:  # no error may stop the other submissions
            return self._record(
                student, Outcome.NEEDS_REVIEW, f"it could not be prepared: {one_line(error)}", fingerprint
            )
        settings = {**self.config.Execute, "hidden": [str(self.folder.root)]}
        return Job(student, self.assignment, text, self._course, settings, fingerprint)

    def save(self, executed: Executed) -> str:
        """Write an executed submission to `autograded/`, the gradebook and its record. Return its outcome."""
        job, judged = executed.job, executed.judged
        if not executed.notebook:
            return self._record(job.student, judged.outcome, judged.reason, job.fingerprint, sealed=judged.sealed)
        try:
            notebook = self._inert(executed.notebook)
            self._converter.finish(self.folder.notebook(job.student, self.assignment), executed, notebook)
        except Exception as error:
            roll_back()
            reason = f"its grade could not be saved: {one_line(error)}"
            return self._record(job.student, Outcome.NEEDS_REVIEW, reason, job.fingerprint, sealed=judged.sealed)
        return judged.outcome

    def _inert(self, notebook: str) -> NotebookNode:
        """Return an executed notebook with safe outputs. If cleaning them takes too long, they are left out."""
        try:
            notebook = self._bounded(made_inert, notebook)
        except OutOfBounds:
            notebook = without_outputs(notebook)
        return json.loads(notebook, object_hook=NotebookNode)

    def _record(self, student: str, outcome: Outcome, reason: str, fingerprint: str, *, sealed: bool = True) -> str:
        if self.folder.autograded(student, self.assignment).is_file():
            reason += " (the grade of the previous submission stays in the gradebook)"
        record = Record.of(student, self.assignment, outcome, reason, fingerprint, sealed=sealed)
        record.write(self.folder.record_path(student, self.assignment))
        return outcome

    def _fingerprint(self, student: str) -> str:
        return self.folder.fingerprint(self.folder.notebook(student, self.assignment), self._judged_by)


class _Autograde(Autograde):
    """nbgrader's `autograde` in two halves, for one submission at a time."""

    coursedir: Any  # nbgrader declares it as optional; here it is always set

    @classmethod
    def for_class(cls, config: Any) -> _Autograde:
        """Make it for a class, with the same set-up as nbgrader's `start`."""
        from nbconvert.exporters import NotebookExporter
        from nbconvert.writers.files import FilesWriter

        converter = cls(coursedir=CourseDirectory(config=config), config=config, force=True)
        converter.log = logging.getLogger("autograder.nbgrader")
        converter.log.setLevel(logging.ERROR)
        converter.writer = FilesWriter(parent=converter, config=converter.config)
        converter.exporter = NotebookExporter(parent=converter, config=converter.config, optimistic_validation=True)
        return converter

    def sanitise(self, path: Path, notebook: NotebookNode) -> Any:
        """Run the steps before execution, and return the notebook as JSON. Nothing is written yet."""
        with self._in_its_folder():
            resources = {**self._resources(path), READ: True}
            notebook, _ = self._through(self.sanitize_preprocessors, notebook, resources)
        return json.dumps(notebook)

    def finish(self, path: Path, executed: Executed, notebook: NotebookNode) -> None:
        """Run the steps after execution: they write the gradebook, the autograded file and the record.

        Args:
            notebook: the executed notebook, with safe outputs.
        """
        student, assignment = executed.job.student, executed.job.assignment
        with self._in_its_folder():
            resources: Any = self._resources(path)
            resources["manyheads"] = executed.judged
            resources[INERT] = True
            resources["fingerprint"] = executed.job.fingerprint
            self.notebooks = [str(path)]
            self.init_destination(assignment, student)
            self.init_assignment(assignment, student)
            notebook, resources = self._through(self.autograde_preprocessors, notebook, resources)
            resources["output_extension"] = ".ipynb"
            self.write_single_notebook(_text(notebook), resources)
            self.set_permissions(assignment, student)

    @contextlib.contextmanager
    def _in_its_folder(self) -> Generator[None]:
        # nbgrader's paths are relative to the course's root. SQLAlchemy warns about the order in which nbgrader adds a
        # submission's rows.
        with contextlib.chdir(self.coursedir.root), warnings.catch_warnings(action="ignore", category=SAWarning):
            yield

    def _through(self, steps: Iterable[Any], notebook: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Run `steps` on a notebook, without the copies and validation of an exporter."""
        for step in steps:
            made = (import_item(step) if isinstance(step, str) else step)(parent=self.exporter)
            notebook, resources = made(notebook, resources)
        return notebook, resources

    def _resources(self, path: Path) -> Any:
        self._sanitizing = True  # makes nbgrader read the names of student and assignment from the submission's path
        return self.init_single_notebook_resources(str(path))


def _text(notebook: NotebookNode) -> str:
    """Return a notebook as JSON, without nbformat's validation and copies, which take four times as long."""
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
