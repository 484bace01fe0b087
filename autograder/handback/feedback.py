"""`autograder feedback`: one HTML page for each learner, that loads nothing from the network.

`autograder.handback.feedback_page` says what is on a page. If a submission could not be graded, the page says why.
nbgrader's own page is made by `nbgrader generate_feedback`, in the same place.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from manyheads.whole_file import whole_file

from ..classroom.class_folder import ClassFolder
from ..classroom.graded_points import comments, graded_points, max_points
from ..classroom.record import read_record
from ..classroom.results import NOT_GRADED, class_results
from ..outcomes import Outcome
from ..problems import one_line
from ..progress import progress_bar
from ..sandbox.bounded import BoundedProcess
from . import feedback_page


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


def write_feedback(
    folder: ClassFolder, assignment: str, *, progress: bool = False, students: Collection[str] = ()
) -> Feedback:
    """Write `feedback/STUDENT/ASSIGNMENT/ASSIGNMENT.html` for each student who submitted `assignment`.

    Args:
        progress: show a progress bar on stderr.
        students: write only the pages of these; of all if it is empty.
    """
    done = Feedback()
    results = class_results(folder, assignment)
    url = folder.gradebook_url
    points, worth, remarks = graded_points(url, assignment), max_points(url, assignment), comments(url, assignment)
    chosen = [learner for learner in results.learners if not students or learner.student in students]
    with BoundedProcess() as bounded, progress_bar(f"Feedback for {assignment}", len(chosen), shown=progress) as bar:
        for learner in chosen:
            bar.update()
            student = learner.student
            record = read_record(folder.record_path(student, assignment))
            if record is None or learner.outcome in (NOT_GRADED, Outcome.NEEDS_REVIEW):
                done.waiting.append(student)
                continue
            notebook = folder.autograded(student, assignment)
            was_judged = bool(record.verdicts) and notebook.is_file()
            facts = feedback_page.Facts(
                results.title,
                results.names.get(student, student),
                learner,
                results.max_score,
                record.verdicts,
                dict(points.get(student, {})),
                dict(worth),
                dict(remarks.get(student, {})),
                has_earlier_grade=not was_judged and student in points,
            )
            path = folder.feedback(student, assignment)
            try:
                page = bounded(
                    feedback_page.render, facts, notebook if was_judged else None, folder.solutions / assignment
                )
                with whole_file(path) as beside:
                    beside.write_text(page, encoding="utf-8", errors="replace")
            except Exception as error:  # an error in one notebook must not stop the other pages
                done.failed.append((student, one_line(error)))
            else:
                done.pages[student] = path
    return done


def summary(done: Feedback) -> Sequence[str]:
    """Return the lines that the command prints about the result."""
    lines = [f"{len(done.pages)} pages written."]
    if done.waiting:
        lines.append(f"No page yet, because not graded: {', '.join(done.waiting)}")
    lines += [f"No page for {student}: {reason}" for student, reason in done.failed]
    return lines
