"""How far a class is, computed from its reports: who is done, at work or stuck, and which mistakes are common now.

Everything here follows from the reports and the time, so that a board that was restarted shows what it showed before.
Times are in seconds since 1970.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from manyheads.checking.exam import Check
from manyheads.checking.stage import Stage

from .catalogue import KnownExercise

STUCK_AFTER = 5 * 60.0  # seconds without progress
AWAY_AFTER = 20 * 60.0  # seconds without a report
LESSON_ENDS_AFTER = 3 * 60 * 60.0  # seconds without a report from anybody; the next one begins a new lesson
TREND = 10  # minutes
MOST_LEARNERS = 5000
_MINUTE = 60.0
_STAGES = list(Stage)


@dataclass(frozen=True)
class Report:
    """What one check of a learner found.

    Args:
        alias: the learner's random alias.
        at: when the check ran.
        exercise: one of the catalogue.
        check: which of its checks.
        stage: what decided it, `PASSED` if it passed.
        mistake: the known mistake that the check named, or "".
    """

    alias: str
    at: float
    exercise: str
    check: Check
    stage: Stage
    mistake: str = ""


@dataclass
class _Work:
    """One learner's work on one exercise: when it began, last moved forward and last was checked."""

    began: float
    progressed: float
    last: float
    passed: set[Check] = field(default_factory=set[Check])
    furthest: dict[Check, int] = field(default_factory=dict[Check, int])
    stage: Stage = Stage.UNSOLVED
    mistake: str = ""

    @property
    def done(self) -> bool:
        return len(self.passed) == len(Check)

    def apply(self, report: Report) -> None:
        self.last = report.at
        passed = report.stage == Stage.PASSED
        reached = len(_STAGES) if passed else _STAGES.index(report.stage)
        if reached > self.furthest.get(report.check, -1):
            self.furthest[report.check], self.progressed = reached, report.at
        if passed:
            self.passed.add(report.check)
        if not passed or self.done:
            self.stage, self.mistake = report.stage, "" if passed else report.mistake


@dataclass(frozen=True)
class Standing:
    """How many learners are how far in one exercise. Each learner of the lesson is counted once.

    Args:
        done: all its checks have passed once.
        working: at it, with progress in the last minutes.
        stuck: at it, and without progress for `STUCK_AFTER` seconds.
        elsewhere: began it and left it for another exercise, or have not run a check for `AWAY_AFTER` seconds.
        not_begun: no check of it has run.
    """

    done: int = 0
    working: int = 0
    stuck: int = 0
    elsewhere: int = 0
    not_begun: int = 0

    @property
    def learners(self) -> int:
        return self.done + self.working + self.stuck + self.elsewhere + self.not_begun


@dataclass(frozen=True)
class CommonMistake:
    """A mistake that learners at an exercise are making now.

    Args:
        name: it completes "You …"; "" if the check could not name it.
        stage: what decided the check, of those without a name.
        hint: its hint, or "".
        learners: how many made it in their last check.
        before: how many had made it in their last check ten minutes ago.
    """

    name: str
    stage: Stage
    hint: str
    learners: int
    before: int


@dataclass(frozen=True)
class _Minute:
    """What the board showed at a full minute, to compare with later."""

    at: float
    done: Mapping[str, int]
    mistakes: Mapping[str, Counter[tuple[str, Stage]]]


