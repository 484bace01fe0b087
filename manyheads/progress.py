"""A learner's progress in one chapter: what their checks have said, and how it is shown.

`manyheads.check` reports each check's result here, and `check.progress()` counts them. Nothing is checked again. While
a grader asks for answers in this process, nothing is counted.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from . import earlier
from .calling import probe
from .checking.diagnosis import Finding
from .checking.exam import Check, Exam
from .checking.exam_files import all_exams, exams_by_chapter
from .checking.stage import Stage

_BAR = "#0072B2"  # 3 : 1 or more on a white page and on a black one
_ON_THE_GRADE = (
    "This is what your checks have said, on cases that you can see. Your grade is decided by other cases of the same "
    "kind, which stay hidden: code that fits only the visible ones earns nothing there."
)


class State(StrEnum):
    """How far one exercise is, in the words of the table."""

    DONE = "done"
    PARTLY = "partly right"
    WRONG = "not right yet"
    UNWRITTEN = "not written yet"
    UNCHECKED = "not checked yet"


_SYMBOLS = {State.DONE: "✓", State.PARTLY: "◐", State.WRONG: "✗", State.UNWRITTEN: "·", State.UNCHECKED: "·"}


@dataclass(frozen=True)
class Said:
    """What a check last said of an exercise. `source` is the cell that it checked."""

    finding: Finding | None
    carried: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Row:
    """How far one exercise is.

    Args:
        earned: points of the checks that passed.
        worth: points of all its checks.
        remark: what to know or to do, in a sentence; or "".
    """

    exercise: str
    state: State
    earned: float
    worth: float
    remark: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a learner is. A notebook shows it as a table, everything else as text.

    Args:
        rows: the chapter's exercises in the lesson's order.
        kept: how many of the course's exercises have passed on this machine, and how many there are.
    """

    rows: tuple[Row, ...]
    kept: tuple[int, int]

    @property
    def summary(self) -> str:
        """The points and the exercises in a line."""
        done = sum(row.state == State.DONE for row in self.rows)
        earned, worth = sum(row.earned for row in self.rows), sum(row.worth for row in self.rows)
        return f"{earned:g} of {worth:g} points so far, {done} of {len(self.rows)} exercises done"

    @property
    def closing(self) -> str:
        """What is open, in a line."""
        still = [row.exercise for row in self.rows if row.state != State.DONE]
        here = f"Still open: {', '.join(still)}." if still else "All of this chapter's exercises are done."
        return f"{here} In the whole course, {self.kept[0]} of {self.kept[1]} exercises have passed on this machine."

    def __repr__(self) -> str:
        width = max(len(row.exercise) for row in self.rows)
        lines = [f"Your progress: {self.summary}."]
        for row in self.rows:
            points = f"{row.earned:g} of {row.worth:g}"
            line = f"{_SYMBOLS[row.state]} {row.exercise:{width}}  {points:>8}  {row.state}"
            lines.append(f"{line}. {row.remark}" if row.remark else line)
        return "\n".join([*lines, self.closing, _ON_THE_GRADE])

    def _repr_html_(self) -> str:  # called by IPython; colours are the page's own, so that it fits a dark one too
        cell = "text-align: left; vertical-align: top; padding: 0.3em 1.2em 0.3em 0; border: 0"
        rule = "border-top: 1px solid rgba(128, 128, 128, 0.5)"
        earned, worth = sum(row.earned for row in self.rows), sum(row.worth for row in self.rows)
        heads = "".join(
            f'<th scope="col" style="{cell}">{name}</th>' for name in ("exercise", "state", "points", "to know")
        )
        rows = "".join(
            f'<tr style="{rule}; background: none">'
            f'<th scope="row" style="{cell}; font-weight: normal"><code>{html.escape(row.exercise)}</code></th>'
            f'<td style="{cell}; white-space: nowrap"><span aria-hidden="true">{_SYMBOLS[row.state]} </span>'
            f"{row.state}</td>"
            f'<td style="{cell}; white-space: nowrap">{row.earned:g} of {row.worth:g}</td>'
            f'<td style="{cell}">{html.escape(row.remark)}</td></tr>'
            for row in self.rows
        )
        return (
            '<div style="max-width: 52em; line-height: 1.45">'
            f'<p style="margin: 0.4em 0"><strong>{self.summary}</strong></p>'
            '<div aria-hidden="true" style="height: 0.7em; border: 1px solid currentColor; border-radius: 0.35em; '
            f'overflow: hidden"><div style="height: 100%; width: {100 * earned / (worth or 1):.0f}%; '
            f'background: {_BAR}"></div></div>'
            f'<table style="border-collapse: collapse; margin: 0.6em 0; border: 0; font-size: 1em; color: inherit">'
            f'<caption style="text-align: left; padding: 0.3em 0; color: inherit">Your progress in this chapter'
            f"</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
            f'<p style="margin: 0.4em 0">{html.escape(self.closing)}</p>'
            f'<p style="margin: 0.4em 0">{_ON_THE_GRADE}</p></div>'
        )


