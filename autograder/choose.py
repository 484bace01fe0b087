"""Decides which of one student's files is graded: the notebook named after the chapter, and of those the newest.

Called by `autograder.collect`. Where two files stand equal and differ, it decides nothing and says so.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from .file_names import Named, squash
from .handed_in import HandedIn, Skipped

_OTHERS = 3  # files kept of one who handed in no notebook


@dataclass(frozen=True)
class Choice:
    """What becomes of one student's files.

    Args:
        file: the one to grade, or None.
        others: what they handed in where none of it is a notebook.
        set_aside: notebooks that are not graded, with the reason.
        unclear: the files where it is not known which to grade.
        timestamp: the file that says when they handed in, or None.
    """

    file: Named | None = None
    others: tuple[Named, ...] = ()
    set_aside: tuple[Skipped, ...] = ()
    unclear: tuple[Skipped, ...] = ()
    timestamp: HandedIn | None = None


def choose(assignment: str, student: str, names: Sequence[Named]) -> Choice:
    """Choose among the files of one student."""
    timestamp = next((named.file for named in names if named.original == "timestamp.txt"), None)
    notebooks = sorted(
        (named for named in names if named.is_notebook), key=lambda named: _rank(named, assignment), reverse=True
    )
    if not notebooks:
        others = [named for named in names if named.file is not timestamp]
        return Choice(others=tuple(others[:_OTHERS]), timestamp=timestamp)
    best = [named for named in notebooks if _rank(named, assignment) == _rank(notebooks[0], assignment)]
    if len(best) > 1 and _differ(best):
        shown = ", ".join(named.file.name for named in best)
        reason = (
            f"{student} handed in {len(best)} notebooks ({shown}): put the one to grade into a folder as "
            f"{student}.ipynb, and collect that folder"
        )
        return Choice(unclear=tuple(Skipped(named.file.name, reason) for named in best[:1]), timestamp=timestamp)
    chosen = best[0]
    rest = (named for named in notebooks if named is not chosen)
    set_aside = tuple(Skipped(named.file.name, f"{student}'s {chosen.file.parts[-1]} was taken") for named in rest)
    return Choice(chosen, set_aside=set_aside, timestamp=timestamp)


def _rank(named: Named, assignment: str) -> tuple[int, tuple[int, int]]:
    """The larger, the rather: called after the chapter, then the newer."""
    stem, wanted = squash(named.stem), squash(assignment)
    return (2 if stem == wanted else 1 if wanted in stem else 0), named.age


def _differ(names: Sequence[Named]) -> bool:
    try:
        return len({named.file.digest() for named in names}) > 1
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return True