class Lesson:
    """The state of the lesson. `apply` takes reports in the order of their times."""

    def __init__(self, catalogue: Mapping[str, KnownExercise]) -> None:
        self._catalogue = catalogue
        self._places = {name: place for place, name in enumerate(catalogue)}
        self._work: dict[str, dict[str, _Work]] = {}  # by alias, then by exercise
        self._at: dict[str, str] = {}  # the exercise of each learner's last report
        self._last = 0.0
        self._minutes: deque[_Minute] = deque(maxlen=TREND)

    @property
    def learners(self) -> int:
        """How many learners have reported in this lesson."""
        return len(self._work)

    def knows(self, alias: str) -> bool:
        return alias in self._work

    def apply(self, report: Report) -> None:
        """Take one report into account. A report of an unknown exercise is ignored."""
        if report.exercise not in self._catalogue:
            return
        if abs(report.at - self._last) > LESSON_ENDS_AFTER:  # less, if a clock that was wrong has been set back
            self._work, self._at, self._last = {}, {}, report.at
            self._minutes.clear()
        self.advance(report.at)
        self._last = max(self._last, report.at)
        work = self._work.setdefault(report.alias, {})
        if report.exercise not in work:
            work[report.exercise] = _Work(report.at, report.at, report.at)
        work[report.exercise].apply(report)
        self._at[report.alias] = report.exercise

    def advance(self, now: float) -> None:
        """Let time pass: at each full minute, keep what the board shows."""
        if not self._work:
            return
        begun = self._minutes[-1].at + _MINUTE if self._minutes else self._last
        minutes = int((now - begun) // _MINUTE) + 1 if now >= begun else 0
        for minute in range(max(0, minutes - TREND), minutes):
            at = begun + minute * _MINUTE
            self._minutes.append(_Minute(at, self._done(), {name: self._mistakes(name, at) for name in self._begun()}))

    def current(self, now: float) -> str:
        """Return the exercise that most learners are at, the later of two with as many; "" if nobody is at one."""
        here = Counter(
            exercise for alias, exercise in self._at.items() if now - self._work[alias][exercise].last <= AWAY_AFTER
        )
        return max(here, key=lambda name: (here[name], self._places[name]), default="")

    def standing(self, exercise: str, now: float) -> Standing:
        """Return how many learners are how far in `exercise`."""
        counted = Counter(self._state(alias, exercise, now) for alias in self._work)
        return Standing(**counted)

    def mistakes(self, exercise: str, now: float, most: int = 5) -> list[CommonMistake]:
        """Return the mistakes that learners at `exercise` are making now, the most common first."""
        counted = self._mistakes(exercise, now)
        earlier = self._minutes[0].mistakes.get(exercise, Counter()) if self._minutes else Counter[tuple[str, Stage]]()
        hints = self._catalogue[exercise].hints
        named_first = sorted(counted.items(), key=lambda item: (-item[1], not item[0][0], item[0]))
        return [
            CommonMistake(name, stage, hints.get(name, ""), count, earlier[name, stage])
            for (name, stage), count in named_first[:most]
        ]

    def trend(self, exercise: str) -> list[int]:
        """Return how many were done at each full minute of the last ten, the oldest first, and now."""
        return [minute.done.get(exercise, 0) for minute in self._minutes] + [self._done().get(exercise, 0)]

    def overview(self, now: float) -> list[tuple[str, int, int]]:
        """Return (exercise, done, at it now) for each exercise that somebody has begun, in the course's order."""
        done = self._done()
        here = Counter(
            name for alias, name in self._at.items() if self._state(alias, name, now) in ("working", "stuck")
        )
        return [(name, done.get(name, 0), here[name]) for name in self._begun()]

    def _begun(self) -> list[str]:
        begun = {name for work in self._work.values() for name in work}
        return sorted(begun, key=self._places.__getitem__)

    def _done(self) -> Counter[str]:
        return Counter(name for works in self._work.values() for name, work in works.items() if work.done)

    def _state(self, alias: str, exercise: str, now: float) -> str:
        """Return the field of `Standing` in which a learner is counted."""
        work = self._work[alias].get(exercise)
        if work is None:
            return "not_begun"
        if work.done:
            return "done"
        if self._at[alias] != exercise or now - work.last > AWAY_AFTER:
            return "elsewhere"
        return "stuck" if now - work.progressed >= STUCK_AFTER else "working"

    def _mistakes(self, exercise: str, now: float) -> Counter[tuple[str, Stage]]:
        return Counter(
            (work.mistake, Stage.VALUES if work.mistake else work.stage)
            for alias, works in self._work.items()
            if (work := works.get(exercise)) is not None
            and self._state(alias, exercise, now) in ("working", "stuck")
            and work.stage not in (Stage.PASSED, Stage.UNSOLVED)
        )
