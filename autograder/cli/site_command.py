"""`autograder site`: builds the course's site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def site(
    to: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it; what is there is replaced.")] = Path(
        "site"
    ),
    *,
    run: Annotated[
        bool, typer.Option("--run/--no-run", help="Run the chapters for their outputs, unless they are kept.")
    ] = True,
) -> None:
    """Build the course's web pages: lessons, guides, named mistakes and the API. They need no network."""
    from ..course.chapter import REPOSITORY_ROOT
    from ..site.build import build_site

    pages = build_site(REPOSITORY_ROOT, to, run=run, progress=True)
    print(f"{pages} pages: open {to / 'index.html'}")
