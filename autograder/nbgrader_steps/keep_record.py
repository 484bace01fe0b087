"""The nbgrader step that writes a submission's record beside the gradebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from ..classroom.class_folder import ClassFolder
from ..classroom.gradebook import commit
from ..classroom.graded_points import graded_points
from ..classroom.record import Record
from ..judge.verdict import Judged
from ..outcomes import Outcome
from ..realign.repairs import stored_repairs


class KeepRecord(NbGraderPreprocessor):
    """Writes the record of a submission, which the report and the feedback read."""

    class_folder = Unicode(help="The class folder.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Commit the gradebook, and write the record of the submission described by `resources`."""
        judged: Judged | None = resources.get("manyheads")
        names = resources["nbgrader"]
        folder = ClassFolder(Path(self.class_folder))
        student, assignment = names["student"], names["assignment"]
        fingerprint = resources.get("fingerprint") or folder.fingerprint(
            folder.notebook(student, assignment), folder.judged_by(assignment)
        )
        record = Record.of(
            student=student,
            assignment=assignment,
            outcome=judged.outcome if judged else Outcome.NEEDS_REVIEW,
            reason=judged.reason if judged else "it was saved without being judged",
            fingerprint=fingerprint,
            verdicts=judged.verdicts if judged else (),
            seconds=judged.seconds if judged else 0.0,
            repairs=stored_repairs(nb),
            sealed=judged.sealed if judged else True,
        )
        commit()  # before the record, which says that the grade is saved
        points = graded_points(names["db_url"], assignment, student).get(student, {})
        record.write(folder.record_path(student, assignment), points)
        return nb, resources
