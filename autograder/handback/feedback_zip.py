"""Zips a class's feedback pages for Canvas's or Moodle's bulk upload. Called by `autograder feedback --zip`.

Both match a page to a learner by the file name that the LMS gave the downloaded submission;
`autograder.classroom.receipts` stores these names.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from manyheads.whole_file import whole_file

from ..classroom.class_folder import ClassFolder
from ..classroom.layouts import Layout
from ..classroom.receipts import Receipt, read_receipts
from ..problems import Problem

_SUBMISSION_PART = "_assignsubmission_"


@dataclass
class ZippedPages:
    """The result of one `zip_pages`.

    Args:
        path: the zip.
        names: student by file name in the zip; a group's page has one name, with its first student.
        left_out: students whose submission was not collected from that LMS, which could not match their page.
    """

    path: Path
    names: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def zip_pages(folder: ClassFolder, assignment: str, pages: Mapping[str, Path], lms: str) -> ZippedPages:
    """Write `feedback-ASSIGNMENT-LMS.zip` to the class folder.

    Args:
        pages: feedback pages by student.
        lms: "canvas" or "moodle".

    Raises:
        Problem: if no submission was collected from that LMS.
    """
    zipped = ZippedPages(folder.root / f"feedback-{assignment}-{lms}.zip")
    receipts = read_receipts(folder, assignment)
    for student in sorted(pages):
        receipt = receipts.get(student)
        if receipt is None or receipt.layout != lms:
            zipped.left_out.append(student)
            continue
        zipped.names.setdefault(_name(receipt, assignment), student)
    if not zipped.names:
        raise Problem(
            f"no submission of {assignment} was collected from {lms.capitalize()}, so it could not match pages to "
            f"learners; download the submissions there and run: autograder collect … --update"
        )
    with whole_file(zipped.path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, student in zipped.names.items():
            archive.write(pages[student], name)
    return zipped


def _name(receipt: Receipt, assignment: str) -> str:
    path = PurePosixPath(receipt.file)
    if receipt.layout == Layout.CANVAS:  # NAME_USER_ATTACHMENT_ORIGINAL: Canvas reads the numbers, and the ending
        return f"{path.stem}.html"
    assert receipt.layout == Layout.MOODLE
    # "Full Name_401_assignsubmission_file_" is a folder, or the start of the file's name and then also of the page's.
    place = next(place for place, part in enumerate(path.parts) if _SUBMISSION_PART in part)
    part = path.parts[place]
    if place + 1 < len(path.parts):
        return f"{part}/{assignment}.html"
    owner, _, rest = part.partition(_SUBMISSION_PART)
    return f"{owner}{_SUBMISSION_PART}{rest.partition('_')[0]}_{assignment}.html"
