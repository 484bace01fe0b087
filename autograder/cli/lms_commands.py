"""The commands that exchange files with an LMS: `collect`, `export` and `feedback`."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..problems import Problem

if TYPE_CHECKING:
    from ..handback.export import Exported
    from ..intake.collected import Collected
    from ..problems import Skipped

_MOST_LINES = 20  # per list
ClassArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The class folder.")]


class _Dates(StrEnum):
    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


def collect(
    folder: ClassArgument,
    assignment: Annotated[str, typer.Argument(metavar="CHAPTER", help="The chapter that was submitted.")],
    source: Annotated[
        Path, typer.Argument(metavar="FILES", help="Canvas's or Moodle's zip, or a folder or zip of notebooks.")
    ],
    roster: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CSV file that lists the class's learners.")
    ] = None,
    *,
    update: Annotated[bool, typer.Option("--update", help="Replace submissions that differ.")] = False,
    dates: Annotated[
        _Dates | None,
        typer.Option(
            help="Whether 12/11 is 12 November or December 11, in submission times. Remembered for the class."
        ),
    ] = None,
    zone: Annotated[
        str,
        typer.Option(
            metavar="ZONE",
            help="The time zone of submission times that name none, e.g. Europe/Berlin. Remembered for the class.",
        ),
    ] = "",
) -> None:
    """Collect submitted notebooks into the class folder."""
    from ..classroom.class_folder import open_class
    from ..classroom.times import Reading, read_reading
    from ..intake import collect

    opened, _ = open_class(folder, [assignment])
    stored = read_reading(opened)
    reading = Reading(dates.value if dates else stored.order, zone or stored.zone)
    done = collect.collect(
        opened, assignment, source, update=update, roster_file=roster, progress=True, reading=reading
    )
    print_collected(done)


class _Gradebook(StrEnum):
    CANVAS = "canvas"
    MOODLE = "moodle"
    CSV = "csv"


class _Lms(StrEnum):
    CANVAS = "canvas"
    MOODLE = "moodle"


def export(
    folder: ClassArgument,
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="CHAPTER", help="The chapters; by default, all.")
    ] = None,
    kind: Annotated[
        _Gradebook, typer.Option("--format", help="The LMS whose gradebook format to write, or a plain table.")
    ] = _Gradebook.CSV,
    canvas_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The gradebook that Canvas exported.")
    ] = None,
    moodle_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Moodle's grading worksheet.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")] = None,
    column: Annotated[
        str, typer.Option(metavar="TITLE", help="The column to fill, if no title matches the assignment.")
    ] = "",
    *,
    scale: Annotated[
        bool, typer.Option("--scale", help="Convert scores if the LMS's column has another maximum.")
    ] = False,
) -> None:
    """Write the grades in the format that Canvas's or Moodle's gradebook imports, or as a plain table."""
    from ..classroom.class_folder import open_class
    from ..handback import export

    for file, name in ((canvas_file, "canvas"), (moodle_file, "moodle")):
        if file is not None and kind.value != name:
            raise Problem(f"--{name}-file needs --format {name}")
    opened, names = open_class(folder, assignments or [])
    if kind is _Gradebook.MOODLE and not assignments:
        names = [name for name in names if opened.students(name)] or names[:1]
    elif kind is _Gradebook.CANVAS and not assignments:
        names = [name for name in names if opened.students(name)]
        if not names:
            raise Problem(f"no submissions yet; first run `autograder collect {folder} ASSIGNMENT FILES`")
    _print_exported(export.export(opened, names, kind.value, canvas_file or moodle_file, output, column, scale=scale))


def feedback(
    folder: ClassArgument,
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="CHAPTER", help="The chapters; by default, all.")
    ] = None,
    lms: Annotated[
        _Lms | None, typer.Option("--zip", help="Also put the pages into a zip for this LMS's bulk upload.")
    ] = None,
) -> None:
    """Write a feedback page for each learner and, with --zip, a zip for Canvas's or Moodle's bulk upload."""
    from ..classroom.class_folder import open_class
    from ..handback.feedback import summary, write_feedback
    from ..handback.feedback_zip import zip_pages

    opened, names = open_class(folder, assignments or [])
    for name in names:
        if not opened.students(name):
            print(f"{name}: no submissions.")
            continue
        done = write_feedback(opened, name, progress=True)
        for line in summary(done):
            print(f"{name}: {shown(line)}")
        if lms is not None and done.pages:
            zipped = zip_pages(opened, name, done.pages, lms.value)
            print(f"{name}: {len(zipped.names)} pages for {lms.value.capitalize()}: {zipped.path}")
            _print_names("Not in the zip (not collected from this LMS)", zipped.left_out)


def _print_exported(exported: Exported) -> None:
    print(f"{exported.written} grades written to {exported.path}")
    if exported.open:
        print("No grade yet (cells left unchanged). Look at these submissions, and set a score in the formgrader:")
    for grade in exported.open:
        print(f"  {shown(grade.person.student)} ({grade.outcome}): {shown(grade.reason)}")
    _print_names("Not submitted", [grade.person.student for grade in exported.missing])
    _print_names("Not found in the LMS's file", [grade.person.student for grade in exported.not_found])
    _print_names("The LMS takes no grade here; cells left unchanged", exported.refused)


def print_collected(collected: Collected) -> None:
    """Print how many submissions were collected, and every file and row that needs attention."""
    from ..classroom.layouts import Layout

    print(f"{len(collected.taken)} submissions collected, {len(collected.same)} unchanged.")
    _print_names("Late according to the LMS", collected.late)
    _print_names("Different from the collected file, not replaced (use --update)", collected.not_replaced)
    _print_names("Submitted, but not a notebook", collected.no_notebook)
    _print_files("Roster rows not used:", collected.refused_rows)
    _print_files("Owner unknown, not collected:", collected.unknown)
    if len(collected.unknown) > len(collected.taken) + len(collected.same):
        print(f"  Do the files have another layout? The supported ones are: {', '.join(Layout)}.")
    _print_files("Several notebooks, not collected:", collected.unclear)
    _print_files("Set aside, because another file of the same learner is graded:", collected.set_aside)
    _print_files("Ignored:", collected.skipped)
    _print_files("Collected, but please check:", collected.to_check)
    for why, students in collected.times.items():
        print(f"Submission time unknown, so there is no late penalty: {why}")
        _print_some("  Learners", students)
    _print_some("Submission time read from timestamp.txt beside the notebook", collected.times_from_files)
    _print_names("No submission yet from", collected.missing)


def shown(text: str) -> str:
    """Return text from an untrusted file with its control and format characters replaced, except newlines."""
    return "".join("�" if unicodedata.category(c)[0] == "C" and c != "\n" else c for c in text)


def _print_names(title: str, names: Sequence[str]) -> None:
    if names:
        print(f"{title}: {', '.join(map(shown, names))}")


def _print_some(title: str, names: Sequence[str]) -> None:
    more = [f"and {len(names) - _MOST_LINES} more"] if len(names) > _MOST_LINES else []
    _print_names(title, [*names[:_MOST_LINES], *more])


def _print_files(title: str, files: Sequence[Skipped]) -> None:
    if files:
        print(title)
    for file in files[:_MOST_LINES]:
        print(f"  {shown(file.name)}: {shown(file.reason)}")
    if len(files) > _MOST_LINES:
        print(f"  … and {len(files) - _MOST_LINES} more")
