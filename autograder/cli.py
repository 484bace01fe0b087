"""The command line. Each command is a few lines around one function; a `Problem` becomes one line and exit code 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import build as builder
from . import cluster
from . import demo as sample
from . import doctor as examination
from .chapter import LESSON
from .class_folder import ClassFolder, open_class
from .class_folder import new_class as make_class
from .collect import collect as take_in
from .grade import Run
from .grade import grade as grade_assignment
from .home import move as set_home
from .lms_commands import commands as lms_commands
from .lms_commands import print_collected
from .package_commands import commands as package_commands
from .problems import Problem
from .results import CARRIED, CLEAN, FAILED, PARTLY, UNSOLVED, ClassResults, ExerciseResult, class_results
from .safe_text import clean

app = typer.Typer(
    help="Build the course, and grade a class.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# A pipe has no width of its own: rich would wrap the table at 80 columns.
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 140)

_Class = Annotated[Path, typer.Argument(metavar="DIR", help="The class folder.")]
_WORKERS = 2 * (os.cpu_count() or 1)  # a submission waits for its kernel half of the time
_Workers = Annotated[int, typer.Option(min=1, help="How many submissions run at once on this machine.")]
_Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Run them on the workers of this Dask scheduler instead.")
]
_NoSandbox = Annotated[
    bool, typer.Option("--no-sandbox", help="Run learners' code with all your rights, where there is no sandbox.")
]
_UNSEALED = "WARNING: learners' code ran without the sandbox, with all your rights"
_SYMBOLS = {
    CLEAN: ("✓", "green"),
    CARRIED: ("✓*", "green"),
    PARTLY: ("◐", "yellow"),
    FAILED: ("✗", "red"),
    UNSOLVED: ("·", "dim"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    try:
        app(args=list(arguments) if arguments is not None else None)
    except (Problem, OSError) as problem:
        lines = [f"autograder: {problem}", *getattr(problem, "__notes__", ())]
        print("\n".join(map(clean, lines)), file=sys.stderr)
        sys.exit(2)


@app.command()
def build(
    chapters: Annotated[list[str] | None, typer.Argument(help="Only these, without the contents page.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if anything is stale.")] = False,
) -> None:
    """Make notebooks and fixtures from solutions/."""
    root = builder.REPOSITORY_ROOT
    if check:
        stale = builder.stale(root, chapters or ())
        if stale:
            names = "\n  ".join(str(path.relative_to(root)) for path in stale)
            print(f"Stale, so run `autograder build` and commit what it writes:\n  {names}", file=sys.stderr)
            raise typer.Exit(1)
        print("Everything derived from solutions/ is up to date.")
        return
    written = builder.build(root, chapters or ())
    for path in written:
        print(f"wrote {path.relative_to(root)}")
    print(f"{len(written)} files written." if written else "Nothing to do: all is up to date.")


@app.command()
def configure(
    repo: Annotated[str, typer.Option(metavar="OWNER/NAME", help="The repository on GitHub that this copy lives in.")],
    tag: Annotated[
        str | None, typer.Option(help="The release that badges open and set-up cells install; this version's if unset.")
    ] = None,
) -> None:
    """Point badges, set-up cells and links at a fork, and build what is derived from them."""
    root = builder.REPOSITORY_ROOT
    if not list((root / "solutions").glob(f"*/{LESSON}")):
        raise Problem(f"{root / 'solutions'} holds no chapter to build notebooks from: do this in a copy that has them")
    home = set_home(root, repo, tag)
    written = builder.build(root)
    for path in written:
        print(f"wrote {path.relative_to(root)}")
    print(f"Badges open {home.repository} at {home.tag}, and set-up cells install from there.")
    print(f"To do: commit this, then: git tag {home.tag} && git push origin {home.tag}   (no tag for a branch)")


@app.command("new-class")
def new_class(folder: _Class) -> None:
    """Make a class folder, ready for nbgrader's commands and these."""
    made = make_class(folder, builder.REPOSITORY_ROOT / "solutions")
    print(f"{folder} is ready: {', '.join(made.assignments())}.")
    print(f"Hand out {folder}/release, then: autograder collect {folder} ASSIGNMENT FILES")


app.add_typer(lms_commands)
app.add_typer(package_commands, name="package")


