"""Files as Canvas and Moodle write them, for tests: zips of submissions, rosters, gradebook exports."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CANVAS_GRADEBOOK = (
    "\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Notes,Warm up (811),00_rows (812),Homework Current Score,"
    "Current Score,Final Score\r\n"
    ",,,,,,,Manual Posting,,,\r\n"
    "    Points Possible,,,,,,5.00,9.00,(read only),(read only),(read only)\r\n"
    '"Lovelace, Ada",1234,S001,alovelace,Spring,,5.00,,100.00,100.00,50.00\r\n'
    '"O\'Brien García, José María",1235,S002,jobrien,Spring,,-1.50,,100.00,100.00,50.00\r\n'
    '"=cmd|calc!A1, Eve",1236,S003,eve,Spring,@home,4.00,,80.00,80.00,40.00\r\n'
    '"Noether, Emmy",1237,S004,enoether,Spring,,EX,EX,,,\r\n'
    '"Hopper, Grace",1238,S005,ghopper,Spring,,4.00,7.00,80.00,80.00,40.00\r\n'
    '"Student, Test",1299,,f00d,Spring,,,,,,\r\n'
)
CANVAS_GROUPS = (
    "name,canvas_user_id,user_id,login_id,sections,group_name,canvas_group_id,group_id\r\n"
    "Ada Lovelace,1234,S001,alovelace,Spring,Lab 3,77,\r\n"
    "José María O'Brien García,1235,S002,jobrien,Spring,Lab 3,77,\r\n"
    "Emmy Noether,1237,S004,enoether,Spring,Lab 4,78,\r\n"
)
MOODLE_WORKSHEET = (
    "\ufeffIdentifier,Full name,ID number,Email address,Status,Grade,Maximum grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments\n"
    "Participant 401,Ada Lovelace,S001,ada@example.org,Submitted for grading,,9.00,Yes,"
    '"Friday, 13 November 2026, 11:05 PM",-,\n'
    "Participant 402,Anna Müller,S002,anna1@example.org,Submitted for grading,,9.00,Yes,-,-,\n"
    "Participant 403,Anna Müller,S003,anna2@example.org,Submitted for grading,,9.00,Yes,-,-,\n"
    "Participant 404,José O'Brien García,S004,jose@example.org,No submission,,9.00,Yes,-,-,\n"
)


def make_zip(path: Path, members: Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]) -> Path:
    """Write a zip with the members, which may have the same name twice."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        pairs: Any = members.items() if isinstance(members, Mapping) else members
        for name, content in pairs:
            archive.writestr(name, content)
    return path


def write(path: Path, text: str) -> Path:
    """Write `text` to `path`, its line ends and byte order mark as they are."""
    path.write_bytes(text.encode())
    return path


def cells(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file as an LMS reads them."""
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
