"""nbgrader's step that writes what became of a submission beside the gradebook."""

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
from ..judge.verdict import Marked
from ..outcomes import Outcome
from ..realign.repairs import kept


class KeepRecord(NbGraderPreprocessor):
    """Writes the outcome of a submission beside the gradebook, where the report finds it."""

    class_folder = Unicode(help="The class folder.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Write the record of the submission that `resources` speaks of."""
        marked: Marked | None = resources.get("manyheads")
        names = resources["nbgrader"]
        folder = ClassFolder(Path(self.class_folder))
        student, assignment = names["student"], names["assignment"]
        fingerprint = resources.get("fingerprint") or folder.fingerprint(
            folder.notebook(student, assignment), folder.judged_by(assignment)
        )
        record = Record.of(
            student=student,
            assignment=assignment,
            outcome=marked.outcome if marked else Outcome.NEEDS_REVIEW,
            reason=marked.reason if marked else "it was saved without being judged",
            fingerprint=fingerprint,
            verdicts=marked.verdicts if marked else (),
            seconds=marked.seconds if marked else 0.0,
            repairs=kept(nb),
            sealed=marked.sealed if marked else True,
        )
        commit()  # first the grade, then the word that it is there
        points = graded_points(names["db_url"], assignment, student).get(student, {})
        record.write(folder.record_path(student, assignment), points)
        return nb, resources
