"""`autograder export`: writes a class's grades in Canvas's or Moodle's import format, or as a plain table.

In a file that Canvas or Moodle exported, only the cells that get a grade change. Nothing is sent over the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..classroom.class_folder import ClassFolder
from ..classroom.csv_table import Table, number, read_table, write_table
from ..classroom.layouts import Layout
from ..classroom.receipts import Receipt, read_receipts
from ..classroom.roster_rows import POINTS_POSSIBLE, people_by_row
from ..problems import Problem
from .find_row import Rows, find_column, scaled
from .grades import Grade, Grades, class_grades
from .sheets import CanvasSheet, MoodleSheet

_CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
_MOODLE_COLUMNS = (
    "Identifier",
    "Full name",
    "ID number",
    "Email address",
    "Grade",
    "Maximum grade",
    "Last modified (grade)",
)


@dataclass
class Exported:
    """The result of one `export`.

    Args:
        path: the file.
        written: the number of grades in it.
        open: learners who submitted but have no grade yet; their cells are unchanged.
        missing: learners without a submission.
        not_found: learners who have a grade, but are not in the LMS's file.
        refused: learners whose cell says that it takes no grade, with the reason: "ada (excused in Canvas)".
    """

    path: Path
    written: int = 0
    open: list[Grade] = field(default_factory=list)
    missing: list[Grade] = field(default_factory=list)
    not_found: list[Grade] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def export(
    folder: ClassFolder,
    assignments: Sequence[str],
    kind: str,
    lms_file: Path | None = None,
    output: Path | None = None,
    column: str = "",
    *,
    scale: bool = False,
) -> Exported:
    """Write the grades of `assignments`.

    Args:
        kind: "canvas", "moodle" or "csv".
        lms_file: Canvas's exported gradebook or Moodle's grading worksheet, to be filled in.
        output: the file to write; by default `grades-KIND.csv` in the class folder.
        column: title of the column to fill; only for a single assignment.
        scale: convert scores if the column's maximum differs from the assignment's.

    Raises:
        Problem: if the options contradict each other, or it is not certain which cell a grade belongs in.
    """
    exported = Exported(output or folder.root / f"grades-{kind}.csv")
    if lms_file is not None and exported.path.resolve() == lms_file.resolve():
        raise Problem(f"{lms_file} is the LMS's own file and would be overwritten; name another file with --output")
    all_grades = [class_grades(folder, assignment) for assignment in assignments]
    for grades in all_grades:
        exported.open += grades.open
        exported.missing += grades.missing
    if column and len(assignments) != 1:
        raise Problem("--column works for a single assignment; give it: autograder export DIR ASSIGNMENT --column …")
    if kind == "csv":
        table = _plain(all_grades, exported)
    elif kind == "moodle" and len(assignments) != 1:
        raise Problem(f"Moodle has one worksheet per assignment; choose one: {', '.join(assignments)}")
    elif lms_file is not None:
        table = _filled(folder, all_grades, kind, lms_file, column, exported, scale=scale)
    elif kind == "canvas":
        table = _canvas(all_grades, exported)
    else:
        table = _moodle(all_grades[0], read_receipts(folder, assignments[0]), exported)
    write_table(exported.path, table)
    return exported


def _plain(all_grades: Sequence[Grades], exported: Exported) -> Table:
    people = {student: grade.person for grades in all_grades for student, grade in grades.grades.items()}
    header = ["student_id", "name", "email", "canvas_id", "sis_id"]
    for grades in all_grades:
        header += [f"{grades.assignment} ({number(grades.max_score)})", f"{grades.assignment} outcome"]
        header += [f"{grades.assignment}: {name} ({number(worth)})" for name, worth in grades.points.items()]
    rows = []
    for student, person in sorted(people.items()):
        row = [student, person.name, person.email, person.canvas_id, person.sis_id]
        for grades in all_grades:
            grade = grades.grades.get(student)
            exported.written += grade is not None and grade.score is not None
            row += [_points(grade), f"{grade.outcome}: {grade.reason}".removesuffix(": ") if grade else ""]
            row += [
                number(grade.exercises[name]) if grade and name in grade.exercises else "" for name in grades.points
            ]
        rows.append(tuple(row))
    return Table((tuple(header), *rows), encoding="utf-8-sig")


def _canvas(all_grades: Sequence[Grades], exported: Exported) -> Table:
    """Make the smallest table that Canvas imports. Canvas finds the columns by the assignments' names."""
    people = {student: grade.person for grades in all_grades for student, grade in grades.grades.items()}
    header = (*_CANVAS_COLUMNS, *(grades.assignment for grades in all_grades))
    points = (f"    {POINTS_POSSIBLE}", "", "", "", "", *(number(grades.max_score) for grades in all_grades))
    rows = []
    for student, person in sorted(people.items()):
        theirs = [grades.grades.get(student) for grades in all_grades]
        if not (person.canvas_id or person.sis_id or person.login):
            exported.not_found += [grade for grade in theirs if grade is not None and grade.score is not None]
            continue
        name = f"{person.last_name}, {person.first_name}" if person.last_name else person.name
        exported.written += sum(grade is not None and grade.score is not None for grade in theirs)
        rows.append((name, person.canvas_id, person.sis_id, person.login, "", *map(_points, theirs)))
    return Table((header, points, *rows))


