"""The command line. Each command calls one function; a `Problem` is printed as one line, with exit code 2."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads import threads

from ..problems import Problem, one_line
from ..safe_text import clean
from . import lms_commands
from .board_command import board
from .hub_command import hub
from .lms_commands import print_collected
from .package_commands import commands as package_commands
from .site_command import site

if TYPE_CHECKING:
    from ..classroom.class_folder import ClassFolder
    from ..run.grade import Run

_TEACH, _TRY, _WRITE = "Teach a class, in this order", "Try it out", "Write chapters"
app = typer.Typer(
    help="Grade a class that takes the course Many Heads, and build the course.",
    epilog="[bold]autograder COMMAND --help[/] says more about a command.\n\nTo see all of it at work: "
    "[bold]autograder demo[/]",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _examples(*lines: str) -> str:
    """Return a command's epilog. In typer's, a paragraph is a line."""
    return "\n\n".join(["[bold]Examples[/]", *(f"  autograder {line}" for line in lines)])


def _print_version(asked: bool) -> None:  # noqa: FBT001 (typer calls it)
    if asked:
        print(f"autograder {importlib.metadata.version('manyheads')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version, and exit.")
    ] = False,
) -> None:
    """Grade a class that takes the course Many Heads, and build the course."""


_Class = Annotated[Path, typer.Argument(metavar="DIR", help="The class folder.")]
_WORKERS = 2 * threads.cores()  # a submission waits for its kernel half of the time
_Workers = Annotated[int, typer.Option(min=1, help="How many submissions run at once on this machine.")]
_Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Run submissions on the workers of this Dask scheduler instead.")
]
_NoSandbox = Annotated[
    bool, typer.Option("--no-sandbox", help="Run learners' code without the sandbox, with all your permissions.")
]
_UNSEALED = "WARNING: learners' code ran without the sandbox, with all your permissions"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    try:
        app(args=list(arguments) if arguments is not None else None)
    except (Problem, OSError) as problem:
        lines = [f"autograder: {problem}", *getattr(problem, "__notes__", ())]
        print("\n".join(map(clean, lines)), file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        # Compared by name: importing SQLAlchemy takes half a second, and most commands do not need it.
        if not any(kind.__name__ == "SQLAlchemyError" for kind in type(error).__mro__):
            raise
        message = f"the gradebook cannot be read or written: {one_line(error)}; is another program using it?"
        print(f"autograder: {clean(message)}", file=sys.stderr)
        sys.exit(2)


@app.command("new-class", rich_help_panel=_TEACH, epilog=_examples("new-class class"))
def make_new_class(folder: _Class) -> None:
    """Make a class folder, ready for `autograder` and for nbgrader's own commands."""
    from ..classroom.class_folder import new_class
    from ..course.chapter import REPOSITORY_ROOT

    made = new_class(folder, REPOSITORY_ROOT / "solutions")
    print(f"{folder} is ready: {', '.join(made.assignments())}.")
    print(f"Next: hand out {folder}/release, and later run `autograder collect {folder} ASSIGNMENT FILES`.")


app.command(
    rich_help_panel=_TEACH,
    epilog=_examples(
        "collect class 01_single_head submissions.zip",
        "collect class 01_single_head notebooks/ --roster roster.csv",
        "collect class 01_single_head submissions.zip --update",
    ),
)(lms_commands.collect)


@app.command(
    rich_help_panel=_TEACH,
    epilog=_examples("grade class", "grade class 01_single_head --workers 4", "grade class --regrade"),
)
def grade(
    folder: _Class,
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="CHAPTER", help="The chapters; by default, all.")
    ] = None,
    workers: _Workers = _WORKERS,
    scheduler: _Scheduler = None,
    *,
    regrade: Annotated[bool, typer.Option("--regrade", help="Grade unchanged submissions again.")] = False,
    no_sandbox: _NoSandbox = False,
) -> None:
    """Grade new and changed submissions, and print a table of learners and exercises."""
    from ..classroom.class_folder import open_class
    from ..run import cluster
    from ..sandbox.requirements import require_sandbox

    opened, names = open_class(folder, assignments or [])
    sandbox = not no_sandbox and opened.config().Execute.get("sandbox", True)
    if sandbox and not scheduler and any(map(opened.students, names)):
        require_sandbox()
    with cluster.reuse_workers():
        for name in names:
            for folder_name in opened.misnamed(name):
                why = "the folder's name is not UTF-8, so it cannot be stored in the gradebook"
                print(
                    f"Not graded: submitted/{clean(folder_name)}: {why}. Rename the folder, and grade again.",
                    file=sys.stderr,
                )
            if opened.students(name):
                _grade(opened, name, workers, scheduler, regrade=regrade, sandbox=sandbox)
            else:
                print(f"{name}: no submissions.")


