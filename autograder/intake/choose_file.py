"""Decides which of a student's files is graded: by work in it, latest attempt, name like the chapter's, newest file.

Called by `autograder.intake.collect`. If two different files rank equal, none is chosen and the reason says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..problems import Skipped
from .file_names import Named, squash
from .source_files import Damaged, HandedIn

_SHOWN = 5  # names in a reason
_OTHERS = 3  # files collected from a student who submitted no notebook


@dataclass(frozen=True)
class Choice:
    """The decision about one student's files.

    Args:
        file: the file to grade, or None.
        others: the submitted files if none of them is a notebook.
        set_aside: files that are not graded because `file` is, with the reason.
        unclear: one of the files, with the reason, if it is not clear which to grade.
        timestamp: the LMS's file with the submission time of `file`, or None.
    """

    file: Named | None = None
    others: tuple[Named, ...] = ()
    set_aside: tuple[Skipped, ...] = ()
    unclear: tuple[Skipped, ...] = ()
    timestamp: HandedIn | None = None


def choose(assignment: str, student: str, names: Sequence[Named], worth: Callable[[HandedIn], int]) -> Choice:
    """Choose among the files of one student.

    Args:
        worth: returns how much work a file contains, see `worth.Worth`. Only called if there are several notebooks.
    """
    notebooks = [named for named in names if named.is_notebook]
    others = [named for named in names if not named.is_notebook and not named.is_time]
    if not notebooks:
        return Choice(others=tuple(others[:_OTHERS]))
    ranked = [(worth(named.file) if len(notebooks) > 1 else 0, _rank(named, assignment), named) for named in notebooks]
    most_held, most = max((held, rank) for held, rank, _ in ranked)
    best = [named for held, rank, named in ranked if (held, rank) == (most_held, most)]
    if len(best) > 1 and _differ(best):
        shown = ", ".join(named.file.name for named in best[:_SHOWN]) + (", …" if len(best) > _SHOWN else "")
        reason = (
            f"{student} submitted {len(best)} notebooks ({shown}): put the one to grade into a folder as "
            f"{student}.ipynb, and collect that folder"
        )
        return Choice(unclear=tuple(Skipped(named.file.name, reason) for named in best[:1]))
    chosen = best[0]
    taken = f"{student}'s {chosen.file.parts[-1]}"
    timestamp = next((named.file for named in names if named.is_time and _lies_beside(named, chosen)), None)
    set_aside = [
        Skipped(named.file.name, f"{taken} was chosen" + (": it contains more work" if held < most_held else ""))
        for held, _, named in ranked
        if named is not chosen
    ]
    set_aside += [Skipped(named.file.name, _not_graded(named, taken)) for named in others]
    return Choice(chosen, set_aside=tuple(set_aside), timestamp=timestamp)


def _not_graded(named: Named, taken: str) -> str:
    if named.original.lower().endswith(".py"):
        return f"only {taken} is graded; if that imports this file, put its code into the notebook"
    return f"only {taken} is graded"


def _rank(named: Named, assignment: str) -> tuple[str, int, tuple[int, int]]:
    """Return a sort key, larger is better: the latest attempt, then a name like the chapter's, then the newer file.

    If the owner was read from the file's own name, which anybody can choose, the name does not affect the rank.
    """
    if named.is_flat:
        return "", 0, (0, 0)
    stem, wanted = squash(named.stem), squash(assignment)
    return named.attempt, (2 if stem == wanted else 1 if wanted in stem else 0), named.age


def _lies_beside(time: Named, chosen: Named) -> bool:
    """Whether the timestamp file applies to the chosen file: it is in the same folder, or in a parent of it."""
    return chosen.file.name.startswith(time.file.name[: -len(time.original)])


def _differ(names: Sequence[Named]) -> bool:
    try:
        return len({named.file.digest() for named in names}) > 1
    except Damaged:
        return True
