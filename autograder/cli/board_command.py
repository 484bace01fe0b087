"""`autograder board`: runs the board of a class, or exports its record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def board(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The class folder.")],
    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 lets other machines of the network join.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for any free one.")] = 8790,
    database: Annotated[
        str,
        typer.Option(
            metavar="URL", help="The database, such as postgresql+psycopg2://host/board; by default DIR/board.db."
        ),
    ] = "",
    address: Annotated[
        str, typer.Option(metavar="URL", help="What learners call the board, if a proxy stands in front of it.")
    ] = "",
    prefix: Annotated[
        str, typer.Option(metavar="PATH", help="The path below which a proxy serves it, such as /services/board.")
    ] = "",
    class_code: Annotated[
        str,
        typer.Option(
            metavar="CODE", envvar="MANYHEADS_BOARD_CODE", help="What learners join with; by default a random one."
        ),
    ] = "",
    anonymous_export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the record without aliases and dates as CSV, and run no board."),
    ] = None,
    *,
    new_lesson: Annotated[
        bool, typer.Option("--new-lesson", help="Begin a new lesson: the page begins empty. The record stays.")
    ] = False,
) -> None:
    """Run the board: a page that shows live who is done, who is stuck, and which mistake is common now."""
    from ..board import after_class, serve
    from ..classroom.class_folder import open_class

    opened, _ = open_class(folder)
    if anonymous_export is not None:
        checks, learners = after_class.export_anonymous(opened, anonymous_export, database)
        print(f"Wrote {anonymous_export}: {checks} checks of {learners} learners.")
        return

    def ready(links: serve.Links) -> None:
        print(f"Your page:      {links.teacher}")
        print(f'Learners join:  check.join("{links.address}", "{links.class_code}")')
        if host == "127.0.0.1" and not address:
            print("Only this machine can reach it. For a class in one room: --host 0.0.0.0 --address http://NAME:8790")
        print("Stop it with Ctrl-C.", flush=True)

    serve.serve(opened, host, port, database, address, prefix, class_code, ready, new_lesson=new_lesson)