@app.command(rich_help_panel=_TEACH, epilog=_examples("report class", "report class 01_single_head --anonymous"))
def report(
    folder: _Class,
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="CHAPTER", help="The chapters; by default, all.")
    ] = None,
    *,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Write no names into the file at all.")] = False,
    board: Annotated[
        str, typer.Option(metavar="URL", help="The board's database; by default DIR/board.db, if there is one.")
    ] = "",
) -> None:
    """Write one self-contained page about the class's results. Names are hidden until you show them."""
    from ..classroom.class_folder import open_class

    opened, names = open_class(folder, assignments or [])
    _report(opened, names, anonymous=anonymous, board=board)


app.command(rich_help_panel=_TEACH, epilog=_examples("feedback class", "feedback class 01_single_head --zip canvas"))(
    lms_commands.feedback
)
app.command(
    rich_help_panel=_TEACH,
    epilog=_examples(
        "export class",
        "export class 01_single_head --format canvas --canvas-file grades.csv",
        "export class 01_single_head --format moodle --moodle-file worksheet.csv",
    ),
)(lms_commands.export)
app.command(
    rich_help_panel=_TEACH,
    epilog=_examples("board class", "board class --host 0.0.0.0 --address http://room-4.school.example:8790"),
)(board)
app.add_typer(package_commands, name="package", rich_help_panel=_TEACH)
app.command(
    rich_help_panel=_TEACH,
    epilog=_examples(
        "hub /srv/many-heads --class-list names.txt --teacher grace",
        "hub /srv/many-heads --class-list canvas.csv --teacher grace --at-once 30",
        "hub --look",
    ),
)(hub)


@app.command(rich_help_panel=_WRITE, epilog=_examples("build", "build --check", "build 01_single_head"))
def build(
    chapters: Annotated[
        list[str] | None,
        typer.Argument(metavar="CHAPTER", help="Build only these chapters, and not the contents page."),
    ] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if a file is stale.")] = False,
) -> None:
    """Build notebooks and fixtures from solutions/."""
    from ..course import build as builder

    root = builder.REPOSITORY_ROOT
    if check:
        stale = builder.stale(root, chapters or ())
        if stale:
            names = "\n  ".join(str(path.relative_to(root)) for path in stale)
            print(f"These files are stale. Run `autograder build` and commit the result:\n  {names}", file=sys.stderr)
            raise typer.Exit(1)
        print("Everything derived from solutions/ is up to date.")
        return
    written = builder.build(root, chapters or ())
    for path in written:
        print(f"wrote {path.relative_to(root)}")
    print(f"{len(written)} files written." if written else "Nothing to do: everything is up to date.")


app.command(rich_help_panel=_WRITE, epilog=_examples("site", "site public --no-run"))(site)


@app.command(rich_help_panel=_WRITE, epilog=_examples("configure --repo my-school/many-heads"))
def configure(
    repo: Annotated[str, typer.Option(metavar="OWNER/NAME", help="The GitHub repository of this copy.")],
    tag: Annotated[
        str | None,
        typer.Option(
            help="The tag or branch that badges open and set-up cells install; this version's tag by default."
        ),
    ] = None,
) -> None:
    """Point badges, set-up cells and links at a fork, and rebuild the files that contain them."""
    from ..course import build as builder
    from ..course.chapter import chapter_names
    from ..course.home import move

    root = builder.REPOSITORY_ROOT
    if not chapter_names(root / "solutions"):
        raise Problem(f"{root / 'solutions'} has no chapters to build notebooks from: run this in a copy that has them")
    home = move(root, repo, tag)
    written = builder.build(root)
    for path in written:
        print(f"wrote {path.relative_to(root)}")
    print(f"Badges open {home.repository} at {home.tag}, and set-up cells install from there.")
    tagging = f"git tag {home.tag} && git push origin {home.tag}"
    print(f"Next: commit, then `{tagging}` (skip the tag if {home.tag} is a branch).")


@app.command(rich_help_panel=_WRITE, epilog=_examples("misconception class 01_single_head attention_scores"))
def misconception(
    folder: _Class,
    assignment: Annotated[str, typer.Argument(metavar="CHAPTER", help="The chapter.")],
    exercise: Annotated[str | None, typer.Argument(metavar="EXERCISE", help="The exercise; by default, all.")] = None,
) -> None:
    """Draft declarations of mistakes that a class made and that have no name yet, the most common first."""
    from ..classroom.class_folder import open_class
    from ..report.draft_misconception import drafts

    opened, [name] = open_class(folder, [assignment])
    found = drafts(opened, name, exercise)
    if not found:
        print("A known mistake explains every wrong answer.")
        return
    print(*found, sep="\n\n")
    print("\nPut each into its exercise's file in solutions/, give it a name and a hint, and run: autograder build")


