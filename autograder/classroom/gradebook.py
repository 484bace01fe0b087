"""nbgrader's gradebook without its waits: opened once for a whole run, asked and written once for a submission.

nbgrader opens the database in every step, and asks and commits for every cell: a third of a second a submission. The
steps here do what nbgrader's of the same names do, by nbgrader's own code. `autograder.class_folder.configure` enters
them; `autograder.run.grade` keeps the gradebook open, and then all that a submission changes in it is one transaction.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import OverwriteCells, SaveAutoGrades
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ..problems import Problem, one_line

_kept: list[Gradebook] = []  # the gradebook that is kept open, while one is


def require_writable(url: str, otherwise: str) -> None:
    """Return if the gradebook can be written now.

    Raises:
        Problem: if it cannot, such as while another program holds it. `otherwise` completes "so …".
    """
    with contextlib.closing(_writable(url, otherwise)):
        pass


def _writable(url: str, otherwise: str) -> Gradebook:
    try:
        gradebook = Gradebook(url)
        gradebook.db.execute(text("UPDATE student SET id = id WHERE 1 = 0"))
        gradebook.db.rollback()
    except SQLAlchemyError as error:
        raise Problem(f"the gradebook {url} cannot be written, so {otherwise}: {one_line(error)}") from error
    return gradebook


@contextlib.contextmanager
def kept_open(url: str) -> Iterator[None]:
    """Have every `Gradebook(url)` within the block be one and the same, and leave it to `commit` to write.

    Raises:
        Problem: if the gradebook cannot be opened, or not be written.
    """
    shared = _writable(url, "nothing is graded")
    shared.db().expire_on_commit = False  # what was read of the release stays as it is, and is looked for once
    of_release = {name: functools.cache(getattr(shared, name)) for name in ("find_assignment", "find_notebook")}
    known = {shared.course_id}
    open_another, close_another = Gradebook.__init__, Gradebook.close

    def open_(self: Any, db_url: str, course_id: str = "default_course", authenticator: Any = None) -> None:
        if db_url != url:
            open_another(self, db_url, course_id, authenticator)
            return
        session = _Uncommitted(shared.db)
        self.__dict__.update(vars(shared), db=session, course_id=course_id, authenticator=authenticator, **of_release)
        if course_id not in known:
            self.check_course(course_id=course_id)
            known.add(course_id)

    def close(self: Any) -> None:
        if not isinstance(self.db, _Uncommitted):
            close_another(self)

    _kept.append(shared)
    try:
        with mock.patch.multiple(Gradebook, __init__=open_, close=close):
            yield
    finally:
        _kept.remove(shared)
        shared.close()


def commit() -> None:
    """Write what the steps have changed in the gradebook that is kept open. Where none is, they have done so."""
    for gradebook in _kept:
        gradebook.db.commit()


def roll_back() -> None:
    """Undo what the steps have changed in the gradebook that is kept open, back to the last `commit`."""
    for gradebook in _kept:
        gradebook.db.rollback()


class OverwriteReleased(OverwriteCells):
    """nbgrader's `OverwriteCells`: every released cell is as it was handed out, points and lock included."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Return `nb` with its released cells put right."""
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
    """nbgrader's `SaveAutoGrades`: scores and comments go into the gradebook, a score given by hand stays.

    All of a submission's are written or none.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Save what stands in `nb`."""
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
            gradebook.db.expire(submission)  # its score is a sum that the database makes
            gradebook.db.expire(submission.assignment)
        return nb, resources


class _Loaded:
    """A gradebook as nbgrader's steps see it, with what they look for cell by cell already there.

    Args:
        gradebook: answers everything else.
        finders: by the name of one of its methods: entries by name.
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


class _Uncommitted:
    """A session that leaves committing to somebody else. What was to be committed is checked, and asked for, all the
    same.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def commit(self) -> None:
        """Send what has changed, for the session's next commit."""
        self._session.flush()


class _Unsent(_Uncommitted):
    """A session to which a step commits cell by cell, and that does it when the step is over."""

    def commit(self) -> None:
        """Do nothing yet."""
