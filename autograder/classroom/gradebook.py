"""Faster access to nbgrader's gradebook: one connection for a whole run, one read and one commit for each submission.

nbgrader opens the database in every step, and queries and commits for every cell, a third of a second per submission.
The steps here replace two of nbgrader's with the same results, using nbgrader's own code.
`autograder.class_folder.configure` puts them into the configuration; `autograder.run.grade` opens the session, and then
all changes of a submission are one transaction.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Generator, Mapping
from typing import Any
from unittest import mock

from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import OverwriteCells, SaveAutoGrades
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ..problems import Problem, one_line

_sessions: list[Gradebook] = []  # the gradebook of the open session, if there is one


def require_writable(url: str, otherwise: str) -> None:
    """Check that the gradebook can be written now.

    Args:
        url: the gradebook's database.
        otherwise: the consequence for the error message, completing "so …".

    Raises:
        Problem: if it cannot be written, for example because another program has locked it.
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
def open_session(url: str) -> Generator[None]:
    """Within the block, let every `Gradebook(url)` share one connection, whose changes only `commit` writes.

    Raises:
        Problem: if the gradebook cannot be opened or written.
    """
    shared = _writable(url, "nothing is graded")
    shared.db().expire_on_commit = False  # the release does not change during a run, so it is read only once
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

    _sessions.append(shared)
    try:
        with mock.patch.multiple(Gradebook, __init__=open_, close=close):
            yield
    finally:
        _sessions.remove(shared)
        shared.close()


def commit() -> None:
    """Commit the steps' changes to the open session. Without a session, the steps have committed themselves."""
    for gradebook in _sessions:
        gradebook.db.commit()


def roll_back() -> None:
    """Undo the steps' changes to the open session since the last `commit`."""
    for gradebook in _sessions:
        gradebook.db.rollback()


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


class _Uncommitted:
    """A session whose `commit` only flushes: constraints are checked and queries see the change, but the caller of the
    module's `commit` decides when it becomes durable.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def commit(self) -> None:
        """Flush the changes; the session commits them later."""
        self._session.flush()


class _Unsent(_Uncommitted):
    """A session whose `commit` does nothing: steps call it for each cell, and the changes are saved at their end."""

    def commit(self) -> None:
        """Ignore the step's commit for a single cell."""