@app.command(rich_help_panel=_TRY, epilog=_examples("demo", "demo /tmp/demo --workers 2", "demo --all"))
def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to make the class.")] = Path("demo-class"),
    workers: _Workers = _WORKERS,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every chapter, not the first one alone.")] = False,
    no_sandbox: _NoSandbox = False,
) -> None:
    """Make a sample class from known mistakes, grade it, and write its feedback and report.

    On a machine without the sandbox it warns and runs the submissions anyway,
    since it has written them itself. It fails if a grade is not as expected.
    """
    from ..classroom.results import class_results
    from ..course.chapter import REPOSITORY_ROOT, chapter_names, read_chapter
    from ..handback.feedback import write_feedback
    from ..intake.collect import collect
    from ..sandbox.requirements import find_layers
    from .demo import commonest_mistakes, make_class, print_overview, surprises

    sandbox = not no_sandbox and not any(layer.missing for layer in find_layers())
    solutions = REPOSITORY_ROOT / "solutions"
    chapters = [read_chapter(solutions / name) for name in chapter_names(solutions)[: None if every else 1]]
    opened, handed_in = make_class(folder, solutions, chapters)
    if every:
        print(f"Made a class in {folder}; its learners have submitted {len(chapters)} chapters.")
        _grade_all(opened, handed_in, workers, sandbox=sandbox)
        results = [class_results(opened, assignment) for assignment in handed_in]
        print_overview(results)
    else:
        [(assignment, files)] = handed_in.items()
        print(f"Made a class in {folder}; its learners have submitted {assignment}.")
        print_collected(collect(opened, assignment, files))
        _grade(opened, assignment, workers, regrade=False, sandbox=sandbox)
        results = [class_results(opened, assignment)]
        print("\n".join(["", "The most common mistakes:", *commonest_mistakes(results[0]), ""]))
    pages = [
        page
        for assignment in handed_in
        for page in write_feedback(opened, assignment, progress=not every).pages.values()
    ]
    if pages:
        print(f"Feedback: {len(pages)} pages, such as {pages[0]}")
    _report(opened, list(handed_in))
    unexpected = [
        sentence for chapter, result in zip(chapters, results, strict=True) for sentence in surprises(result, chapter)
    ]
    if unexpected:
        heading = "Some grades are not as expected; `autograder doctor` may say why:"
        print("\n".join([heading, *unexpected]), file=sys.stderr)
        raise typer.Exit(1)


@app.command(hidden=True)
def gradescope(
    *,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Only make the class folder: done once, when the image is built.")
    ] = False,
) -> None:
    """Grade one submission in Gradescope's container. Called by the package's `run_autograder`."""
    from ..places.gradescope_run import main

    main(only_prepare=prepare)


@app.command(rich_help_panel=_TRY)
def doctor() -> None:
    """Check this machine: the sandbox's layers, the GPU, versions. Fails if `autograder grade` would refuse to run."""
    from ..sandbox.requirements import find_layers
    from .doctor import find_kernel, report

    found = find_layers()
    if not any(layer.missing for layer in found):
        found.append(find_kernel())
    print(report(found))
    if any(layer.missing for layer in found):
        raise typer.Exit(1)


def _grade(
    folder: ClassFolder, assignment: str, workers: int, scheduler: str | None = None, *, regrade: bool, sandbox: bool
) -> None:
    from ..classroom.agreement import differences
    from ..classroom.graded_points import max_points
    from ..classroom.results import class_results
    from ..run.grade import grade
    from . import score_table

    for sentence in differences(folder.chapter(assignment), max_points(folder.gradebook_url, assignment)):
        print(f"{assignment}: {sentence}.", file=sys.stderr)

    if not sandbox:
        print(f"{_UNSEALED.replace(' ran ', ' runs ')}.", file=sys.stderr)
    try:
        run = grade(folder, assignment, workers, regrade=regrade, sandbox=sandbox, scheduler=scheduler)
    except KeyboardInterrupt as stop:
        print(" ".join(["Stopped.", *getattr(stop, "__notes__", ())]), file=sys.stderr)
        raise typer.Exit(130) from None
    results = class_results(folder, assignment)
    score_table.show(results)
    if results.unsealed:
        print(f"{_UNSEALED}: {clean(', '.join(results.unsealed))}.")
    print(score_table.LEGEND)
    print(_summary(run))


def _grade_all(folder: ClassFolder, files: Mapping[str, Path], workers: int, *, sandbox: bool) -> None:
    """Collect and grade the files of several assignments, with one bar for all of them."""
    from ..intake.collect import collect
    from ..progress import progress_bar
    from ..run import cluster
    from ..run.grade import grade

    if not sandbox:
        print(f"{_UNSEALED.replace(' ran ', ' runs ')}.", file=sys.stderr)
    for assignment, source in files.items():
        collect(folder, assignment, source)
    count = sum(len(folder.students(assignment)) for assignment in files)
    with cluster.reuse_workers(), progress_bar("Grading", count, shown=True) as bar:
        for assignment in files:
            bar.set_description_str(f"Grading {assignment}", refresh=False)
            grade(folder, assignment, workers, sandbox=sandbox, progress=bar)


def _report(folder: ClassFolder, assignments: list[str], *, anonymous: bool = False, board: str = "") -> None:
    from ..board.after_class import in_class
    from ..report.report import write_report

    record = in_class(folder, assignments, board)
    print(f"Report: {write_report(folder, assignments, anonymous=anonymous, record=record)}")


def _summary(run: Run) -> str:
    done = ", ".join(f"{count} {outcome}" for outcome, count in run.outcomes.most_common()) or "nothing new"
    return f"{done}." + (f" {run.unchanged} unchanged, not graded again." if run.unchanged else "")
