"""A receipt for each collected submission: where it came from and the name that the LMS gave its file.

`autograder.intake.collect` writes receipts to `receipts/ASSIGNMENT.json` in the class folder; the export and the
feedback zip use them to match grades and pages to the LMS's entries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from manyheads.whole_file import whole_file

from .class_folder import ClassFolder


@dataclass(frozen=True)
class Receipt:
    """The origin of one student's submission.

    Args:
        layout: a `Layout`, such as "canvas", "moodle" or "plain".
        file: the file's path in the folder or zip.
        owner: the owner's name in that path, of a person or a group.
        number: the LMS's number of the owner; "" if there is none.
        attachment: Canvas's number of the file; 0 if there is none.
        late: whether the LMS marked it as late.
    """

    layout: str
    file: str
    owner: str
    number: str = ""
    attachment: int = 0
    late: bool = False


def read_receipts(folder: ClassFolder, assignment: str) -> dict[str, Receipt]:
    """Return the receipts of an assignment by student id; empty if the file is missing or damaged."""
    try:
        data = json.loads(_path(folder, assignment).read_text(encoding="utf-8"))
        return {student: Receipt(**receipt) for student, receipt in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_receipts(folder: ClassFolder, assignment: str, receipts: Mapping[str, Receipt]) -> None:
    """Write the receipts of an assignment atomically."""
    data = {student: asdict(receipts[student]) for student in sorted(receipts)}
    with whole_file(_path(folder, assignment)) as beside:
        beside.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _path(folder: ClassFolder, assignment: str) -> Path:
    return folder.root / "receipts" / f"{assignment}.json"
