"""The commands between an LMS and a class folder: collect, export, feedback. `autograder.cli` puts them on its list."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from .class_folder import open_class
from .collect import Collected
from .collect import collect as take_in
from .handed_in import Skipped

commands = typer.Typer()

_MOST = 20  # lines of one kind
ClassArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The class folder.")]


@commands.command()
def collect(
    folder: ClassArgument,
    assignment: Annotated[str, typer.Argument(help="The chapter handed in.")],
    source: Annotated[Path, typer.Argument(help="Canvas's or Moodle's zip, or a folder or zip of notebooks.")],
    roster: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CSV file that says who is in the class.")
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Replace submissions that differ.")] = False,
) -> None:
    """Take handed-in notebooks in."""
    opened, _ = open_class(folder, [assignment])
    print_collected(take_in(opened, assignment, source, update, roster, progress=True))


def print_collected(collected: Collected) -> None:
    """Say what was taken in, and list all that was not."""
    print(f"{len(collected.taken)} submissions taken in, {len(collected.same)} unchanged.")
    _print_names("Late, says the LMS", collected.late)
    _print_names("Kept as they were (--update replaces them)", collected.kept)
    _print_names("Handed in, but no notebook", collected.no_notebook)
    _print_files("Whose? Not taken:", collected.unknown)
    _print_files("Which? Not taken:", collected.unclear)
    _print_files("Set aside:", collected.set_aside)
    _print_files("Left alone:", collected.skipped)
    _print_names("Nothing yet from", collected.missing)


def shown(text: str) -> str:
    """Return words of somebody's file with nothing in them that would steer a terminal."""
    return "".join("�" if unicodedata.category(c)[0] == "C" and c != "\n" else c for c in text)


def _print_names(title: str, names: Sequence[str]) -> None:
    if names:
        print(f"{title}: {', '.join(map(shown, names))}")


def _print_files(title: str, files: Sequence[Skipped]) -> None:
    if files:
        print(title)
    for file in files[:_MOST]:
        print(f"  {shown(file.name)}: {shown(file.reason)}")
    if len(files) > _MOST:
        print(f"  … and {len(files) - _MOST} more")
