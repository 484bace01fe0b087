"""`autograder package`: packages the judge for Gradescope or GitHub Classroom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(help="Package the judge for Gradescope or GitHub Classroom.", no_args_is_help=True)

_Assignment = Annotated[str, typer.Argument(metavar="CHAPTER", help="The chapter.")]
_Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")]


@commands.command("gradescope")
def for_gradescope(assignment: _Assignment, output: _Output = None) -> None:
    """Write the zip that Gradescope builds the assignment's autograder from."""
    from ..places import gradescope_package as gradescope

    path = gradescope.package(assignment, output or Path(f"gradescope-{assignment}.zip"))
    print(f"{path} contains the solutions: upload it under Configure Autograder, and share it with nobody.")


@commands.command("github")
def for_github(assignment: _Assignment, output: _Output = None) -> None:
    """Write the workflow that grades a GitHub Classroom assignment from your private repository."""
    from ..places import github_classroom

    path = github_classroom.write(assignment, output or Path(".github", "workflows", f"grade-{assignment}.yml"))
    print(f"Commit {path} to your private repository with the solutions, not to learners' repositories.")
