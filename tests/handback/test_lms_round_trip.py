"""From an LMS's zip to its gradebook and back to each learner, in files of the real layouts, with one graded class."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.classroom.class_folder import ClassFolder, new_class
from autograder.classroom.csv_table import harmless, number
from autograder.classroom.results import class_results
from autograder.classroom.roster import roster
from autograder.cli import score_table
from autograder.course.chapter import Chapter
from autograder.course.notebooks import read_text, set_solution, to_text
from autograder.handback.export import export
from autograder.handback.feedback import write_feedback
from autograder.handback.feedback_zip import zip_pages
from autograder.handback.grades import class_grades
from autograder.intake.collect import collect
from autograder.problems import Problem
from autograder.run.grade import grade
from tests.support.lms_files import CANVAS_GRADEBOOK, MOODLE_WORKSHEET, cells, make_zip, write
from tests.support.toy import TOY, Here

pytestmark = pytest.mark.slow

CANVAS_NAMES = {
    "ada": "lovelaceada_1234_9001_00_rows.ipynb",
    "jose": "obriengarcíajosémaría_LATE_1235_9002_00_rows-2.ipynb",
    "eve": "cmdcalca1eve_1236_9003_00_rows.ipynb",
    "emmy": "noetheremmy_1237_9004_00_rows.ipynb",
    "grace": "hoppergrace_1238_9005_my homework.ipynb",
}
GRADEBOOK_COLUMN = "00_rows (812)"


@pytest.fixture(scope="module")
def notebooks(built_toy: Path, toy: Chapter) -> dict[str, str]:
    """Five submissions: right, mistaken, one that ends its kernel halfway, right, and no notebook."""
    right = dict(toy.reference)
    wrong = {**right, "scale_rows": "def scale_rows(x, factors): return x + factors[:, None]"}
    dies = {**right, "row_sums": "import os\nos._exit(1)"}

    def written(solutions: dict[str, str]) -> str:
        notebook = read_text(built_toy / "notebooks" / TOY / f"{TOY}.ipynb")
        for exercise, source in solutions.items():
            set_solution(notebook, exercise, source)
        return to_text(notebook)

    texts = [written(solutions) for solutions in (right, wrong, dies, right)]
    return dict(zip(CANVAS_NAMES, [*texts, "my homework, in words"], strict=True))


@pytest.fixture(scope="module")
def graded_once(built_toy: Path, notebooks: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    made = tmp_path_factory.mktemp("graded")
    folder = new_class(made / "class", built_toy / "solutions")
    zipped = make_zip(made / "s.zip", {CANVAS_NAMES[who]: text for who, text in notebooks.items()})
    collect(folder, TOY, zipped, roster_file=write(made / "g.csv", CANVAS_GRADEBOOK))
    grade(folder, TOY, workers=1, progress=False)
    return folder


@pytest.fixture
def graded(graded_once: ClassFolder, tmp_path: Path) -> ClassFolder:
    return ClassFolder(shutil.copytree(graded_once.root, tmp_path / "class"))


@pytest.fixture
def gradebook(tmp_path: Path) -> Path:
    return write(tmp_path / "2026-11-26_Grades.csv", CANVAS_GRADEBOOK)


def as_canvas_reads(path: Path) -> dict[str, str]:
    """Return the grade of each Canvas user in the assignment's column, by Canvas's own rules for its rows."""
    header, *rows = cells(path)
    assert header[0] == "Student"
    assert header[1] == "ID"
    column = next(place for place, title in enumerate(header) if re.search(r"\(812\)$", title))
    learners = [row for row in rows if "Points Possible" not in row[0] and any(cell for cell in row[:5])]
    assert all(len(row) == len(header) for row in learners)
    return {row[1]: row[column] for row in learners}


def test_canvas_gets_its_own_file_back_with_one_column_filled(graded: ClassFolder, gradebook: Path) -> None:
    done = export(graded, [TOY], "canvas", gradebook)
    assert as_canvas_reads(done.path) == {
        "1234": "9",
        "1235": "7",  # the slip costs once
        "1236": "",  # it ended its kernel: a person should look, and nobody gets a zero meanwhile
        "1237": "EX",
        "1238": "7.00",  # no notebook: what Canvas has stays
        "1299": "",
    }
    assert {grade.person.student: grade.outcome for grade in done.open} == {"eve": "crashed", "ghopper": "unreadable"}
    assert done.refused == ["enoether (excused in Canvas)"]
    before, after = cells(gradebook), cells(done.path)
    column = before[0].index(GRADEBOOK_COLUMN)
    assert done.path.read_bytes().startswith("\ufeff".encode())
    for old, new in zip(before, after, strict=True):
        for place, (was, now) in enumerate(zip(old, new, strict=True)):
            assert now in (was, f"'{was}") or place == column
    assert after[1:3] == before[1:3]  # "Manual Posting", points possible and "(read only)"
    assert after[5][0] == "'=cmd|calc!A1, Eve"
    assert after[5][5] == "'@home"
    assert after[4][6] == "-1.50"  # a number stays a number


def test_a_european_gradebook_keeps_its_separator_and_decimal_comma(graded: ClassFolder, tmp_path: Path) -> None:
    names = re.sub(r'"(\w[^"]*), ([^"]*)"', r'"\1, \2"', CANVAS_GRADEBOOK)
    rows = [row for row in cells(write(tmp_path / "en.csv", names))]
    text = "\r\n".join(";".join(f'"{c.replace(".", ",") if c[:1].isdigit() else c}"' for c in row) for row in rows)
    gradebook = write(tmp_path / "eu.csv", text + "\r\n")
    grade_eve_by_hand(graded, 2.5)
    done = export(graded, [TOY], "canvas", gradebook)
    written = done.path.read_text(encoding="utf-8")
    assert ";5,00;9;" in written
    assert ";4,00;5,5;" in written


def grade_eve_by_hand(folder: ClassFolder, points: float) -> None:
    """Set a score as the formgrader does."""
    from nbgrader.api import Gradebook

    with Gradebook(folder.gradebook_url) as gradebook:
        submission = gradebook.find_submission(TOY, "eve")
        [cell] = [g for nb in submission.notebooks for g in nb.grades if g.name == "row_sums-outputs"]
        cell.manual_score = points
        gradebook.db.commit()


def test_a_score_set_by_hand_is_exported_and_late_penalties_count(
    graded: ClassFolder, gradebook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from nbgrader.api import Gradebook

    grade_eve_by_hand(graded, 2.5)
    with Gradebook(graded.gradebook_url) as book:
        submission: Any = book.find_submission(TOY, "jobrien")
        submission.notebooks[0].late_submission_penalty = 1.25
        book.db.commit()
    found = as_canvas_reads(export(graded, [TOY], "canvas", gradebook).path)
    assert (found["1236"], found["1235"]) == ("5.5", "5.75")
    results = class_results(graded, TOY)  # what the table shows is what is exported
    assert {learner.student: learner.final_score for learner in results.learners}["jobrien"] == 5.75
    score_table.show(results)
    assert "jobrien · late: nbgrader takes 1.25 of 7 points off" in capsys.readouterr().out


def test_what_goes_to_canvas_is_utf8_whatever_a_spreadsheet_made_of_it(graded: ClassFolder, tmp_path: Path) -> None:
    path = tmp_path / "saved.csv"
    path.write_bytes(CANVAS_GRADEBOOK.removeprefix("\ufeff").encode("cp1252"))
    done = export(graded, [TOY], "canvas", path)
    assert as_canvas_reads(done.path)["1235"] == "7"
    assert "José María" in done.path.read_text(encoding="utf-8-sig")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("00_rows (812)", "Homework 1 (812)"), "no column called '00_rows'.*--column.*'Homework 1 (812)'"),
        (("Warm up (811)", "00_rows again (811)"), None),
        (("00_rows (812)", "Rows (812)"), None),
        (("Warm up (811)", "00_rows (811)"), "several columns called"),
        (("5.00,9.00", "5.00,100.00"), "worth 9 points, but its column is worth 100.*points to 9.*--scale"),
        (("    Points Possible", "    Points"), "not a gradebook exported from Canvas.*Export"),
        (("1235,S002", "1234,S002"), "2 rows that may be alovelace.*roster"),
    ],
)
def test_where_a_grade_could_go_wrong_export_stops_and_names_the_fix(
    graded: ClassFolder, tmp_path: Path, change: tuple[str, str], says: str | None
) -> None:
    assert change[0] in CANVAS_GRADEBOOK
    gradebook = write(tmp_path / "g.csv", CANVAS_GRADEBOOK.replace(*change))
    if says is None:
        assert as_canvas_reads(export(graded, [TOY], "canvas", gradebook).path)["1234"] == "9"
        return
    with pytest.raises(Problem, match=says.replace("(", r"\(").replace(")", r"\)")):
        export(graded, [TOY], "canvas", gradebook)
    assert not (graded.root / "grades-canvas.csv").exists()


def test_column_and_scale_say_what_is_meant(graded: ClassFolder, tmp_path: Path) -> None:
    text = CANVAS_GRADEBOOK.replace("00_rows (812)", "Homework 1 (812)").replace("5.00,9.00", "5.00,100.00")
    gradebook = write(tmp_path / "g.csv", text)
    done = export(graded, [TOY], "canvas", gradebook, column="Homework 1", scale=True)
    found = as_canvas_reads(done.path)
    assert (found["1234"], found["1235"]) == ("100", "77.78")


def test_without_canvas_file_the_least_that_canvas_imports_is_written(graded: ClassFolder) -> None:
    header, points, *learners = cells(export(graded, [TOY], "canvas").path)
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", TOY]
    assert (points[0], points[5]) == ("    Points Possible", "9")
    assert ["Lovelace, Ada", "1234", "S001", "alovelace", "", "9"] in learners
    assert len(learners) == 5


def test_the_plain_table_has_a_row_a_learner_and_a_column_an_exercise(graded: ClassFolder) -> None:
    header, *rows = cells(export(graded, [TOY], "csv").path)
    by_student = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert by_student["alovelace"]["00_rows (9)"] == "9"
    assert by_student["jobrien"]["00_rows: scale_rows (3)"] == "1"
    assert by_student["eve"]["00_rows (9)"] == ""
    assert by_student["ghopper"]["00_rows outcome"].startswith("unreadable: ")
    assert [grade.outcome for grade in class_grades(graded, TOY).missing] == []


def test_a_learner_on_the_roster_without_a_submission_has_a_row_without_a_grade(
    graded: ClassFolder, tmp_path: Path
) -> None:
    listed = write(tmp_path / "more.csv", "student_id,name,canvas_id\nnew,Ida Rhodes,1300\n")
    done = collect(graded, TOY, make_zip(tmp_path / "empty.zip", {}), roster_file=listed)
    assert done.missing == ["new"]
    exported = export(graded, [TOY], "csv")
    assert [grade.person.student for grade in exported.missing] == ["new"]
    row = next(row for row in cells(exported.path) if row[0] == "new")
    assert row[5:7] == ["", "not submitted"]


def test_only_learners_on_the_roster_are_missing(graded: ClassFolder) -> None:
    write(graded.root / "roster.csv", "student_id,name,listed\nnew,Ida Rhodes,yes\nguest,Guest,no\n")
    assert [grade.person.student for grade in class_grades(graded, TOY).missing] == ["new"]


def test_without_moodles_worksheet_a_school_number_is_enough_and_learners_without_a_key_are_listed(
    graded: ClassFolder,
) -> None:
    write(graded.root / "roster.csv", "student_id,name,sis_id\nalovelace,Ada Lovelace,\njobrien,José O'Brien,S002\n")
    done = export(graded, [TOY], "moodle")
    assert cells(done.path)[1:] == [["", "José O'Brien", "S002", "", "7", "9", ""]]
    assert done.written == 1
    assert [grade.person.student for grade in done.not_found] == ["alovelace", "enoether"]  # the others have no grade


@pytest.fixture
def from_moodle(graded: ClassFolder, notebooks: dict[str, str], tmp_path: Path) -> Callable[[str], ClassFolder]:
    """The graded class, with the same files collected again in Moodle's layout."""

    def from_moodle(member: str) -> ClassFolder:
        files = {member.format(who="Ada Lovelace_401"): notebooks["ada"]}
        files[member.format(who="José OBrien García_404")] = notebooks["jose"]
        sheet = MOODLE_WORKSHEET.replace("S004,jose", "S002,jose").replace("S002,anna1", "S009,anna1")
        listed = write(tmp_path / "worksheet.csv", sheet.replace("S003,anna2", "S010,anna2"))
        done = collect(graded, TOY, make_zip(tmp_path / "m.zip", files), roster_file=listed)
        assert done.same == ["alovelace", "jobrien"]
        return graded

    return from_moodle


