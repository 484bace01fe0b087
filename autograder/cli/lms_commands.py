"""The commands between an LMS and a class folder: collect, export, feedback."""

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

commands = typer.Typer()

_MOST = 20  # lines of one kind
ClassArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The class folder.")]


class _Dates(StrEnum):
    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


@commands.command()
def collect(
    folder: ClassArgument,
    assignment: Annotated[str, typer.Argument(help="The chapter handed in.")],
    source: Annotated[Path, typer.Argument(help="Canvas's or Moodle's zip, or a folder or zip of notebooks.")],
    roster: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CSV file that says who is in the class.")
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Replace submissions that differ.")] = False,
    dates: Annotated[
        _Dates | None, typer.Option(help="Which of 12/11 is the day, in handed-in times. Remembered for the class.")
    ] = None,
    zone: Annotated[
        str, typer.Option(metavar="ZONE", help="The zone of times that name none: Europe/Berlin. Remembered, too.")
    ] = "",
) -> None:
    """Take handed-in notebooks in."""
    from ..classroom.class_folder import open_class
    from ..classroom.times import Reading, read_reading
    from ..intake import collect

    opened, _ = open_class(folder, [assignment])
    said = read_reading(opened)
    reading = Reading(dates.value if dates else said.order, zone or said.zone)
    print_collected(collect.collect(opened, assignment, source, update, roster, progress=True, reading=reading))


class _Gradebook(StrEnum):
    CANVAS = "canvas"
    MOODLE = "moodle"
    CSV = "csv"


class _Lms(StrEnum):
    CANVAS = "canvas"
    MOODLE = "moodle"


@commands.command()
def export(
    folder: ClassArgument,
    assignments: Annotated[list[str] | None, typer.Argument(help="The chapters; all by default.")] = None,
    kind: Annotated[_Gradebook, typer.Option("--format", help="Whose gradebook, or a plain table.")] = _Gradebook.CSV,
    canvas_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The gradebook that Canvas exported.")
    ] = None,
    moodle_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Moodle's grading worksheet.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")] = None,
    column: Annotated[str, typer.Option(metavar="TITLE", help="The column to fill, if its name does not tell.")] = "",
    scale: Annotated[bool, typer.Option("--scale", help="Turn points into points of the LMS's column.")] = False,
) -> None:
    """Write the grades as Canvas's or Moodle's gradebook imports them, or as a plain table."""
    from ..classroom.class_folder import open_class
    from ..handback import export

    for given, name in ((canvas_file, "canvas"), (moodle_file, "moodle")):
        if given is not None and kind.value != name:
            raise Problem(f"--{name}-file goes with --format {name}")
    opened, names = open_class(folder, assignments or [])
    if kind is _Gradebook.MOODLE and not assignments:
        names = [name for name in names if opened.students(name)] or names[:1]
    elif kind is _Gradebook.CANVAS and not assignments:
        names = [name for name in names if opened.students(name)]
        if not names:
            raise Problem(f"nothing was handed in yet; first: autograder collect {folder} ASSIGNMENT FILES")
    _print_exported(export.export(opened, names, kind.value, canvas_file or moodle_file, output, column, scale))


@commands.command()
def feedback(
    folder: ClassArgument,
    assignments: Annotated[list[str] | None, typer.Argument(help="The chapters; all by default.")] = None,
    lms: Annotated[_Lms | None, typer.Option("--zip", help="Also pack them for this LMS's bulk upload.")] = None,
) -> None:
    """Make one feedback page a learner, and a zip that Canvas's or Moodle's bulk upload takes."""
    from ..classroom.class_folder import open_class
    from ..handback.feedback import in_words, write_feedback
    from ..handback.feedback_zip import pack

    opened, names = open_class(folder, assignments or [])
    for name in names:
        if not opened.students(name):
            print(f"{name}: nothing handed in.")
            continue
        done = write_feedback(opened, name, progress=True)
        for line in in_words(done):
            print(f"{name}: {shown(line)}")
        if lms is not None and done.pages:
            packed = pack(opened, name, done.pages, lms.value)
            print(f"{name}: {len(packed.names)} pages for {lms.value.capitalize()}: {packed.path}")
            _print_names("Not in it, for they came another way", packed.left_out)


def _print_exported(exported: Exported) -> None:
    print(f"{exported.written} grades written to {exported.path}")
    if exported.open:
        print("No grade yet, so their cells are as they were; look at them, and set a score in the formgrader:")
    for grade in exported.open:
        print(f"  {shown(grade.person.student)} ({grade.outcome}): {shown(grade.reason)}")
    _print_names("Nothing handed in", [grade.person.student for grade in exported.missing])
    _print_names("Not found in the LMS's file", [grade.person.student for grade in exported.not_found])
    _print_names("Left as the LMS has it", exported.left)


def print_collected(collected: Collected) -> None:
    """Say what was taken in, and list all that was not."""
    from ..classroom.layouts import Layout

    print(f"{len(collected.taken)} submissions taken in, {len(collected.same)} unchanged.")
    _print_names("Late, says the LMS", collected.late)
    _print_names("Kept as they were (--update replaces them)", collected.kept)
    _print_names("Handed in, but no notebook", collected.no_notebook)
    _print_files("Roster rows left out:", collected.asked)
    _print_files("Owner unknown, not collected:", collected.unknown)
    if len(collected.unknown) > len(collected.taken) + len(collected.same):
        print(f"  Is it another layout? Read are: {', '.join(Layout)}.")
    _print_files("Several notebooks, not collected:", collected.unclear)
    _print_files("Set aside:", collected.set_aside)
    _print_files("Ignored:", collected.skipped)
    _print_files("Taken, but look at:", collected.told)
    for why, students in collected.times.items():
        print(f"When they handed in is not known, so nothing is taken off for lateness: {why}")
        _print_some("  Of", students)
    _print_some("Times handed in, from timestamp.txt beside the notebook", collected.noted_times)
    _print_names("Nothing yet from", collected.missing)


def shown(text: str) -> str:
    """Return words of somebody's file with nothing in them that would steer a terminal."""
    return "".join("�" if unicodedata.category(c)[0] == "C" and c != "\n" else c for c in text)


def _print_names(title: str, names: Sequence[str]) -> None:
    if names:
        print(f"{title}: {', '.join(map(shown, names))}")


def _print_some(title: str, names: Sequence[str]) -> None:
    more = [f"and {len(names) - _MOST} more"] if len(names) > _MOST else []
    _print_names(title, [*names[:_MOST], *more])


def _print_files(title: str, files: Sequence[Skipped]) -> None:
    if files:
        print(title)
    for file in files[:_MOST]:
        print(f"  {shown(file.name)}: {shown(file.reason)}")
    if len(files) > _MOST:
        print(f"  … and {len(files) - _MOST} more")
