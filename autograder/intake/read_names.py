"""Reads the names of all files of one download: in the layout of an LMS if they have one, otherwise as plain names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..classroom.person import Person
from .file_names import Named
from .find_owner import Owners
from .lms_names import is_written_by_lms, read_lms_names
from .plain_names import read_plain_name, settle
from .source_files import HandedIn


def read_names(files: Sequence[HandedIn], assignment: str, people: Sequence[Person] = ()) -> list[Named]:
    """Read the name of each file.

    Args:
        assignment: the chapter that is collected; a plain file may be named after it.
        people: all known people; they decide how ambiguous names are read.
    """
    written = read_lms_names(files, assignment, people)
    owners = Owners(people)
    rest = [
        replace(read_plain_name(file, assignment), is_stray=any(written) or is_written_by_lms(file))
        for file, named in zip(files, written, strict=True)
        if named is None
    ]
    plain = iter(settle(rest, assignment, owners.called, is_complete=owners.is_complete))
    return [named or next(plain) for named in written]
