"""A chapter declares each exercise in a file of its own, and all readers of the chapter find them all."""

from __future__ import annotations

import hashlib
import io
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from autograder.classroom.class_folder import SEED, ClassFolder
from autograder.course.bundle import unzip_course, zip_course
from autograder.course.chapter import chapter_files, read_chapter
from autograder.course.exams import set_exams
from autograder.course.exercise_files import exercise_files
from autograder.problems import Problem
from tests.support.toy import TOY

LISTED = ["scale_rows", "row_sums", "RowLayer"]


@pytest.fixture
def folder(toy_root: Path) -> Path:
    """The toy chapter, in a course that a test may change."""
    return toy_root / "solutions" / TOY


def in_one_file(folder: Path) -> None:
    """Declare only the toy's first exercise, in a single file, as in older classes."""
    whole = (folder / "exercises" / "scale_rows.py").read_text().replace("from ._shared import rows", "")
    rows = (folder / "exercises" / "_shared.py").read_text()
    shutil.rmtree(folder / "exercises")
    (folder / "exercises.py").write_text(f"{rows}\n\n{whole}\n\nEXERCISES = [EXERCISE]\n")
    lesson = (folder / "lesson.py").read_text()
    start = lesson.index('# %% exercise="row_sums"')
    (folder / "lesson.py").write_text(lesson[:start])


def hints(folder: Path, exercise: str) -> list[str]:
    return [mistake.hint for mistake in read_chapter(folder).exercises[exercise].misconceptions]


def mean_of_x(folder: Path) -> float:
    """Return the mean of the tensor that the toy's second exercise draws."""
    x = set_exams(read_chapter(folder), "seed")["row_sums"].trials[0].call.inputs["x"]
    assert isinstance(x, torch.Tensor)
    return x.mean().item()


def edit(path: Path, replace: str, by: str) -> None:
    assert replace in path.read_text()
    path.write_text(path.read_text().replace(replace, by))


@pytest.mark.parametrize("other", ["solutions/01_rows_again", f"a_class/solutions/{TOY}"])
def test_modules_of_the_same_name_in_two_chapters_are_not_mixed_up(toy_root: Path, other: str) -> None:
    one = toy_root / "solutions" / TOY
    late = "\n\n\ndef rows(draw):\n    from ._shared import rows\n\n    return rows(draw)\n"
    edit(one / "exercises" / "row_sums.py", "\n\nfrom ._shared import rows\n", late)
    two = shutil.copytree(one, toy_root / other)
    edit(two / "exercises" / "_shared.py", "draw.normal(rows, columns)", "100 + draw.normal(rows, columns)")
    edit(two / "exercises" / "row_sums.py", "A sum grows with the columns.", "Another hint.")
    assert [hints(path, "row_sums")[0] for path in (one, two)] == ["A sum grows with the columns.", "Another hint."]
    assert [mean_of_x(path) > 50 for path in (one, two)] == [False, True]
    assert not {"exercises", "row_sums", "_shared"} & sys.modules.keys()


def test_a_change_of_any_file_is_read_by_a_process_that_had_read_it(folder: Path) -> None:
    assert list(read_chapter(folder).exercises) == LISTED
    edit(folder / "exercises" / "row_sums.py", "A sum grows with the columns.", "Quite another hint.")
    assert hints(folder, "row_sums")[0] == "Quite another hint."
    edit(folder / "exercises" / "_shared.py", "rows columns", "many_rows columns")
    sizes = set_exams(read_chapter(folder), "seed")["row_sums"].trials[0].sizes
    assert "many_rows" in sizes
    (folder / "exercises" / "again.py").write_text((folder / "exercises" / "row_sums.py").read_text())
    (folder / "exercises" / "row_sums.py").unlink()
    edit(folder / "exercises" / "__init__.py", "row_sums", "again")
    edit(folder / "exercises" / "again.py", "Quite another hint.", "In a file that was not there.")
    assert hints(folder, "row_sums")[0] == "In a file that was not there."


