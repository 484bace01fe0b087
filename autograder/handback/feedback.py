"""`autograder feedback`: one HTML page for each learner, made by nbgrader, that loads nothing from the network.

A page shows the graded notebook with its verdicts and scores. If a submission could not be graded, the page says why.
No code of a notebook runs here.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from tqdm import tqdm

from ..classroom.class_folder import ClassFolder
from ..classroom.record import Record, read_record
from ..outcomes import Outcome
from ..problems import one_line
from ..sandbox.bounded import BoundedProcess

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass
class Feedback:
    """The result of one `feedback`.

    Args:
        pages: the page's path by student.
        waiting: students without a page, because their submission is not graded yet or needs review.
        failed: students whose page could not be made, with the reason.
    """

    pages: dict[str, Path] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def write_feedback(folder: ClassFolder, assignment: str, *, progress: bool = False) -> Feedback:
    """Write `feedback/STUDENT/ASSIGNMENT/ASSIGNMENT.html` for each student who submitted `assignment`.

    Args:
        progress: show a progress bar on stderr.
    """
    done = Feedback()
    with BoundedProcess() as bounded:
        for student in tqdm(folder.students(assignment), desc=assignment, unit="page", disable=not progress):
            record = read_record(folder.record_path(student, assignment))
            path = feedback_path(folder, student, assignment)
            if record is None or record.outcome == Outcome.NEEDS_REVIEW:
                done.waiting.append(student)
                continue
            try:
                if record.verdicts and folder.autograded(student, assignment).is_file():
                    bounded(_convert, folder, student, assignment)
                else:
                    _write_reason(path, folder.chapter(assignment).title, record)
            except Exception as error:  # an error in one notebook must not stop the other pages
                done.failed.append((student, one_line(error)))
            else:
                done.pages[student] = path
    return done


def feedback_path(folder: ClassFolder, student: str, assignment: str) -> Path:
    """Return the path of a student's page."""
    return folder.root / "feedback" / student / assignment / f"{assignment}.html"


class _Generate(GenerateFeedback):
    """nbgrader's `generate_feedback` for one submission, with pages that load nothing from the network."""

    coursedir: Any  # nbgrader declares it as optional; here it is always set
    exporter: Any

    def generate(self, path: Path) -> None:
        """Make the page of the autograded notebook at `path`."""
        student, assignment = self.coursedir.student_id, self.coursedir.assignment_id
        self.notebooks = [str(path)]
        self.init_destination(assignment, student)
        for preprocessor in self.preprocessors:
            self.exporter.register_preprocessor(preprocessor)
        self.exporter.extra_loaders = [
            jinja2.FileSystemLoader(_TEMPLATES / "offline")
        ]  # overrides nbgrader's templates
        self.convert_single_notebook(str(path))
        self.set_permissions(assignment, student)


def _convert(folder: ClassFolder, student: str, assignment: str) -> None:
    from nbconvert.writers.files import FilesWriter

    config = _config(folder)
    coursedir = CourseDirectory(config=config, student_id=student, assignment_id=assignment)
    converter = _Generate(coursedir=coursedir, config=config, force=True)
    converter.log = logging.getLogger("autograder.nbgrader")
    converter.log.setLevel(logging.ERROR)
    converter.writer = FilesWriter(parent=converter, config=converter.config)
    converter.exporter = converter.exporter_class(parent=converter, config=converter.config)
    with contextlib.chdir(coursedir.root):
        converter.generate(Path(coursedir.format_path("autograded", student, assignment), f"{assignment}.ipynb"))


@functools.lru_cache(maxsize=1)
def _config(folder: ClassFolder) -> Any:
    return folder.config()


def _write_reason(path: Path, title: str, record: Record) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True)
    page = environment.get_template("no_feedback.html.j2").render(
        title=title, outcome=record.outcome, reason=record.reason.rstrip(".")
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def summary(done: Feedback) -> Sequence[str]:
    """Return the lines that the command prints about the result."""
    lines = [f"{len(done.pages)} pages written."]
    if done.waiting:
        lines.append(f"No page yet, because not graded: {', '.join(done.waiting)}")
    lines += [f"No page for {student}: {reason}" for student, reason in done.failed]
    return lines
