"""The steps that read and write the gradebook: two of nbgrader's, with the same results and fewer queries.

nbgrader's own query and commit for every cell. These load a submission's entries once, run nbgrader's own code, and
commit once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import OverwriteCells, SaveAutoGrades


class OverwriteReleased(OverwriteCells):
    """nbgrader's `OverwriteCells`: restores released cells from the gradebook, with their points and locks."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Return `nb` with its released cells restored."""
        names = resources["nbgrader"]
        self.notebook_id, self.assignment_id, self.db_url = (
            names["notebook"],
            names["assignment"],
            names["db_url"],
        )
        with Gradebook(self.db_url) as gradebook:
            notebook: Any = gradebook.find_notebook(self.notebook_id, self.assignment_id)
            sources, graded = list(notebook.source_cells), [*notebook.grade_cells, *notebook.task_cells]
            self.gradebook: Any = _Loaded(
                gradebook,
                find_source_cell={cell.name: cell for cell in sources},
                find_graded_cell={cell.name: cell for cell in graded},
            )
            nb, resources = super(OverwriteCells, self).preprocess(nb, resources)
            if self.add_missing_cells:
                nb, resources = self.add_missing_grade_cells(nb, resources)
                nb, resources = self.add_missing_task_cells(nb, resources)
        return nb, resources


class SaveGrades(SaveAutoGrades):
    """nbgrader's `SaveAutoGrades`: saves scores and comments in the gradebook, without changing manual scores.

    It saves all of a submission's scores in one transaction.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Save the scores and comments of `nb`."""
        names = resources["nbgrader"]
        self.notebook_id, self.assignment_id, self.student_id, self.db_url = (
            names["notebook"],
            names["assignment"],
            names["student"],
            names["db_url"],
        )
        with Gradebook(self.db_url) as gradebook:
            submission: Any = gradebook.find_submission_notebook(self.notebook_id, self.assignment_id, self.student_id)
            self.gradebook: Any = _Loaded(
                gradebook,
                find_grade={grade.name: grade for grade in submission.grades},
                find_comment={comment.name: comment for comment in submission.comments},
            )
            nb, resources = super(SaveAutoGrades, self).preprocess(nb, resources)
            gradebook.db.commit()
            gradebook.db.expire(submission)  # its score is a sum computed by the database
            gradebook.db.expire(submission.assignment)
        return nb, resources


class _Loaded:
    """A gradebook for nbgrader's steps, with the entries that they look up for each cell already loaded.

    Args:
        gradebook: handles all other attributes.
        finders: the loaded entries by cell name, for each replaced method.
    """

    def __init__(self, gradebook: Gradebook, **finders: Mapping[str, Any]) -> None:
        self._gradebook, self._finders = gradebook, finders
        self.db = _Unsent(gradebook.db)

    def __getattr__(self, method: str) -> Any:
        entries = self._finders.get(method)
        if entries is None:
            return getattr(self._gradebook, method)

        def find(name: str, *where: str) -> Any:
            if name not in entries:
                raise MissingEntry(f"No such cell: {'/'.join((*reversed(where), name))}")
            return entries[name]

        return find


class _Unsent:
    """A session whose `commit` does nothing: steps call it for each cell, and the changes are saved at their end."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def commit(self) -> None:
        """Ignore the step's commit for a single cell."""