def test_moodles_worksheet_comes_back_with_the_grades(
    from_moodle: Callable[[str], ClassFolder], tmp_path: Path
) -> None:
    folder = from_moodle("{who}_assignsubmission_file_/00_rows.ipynb")
    done = export(folder, [TOY], "moodle", tmp_path / "worksheet.csv")
    header, *rows = cells(done.path)
    assert header == cells(tmp_path / "worksheet.csv")[0]
    grades = {row[0]: row[header.index("Grade")] for row in rows}
    assert grades == {"Participant 401": "9", "Participant 402": "", "Participant 403": "", "Participant 404": "7"}
    assert rows[0][header.index("Last modified (grade)")] == "-"
    assert [grade.person.student for grade in done.not_found] == ["enoether"]

    by_hand = cells(export(folder, [TOY], "moodle", output=tmp_path / "own.csv").path)
    assert by_hand[0][:5] == ["Identifier", "Full name", "ID number", "Email address", "Grade"]
    assert ["Participant 401", "Ada Lovelace", "S001", "ada@example.org", "9", "9", ""] in by_hand


def test_moodle_locks_and_maxima_are_minded(from_moodle: Callable[[str], ClassFolder], tmp_path: Path) -> None:
    folder = from_moodle("{who}_assignsubmission_file_/00_rows.ipynb")
    sheet = (tmp_path / "worksheet.csv").read_text(encoding="utf-8-sig")
    locked = write(tmp_path / "locked.csv", sheet.replace("9.00,Yes", "9.00,No"))
    done = export(folder, [TOY], "moodle", locked)
    assert (done.written, len(done.refused)) == (0, 2)
    hundred = write(tmp_path / "hundred.csv", sheet.replace("9.00", "100.00"))
    with pytest.raises(Problem, match="--scale"):
        export(folder, [TOY], "moodle", hundred)
    assert export(folder, [TOY], "moodle", hundred, scale=True).written == 2
    with pytest.raises(Problem, match="not a Moodle grading worksheet"):
        export(folder, [TOY], "moodle", write(tmp_path / "de.csv", sheet.replace("Identifier", "ID")))


