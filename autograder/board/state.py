"""The board's state: what it has committed, and what its pages show of it.

The service asks it for everything; it knows nothing of HTTP. All changes are committed before they show.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from manyheads.checking.exam import Check
from manyheads.checking.stage import Stage

from ..problems import Problem
from ..safe_text import clean
from .catalogue import KnownExercise
from .lesson import AWAY_AFTER, LESSON_ENDS_AFTER, MOST_LEARNERS, STUCK_AFTER, Lesson, Report
from .limits import Limiter
from .store import HelpCall, Store

LONGEST_NAME = 60  # characters
_MOST_CALLS = 100
_SHORTEST_CODE = 6  # characters
_SAME_FOR = 1.0  # seconds for which all learners get the same answer
_DAY = 24 * 60 * 60.0
_IDENTITY = re.compile(r"[0-9a-f]{32}")
_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without those that look alike


class Refused(Exception):
    """A request that the board refuses. Its text says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def new_class_code() -> str:
    """Return a random class code, which can be read aloud."""
    code = "".join(secrets.choice(_CODE_LETTERS) for _ in range(8))
    return f"{code[:4]}-{code[4:]}"


class Board:
    """The state of one class's board.

    Args:
        store: its database.
        catalogue: the course's exercises.
        clock: gives the time in seconds since 1970.
        class_code: what learners join with; by default a random one, which is kept.
    """

    def __init__(
        self,
        store: Store,
        catalogue: Mapping[str, KnownExercise],
        clock: Callable[[], float],
        class_code: str = "",
    ) -> None:
        self._store, self._catalogue, self._clock = store, catalogue, clock
        if class_code and len(class_code) < _SHORTEST_CODE:
            raise Problem(f"a class code of fewer than {_SHORTEST_CODE} characters can be guessed: choose a longer one")
        self.class_code = class_code.upper() or store.secret("class code", new_class_code())
        self.teacher_key = store.secret("teacher's key")
        self._signing_key = store.secret("signing key").encode()
        self._pinned = store.setting("pinned exercise")
        self._shown_to_learners = store.setting("shown to learners") == "yes"
        self._reports = Limiter(rate=2, burst=30, clock=clock)
        self._calls = Limiter(rate=1 / 20, burst=3, clock=clock)
        self._joins = Limiter(rate=1 / 10, burst=MOST_LEARNERS / 5, clock=clock)
        self._lesson = Lesson(catalogue)
        for _, report in store.reports(since=clock() - _DAY, of_this_lesson=True):
            self._lesson.apply(report)
        self._help = {call.identity: call for call in store.open_calls(since=clock() - LESSON_ENDS_AFTER)}
        self._learners_see: tuple[float, dict[str, Any]] | None = None  # and when it was computed
        self.changed = asyncio.Event()  # set at each change, cleared by the one who shows it

    def join(self, code: object, address: str = "") -> str:
        """Return a new learner's token: a random alias, signed, so that nobody can report under another's.

        Args:
            address: where the request comes from. A school's network may show all its machines as one address, so
                each may join a large class at once.

        Raises:
            Refused: if the class code is wrong, or too many have joined from this address.
        """
        given = code.strip().upper() if isinstance(code, str) else ""
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self.class_code.encode()):
            raise Refused(403, "this is not the class code")
        if not self._joins.allows(address):
            raise Refused(429, "too many have joined from here")
        alias = secrets.token_hex(16)
        return f"{alias}.{self._signature(alias)}"

    async def report(self, token: str, sent: Mapping[str, Any]) -> None:
        """Commit what a learner's check found. The same report twice counts once.

        Raises:
            Refused: if it is not a report by a learner of this class, or one of too many.
        """
        alias = self._alias(token)
        if not self._reports.allows(alias):
            raise Refused(429, "too many reports")
        if not self._lesson.knows(alias) and self._lesson.learners >= MOST_LEARNERS:
            raise Refused(429, "the board is full")
        identity, exercise = sent.get("id"), sent.get("exercise")
        if not isinstance(identity, str) or not _IDENTITY.fullmatch(identity):
            raise Refused(422, "a report's id is 32 hexadecimal digits")
        if not isinstance(exercise, str) or exercise not in self._catalogue:
            raise Refused(422, "the class has no such exercise")
        try:
            check, stage = Check(sent.get("check")), Stage(sent.get("stage"))
        except ValueError:
            raise Refused(422, "there is no such check or stage") from None
        mistake = sent.get("mistake")
        known = isinstance(mistake, str) and mistake in self._catalogue[exercise].hints
        identity = f"{alias[:16]}{identity}"  # so that nobody can use up another's ids
        report = Report(alias, self._clock(), exercise, check, stage, str(mistake) if known else "")
        if await self._store.add_report(identity, report):
            self._lesson.apply(report)
            self.changed.set()

    async def call_for_help(self, token: str, sent: Mapping[str, Any]) -> int:
        """Commit a call for help, and return its place in the queue. A learner has one at a time: the last one counts.

        Raises:
            Refused: if it is not by a learner of this class, has no name, or there are too many.
        """
        alias = self._alias(token)
        name, exercise = sent.get("name"), sent.get("exercise")
        if not isinstance(name, str) or not (name := " ".join(clean(name[: 4 * LONGEST_NAME]).split())):
            raise Refused(422, "a call for help needs a name")
        if not self._calls.allows(alias):
            raise Refused(429, "too many calls for help")
        mine = [call.identity for call in self._help.values() if call.alias == alias]
        if len(self._help) - len(mine) >= _MOST_CALLS:
            raise Refused(429, "too many are waiting")
        known = isinstance(exercise, str) and exercise in self._catalogue
        call = HelpCall(
            secrets.token_hex(16), alias, self._clock(), name[:LONGEST_NAME], str(exercise) if known else ""
        )
        await self._store.add_call(call)
        self._help[call.identity] = call
        self.changed.set()
        for identity in mine:
            await self.answer(identity)
        waiting = list(self._help)
        return waiting.index(call.identity) + 1 if call.identity in waiting else 1  # answered meanwhile

    async def take_back(self, token: str) -> None:
        """Take back a learner's call for help."""
        alias = self._alias(token)
        for identity in [call.identity for call in self._help.values() if call.alias == alias]:
            await self.answer(identity)

    async def answer(self, identity: str) -> None:
        """Take a call for help off the queue."""
        if identity in self._help:
            await self._store.answer(identity, self._clock())
            self._help.pop(identity, None)
            self.changed.set()

    async def pin(self, exercise: str) -> None:
        """Show an exercise whatever the class does, or with "" the one that most are at.

        Raises:
            Refused: if there is no such exercise.
        """
        if exercise and exercise not in self._catalogue:
            raise Refused(422, "the class has no such exercise")
        await self._store.set("pinned exercise", exercise)
        self._pinned = exercise
        self.changed.set()

    async def begin_lesson(self) -> None:
        """Begin a new lesson: all counts are 0, nobody waits for help, and no exercise is chosen.

        What was before stays in the record, and learners need not join again.
        """
        await self._store.begin_lesson(self._clock())
        # Commits end in the order in which they were asked for, so what comes now belongs to the new lesson.
        self._lesson, self._learners_see = Lesson(self._catalogue), None
        self._help.clear()
        self.changed.set()
        await self.pin("")

    async def show_to_learners(self, *, shown: bool) -> None:
        """Switch whether learners see how far the class is."""
        await self._store.set("shown to learners", "yes" if shown else "no")
        self._shown_to_learners = shown
        self.changed.set()

    def is_teacher(self, key: str) -> bool:
        return hmac.compare_digest(key.encode("utf-8", "replace"), self.teacher_key.encode())

    def for_projector(self) -> dict[str, Any]:
        """Return what everybody in the room may see: numbers, exercises, mistakes and hints; no names."""
        now = self._clock()
        self._lesson.advance(now)
        exercise = self._exercise(now)
        shown: dict[str, Any] = {
            "learners": self._lesson.learners,
            "exercise": exercise,
            "chapter": self._catalogue[exercise].chapter if exercise else "",
            "pinned": bool(self._pinned),
            "waiting": len(self._help),
            "overview": self._lesson.overview(now),
            "stuck_after": STUCK_AFTER // 60,
            "away_after": AWAY_AFTER // 60,
        }
        if exercise:
            shown["standing"] = asdict(self._lesson.standing(exercise, now))
            shown["mistakes"] = [asdict(mistake) for mistake in self._lesson.mistakes(exercise, now)]
            shown["trend"] = self._lesson.trend(exercise)
        return shown

    def for_teacher(self) -> dict[str, Any]:
        """Return what the teacher's own page shows: the projector's, and the queue for help with the names given."""
        now = self._clock()
        return {
            **self.for_projector(),
            "code": self.class_code,
            "shown_to_learners": self._shown_to_learners,
            "exercises": [[known.name, known.chapter] for known in self._catalogue.values()],
            "help": [
                {"id": call.identity, "name": call.name, "exercise": call.exercise, "minutes": int(now - call.at) // 60}
                for call in self._help.values()
            ],
        }

    def for_learners(self) -> dict[str, Any]:
        """Return what learners may see: how far the class is, if the teacher has switched it on."""
        now = self._clock()
        if not self._shown_to_learners:
            return {"shown": False}
        if self._learners_see is None or not 0 <= now - self._learners_see[0] < _SAME_FOR:
            exercise = self._exercise(now)
            standing = self._lesson.standing(exercise, now)
            seen = {"exercise": exercise, "done": standing.done, "learners": standing.learners} if exercise else {}
            self._learners_see = now, {"shown": True, **seen}
        return self._learners_see[1]

    def _exercise(self, now: float) -> str:
        return self._pinned if self._pinned in self._catalogue else self._lesson.current(now)

    def _alias(self, token: str) -> str:
        alias, _, signature = token.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._signature(alias).encode()):
            raise Refused(401, "join the class first")
        return alias

    def _signature(self, alias: str) -> str:
        digest = hmac.digest(self._signing_key, alias.encode("utf-8", "replace"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:18]).decode()
