"""What was taken in of whom: a receipt for each submission, so that its feedback goes back under the same name.

`autograder.intake.collect` writes them to `receipts/ASSIGNMENT.json` in the class folder; export and feedback read
them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..whole_file import whole_file
from .class_folder import ClassFolder


@dataclass(frozen=True)
class Receipt:
    """Where one student's submission came from.

    Args:
        layout: "canvas", "moodle" or "plain".
        file: the path it had in the folder or zip.
        owner: the owner's name in it: a person's or a group's.
        number: the LMS's number of the owner; "" without.
        attachment: Canvas's number of the file; 0 without.
        late: whether the LMS says that it was late.
    """

    layout: str
    file: str
    owner: str
    number: str = ""
    attachment: int = 0
    late: bool = False


def read_receipts(folder: ClassFolder, assignment: str) -> dict[str, Receipt]:
    """Return the receipts of an assignment by student id. A damaged file counts as none."""
    try:
        data = json.loads(_path(folder, assignment).read_text(encoding="utf-8"))
        return {student: Receipt(**receipt) for student, receipt in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_receipts(folder: ClassFolder, assignment: str, receipts: Mapping[str, Receipt]) -> None:
    """Write the receipts of an assignment, all of them or nothing."""
    data = {student: asdict(receipts[student]) for student in sorted(receipts)}
    with whole_file(_path(folder, assignment)) as beside:
        beside.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _path(folder: ClassFolder, assignment: str) -> Path:
    return folder.root / "receipts" / f"{assignment}.json"
