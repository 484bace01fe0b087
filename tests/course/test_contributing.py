"""Following CONTRIBUTING.md gives a working exercise and a working chapter: the tests apply its text."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from autograder.classroom.class_folder import new_class
from autograder.classroom.results import class_results
from autograder.cli.app import app
from autograder.course.build import build, stale
from autograder.course.chapter import REPOSITORY_ROOT, Chapter, read_chapter, read_chapters
from autograder.course.notebooks import read_text
from tests.course import test_chapters
from tests.support.judging import judge_all
from tests.support.run_notebook import progress_cell
from tests.support.submissions import write_submission
from tests.support.toy import TOY, TOY_COURSE

PAGE = (REPOSITORY_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
_STEP = re.compile(r"^ *(At the end of|As|The new) `([^`]+)`:\n\n( *)```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ADDED = {TOY: "centre_rows", "01_columns": "column_sums"}


def follow(root: Path) -> set[Path]:
    """Follow the page in the course at `root`, and return the changed folders."""
    steps = _STEP.findall(PAGE)
    for where, name, margin, block in steps:
        path, text = root / name, textwrap.dedent(block) if margin else block
        path.parent.mkdir(exist_ok=True)
        assert path.exists() == (where != "As")
        before = f"{path.read_text(encoding='utf-8')}\n" if where == "At the end of" else ""
        path.write_text(before + text, encoding="utf-8")
    assert len(steps) == 5
    return {root.joinpath(*Path(name).parts[:2]) for _, name, _, _ in steps}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy course after following the page, built. Read only."""
    root = shutil.copytree(TOY_COURSE, tmp_path_factory.mktemp("contributed") / "course")
    touched = follow(root)
    assert touched == {root / "solutions" / name for name in ADDED}
    build(root)
    assert stale(root) == []
    return root


@pytest.fixture(params=ADDED)
def chapter(course: Path, request: pytest.FixtureRequest) -> Chapter:
    return read_chapter(course / "solutions" / request.param)


@pytest.mark.slow
def test_one_folder_each_is_touched_and_everything_else_is_built(course: Path) -> None:
    assert [chapter.name for chapter in read_chapters(course / "solutions")] == list(ADDED)
    for name, exercise in ADDED.items():
        released = (course / "notebooks" / name / f"{name}.ipynb").read_text(encoding="utf-8")
        assert f"# exercise: {exercise}" in released
        assert "BEGIN SOLUTION" not in released
        assert f"`{exercise}` 3" in (course / "notebooks" / "README.md").read_text(encoding="utf-8")
        assert (course / "manyheads" / "fixtures" / f"{name}.safetensors").is_file()


@test_chapters.seeds
def test_what_was_added_keeps_the_promises_of_every_chapter(chapter: Chapter, seed: str) -> None:
    test_chapters.test_every_misconception_is_named_and_caught_where_it_should_be(chapter, seed, slice(None))
    test_chapters.test_every_valid_alternative_keeps_full_marks(chapter, seed)
    test_chapters.test_stand_ins_work_for_those_who_build_on_them(chapter, seed)


def test_the_judge_gives_a_right_solution_its_points_and_names_a_mistake(chapter: Chapter) -> None:
    exercise = chapter.exercises[ADDED[chapter.name]]
    verdicts = judge_all(chapter)
    assert sum(verdict.earned for verdict in verdicts.values()) == sum(cell.points for cell in chapter.graded_cells)
    mistake = exercise.misconceptions[0]
    mistaken = judge_all(chapter, **{exercise.name: chapter.mistaken(exercise.name, mistake)})
    assert mistaken[f"{exercise.name}.shapes"].earned == 1
    assert mistaken[f"{exercise.name}.outputs"].earned == 0
    assert mistaken[f"{exercise.name}.outputs"].misconception == mistake.name


@pytest.mark.slow
@pytest.mark.sandbox
def test_a_class_of_the_new_chapter_is_graded(course: Path, tmp_path: Path) -> None:
    name, exercise = list(ADDED.items())[1]
    chapter = read_chapter(course / "solutions" / name)
    folder = new_class(tmp_path / "class", course / "solutions")
    mistake = chapter.exercises[exercise].misconceptions[0]
    for student, source in (("ada", chapter.reference[exercise]), ("bob", chapter.mistaken(exercise, mistake))):
        write_submission(folder, student, name, {exercise: source})

    command = [sys.executable, "-m", "autograder", "grade", str(folder.root), name]
    graded = subprocess.run(command, capture_output=True, text=True, timeout=240)

    assert graded.returncode == 0, graded.stderr
    [progress] = progress_cell(read_text(folder.autograded("ada", name))).outputs
    assert "was not run" in progress.text  # it is the learner's own affair
    ada, bob = class_results(folder, name).learners
    assert (ada.score, bob.score) == (3, 1)
    assert bob.exercises[exercise].misconceptions == (mistake.name,)


def test_every_command_file_and_link_of_the_page_is_there() -> None:
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    for name in re.findall(r"\bautograder ([a-z-]+)", PAGE):
        assert name in commands, name
    makefile = (REPOSITORY_ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([a-z-]+) +#|`make ([a-z-]+)`", PAGE):
        assert f"\n{''.join(target)}: " in makefile, target
    paths = [
        *re.findall(r"(?<!`)\[[^\]!]*\]\(([^)#:]+)\)", PAGE),
        *re.findall(r"\b(?:tests|autograder|solutions)/[\w./]+\b", PAGE),
    ]
    for path in paths:
        if not {TOY, "01_columns", "pictures"} & set(Path(path).parts):  # what the reader makes
            assert (REPOSITORY_ROOT / path).exists(), path