_said: dict[tuple[str, Check], Said] = {}
_last_named: dict[str, str] = {}  # the mistake that a check last named, by exercise


def note(exercise: str, check: Check, source: str, finding: Finding | None, carried: tuple[str, ...] = ()) -> None:
    """Remember what a check has said."""
    _said[exercise, check] = Said(finding, carried, source)
    if finding is not None and finding.misconception is not None:
        _last_named[exercise] = finding.misconception
    elif finding is None and check == Check.OUTPUTS:
        _last_named.pop(exercise, None)


def forget() -> None:
    """Forget what the checks of this session have said."""
    _said.clear()
    _last_named.clear()


def count(namespace: Mapping[str, Any], source_of: Callable[[str], str]) -> Progress | None:
    """Return how far the learner is in the chapter whose exercises `namespace` holds; None if it holds none.

    Args:
        source_of: gives the source of an exercise that `namespace` holds, by its name.
    """
    here = namespace.get("__name__")

    def at_work_on(exams: Mapping[str, Exam]) -> int:
        # an exercise that came from an earlier chapter was defined in a module of its own
        written = {name for name in exams if getattr(namespace.get(name), "__module__", None) == here}
        return len(written | {name for name, _ in _said if name in exams})

    chapters = exams_by_chapter().values()
    exams = max(chapters, key=at_work_on, default={})
    if not at_work_on(exams):
        return None
    rows = []
    for exam in exams.values():
        written = exam.exercise in namespace
        rows.append(_row(exam, source_of(exam.exercise) if written else None))
    passed = [name for name in all_exams() if earlier.kept_source(name) is not None]
    return Progress(tuple(rows), (len(passed), len(all_exams())))


def graded_here() -> bool:
    """Whether a grader has asked this process for answers: then nobody reads a table of the learner's own checks."""
    return probe.has_responded()


def _row(exam: Exam, source: str | None) -> Row:
    """Return the row of one exercise.

    Args:
        source: the source of its cell; None if it is not defined in this session.
    """
    worth = sum(exam.points.values())
    known = {check: said for check in Check if (said := _said.get((exam.exercise, check))) is not None}
    said = {check: one for check, one in known.items() if source is None or one.source == source}
    failed = [one.finding for one in said.values() if one.finding is not None]
    kept = earlier.kept_source(exam.exercise)
    if not failed and kept is not None and (source is None or source.strip() == kept.strip()):
        before = "" if Check.OUTPUTS in said else "It passed before, in another session."
        return Row(exam.exercise, State.DONE, worth, worth, before)
    passed = [check for check, one in said.items() if one.finding is None]
    earned = sum(exam.points.get(check, 0) for check in passed)
    if len(passed) == len(Check):
        carried = ", ".join(dict.fromkeys(name for one in said.values() for name in one.carried))
        return Row(exam.exercise, State.DONE, earned, worth, f"Right with a working {carried}." if carried else "")
    state = State.PARTLY if passed else State.WRONG
    if not failed:
        if not passed:
            state = State.UNCHECKED
        changed = (known or kept is not None) and not said
        return Row(exam.exercise, state, earned, worth, "Its code has changed: run its checks." if changed else "")
    if any(finding.stage == Stage.UNSOLVED for finding in failed):
        return Row(exam.exercise, State.UNWRITTEN, earned, worth)
    mistake = _last_named.get(exam.exercise)
    return Row(exam.exercise, state, earned, worth, f"The mistake last named: you {mistake}." if mistake else "")