def test_feedback_pages_load_nothing_and_every_judged_learner_has_one(graded: ClassFolder) -> None:
    done = write_feedback(graded, TOY)
    assert (done.waiting, done.failed) == ([], [])
    assert sorted(done.pages) == ["alovelace", "enoether", "eve", "ghopper", "jobrien"]
    pages = {student: path.read_text(encoding="utf-8") for student, path in done.pages.items()}
    assert "if you added the factors" in pages["jobrien"]
    assert '<span class="big">7</span> of 9 points' in pages["jobrien"]
    assert "Feedback for José María O&#39;Brien García" in pages["jobrien"]
    assert "the file is not JSON" in pages["ghopper"]
    for page in pages.values():
        assert not re.search(r"""<(?:script|link|img|iframe)[^>]*(?:src|href)=["']?(?:https?:)?//""", page)
        assert not re.search(r"""(?:@import|url\()\s*["']?(?:https?:)?//""", page)


def test_canvas_finds_each_page_by_the_numbers_it_gave_the_submission(graded: ClassFolder) -> None:
    packed = zip_pages(graded, TOY, write_feedback(graded, TOY).pages, "canvas")
    with zipfile.ZipFile(packed.path) as archive:
        names = archive.namelist()
        assert "if you added the factors" in archive.read(Path(CANVAS_NAMES["jose"]).stem + ".html").decode()
    assert sorted(names) == sorted(f"{Path(name).stem}.html" for name in CANVAS_NAMES.values())

    def numbers(name: str) -> list[str]:  # as Canvas reads them when the zip is uploaded
        return [part for part in name.split("_") if re.fullmatch(r"\d+", part)][:2]

    assert sorted(map(numbers, names)) == sorted(map(numbers, CANVAS_NAMES.values()))
    with pytest.raises(Problem, match="was collected from Moodle"):
        zip_pages(graded, TOY, {}, "moodle")