@app.command()
def grade(
    folder: _Class,
    assignments: Annotated[list[str] | None, typer.Argument(help="The chapters; all by default.")] = None,
    workers: _Workers = _WORKERS,
    scheduler: _Scheduler = None,
    regrade: Annotated[bool, typer.Option("--regrade", help="Grade unchanged submissions again.")] = False,
    no_sandbox: _NoSandbox = False,
) -> None:
    """Grade what is new or changed, and print the table of learner by exercise."""
    opened, names = open_class(folder, assignments or [])
    sandbox = not no_sandbox and opened.config().Execute.get("sandbox", True)
    if sandbox and not scheduler and any(map(opened.students, names)):
        examination.require_sandbox()
    with cluster.kept():
        for name in names:
            if opened.students(name):
                _grade(opened, name, workers, regrade, sandbox, scheduler)
            else:
                print(f"{name}: nothing handed in.")


@app.command()
def report(
    folder: _Class,
    assignments: Annotated[list[str] | None, typer.Argument(help="The chapters; all by default.")] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Leave names out of the file altogether.")] = False,
) -> None:
    """Write one self-contained page about the class's results. Names are hidden until you ask for them."""
    opened, names = open_class(folder, assignments or [])
    _report(opened, names, anonymous)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to make the class.")] = Path("demo-class"),
    workers: _Workers = _WORKERS,
    no_sandbox: _NoSandbox = False,
) -> None:
    """Make a sample class from known mistakes, then collect, grade and report it.

    Its submissions are made here, so where there is no sandbox it goes on without, and says so.
    """
    sandbox = not no_sandbox and not any(layer.missing for layer in examination.find_layers())
    opened, assignment, handed_in = sample.make_class(folder, builder.REPOSITORY_ROOT / "solutions")
    print(f"A class was made in {folder}; its learners have handed in {assignment}.")
    print_collected(take_in(opened, assignment, handed_in))
    _grade(opened, assignment, workers, regrade=False, sandbox=sandbox)
    _report(opened, [assignment])


@app.command()
def doctor() -> None:
    """Say what this machine offers: the sandbox's layers, the GPU, versions. Fails where grading would refuse."""
    found = examination.find_layers()
    print(examination.report(found))
    if any(layer.missing for layer in found):
        raise typer.Exit(1)


def _grade(
    folder: ClassFolder, assignment: str, workers: int, regrade: bool, sandbox: bool, scheduler: str | None = None
) -> None:
    if not sandbox:
        print(f"{_UNSEALED.replace(' ran ', ' runs ')}.", file=sys.stderr)
    try:
        run = grade_assignment(folder, assignment, workers, regrade, True, sandbox, scheduler)
    except KeyboardInterrupt as stop:
        print(" ".join(["Stopped.", *getattr(stop, "__notes__", ())]), file=sys.stderr)
        raise typer.Exit(130) from None
    results = class_results(folder, assignment)
    _out.print(_table(results))
    if results.unsealed:
        print(f"{_UNSEALED}: {clean(', '.join(results.unsealed))}.")
    print("✓ right   ✓* right, but for what it builds on   ◐ partly   ✗ wrong   · not written")
    print(_summary(run))


def _report(folder: ClassFolder, assignments: list[str], anonymous: bool = False) -> None:
    from .report import write_report

    print(f"Report: {write_report(folder, assignments, anonymous)}")


def _summary(run: Run) -> str:
    done = ", ".join(f"{count} {outcome}" for outcome, count in run.outcomes.most_common()) or "nothing new"
    return f"{done}." + (f" {run.unchanged} had not changed and kept their grade." if run.unchanged else "")


def _table(results: ClassResults) -> Table:
    table = Table(title=Text(f"{results.assignment} · {results.title}"), title_justify="left", pad_edge=False)
    table.add_column("learner", no_wrap=True)
    for exercise, points in results.points.items():
        table.add_column(f"{exercise}\n{points:g} points", justify="center", overflow="fold")
    table.add_column(f"score\nof {results.max_score:g}", justify="right")
    for learner in results.learners:
        if learner.score is None:
            cells = [Text("–", style="dim")] * len(results.points)
            table.add_row(Text(clean(learner.student)), *cells, Text("–", style="dim"))
            continue
        cells = [_cell(learner.exercises[name]) for name in results.points]
        table.add_row(Text(clean(learner.student)), *cells, f"{learner.score:g}")
    # Text, not a string: rich would take brackets in a learner's words for markup.
    table.caption = Text(
        "\n".join(
            clean(f"{who.student} · {who.outcome}: {who.reason}").replace("\n", " ")
            for who in results.learners
            if who.reason
        )
    )
    table.caption_justify = "left"
    return table


def _cell(result: ExerciseResult) -> Text:
    symbol, style = _SYMBOLS.get(result.state, ("–", "dim"))
    return Text(f"{symbol} {result.earned:g}", style=style)
