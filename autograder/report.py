"""Writes a class's results as one HTML page for its instructor. `autograder report` calls it.

The page stands alone: it loads nothing and runs no script, so nothing that a learner wrote can act in it. This
module only shows what `autograder.results` gathered; it never judges and never changes a grade.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path
from statistics import mean, median

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .class_folder import ClassFolder
from .record import CRASHED, GRADED, NEEDS_REVIEW, TIMEOUT, UNREADABLE
from .results import (
    CARRIED,
    CLEAN,
    FAILED,
    NOT_GRADED,
    PARTLY,
    UNKNOWN,
    UNSOLVED,
    ClassResults,
    ExerciseResult,
    LearnerResult,
    class_results,
)
from .safe_text import clean

REPORT = "report.html"
_MOST_BARS, _MOST_RANGES = 12, 8  # of a histogram, full marks apart: as many as have room for their labels
_STEPS = tuple(step * 10**power for power in range(9) for step in (1, 2, 4, 5))


@dataclass(frozen=True)
class State:
    """How one state of an exercise is shown: never by its colour alone.

    Args:
        symbol: one or two characters, readable on a projector.
        words: the state in words.
        meaning: its line in the legend.
    """

    symbol: str
    words: str
    meaning: str

    @property
    def css(self) -> str:
        return f"state-{self.words.replace(' ', '-')}"


STATES = {
    CLEAN: State("✓", "right", "every check passed"),
    CARRIED: State("✓*", "carried", "right, judged with a working version of what it builds on"),
    PARTLY: State("◐", "partly", "some checks passed"),
    FAILED: State("✗", "wrong", "no check passed"),
    UNSOLVED: State("○", "not written", "left as it was handed out"),
    UNKNOWN: State("–", "none", "nothing was judged"),
}
# What each outcome asks of the instructor, the most pressing first.
OUTCOME_MEANS = {
    NEEDS_REVIEW: "The grader could not judge it. That is no fault of the learner, and no zero.",
    CRASHED: "The notebook ended its own kernel. Checks that were not reached have no points.",
    TIMEOUT: "A cell ran too long and was stopped. What could be judged has its points.",
    UNREADABLE: "The file could not be read as a notebook, so there is no score.",
    NOT_GRADED: "It was handed in, and has not been graded yet.",
    GRADED: "It has its score, and what happened while it ran is worth a look.",
}


@dataclass(frozen=True)
class HistogramBar:
    """A bar of the score distribution. `label` is short and stands below it; `words` says the same in full."""

    label: str
    words: str
    count: int


@dataclass(frozen=True)
class ExerciseShare:
    """One exercise's pass rate.

    Args:
        exercise: its name.
        solved, judged: how many have all its points, of how many that were judged.
        rate: `solved / judged`, None without any.
        carried: how many of the solved were judged with stand-ins.
        rest: what became of the others, in words: "2 partly, 1 wrong".
        unsolved_by: who the others are.
    """

    exercise: str
    solved: int
    judged: int
    rate: float | None
    carried: int
    rest: str
    unsolved_by: tuple[str, ...]


@dataclass(frozen=True)
class Concern:
    """Submissions to look at that ended in the same way for the same reason."""

    outcome: str
    means: str
    reason: str
    students: tuple[str, ...]


def write_report(folder: ClassFolder, assignments: list[str]) -> Path:
    """Write `report.html` into the class folder, all of it or nothing, and return its path."""
    results = [class_results(folder, assignment) for assignment in assignments]
    html = render(results, folder.root.name, datetime.now().astimezone())
    path = folder.root / REPORT
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        beside.write_text(html, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def render(results: Sequence[ClassResults], class_name: str, made_at: datetime) -> str:
    """Return the page's HTML.

    Args:
        results: one for each assignment, in the order in which they are shown.
        class_name: the page's heading.
        made_at: when the results were gathered; its time zone, if it has one, is named.
    """
    return _environment().get_template("report.html.j2").render(
        results=results,
        class_name=class_name,
        made_at=f"{made_at.day} {made_at:%B %Y, %H:%M %Z}".strip(),
        legend=STATES.values(),
    )  # fmt: skip


def histogram(results: ClassResults) -> list[HistogramBar]:
    """Sort the scores into bars of equal width, and one more for full marks alone."""
    full, scores = results.max_score, results.scores
    if not scores or full <= 0:
        return []
    whole = all(float(score).is_integer() for score in scores)
    width = next(step for step in _STEPS if full / step <= (_MOST_BARS if whole and step == 1 else _MOST_RANGES))
    bars = []
    for low in range(0, ceil(full), width):
        high = min(low + width, full)
        # A hand may have given less than nothing, or more than everything.
        count = sum((score >= low or low == 0) and score < high for score in scores)
        if whole and high - low <= 1:
            label = words = number(low)
        elif whole and float(high).is_integer():
            label, words = f"{low}–{number(high - 1)}", f"{low} to {number(high - 1)}"
        else:
            label, words = f"{low}–<{number(high)}", f"{low} to under {number(high)}"
        bars.append(HistogramBar(label, words, count))
    bars.append(HistogramBar(number(full), f"{number(full)} (full marks)", sum(score >= full for score in scores)))
    return bars


def axis(most: int) -> list[int]:
    """Return whole, evenly spaced counts from 0 to `most` or just above it."""
    step = next(step for step in _STEPS if most / step <= 5)
    return [tick * step for tick in range(ceil(most / step) + 1)]


def exercise_shares(results: ClassResults) -> list[ExerciseShare]:
    """Count for each exercise, in the lesson's order, who solved it and what became of the others."""
    shares = []
    for exercise in results.points:
        judged = {
            learner.student: learner.exercises[exercise]
            for learner in results.learners
            if exercise in learner.exercises
        }
        others = {student: result for student, result in judged.items() if not _solved(result)}
        states = Counter(STATES[result.state].words for result in others.values())
        shares.append(
            ExerciseShare(
                exercise,
                solved=len(judged) - len(others),
                judged=len(judged),
                rate=results.pass_rate(exercise),
                carried=sum(result.state == CARRIED and _solved(result) for result in judged.values()),
                rest=", ".join(f"{states[s.words]} {s.words}" for s in STATES.values() if states[s.words]),
                unsolved_by=tuple(others),
            )
        )
    return shares