@pytest.mark.parametrize(
    ("member", "page"),
    [
        ("{who}_assignsubmission_file_/00_rows.ipynb", "{who}_assignsubmission_file_/00_rows.html"),
        ("{who}_assignsubmission_file/mine/00_rows.ipynb", "{who}_assignsubmission_file/00_rows.html"),
        ("{who}_assignsubmission_file_00_rows.ipynb", "{who}_assignsubmission_file_00_rows.html"),
    ],
)
def test_moodle_finds_each_page_by_the_folder_it_gave_the_submission(
    from_moodle: Callable[[str], ClassFolder], member: str, page: str
) -> None:
    folder = from_moodle(member)
    packed = zip_pages(folder, TOY, write_feedback(folder, TOY).pages, "moodle")
    with zipfile.ZipFile(packed.path) as archive:
        names = archive.namelist()
    assert sorted(names) == [page.format(who="Ada Lovelace_401"), page.format(who="José OBrien García_404")]
    for name in names:  # as Moodle's importer splits each part of the path
        _, participant, subtype, plugin = name.split("/")[0].split("_", 4)[:4]
        assert participant in ("401", "404")
        assert (subtype, plugin) == ("assignsubmission", "file")
    assert packed.left_out == ["enoether", "eve", "ghopper"]


def test_the_commands_say_what_they_did(graded: ClassFolder, gradebook: Path, here: Here) -> None:
    exported = here("export", graded.root, "--format", "canvas", "--canvas-file", gradebook)
    assert exported.code == 0, exported.err
    assert "2 grades written" in exported.out
    assert "eve (crashed): the notebook's code ended its kernel" in exported.out
    packed = here("feedback", graded.root, TOY, "--zip", "canvas")
    assert packed.code == 0, packed.err
    assert "5 pages for Canvas" in packed.out
    assert f"Feedback for {TOY}: 5 of 5" in packed.err
    slip = here("export", graded.root, "--format", "csv", "--canvas-file", gradebook)
    assert (slip.code, slip.err.strip()) == (2, "autograder: --canvas-file needs --format canvas")


