"""The command line. Each command is a few lines around one function; a `Problem` becomes one line and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads import threads

from ..problems import Problem, one_line
from ..safe_text import clean
from .lms_commands import commands as lms_commands
from .lms_commands import print_collected
from .package_commands import commands as package_commands

if TYPE_CHECKING:
    from ..classroom.class_folder import ClassFolder
    from ..run.grade import Run

app = typer.Typer(
    help="Build the course, and grade a class.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_Class = Annotated[Path, typer.Argument(metavar="DIR", help="The class folder.")]
_WORKERS = 2 * threads.cores()  # a submission waits for its kernel half of the time
_Workers = Annotated[int, typer.Option(min=1, help="How many submissions run at once on this machine.")]
_Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Run them on the workers of this Dask scheduler instead.")
]
_NoSandbox = Annotated[
    bool, typer.Option("--no-sandbox", help="Run learners' code with all your rights, where there is no sandbox.")
]
_UNSEALED = "WARNING: learners' code ran without the sandbox, with all your rights"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    try:
        app(args=list(arguments) if arguments is not None else None)
    except (Problem, OSError) as problem:
        lines = [f"autograder: {problem}", *getattr(problem, "__notes__", ())]
        print("\n".join(map(clean, lines)), file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        # By name: importing SQLAlchemy takes a command half a second, and most need none of it.
        if not any(kind.__name__ == "SQLAlchemyError" for kind in type(error).__mro__):
            raise
        said = f"the gradebook cannot be read or written: {one_line(error)}; does another program use it?"
        print(f"autograder: {clean(said)}", file=sys.stderr)
        sys.exit(2)


@app.command()
def build(
    chapters: Annotated[list[str] | None, typer.Argument(help="Only these, without the contents page.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if anything is stale.")] = False,
) -> None:
    """Make notebooks and fixtures from solutions/."""
    from ..course import build as builder

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
    from ..course import build as builder
    from ..course.chapter import LESSON
    from ..course.home import move

    root = builder.REPOSITORY_ROOT
    if not list((root / "solutions").glob(f"*/{LESSON}")):
        raise Problem(f"{root / 'solutions'} holds no chapter to build notebooks from: do this in a copy that has them")
    home = move(root, repo, tag)
    written = builder.build(root)
    for path in written:
        print(f"wrote {path.relative_to(root)}")
    print(f"Badges open {home.repository} at {home.tag}, and set-up cells install from there.")
    print(f"To do: commit this, then: git tag {home.tag} && git push origin {home.tag}   (no tag for a branch)")


@app.command("new-class")
def make_new_class(folder: _Class) -> None:
    """Make a class folder, ready for nbgrader's commands and these."""
    from ..classroom.class_folder import new_class
    from ..course.chapter import REPOSITORY_ROOT

    made = new_class(folder, REPOSITORY_ROOT / "solutions")
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
    from ..classroom.class_folder import open_class
    from ..run import cluster
    from ..sandbox.requirements import require_sandbox

    opened, names = open_class(folder, assignments or [])
    sandbox = not no_sandbox and opened.config().Execute.get("sandbox", True)
    if sandbox and not scheduler and any(map(opened.students, names)):
        require_sandbox()
    with cluster.kept():
        for name in names:
            for folder_name in opened.misnamed(name):
                words = "its name is not UTF-8, so no gradebook can hold it. Rename the folder, and grade again"
                print(f"Not graded: submitted/{clean(folder_name)}: {words}.", file=sys.stderr)
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
    from ..classroom.class_folder import open_class

    opened, names = open_class(folder, assignments or [])
    _report(opened, names, anonymous)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to make the class.")] = Path("demo-class"),
    workers: _Workers = _WORKERS,
    no_sandbox: _NoSandbox = False,
) -> None:
    """Make a sample class from known mistakes, then collect, grade and report it.

    Its submissions are made here, so where there is no sandbox it goes on without, and says so. It fails where one does
    not get the grade that it must.
    """
    from ..classroom.results import class_results
    from ..course.chapter import REPOSITORY_ROOT, read_chapters
    from ..intake.collect import collect
    from ..sandbox.requirements import find_layers
    from .demo import make_class, surprises

    sandbox = not no_sandbox and not any(layer.missing for layer in find_layers())
    opened, assignment, handed_in = make_class(folder, REPOSITORY_ROOT / "solutions")
    print(f"A class was made in {folder}; its learners have handed in {assignment}.")
    print_collected(collect(opened, assignment, handed_in))
    _grade(opened, assignment, workers, regrade=False, sandbox=sandbox)
    _report(opened, [assignment])
    surprising = surprises(class_results(opened, assignment), read_chapters(opened.solutions)[0])
    if surprising:
        told = ["This class was not graded as it must be; `autograder doctor` may say why:", *surprising]
        print("\n".join(told), file=sys.stderr)
        raise typer.Exit(1)


@app.command(hidden=True)
def gradescope(
    prepare: Annotated[bool, typer.Option("--prepare", help="Only make the class: once, for the image.")] = False,
) -> None:
    """Grade one submission in Gradescope's container. The package's `run_autograder` gives this command."""
    from ..places.gradescope_run import main

    main(prepare)


@app.command()
def doctor() -> None:
    """Say what this machine offers: the sandbox's layers, the GPU, versions. Fails where grading would refuse."""
    from ..sandbox.requirements import find_layers
    from .doctor import find_kernel, report

    found = find_layers()
    if not any(layer.missing for layer in found):
        found.append(find_kernel())
    print(report(found))
    if any(layer.missing for layer in found):
        raise typer.Exit(1)


def _grade(
    folder: ClassFolder, assignment: str, workers: int, regrade: bool, sandbox: bool, scheduler: str | None = None
) -> None:
    from ..classroom.agreement import differences
    from ..classroom.marks import most
    from ..classroom.results import class_results
    from ..run.grade import grade
    from . import score_table

    for sentence in differences(folder.chapter(assignment), most(folder.gradebook_url, assignment)):
        print(f"{assignment}: {sentence}.", file=sys.stderr)

    if not sandbox:
        print(f"{_UNSEALED.replace(' ran ', ' runs ')}.", file=sys.stderr)
    try:
        run = grade(folder, assignment, workers, regrade, True, sandbox, scheduler)
    except KeyboardInterrupt as stop:
        print(" ".join(["Stopped.", *getattr(stop, "__notes__", ())]), file=sys.stderr)
        raise typer.Exit(130) from None
    results = class_results(folder, assignment)
    score_table.show(results)
    if results.unsealed:
        print(f"{_UNSEALED}: {clean(', '.join(results.unsealed))}.")
    print(score_table.LEGEND)
    print(_summary(run))


def _report(folder: ClassFolder, assignments: list[str], anonymous: bool = False) -> None:
    from ..report.report import write_report

    print(f"Report: {write_report(folder, assignments, anonymous)}")


def _summary(run: Run) -> str:
    done = ", ".join(f"{count} {outcome}" for outcome, count in run.outcomes.most_common()) or "nothing new"
    return f"{done}." + (f" {run.unchanged} had not changed and kept their grade." if run.unchanged else "")
