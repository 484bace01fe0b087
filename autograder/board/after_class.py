"""What a board's record says after class: where time was spent, and after which hint a right answer followed.

The record holds aliases, exercises, findings and times. Nothing here can be joined with names or grades.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from statistics import median

from manyheads.checking.exam import Check
from manyheads.checking.stage import Stage
from manyheads.whole_file import whole_file

from ..classroom.class_folder import ClassFolder
from ..problems import Problem
from .catalogue import KnownExercise, catalogue
from .lesson import LESSON_ENDS_AFTER, Report
from .store import database_file, open_store

LONGEST_PAUSE = 10 * 60.0  # seconds between two checks that still count as work
_COLUMNS = ("learner", "lesson", "seconds", "exercise", "check", "stage", "mistake")


@dataclass(frozen=True)
class TimeSpent:
    """Work on one exercise in class.

    Args:
        exercise: its name.
        learners: how many ran a check of it.
        done: how many of them had all its checks passed.
        minutes: the median of their times from check to check, pauses over `LONGEST_PAUSE` left out.
        checks: the median number of their checks.
    """

    exercise: str
    learners: int
    done: int
    minutes: float
    checks: float


@dataclass(frozen=True)
class HintFollowed:
    """What happened after learners had read a mistake's hint in class.

    Args:
        exercise: the exercise.
        mistake: the mistake that its check named.
        learners: how many it was named for.
        right: how many passed the same check later in the lesson.
        at_once: how many of them with their next run of it.
        minutes: the median time until they passed, None if nobody did.
    """

    exercise: str
    mistake: str
    learners: int
    right: int
    at_once: int
    minutes: float | None


@dataclass(frozen=True)
class Record:
    """What a board saw of some exercises in class.

    Args:
        learners: how many took part.
        checks: how many checks they ran.
        times: where time was spent, in the course's order.
        hints: what followed on each named mistake, those of most learners first.
    """

    learners: int
    checks: int
    times: Sequence[TimeSpent]
    hints: Sequence[HintFollowed]
    longest_pause = int(LONGEST_PAUSE // 60)


def in_class(folder: ClassFolder, assignments: Sequence[str], database: str = "") -> Record | None:
    """Return what a class's board saw of some chapters, None if it has no board or that saw nothing of them.

    Args:
        database: SQLAlchemy's URL of the board's database; by default the one in the class folder.
    """
    recorded = _recorded(folder, database)
    if not recorded:
        return None
    known = catalogue(folder, assignments)
    reports = [report for _, report in recorded if report.exercise in known]
    if not reports:
        return None
    learners = len({report.alias for report in reports})
    return Record(learners, len(reports), times_spent(reports, known), hints_followed(reports, known))


def export_anonymous(folder: ClassFolder, path: Path, database: str = "") -> tuple[int, int]:
    """Write the whole record as `write_anonymous` does, and return how many checks of how many learners are in it.

    Raises:
        Problem: if there is no record.
    """
    recorded = _recorded(folder, database)
    if recorded is None:
        raise Problem(f"{folder.root} has no record of a board: `autograder board {folder.root}` makes one in class")
    return len(recorded), write_anonymous(path, recorded)


def times_spent(reports: Iterable[Report], known: Mapping[str, KnownExercise]) -> list[TimeSpent]:
    """Return the time spent on each exercise, in the course's order.

    Args:
        reports: in the order of their times.
        known: the course's exercises.
    """
    seconds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    checks: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    passed: dict[tuple[str, str], set[Check]] = defaultdict(set)
    last: dict[str, float] = {}
    for report in reports:
        pause = report.at - last.get(report.alias, report.at)
        seconds[report.exercise][report.alias] += pause if pause <= LONGEST_PAUSE else 0.0
        checks[report.exercise][report.alias] += 1
        last[report.alias] = report.at
        if report.stage == Stage.PASSED:
            passed[report.exercise, report.alias].add(report.check)
    return [
        TimeSpent(
            name,
            len(seconds[name]),
            sum(len(passed[name, alias]) == len(Check) for alias in seconds[name]),
            median(seconds[name].values()) / 60,
            median(checks[name].values()),
        )
        for name in known
        if name in seconds
    ]


def hints_followed(reports: Iterable[Report], known: Mapping[str, KnownExercise]) -> list[HintFollowed]:
    """Return what followed on each named mistake, those of most learners first.

    Args:
        reports: in the order of their times.
        known: the course's exercises.
    """
    runs: dict[tuple[str, str, Check], list[Report]] = defaultdict(list)
    for report in reports:
        if report.exercise in known:
            runs[report.alias, report.exercise, report.check].append(report)
    followed: dict[tuple[str, str], dict[str, tuple[bool, float | None]]] = defaultdict(dict)
    for (alias, exercise, _), made in runs.items():
        for place, report in enumerate(made):
            one = followed[exercise, report.mistake]
            if report.mistake and alias not in one:  # the first time that they read it
                one[alias] = _afterwards(report, made[place + 1 :])
    found = [
        HintFollowed(
            exercise,
            mistake,
            len(learners),
            len(times := [seconds for _, seconds in learners.values() if seconds is not None]),
            sum(at_once for at_once, _ in learners.values()),
            median(times) / 60 if times else None,
        )
        for (exercise, mistake), learners in followed.items()
        if learners
    ]
    places = {name: place for place, name in enumerate(known)}
    return sorted(found, key=lambda one: (-one.learners, places[one.exercise], one.mistake))


def write_anonymous(path: Path, recorded: Sequence[tuple[int, Report]]) -> int:
    """Write the record as a CSV file for research on teaching, and return how many learners are in it.

    Learners have numbers in a random order that is kept nowhere, and times are seconds since the first check of the
    lesson's day: neither aliases nor dates are in the file.

    Args:
        recorded: how many lessons teachers had begun, and a report; in the order of their times.
    """
    aliases = sorted({report.alias for _, report in recorded})
    SystemRandom().shuffle(aliases)
    numbers = {alias: number for number, alias in enumerate(aliases, 1)}
    lesson, began, before, begun = 0, 0.0, float("-inf"), 0
    with whole_file(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for asked_for, one in recorded:
            if one.at - before > LESSON_ENDS_AFTER or asked_for != begun:
                lesson, began = lesson + 1, one.at
            before, begun = one.at, asked_for
            seconds = round(one.at - began)
            writer.writerow(
                (numbers[one.alias], lesson, seconds, one.exercise, one.check.value, one.stage.value, one.mistake)
            )
    return len(aliases)


def _recorded(folder: ClassFolder, database: str) -> list[tuple[int, Report]] | None:
    """Return (how many lessons teachers had begun, report) of all that a board has recorded, in the order of the times.

    Returns None if there was no board.
    """
    if not database and not database_file(folder).exists():
        return None
    store = open_store(folder, database)
    recorded = list(store.reports_by_lesson())
    store.close()
    return recorded


def _afterwards(named: Report, later: Sequence[Report]) -> tuple[bool, float | None]:
    """Return whether the next run passed, and the seconds until one did."""
    passed = next((report for report in later if report.stage == Stage.PASSED), None)
    return bool(later) and later[0].stage == Stage.PASSED, None if passed is None else passed.at - named.at