def test_what_an_editor_keeps_beside_the_files_is_not_among_them(folder: Path) -> None:
    before = exercise_files(folder)
    kept = folder / "exercises" / ".ipynb_checkpoints"
    kept.mkdir()
    (kept / "row_sums-checkpoint.py").write_text("1 / 0")
    (folder / "exercises" / ".#row_sums.py").symlink_to("nowhere")
    assert exercise_files(folder) == before
    assert [path.name for path in before] == [
        "__init__.py",
        "_shared.py",
        "row_layer.py",
        "row_sums.py",
        "scale_rows.py",
    ]


def test_a_single_file_declares_a_chapters_exercises_too(folder: Path) -> None:
    in_one_file(folder)
    assert list(read_chapter(folder).exercises) == ["scale_rows"]
    assert [path.name for path in chapter_files(folder)] == ["lesson.py", "exercises.py"]
    (folder / "exercises" / "__pycache__").mkdir(parents=True)  # what git leaves where a folder was
    assert list(read_chapter(folder).exercises) == ["scale_rows"]


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("exercises/row_sums.py", "EXERCISE = [", r"exercises/row_sums\.py cannot be read: SyntaxError"),
        ("exercises/row_sums.py", "EXERCISE = 1 / 0", r"exercises/row_sums\.py cannot be read: ZeroDivisionError"),
        ("exercises/_shared.py", "", r"exercises/\w+\.py cannot be read: ImportError"),
        ("exercises/__init__.py", "", r"exercises/__init__\.py cannot be read: AttributeError"),
        ("exercises.py", "EXERCISES = []", "twice, in exercises/ and in exercises.py"),
    ],
)
def test_an_authors_error_is_reported_with_its_file(folder: Path, file: str, content: str, says: str) -> None:
    (folder / file).write_text(content)
    with pytest.raises(Problem, match=says):
        read_chapter(folder)


def test_a_folder_without_declarations_is_not_a_chapter(folder: Path) -> None:
    shutil.rmtree(folder / "exercises")
    with pytest.raises(Problem, match=r"not a chapter: it has neither exercises/__init__\.py nor exercises\.py"):
        read_chapter(folder)


@pytest.mark.parametrize("single", [False, True])
def test_a_worker_gets_every_file_and_reads_the_same_chapter(folder: Path, single: bool) -> None:
    if single:
        in_one_file(folder)
    course = zip_course(folder.parent, TOY)
    names = zipfile.ZipFile(io.BytesIO(course)).namelist()
    assert names == [f"{TOY}/{path.relative_to(folder).as_posix()}" for path in chapter_files(folder)]
    there, here = read_chapter(unzip_course(course) / TOY), read_chapter(folder)
    assert list(there.exercises) == list(here.exercises)
    for name, exam in set_exams(here, "seed").items():
        assert set_exams(there, "seed")[name].hints == exam.hints


def test_a_worker_whose_folder_was_tidied_away_unpacks_the_course_again(folder: Path) -> None:
    course = zip_course(folder.parent, TOY)
    shutil.rmtree(unzip_course(course))
    assert list(read_chapter(unzip_course(course) / TOY).exercises) == list(read_chapter(folder).exercises)


@pytest.mark.parametrize("name", ["__init__", "_shared", "row_sums"])
def test_a_change_of_any_file_is_a_change_of_what_is_judged_by(toy_class: ClassFolder, name: str) -> None:
    before = toy_class.judged_by(TOY)
    path = toy_class.solutions / TOY / "exercises" / f"{name}.py"
    path.write_text(f"{path.read_text()}\n# another word\n")
    changed = toy_class.judged_by(TOY)
    assert changed != before
    path.rename(path.with_name("renamed.py"))
    if name == "row_sums":
        edit(path.with_name("__init__.py"), "row_sums", "renamed")
        assert toy_class.judged_by(TOY) not in (before, changed)


def test_a_class_that_was_made_with_a_single_file_is_judged_by_the_same_as_before(folder: Path) -> None:
    in_one_file(folder)
    made = ClassFolder(folder.parents[1])
    (made.root / SEED).write_text("a seed\n")
    for path in folder.glob("*.py"):
        path.write_text(f"# {path.name}\n")
    known = b"a seed[]exercises.py# exercises.py\nlesson.py# lesson.py\n"
    assert made.judged_by(TOY) == hashlib.sha256(known).hexdigest()
