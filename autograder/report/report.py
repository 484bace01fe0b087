"""Writes a class's results as one HTML page for its instructor. Called by `autograder report`.

The page is self-contained and loads nothing. Its content security policy allows only its own script and style, by
their hashes, so text that a learner wrote cannot run in it. Names are hidden until the reader shows them. This module
renders the results of `autograder.classroom.results`; it never judges and never changes a grade.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePath
from statistics import mean, median
from typing import Any
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup

from manyheads.whole_file import whole_file

from ..board.after_class import Record
from ..classroom.class_folder import ClassFolder
from ..classroom.csv_table import number
from ..classroom.history import Why
from ..classroom.results import ClassResults, ExerciseResult, LearnerResult, State, class_results
from ..pages import assets, look
from ..safe_text import clean
from .aliases import aliases
from .histogram import axis, histogram
from .misunderstood import crossings, exercise_shares, pairs, solved
from .overview import overview
from .score_changes import movement
from .submissions_to_open import concerns
from .wrong_code import CodeSample, code_samples, unrecognised

REPORT, ANONYMOUS_REPORT = "report.html", "report-anonymous.html"
_DIFFERS = '<span class="unseen">differs: </span>'
Samples = Mapping[tuple[str, str], CodeSample]


def write_report(
    folder: ClassFolder, assignments: list[str], *, anonymous: bool = False, record: Record | None = None
) -> Path:
    """Write the report atomically into the class folder, and return its path.

    Args:
        record: what a board saw in class.
        anonymous: write no names into the file, which is then called `report-anonymous.html`.
    """
    results = [class_results(folder, assignment) for assignment in assignments]
    html = render(
        results,
        folder.root.name,
        datetime.now().astimezone(),
        [code_samples(folder, result) for result in results],
        secret=folder.seed(),
        anonymous=anonymous,
        record=record,
        pages={
            (learner.student, result.assignment): page.relative_to(folder.root)
            for result in results
            for learner in result.learners
            if (page := folder.feedback(learner.student, result.assignment)).is_file()
        },
    )
    path = folder.root / (ANONYMOUS_REPORT if anonymous else REPORT)
    with whole_file(path) as beside:
        beside.write_text(html, encoding="utf-8")
    return path


def render(
    results: Sequence[ClassResults],
    class_name: str,
    made_at: datetime,
    samples: Sequence[Samples] = (),
    secret: str = "",
    *,
    anonymous: bool = False,
    pages: Mapping[tuple[str, str], PurePath] | None = None,
    record: Record | None = None,
) -> str:
    """Return the page's HTML.

    Args:
        results: one for each assignment, in the page's order.
        class_name: the page's heading.
        made_at: when the results were gathered; the page names its time zone, if it has one.
        samples: the code behind wrong answers, for each of `results`.
        secret: shuffles the numbers that replace names.
        anonymous: leave out names, and any text into which a learner could have written one.
        pages: the feedback pages, by student id and assignment, as paths from the report's folder.
        record: what a board saw in class.
    """
    style, script = assets.asset("autograder.report", "report.css"), assets.asset("autograder.report", "report.js")
    environment = _environment()
    everybody = [learner.student for result in results for learner in result.learners]
    numbers = aliases([*everybody, *(student for result in results for student in result.missing)], secret)
    called, links = {student: name for result in results for student, name in result.names.items()}, pages or {}
    by_name = sorted(numbers, key=lambda student: (called.get(student, student).casefold(), student))
    places = {student: place for place, student in enumerate(by_name, 1)}

    def page_of(student: str, assignment: str) -> str:
        path = links.get((student, assignment))
        return quote(path.as_posix(), errors="surrogatepass") if path and not anonymous else ""

    filters: dict[str, Callable[..., Any]] = {
        "alias": numbers.__getitem__,
        "called": lambda student: called.get(student, student),
        "page": page_of,
        "place": places.__getitem__,
        "by_alias": lambda learners: sorted(learners, key=lambda learner: numbers[learner.student]),
        "shuffled": lambda students: sorted(students, key=numbers.__getitem__),
    }
    environment.filters.update(filters)
    return environment.get_template("report.html.j2").render(
        results=results,
        samples=[*samples, *[{}] * (len(results) - len(samples))],
        class_name=class_name,
        made_at=f"{made_at.day} {made_at:%B %Y, %H:%M %Z}".strip(),
        legend=look.STATES.values(),
        anonymous=anonymous,
        record=record,
        style=style,
        script=script,
        policy=look.policy(style, script),
    )


def _environment() -> Environment:
    made = look.environment("autograder.report")
    filters: dict[str, Callable[..., Any]] = {
        "change": lambda change: f"{'+' if change > 0 else '−' if change < 0 else '±'}{number(abs(change))}",
        "percent": lambda share: f"{share:.0%}",
        "coloured": _coloured,
        "day": lambda moment: f"{(when := datetime.fromisoformat(moment)).day} {when:%B, %H:%M}",
    }
    made.filters.update(filters)
    names: dict[str, Any] = {
        "BY_HAND": Why.BY_HAND,
        "RESUBMITTED": Why.RESUBMITTED,
        "axis": axis,
        "concerns": concerns,
        "crossings": crossings,
        "exercise_shares": exercise_shares,
        "histogram": histogram,
        "mean": mean,
        "median": median,
        "movement": movement,
        "overview": overview,
        "pairs": pairs,
        "unrecognised": unrecognised,
        "exercise_number": lambda result, exercise: list(result.points).index(exercise),
        "mistake_numbers": _mistake_numbers,
        "full_marks": _full_marks,
        "has_manual_points": _has_manual_points,
        "nothing": ExerciseResult(0, 0, State.UNKNOWN),
    }
    made.globals.update(names)
    return made


def _coloured(sample: CodeSample) -> Markup:
    """Return a sample's code as HTML, with the lines marked that differ from the reference solution."""
    lines = look.coloured(clean(sample.source))
    marked = [
        f'<span class="differs">{_DIFFERS}{line}\n</span>' if differs else f"<span>{line}\n</span>"
        for line, differs in zip(lines, sample.differs, strict=False)
    ]
    if sample.cut:
        marked.append(f"<span>… and {sample.cut} more lines</span>")
    return Markup("".join(marked))


def _mistake_numbers(results: ClassResults, learner: LearnerResult) -> list[int]:
    """Return a learner's misconceptions as indices into `results.misconceptions`."""
    made = {(exercise, name) for exercise, result in learner.exercises.items() for name in result.misconceptions}
    return [index for index, mistake in enumerate(results.misconceptions) if (mistake.exercise, mistake.name) in made]


def _full_marks(learner: LearnerResult, results: ClassResults) -> bool:
    return learner.final_score is not None and learner.final_score >= results.max_score


def _has_manual_points(result: ExerciseResult) -> bool:
    """Whether the points do not fit the judge's state, so that a person must have changed them."""
    if result.state in (State.RIGHT, State.CARRIED):
        return not solved(result)
    return result.earned > 0 if result.state != State.PARTLY else solved(result) or result.earned <= 0
