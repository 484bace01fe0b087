"""Faster access to nbgrader's gradebook: one connection for a whole run, and one commit for each submission.

nbgrader opens the database in every step: 6 ms of CPU time, five times for each submission, which is a tenth of what a
submission costs. `autograder.run.grade` opens a session for the whole run, and then all changes of a submission are one
transaction. The steps in `nbgrader_steps/gradebook_steps.py` also query less.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Generator
from typing import Any
from unittest import mock

from nbgrader.api import Gradebook
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