def _moodle(grades: Grades, receipts: Mapping[str, Receipt], exported: Exported) -> Table:
    """Make a table for Moodle: its worksheet finds people by Identifier, its gradebook import by number or email."""
    rows = []
    for student, grade in grades.grades.items():
        receipt, person = receipts.get(student), grade.person
        participant = receipt.number if receipt is not None and receipt.layout == Layout.MOODLE else ""
        if not (participant or person.sis_id or person.email):
            exported.not_found += [grade] if grade.score is not None else []
            continue
        exported.written += grade.score is not None
        identifier = f"Participant {participant}" if participant else ""
        grade_cells = (_points(grade), number(grades.max_score), "")
        rows.append((identifier, person.name, person.sis_id, person.email, *grade_cells))
    return Table((_MOODLE_COLUMNS, *rows))


def _filled(
    folder: ClassFolder,
    all_grades: Sequence[Grades],
    kind: str,
    lms_file: Path,
    column: str,
    exported: Exported,
    *,
    scale: bool,
) -> Table:
    """Fill the grades into the LMS's file. Every other cell stays as it is."""
    table = read_table(lms_file)
    cells = [list(row) for row in table.rows]
    people = Rows(people_by_row(table, lms_file), str(lms_file))
    sheet = CanvasSheet(cells, lms_file) if kind == "canvas" else MoodleSheet(cells, lms_file)
    for grades in all_grades:
        index = find_column(sheet.titles, grades, column or sheet.usual, str(lms_file), "--column")
        receipts = read_receipts(folder, grades.assignment)
        filled: dict[int, str] = {}
        for student, grade in grades.grades.items():
            if grade.score is None:
                continue
            found = people.find(grade.person, receipts.get(student))
            if found is None:
                exported.not_found.append(grade)
                continue
            if found in filled:
                raise Problem(f"{lms_file}: one row matches both {filled[found]} and {student}; correct roster.csv")
            filled[found] = student
            row = cells[found + 1]
            row += [""] * (len(table.header) - len(row))
            reason = sheet.refuses(row, index)
            if reason:
                exported.refused.append(f"{student} ({reason})")
                continue
            score = scaled(grade.score, grades, sheet.maximum(row, index), scale=scale)
            row[index] = number(score, sheet.decimal_mark)
            exported.written += 1
    rows = tuple(tuple(row) for row in cells)
    # LMSs read UTF-8. A spreadsheet may have saved their file in another encoding.
    encoding = table.encoding if table.encoding == "utf-8" else "utf-8-sig"
    return Table(rows, encoding, table.separator, table.line_end)


def _points(grade: Grade | None) -> str:
    return "" if grade is None or grade.score is None else number(grade.score)
