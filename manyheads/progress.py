"""A learner's progress, in one chapter and in the whole course: what their checks have said, and how it is shown.

`manyheads.check` reports each check's result here, and `check.progress()` counts them. Nothing is checked again, and
nothing is stored for it: what passed before is known from the code that `earlier` has kept. While a grader asks for
answers in this process, nothing is counted.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from . import earlier
from .calling import probe
from .checking.diagnosis import Finding
from .checking.exam import Check, Exam
from .checking.exam_files import About, about_chapters, exams_by_chapter
from .checking.stage import Stage

_BAR = "#0072B2"  # 3 : 1 or more on a white page and on a black one
_PAGE = 'A page of this to save or to print: check.summary("your name")'
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
class ChapterRow:
    """How far one chapter is.

    Args:
        title: the chapter's title.
        minutes: what its lesson is planned for; 0 if that is not known.
        done: the number of its exercises that are done.
        exercises: the number of its exercises.
        earned: points of the checks that passed.
        worth: points of all its checks.
    """

    title: str
    minutes: int
    done: int
    exercises: int
    earned: float
    worth: float

    @property
    def symbol(self) -> str:
        """The chapter's state as a symbol: done, begun, or not begun."""
        return "✓" if self.done == self.exercises else "◐" if self.earned else "○"


@dataclass(frozen=True)
class Progress:
    """How far a learner is. A notebook shows it as tables, everything else as text.

    Args:
        rows: the exercises of the chapter at hand in the lesson's order; empty if the notebook has none.
        chapters: the course's chapters in their order.
        where: what is counted, and where it is kept.
    """

    rows: tuple[Row, ...]
    chapters: tuple[ChapterRow, ...]
    where: str

    @property
    def summary(self) -> str:
        """The chapter's points and exercises in a line."""
        done = sum(row.state == State.DONE for row in self.rows)
        earned, worth = sum(row.earned for row in self.rows), sum(row.worth for row in self.rows)
        return f"{earned:g} of {worth:g} points so far, {done} of {len(self.rows)} exercises done"

    @property
    def total(self) -> ChapterRow:
        """The sums over all chapters."""
        return ChapterRow(
            "The whole course",
            sum(row.minutes for row in self.chapters),
            sum(row.done for row in self.chapters),
            sum(row.exercises for row in self.chapters),
            sum(row.earned for row in self.chapters),
            sum(row.worth for row in self.chapters),
        )

    @property
    def whole(self) -> str:
        """The whole course's points and exercises in a line."""
        total = self.total
        points = f"{total.earned:g} of {total.worth:g} points"
        return f"{total.title}: {points}, {total.done} of {total.exercises} exercises done"

    @property
    def closing(self) -> str:
        """What is open in the chapter, in a line."""
        still = [row.exercise for row in self.rows if row.state != State.DONE]
        return f"Still open: {', '.join(still)}." if still else "All of this chapter's exercises are done."

    def __repr__(self) -> str:
        lines: list[str] = []
        if self.rows:
            width = max(len(row.exercise) for row in self.rows)
            lines.append(f"Your progress: {self.summary}.")
            for row in self.rows:
                points = f"{row.earned:g} of {row.worth:g}"
                line = f"{_SYMBOLS[row.state]} {row.exercise:{width}}  {points:>8}  {row.state}"
                lines.append(f"{line}. {row.remark}" if row.remark else line)
            lines += [self.closing, ""]
        width = max(len(chapter.title) for chapter in self.chapters)
        lines.append(f"{self.whole}.")
        for chapter in self.chapters:
            points = f"{chapter.earned:g} of {chapter.worth:g}"
            line = f"{chapter.symbol} {chapter.title:{width}}  {points:>8}"
            lines.append(f"{line}  {chapter.done} of {chapter.exercises} exercises")
        return "\n".join([*lines, "", self.where, _ON_THE_GRADE, _PAGE])

    def _repr_html_(self) -> str:  # called by IPython; colours are the page's own, so that it fits a dark one too
        paragraph = '<p style="margin: 0.4em 0">'
        here = ""
        if self.rows:
            here = (
                f"{paragraph}<strong>{self.summary}</strong></p>"
                f"{_bar(sum(row.earned for row in self.rows), sum(row.worth for row in self.rows))}"
                f"{_table('Your progress in this chapter', ('exercise', 'state', 'points', 'to know'), self._cells())}"
                f"{paragraph}{html.escape(self.closing)}</p>"
            )
        heads = ("chapter", "exercises", "points", "planned")
        whole = (
            f'<details style="margin: 0.8em 0"{"" if self.rows else " open"}>'
            f'<summary style="cursor: pointer"><strong>{self.whole}</strong></summary>'
            f"{_bar(self.total.earned, self.total.worth)}"
            f"{_table('Your progress in the whole course', heads, self._chapter_cells())}"
            f"{paragraph}{html.escape(self.where)}</p></details>"
        )
        return (
            f'<div style="max-width: 52em; line-height: 1.45">{here}{whole}{paragraph}{_ON_THE_GRADE}</p>'
            f"{paragraph}{html.escape(_PAGE)}</p></div>"
        )

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                f"<code>{html.escape(row.exercise)}</code>",
                f'<span aria-hidden="true">{_SYMBOLS[row.state]} </span>{row.state}',
                f"{row.earned:g} of {row.worth:g}",
                html.escape(row.remark),
            )
            for row in self.rows
        ]

    def _chapter_cells(self) -> list[tuple[str, ...]]:
        return [
            (
                f'<span aria-hidden="true">{row.symbol} </span>{html.escape(row.title)}',
                f"{row.done} of {row.exercises} done",
                f"{row.earned:g} of {row.worth:g}",
                f"{row.minutes} min" if row.minutes else "",
            )
            for row in self.chapters
        ]