def concerns(results: ClassResults) -> list[Concern]:
    """Gather the submissions that a person should open, the most pressing first."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for learner in results.learners:
        if learner.needs_a_look:
            groups[learner.outcome, learner.reason].append(learner.student)
    order = {outcome: place for place, outcome in enumerate(OUTCOME_MEANS)}
    found = [
        Concern(outcome, OUTCOME_MEANS.get(outcome, ""), reason, tuple(students))
        for (outcome, reason), students in groups.items()
    ]
    return sorted(found, key=lambda concern: (order.get(concern.outcome, -1), concern.students))


def number(value: float) -> str:
    """Return a score as people write it: 12, 12.5, 12.25."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("autograder", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Every text that the template writes passes through here, whoever it came from.
        finalize=lambda value: clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.filters |= {
        "number": number,
        "percent": lambda share: f"{share:.0%}",
        "things": lambda count, noun: f"{count} {noun}{'' if count == 1 else 's'}",
        "breakable": _breakable,
    }
    environment.globals |= {
        "STATES": STATES,
        "axis": axis,
        "concerns": concerns,
        "exercise_shares": exercise_shares,
        "histogram": histogram,
        "mean": mean,
        "median": median,
        "full_marks": _full_marks,
        "by_hand": _by_hand,
        "nothing": ExerciseResult(0, 0, UNKNOWN),
    }
    return environment


def _breakable(name: str) -> Markup:
    """Let a long Python name break where its words meet."""
    return Markup("<wbr>").join(re.split(r"(?<=_)(?=[^_])|(?<=[a-z])(?=[A-Z])", clean(name)))


def _solved(result: ExerciseResult) -> bool:
    return result.earned >= result.points


def _full_marks(learner: LearnerResult, results: ClassResults) -> bool:
    return learner.score is not None and learner.score >= results.max_score


def _by_hand(result: ExerciseResult) -> bool:
    """Whether the points are other than the judge's state would give."""
    if result.state in (CLEAN, CARRIED):
        return not _solved(result)
    return result.earned > 0 if result.state != PARTLY else _solved(result) or result.earned <= 0