def test_a_group_hands_in_once_and_canvas_gets_one_page_for_it(graded: ClassFolder, tmp_path: Path) -> None:
    listed = write(tmp_path / "r.csv", "canvas_id,group\n1234,Lab 3\n1237,Lab 3\n")
    notebook = graded.notebook("alovelace", TOY).read_text()
    handed_in = make_zip(tmp_path / "g.zip", {"lab3_1237_9100_00_rows.ipynb": notebook})
    done = collect(graded, TOY, handed_in, update=True, roster_file=listed)
    assert done.same == ["alovelace", "enoether"]
    assert {person.group for person in roster(graded) if person.student in done.same} == {"Lab 3"}
    packed = zip_pages(graded, TOY, write_feedback(graded, TOY).pages, "canvas")
    assert "lab3_1237_9100_00_rows.html" in packed.names
    assert len(packed.names) == 4


@pytest.mark.parametrize("cell", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", " =1", "-1+cmd|' /C calc'!A0"])
def test_cells_that_a_spreadsheet_would_run_are_made_harmless(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-1", "+2.5", "-1,50", "100.00", "-", "", "Ada", "3-4", "a=b", "-.5", "12%"])
def test_numbers_and_words_stay_as_they_are(cell: str) -> None:
    assert harmless(cell) == cell


@pytest.mark.parametrize(("score", "text"), [(9.0, "9"), (5.5, "5.5"), (6.666, "6.67"), (0.0, "0"), (100.0, "100")])
def test_scores_are_written_as_gradebooks_do(score: float, text: str) -> None:
    assert number(score) == text
