"""Packs a class's feedback pages into the zip that Canvas's or Moodle's bulk upload takes.

Both find whose a file is by the name that they gave the submission when it was downloaded:
`autograder.classroom.receipts` has kept it. Called by `autograder feedback --zip`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..classroom.class_folder import ClassFolder
from ..classroom.layouts import Layout
from ..classroom.receipts import Receipt, read_receipts
from ..problems import Problem
from ..whole_file import whole_file

_MARK = "_assignsubmission_"


@dataclass
class Packed:
    """What one zip holds.

    Args:
        path: the zip.
        names: student by name in the zip; of a group's, the first.
        left_out: students whose submission did not come from that LMS: it would not know whose the page is.
    """

    path: Path
    names: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def pack(folder: ClassFolder, assignment: str, pages: Mapping[str, Path], lms: str) -> Packed:
    """Write `feedback-ASSIGNMENT-LMS.zip` to the class folder.

    Args:
        pages: feedback pages by student.
        lms: "canvas" or "moodle".

    Raises:
        Problem: if no submission came from that LMS.
    """
    packed = Packed(folder.root / f"feedback-{assignment}-{lms}.zip")
    receipts = read_receipts(folder, assignment)
    for student in sorted(pages):
        receipt = receipts.get(student)
        if receipt is None or receipt.layout != lms:
            packed.left_out.append(student)
            continue
        packed.names.setdefault(_name(receipt, assignment), student)
    if not packed.names:
        raise Problem(
            f"no submission of {assignment} was collected from a zip of {lms.capitalize()}'s, so it could not tell "
            f"whose a page is; download the submissions there and run: autograder collect … --update"
        )
    with whole_file(packed.path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, student in packed.names.items():
            archive.write(pages[student], name)
    return packed


def _name(receipt: Receipt, assignment: str) -> str:
    path = PurePosixPath(receipt.file)
    if receipt.layout == Layout.CANVAS:  # NAME_USER_ATTACHMENT_ORIGINAL: Canvas reads the numbers, and the ending
        return f"{path.stem}.html"
    assert receipt.layout == Layout.MOODLE
    # "Full Name_401_assignsubmission_file_" is a folder, or the beginning of the file's name: then the page's, too.
    place = next(place for place, part in enumerate(path.parts) if _MARK in part)
    part = path.parts[place]
    if place + 1 < len(path.parts):
        return f"{part}/{assignment}.html"
    owner, _, rest = part.partition(_MARK)
    return f"{owner}{_MARK}{rest.partition('_')[0]}_{assignment}.html"