def _bar(earned: float, worth: float) -> str:
    """Return a bar as HTML. The words beside it say the same."""
    return (
        '<div aria-hidden="true" style="height: 0.7em; border: 1px solid currentColor; border-radius: 0.35em; '
        f'overflow: hidden"><div style="height: 100%; width: {100 * earned / (worth or 1):.0f}%; '
        f'background: {_BAR}"></div></div>'
    )


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as HTML. `rows` are HTML; the last column may break its lines."""
    cell = "text-align: left; vertical-align: top; padding: 0.3em 1.2em 0.3em 0; border: 0"
    rule = "border-top: 1px solid rgba(128, 128, 128, 0.5)"
    head = "".join(f'<th scope="col" style="{cell}">{name}</th>' for name in heads)
    body = "".join(
        f'<tr style="{rule}; background: none"><th scope="row" style="{cell}; font-weight: normal">{first}</th>'
        + "".join(f'<td style="{cell}; white-space: nowrap">{one}</td>' for one in others)
        + f'<td style="{cell}">{last}</td></tr>'
        for first, *others, last in rows
    )
    return (
        '<table style="border-collapse: collapse; margin: 0.6em 0; border: 0; font-size: 1em; color: inherit">'
        f'<caption style="text-align: left; padding: 0.3em 0; color: inherit">{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
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
    """Return how far the learner is in the chapter whose exercises `namespace` holds, and in the whole course.

    None if `namespace` holds no exercise and none has passed on this machine.

    Args:
        source_of: gives the source of an exercise that `namespace` holds, by its name.
    """
    here = namespace.get("__name__")

    def at_work_on(exams: Mapping[str, Exam]) -> int:
        # an exercise that came from an earlier chapter was defined in a module of its own
        written = {name for name in exams if getattr(namespace.get(name), "__module__", None) == here}
        return len(written | {name for name, _ in _said if name in exams})

    at_work = {name: at_work_on(exams) for name, exams in exams_by_chapter().items()}
    at_hand = max(at_work, key=lambda name: at_work[name], default="")
    at_hand = at_hand if at_work.get(at_hand) else ""
    rows = {
        name: tuple(
            _row(exam, source_of(exam.exercise) if name == at_hand and exam.exercise in namespace else None)
            for exam in exams.values()
        )
        for name, exams in exams_by_chapter().items()
    }
    if not at_hand and not any(row.earned for chapter in rows.values() for row in chapter):
        return None
    about = about_chapters()
    return Progress(
        rows.get(at_hand, ()),
        tuple(_chapter_row(about.get(name, About(name, 0)), those) for name, those in rows.items()),
        _where(),
    )


def _chapter_row(about: About, rows: Sequence[Row]) -> ChapterRow:
    return ChapterRow(
        about.title,
        about.minutes,
        sum(row.state == State.DONE for row in rows),
        len(rows),
        sum(row.earned for row in rows),
        sum(row.worth for row in rows),
    )


def _where() -> str:
    """Return what is counted, and where it is kept, in a paragraph."""
    place = earlier.kept_in()
    if not earlier.keeps():
        return f"This counts this session's checks alone, since {place} cannot be written."
    counted = (
        f"This counts this session's checks, and exercises that have passed on this machine, whose code is kept in "
        f"{place}."
    )
    if "google.colab" in sys.modules and not str(place).startswith("/content/drive/"):
        return (
            f"{counted} Colab deletes that folder when the runtime ends, and what passed in an earlier runtime is not "
            "counted. To keep it from now on, mount Drive and set MANYHEADS_HOME to a folder there before the first "
            "check; to count a chapter again, run its notebook."
        )
    return f"{counted} A chapter that you did elsewhere counts here once its notebook has run here."


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
