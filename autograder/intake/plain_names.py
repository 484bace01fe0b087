"""Reads the owner from names that people chose: `ada.ipynb`, `ada/homework.ipynb`, `class/ada/x/y.ipynb`.

The folder level that distinguishes learners names the owner; deeper folders and the file's own name are the learner's
choice. If no level or several levels distinguish learners, a roster is needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..classroom.layouts import Layout
from ..classroom.person import Person, squash
from .file_names import Named, folder_prefix, new_owner, parts_of, possible_owners, without_assignment
from .lms_names import TIMESTAMP
from .source_files import HandedIn

_UNCERTAIN = "it is not certain which of the folders in {} is the learner's"
_Called = Callable[[str], list[Person]]


def read_plain_name(file: HandedIn, assignment: str) -> Named:
    """Read a file's folders and name. `settle` then finds the owner."""
    first, *others = (_read(file, name, assignment) for name in (file.name, *file.other_names))
    return replace(first, alternatives=tuple(others))


def _read(file: HandedIn, path: str, assignment: str) -> Named:
    *folders, name = parts_of(path)
    levels = tuple(folder for folder in folders if squash(folder) not in (squash(assignment), "notebooks"))
    # nbgrader's own layout, STUDENT/ASSIGNMENT/, has the submission time in a file beside the notebook.
    is_time = name == TIMESTAMP and bool(levels) and [levels[-1], assignment] == folders[-2:]
    return Named(file, Layout.PLAIN, "", "", name, levels=levels, is_time=is_time)


def settle(names: Sequence[Named], assignment: str, called: _Called, *, is_complete: bool) -> list[Named]:
    """Return `names` with their owners.

    Args:
        called: returns the known people that a name may refer to.
        is_complete: whether all learners are known: then files of people that `called` does not return have no owner.
    """
    known = [_of_known(named, assignment, called) for named in names]
    if any(found and not found.is_flat for found in known):
        # Here folders are learners. In an unknown learner's folder, file names that look like others' do not count.
        shared = folder_prefix([[*named.levels, ""] for named in names if named.is_notebook])
        known = [None if found and found.is_flat and len(found.levels) > shared else found for found in known]
    if is_complete:
        return [found or _of_nobody(named, assignment) for named, found in zip(names, known, strict=True)]
    new = [named for named, found in zip(names, known, strict=True) if not found]
    owners = iter(_of_new(new, assignment))
    return [found or next(owners) for found in known]


def _of_known(named: Named, assignment: str, called: _Called) -> Named | None:
    """Return the file with a known person as owner, None if its name refers to none."""
    others = tuple(filter(None, (_of_known(other, assignment, called) for other in named.alternatives)))
    for level in named.levels:
        for text in dict.fromkeys((level, without_assignment(level, assignment))):
            if text and called(text):
                return replace(named, owner=text, alternatives=others)
    for text, is_late in possible_owners(named.original, assignment):
        if called(text):
            return replace(named, owner=text, is_flat=True, late=is_late, alternatives=others)
    return replace(others[0], alternatives=others[1:]) if others else None


def _of_nobody(named: Named, assignment: str) -> Named:
    """Return the file with the owner's name for messages; it is not a known person's."""
    owner = "/".join(named.levels) or new_owner(named.original, assignment)[0] or named.original
    return replace(named, owner=owner)


def _of_new(names: Sequence[Named], assignment: str) -> list[Named]:
    """Return the files of unknown people with their owners' names."""
    counted = [named for named in names if named.is_notebook] or list(names)
    shared = folder_prefix([[*named.levels, ""] for named in counted])
    below = [named.levels[shared:] for named in counted]
    tells_apart = [len({levels[at] for levels in below if len(levels) > at}) > 1 for at in range(2)]
    deepest = max(map(len, below), default=0)
    is_certain = deepest <= 1 if len(counted) > 1 else len(counted[0].levels) <= 1 if counted else True
    is_certain = is_certain or tells_apart == [True, False]
    own = {named.original: new_owner(named.original, assignment)[0] for named in counted}
    # If a notebook is named only after the chapter, its folder names the learner.
    is_one_learners = shared > 0 and deepest == 0 and not all(own.values())

    def owned(named: Named) -> Named:
        inner = named.levels[shared:]
        if is_one_learners or inner:
            folder = inner[0] if inner else named.levels[shared - 1] if named.levels else ""
            reason = "" if is_certain else f"{_UNCERTAIN.format('/'.join(named.levels))}: give a roster"
            return replace(named, owner=without_assignment(folder, assignment) or folder, anonymous=reason)
        owner, is_late = new_owner(named.original, assignment)
        if shared and owner:
            reason = f"its folder {named.levels[-1]!r} or its own name may name the owner: give a roster, or collect "
            return replace(named, owner=owner, anonymous=f"{reason}that folder itself")
        base = re.sub(r"-\d{1,2}$", "", owner)
        if base != owner and base in own.values():
            reason = f"it may be a newer attempt of {base!r}, or another learner's: rename it, or give a roster"
            return replace(named, owner=owner, anonymous=reason)
        return replace(named, owner=owner, late=is_late, is_flat=True)

    return [owned(named) for named in names]
