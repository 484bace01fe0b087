"""The board's database: reports, calls for help and settings, in SQLite or PostgreSQL.

A write is acknowledged after it has been committed, so a board that is killed loses nothing that it acknowledged. One
thread commits all writes that wait at once, as one transaction: many small ones would wait for the disk one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import secrets
import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    CursorResult,
    Float,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    create_engine,
    event,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import Executable

from manyheads.checking.exam import Check
from manyheads.checking.stage import Stage

from ..classroom.class_folder import ClassFolder
from ..problems import Problem, one_line
from .lesson import Report

FILE = "board.db"
_MOST_AT_ONCE = 500  # writes in one transaction
_WAIT = 10  # seconds for a database that another program has locked
_metadata = MetaData()
_reports = Table(
    "reports",
    _metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(64), unique=True, nullable=False),
    Column("alias", String(32), nullable=False),
    Column("at", Float, nullable=False, index=True),
    Column("exercise", String(200), nullable=False),
    Column("check", String(20), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("mistake", String(400), nullable=False),
)
_calls = Table(
    "calls",
    _metadata,
    Column("id", String(64), primary_key=True),
    Column("alias", String(32), nullable=False),
    Column("at", Float, nullable=False),
    Column("name", String(80), nullable=False),
    Column("exercise", String(200), nullable=False),
    Column("answered", Float),  # when the teacher has been there, or the learner has taken the call back
)
_lessons = Table(  # those that a teacher began; others begin by themselves
    "lessons",
    _metadata,
    Column("number", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("after", Integer, nullable=False),  # the number of the last report before it: clocks can be set back
)
_settings = Table(
    "settings",
    _metadata,
    Column("name", String(40), primary_key=True),
    Column("value", String(400), nullable=False),
)


@dataclass(frozen=True)
class HelpCall:
    """A learner's call for help.

    Args:
        identity: its id.
        alias: whose it is.
        at: when it was made, in seconds since 1970.
        name: the name that the learner gave.
        exercise: the exercise of their last check, or "".
    """

    identity: str
    alias: str
    at: float
    name: str
    exercise: str


class Store:
    """The database behind the board.

    Args:
        url: SQLAlchemy's URL of the database, `sqlite:////path/board.db` or `postgresql://…`. Missing tables are made.

    Raises:
        Problem: if the database cannot be opened.
    """

    def __init__(self, url: str) -> None:
        if not url.startswith(("sqlite", "postgresql")):
            raise Problem(
                "the board's database is SQLite or PostgreSQL: give a URL such as postgresql+psycopg2://host/board"
            )
        arguments = {"check_same_thread": False, "timeout": _WAIT} if url.startswith("sqlite") else {}
        try:
            self._engine = create_engine(url, connect_args=arguments, pool_pre_ping=True)
            if self._engine.dialect.name == "sqlite":
                event.listen(self._engine, "connect", _make_durable)
            _metadata.create_all(self._engine)
        except (SQLAlchemyError, ImportError) as error:
            raise Problem(f"the board's database cannot be opened: {one_line(error)}") from error
        self._waiting: queue.SimpleQueue[tuple[Executable, Future[bool]] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="board's writer", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Commit what waits, and close the database."""
        self._waiting.put(None)
        self._writer.join()
        self._engine.dispose()

    async def add_report(self, identity: str, report: Report) -> bool:
        """Commit a report. Returns False if there is one with this id already."""
        return await self._write(
            self._insert(_reports)
            .values(
                id=identity,
                alias=report.alias,
                at=report.at,
                exercise=report.exercise,
                check=str(report.check),
                stage=str(report.stage),
                mistake=report.mistake,
            )
            .on_conflict_do_nothing()
        )

    async def add_call(self, call: HelpCall) -> bool:
        """Commit a call for help. Returns False if there is one with this id already."""
        values = {"id": call.identity, "alias": call.alias, "at": call.at, "name": call.name, "exercise": call.exercise}
        return await self._write(self._insert(_calls).values(values).on_conflict_do_nothing())

    async def answer(self, identity: str, at: float) -> bool:
        """Commit that a call for help was answered or taken back. Returns False if there is no such call."""
        return await self._write(_calls.update().where(_calls.c.id == identity).values(answered=at))

    async def begin_lesson(self, at: float) -> None:
        """Commit that a new lesson begins: with the next report. Calls for help end with the one before."""
        last = select(literal(at), func.coalesce(func.max(_reports.c.number), 0))
        ended = self._queue(_calls.update().where(_calls.c.answered.is_(None)).values(answered=at))
        begun = self._queue(_lessons.insert().from_select(["at", "after"], last))
        await begun
        await ended  # it was committed before

    async def set(self, name: str, value: str) -> None:
        """Commit a setting."""
        new = self._insert(_settings).values(name=name, value=value)
        await self._write(new.on_conflict_do_update(index_elements=["name"], set_={"value": value}))

    def setting(self, name: str, otherwise: str = "") -> str:
        """Return a setting, `otherwise` if it was never set."""
        with self._engine.connect() as connection:
            found = connection.scalar(select(_settings.c.value).where(_settings.c.name == name))
        return otherwise if found is None else str(found)

    def secret(self, name: str, made: str = "") -> str:
        """Return a secret that is made once, at first use, and then kept.

        Args:
            made: the secret, if it is not a random one.
        """
        new = self._insert(_settings).values(name=name, value=made or secrets.token_urlsafe(24))
        with self._engine.begin() as connection:
            connection.execute(new.on_conflict_do_nothing())
        return self.setting(name)

    def reports(self, since: float = 0.0, *, of_this_lesson: bool = False) -> Iterator[tuple[str, Report]]:
        """Yield (id, report) in the order of their times, from the time `since`.

        Args:
            of_this_lesson: leave out those before the last lesson that a teacher began.
        """
        begun = self._begun_lessons() if of_this_lesson else []
        for row, report in self._reports(since, after=begun[-1] if begun else 0):
            yield row["id"], report

    def reports_by_lesson(self) -> Iterator[tuple[int, Report]]:
        """Yield (how many lessons teachers had begun, report) in the order of their times."""
        begun = self._begun_lessons()
        for row, report in self._reports():
            yield bisect_left(begun, row["number"]), report

    def _begun_lessons(self) -> list[int]:
        """Return, for each lesson that a teacher began, the number of the last report before it, in order."""
        with self._engine.connect() as connection:
            return list(connection.scalars(select(_lessons.c.after).order_by(_lessons.c.number)))

    def _reports(self, since: float = 0.0, after: int = 0) -> Iterator[tuple[RowMapping, Report]]:
        wanted = select(_reports).where(_reports.c.at >= since, _reports.c.number > after)
        with self._engine.connect() as connection:
            for row in connection.execute(wanted.order_by(_reports.c.at, _reports.c.number)).mappings():
                try:
                    check, stage = Check(row["check"]), Stage(row["stage"])
                except ValueError:  # written by another version of the course
                    continue
                yield row, Report(row["alias"], row["at"], row["exercise"], check, stage, row["mistake"])

    def open_calls(self, since: float = 0.0) -> list[HelpCall]:
        """Return the calls for help that nobody has answered, the oldest first, from the time `since`."""
        columns = (_calls.c.id, _calls.c.alias, _calls.c.at, _calls.c.name, _calls.c.exercise)
        found = select(*columns).where(_calls.c.answered.is_(None), _calls.c.at >= since).order_by(_calls.c.at)
        with self._engine.connect() as connection:
            return [HelpCall(*row) for row in connection.execute(found)]

    def _insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Return an insert that can say what to do if there is such a row already: each database has its own."""
        return (sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert)(table)

    async def _write(self, statement: Executable) -> bool:
        """Commit a statement with those that wait beside it, and return whether it changed a row.

        Raises:
            SQLAlchemyError: if the database refuses; then nothing was written.
        """
        return await self._queue(statement)

    def _queue(self, statement: Executable) -> asyncio.Future[bool]:
        """Queue a statement now, and return what `_write` awaits. What is queued first is done first."""
        done: Future[bool] = Future()
        self._waiting.put((statement, done))
        return asyncio.wrap_future(done)

    def _write_all(self) -> None:
        """The writer's thread: commit what waits, until None comes."""
        ended = False
        while not ended:
            batch = [self._waiting.get()]
            with contextlib.suppress(queue.Empty):
                while len(batch) < _MOST_AT_ONCE and batch[-1] is not None:
                    batch.append(self._waiting.get_nowait())
            ended = batch[-1] is None
            self._commit([item for item in batch if item is not None])

    def _commit(self, batch: Sequence[tuple[Executable, Future[bool]]]) -> None:
        try:
            with self._engine.begin() as connection:
                results: list[CursorResult[Any]] = [connection.execute(statement) for statement, _ in batch]
                changed = [result.rowcount > 0 for result in results]
        except Exception as error:  # nothing of the batch was committed; the thread goes on, whatever a driver raises
            if len(batch) > 1:  # one that the database refuses does not stop the others
                for item in batch:
                    self._commit([item])
            elif batch[0][1].set_running_or_notify_cancel():
                batch[0][1].set_exception(error)
            return
        for (_, done), one in zip(batch, changed, strict=True):
            if done.set_running_or_notify_cancel():
                done.set_result(one)


def database_file(folder: ClassFolder) -> Path:
    """Return the path of the database that a class's board has by default."""
    return folder.root / FILE


def open_store(folder: ClassFolder, url: str = "") -> Store:
    """Return the database at `url`, by default the one in the class folder.

    Raises:
        Problem: if it cannot be opened.
    """
    return Store(url or f"sqlite:///{database_file(folder)}")


def _make_durable(connection: Any, _: Any) -> None:
    """Set up a new SQLite connection: readers do not wait for the writer, and a commit is on the disk."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()
