"""Attacks by the submitted file: links, pipes, and notebooks made to stop their readers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder.outcomes import Outcome

from .attack import ONE_POINT, TOO_LONG_OR_LARGE, TOY, Attack

NEIGHBOUR = "a-honest"  # somebody else, with full marks


def _link_to_a_neighbour(path: Path) -> None:
    path.symlink_to(f"../../{NEIGHBOUR}/{TOY}/{TOY}.ipynb")


def _link_to_the_solution(path: Path) -> None:
    path.symlink_to(f"../../../source/{TOY}/{TOY}.ipynb")


def _folder_of_a_neighbour(path: Path) -> None:
    path.parent.rmdir()
    path.parent.symlink_to(f"../{NEIGHBOUR}/{TOY}")


def _link_beside(notebook: Path) -> None:
    """Add files to a notebook's folder that nbgrader would copy into the feedback."""
    (notebook.parent / "notes.txt").symlink_to("../../../.judge-seed")
    (notebook.parent / "others").symlink_to(f"../../{NEIGHBOUR}")


def _pipe_beside(notebook: Path) -> None:
    os.mkfifo(notebook.parent / "notes.txt")


def _sparse_beside(notebook: Path) -> None:
    with (notebook.parent / "data.bin").open("wb") as file:
        file.truncate(2**26)  # as many as the tests themselves can read


def _endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    (path.parent / "\x1b[2J\x1b[31mnothing to see\x07.ipynb").mkdir()


def _text(content: str) -> bytes:
    return content.encode()


_EMPTY = '{"nbformat": 4, "nbformat_minor": 5, "metadata": %s, "cells": []}'


def _with_metadata(content: str) -> bytes:
    return (_EMPTY % content).encode()


def _put(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _many_cells(notebook: NotebookNode) -> None:
    notebook.cells += [new_markdown_cell("x", id=f"m{number}") for number in range(30_000)]


def _much_code(notebook: NotebookNode) -> None:
    notebook.cells += [new_code_cell("x = [" + "1, " * 15_000 + "]", id=f"c{number}") for number in range(60)]


# Sources on which Python's own parser has given up, or crashed, in one version or another.
_CRASHING = (
    "-" * 15_000 + "1",
    "(" * 15_000,
    "a." * 10_000 + "a",
    "1+" * 10_000 + "1",
    "[" * 199 + "]" * 199,
    "f'" + "{" * 3000 + "}" * 3000 + "'",
    "\n".join(" " * depth + "if 1:" for depth in range(99)),
    "x = '" + "\\N{" * 5000,
    "\0",
    "%%bash\n" * 200,
    "!" * 5000,
    "lambda: " * 10_000 + "0",
    "not " * 8_000 + "1",
    "x if x else " * 4_000 + "x",
    "*" * 10_000,
    "9" * 15_000,
    "0x" + "f" * 15_000,
    "@a\n" * 10_000,
    "\u202e\u2066" * 5000,
)


def _crashing_sources(notebook: NotebookNode) -> None:
    for number, source in enumerate(_CRASHING):
        notebook.cells.append(new_code_cell(source, id=f"crash-{number}"))


def _crashing_names(notebook: NotebookNode) -> None:
    """Sources that the judge reads for forbidden names, because they carry an exercise's mark."""
    for number, source in enumerate(_CRASHING):
        notebook.cells.append(new_code_cell(f"# exercise: scale_rows\n{source}", id=f"mark-{number}"))


def _odd_metadata(notebook: NotebookNode) -> None:
    for number, cell in enumerate(notebook.cells):
        cell.metadata |= {
            "nbgrader": [{"grade_id": ["x"]}, {"grade_id": "../../x", "grade": True, "points": -5}, 7, None][
                number % 4
            ],
            "id": "../../../escape",
        }
    notebook.metadata = NotebookNode(kernelspec={"name": "../../bin/sh", "display_name": "x", "language": "sh"})


ATTACKS = (
    Attack(
        "link-to-a-neighbour",
        "hand in a link to another's work",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="link",
        put=_link_to_a_neighbour,
    ),
    Attack(
        "link-to-the-solution",
        "hand in a link to the solution",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="link",
        put=_link_to_the_solution,
    ),
    Attack(
        "link-to-a-folder",
        "hand in another's folder",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="link",
        put=_folder_of_a_neighbour,
    ),
    Attack(
        "link-beside",
        "have the class's seed copied into its feedback",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="link",
        beside=_link_beside,
    ),
    Attack(
        "pipe-beside",
        "keep nbgrader waiting at a pipe that it copies",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="is a pipe",
        beside=_pipe_beside,
    ),
    Attack(
        "nothing-beside",
        "have a large file of nothing copied",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="64 MB",
        beside=_sparse_beside,
    ),
    Attack(
        "endless-device",
        "have the fingerprint read for ever",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="link",
        put=_endless_device,
    ),
    Attack(
        "pipe", "keep the reader waiting at a pipe", outcome=Outcome.UNREADABLE, score=None, told="is a pipe", put=_pipe
    ),
    Attack(
        "folder",
        "hand in a folder with a name that clears the screen",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="nothing to see",
        put=_folder,
    ),
    Attack(
        "value-bomb",
        "fill the grader's memory by a file of empty objects",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="more",
        put=_put(_with_metadata('{"x": [' + "{}," * 4_000_000 + "{}]}")),
    ),
    Attack(
        "deep-file",
        "nest a file until the reader falls over",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="more values",
        put=_put(_text("[" * 1_000_000)),
    ),
    Attack(
        "deep-metadata",
        "nest metadata until the reader falls over",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="",
        put=_put(_with_metadata('{"a":' * 900 + "1" + "}" * 900)),
    ),
    Attack(
        "large-number",
        "have the grader read a number of a million digits",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="not JSON",
        put=_put(_with_metadata('{"x": ' + "9" * 1_000_000 + "}")),
    ),
    Attack(
        "many-cells",
        "keep the grader busy with 30,000 cells",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="cells",
        change=_many_cells,
    ),
    Attack(
        "much-code",
        "keep the grader busy parsing",
        ONE_POINT,
        outcome=Outcome.UNREADABLE,
        score=None,
        told="code",
        change=_much_code,
    ),
    Attack(
        "crashing-sources",
        "crash the process that reads the code",
        ONE_POINT,
        change=_crashing_sources,
        outcome=Outcome.TIMEOUT,
        or_ends=[Outcome.CRASHED],
        told=TOO_LONG_OR_LARGE,
    ),
    Attack(
        "crashing-names",
        "crash the judge's look for forbidden names",
        ONE_POINT,
        change=_crashing_names,
        outcome=Outcome.TIMEOUT,
        or_ends=[Outcome.CRASHED],
        told=TOO_LONG_OR_LARGE,
    ),
    Attack("odd-metadata", "send metadata that means something elsewhere", ONE_POINT, change=_odd_metadata),
    Attack(
        "name-with-escapes",
        "write on the instructor's screen by its name",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="name",
        student="eve\x1b[2J\x1b]0;owned\x07\r\nada 9",
    ),
    Attack(
        "name-with-html",
        "run script in the gradebook's pages by its name",
        outcome=Outcome.UNREADABLE,
        score=None,
        told="name",
        student="<img src=x onerror=alert(1)>",
    ),
)
