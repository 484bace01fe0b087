"""Hostile notebooks, graded in one class among honest ones. tests/attacks/README.md says what this proves."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook

from autograder.build import REPOSITORY_ROOT
from autograder.chapter import read_chapter
from autograder.class_folder import ClassFolder, new_class
from autograder.grade import grade
from autograder.record import GRADED, Record, read_record
from autograder.results import LearnerResult, class_results
from autograder.source_notebook import read_text, set_solution

from .attacks import ATTACKS, Attack
from .attacks.files import NEIGHBOUR
from .conftest import TOY, Chapter

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FIRST = "01_single_head"
SECRET = "swordfish-5f3a"
# Small, so that bombs end quickly. A cell of an honest notebook takes a tenth of a second.
SETTINGS = """
c.Execute.timeout = 4
c.Execute.limits = {
    "seconds": 30, "cpu_seconds": 8, "memory_mb": 1024, "file_mb": 8, "scratch_mb": 32, "output_mb": 1, "processes": 60,
}
"""
EARLIER = "graded-before"  # honest, and graded before any attack
HONEST = (NEIGHBOUR, "d-honest", "h-honest", "l-honest", "p-honest", "z-honest")
_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>


@dataclass
class Graded:
    """What is left of a class after the attacks.

    Args:
        folder: the class.
        before, after: a digest of each file that a run must not change, around the run.
        left: processes and files that were there afterwards and not before.
    """

    folder: ClassFolder
    before: Mapping[str, str]
    after: Mapping[str, str]
    left: list[str]

    def row(self, student: str, chapter: str = TOY) -> LearnerResult:
        return self.rows[chapter][student]

    def record(self, attack: Attack) -> Record:
        record = read_record(self.folder.record_path(attack.by, attack.chapter))
        assert record is not None
        return record

    def __post_init__(self) -> None:
        self.rows = {
            chapter: {row.student: row for row in class_results(self.folder, chapter).learners}
            for chapter in (TOY, FIRST)
        }


def hand_in(folder: ClassFolder, attack: Attack) -> None:
    """Write the attack's notebook where `autograder collect` would."""
    path = folder.notebook(attack.by, attack.chapter)
    path.parent.mkdir(parents=True)
    if attack.put is not None:
        attack.put(path)
        return
    notebook = read_text(folder.root / "release" / attack.chapter / f"{attack.chapter}.ipynb")
    for exercise, source in attack.writes.items():
        set_solution(notebook, exercise, source)
    if attack.change is not None:
        attack.change(notebook)
    for place, source in ((0, attack.first), (len(notebook.cells) + 1, attack.last)):
        if source:
            notebook.cells.insert(place, new_code_cell(source, id=f"own-{place}"))
    path.write_text(nbformat.writes(notebook, version=nbformat.NO_CONVERT), encoding="utf-8")
    if attack.beside is not None:
        attack.beside(path)


def honest(name: str, chapter: Chapter) -> Attack:
    words = f"print('the own words of {name}, {SECRET}')"
    return Attack(name, "pass by its work", chapter.reference, last=words, chapter=chapter.name, told="")


def digests(root: Path) -> dict[str, str]:
    """Return a digest of each file below `root` but the gradebook, which is compared row by row."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "gradebook.db" and "__pycache__" not in path.parts
    }


def gradebook_rows(folder: ClassFolder, student: str) -> list[tuple[object, ...]]:
    with Gradebook(folder.gradebook_url) as gradebook:
        return [
            (submission.assignment.name, grade.name, grade.auto_score, grade.manual_score, grade.extra_credit)
            for submission in gradebook.student_submissions(student)
            for notebook in submission.notebooks
            for grade in sorted(notebook.grades, key=lambda grade: grade.name)
        ]


def processes() -> set[str]:
    """Return this process's descendants. One that lost its parent is among them, see `_SET_CHILD_SUBREAPER`."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        with_words = " ".join(child.cmdline()) or child.name()
        if child.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in with_words:
            found.add(f"{child.pid} {with_words}")
    return found


def left_files() -> set[str]:
    """Return the files in the places that everybody may write to. Those of other programs are none of ours."""
    own = Path(tempfile.gettempdir())
    found = {str(path) for path in own.rglob("*")}
    for place in (Path("/tmp"), Path("/dev/shm"), Path("/var/tmp"), Path("/run"), REPOSITORY_ROOT):
        found |= {str(path) for path in place.glob("*by-a-learner*")}
        found |= {str(path) for path in place.glob("opened-by-the-judge")}
    return found


@pytest.fixture(scope="module")
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        patch.setenv("GRADERS_SECRET", SECRET)
        yield


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, built_toy: Path, own_temporary_folder: None) -> Iterator[Graded]:
    """A class of all attacks and some honest submissions, graded in one go."""
    root = tmp_path_factory.mktemp("attacked")
    solutions = shutil.copytree(built_toy / "solutions", root / "solutions")
    shutil.copytree(REPOSITORY_ROOT / "solutions" / FIRST, solutions / FIRST)
    folder = new_class(root / "class", solutions)
    config = folder.root / "nbgrader_config.py"
    config.write_text(config.read_text() + SETTINGS)
    chapters = [read_chapter(folder.solutions / name) for name in (TOY, FIRST)]
    for chapter in chapters:
        hand_in(folder, honest(EARLIER, chapter))
        grade(folder, chapter.name, workers=1, progress=False)
    for attack in ATTACKS:
        hand_in(folder, attack)
    for name in HONEST:
        hand_in(folder, honest(name, chapters[0]))
    hand_in(folder, honest(HONEST[3], chapters[1]))
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before, rows, here, files = digests(root), gradebook_rows(folder, EARLIER), processes(), left_files()
    for chapter in chapters:
        grade(folder, chapter.name, workers=2, progress=False)
    assert gradebook_rows(folder, EARLIER) == rows
    after = {path: digest for path, digest in digests(root).items() if path in before}
    left = sorted((processes() - here) | (left_files() - files))
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    yield Graded(folder, before, after, left)


every_attack = pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])


@every_attack
def test_an_attack_ends_as_it_must_and_earns_nothing(attacked: Graded, attack: Attack) -> None:
    row = attacked.row(attack.by, attack.chapter)
    assert (row.outcome, row.score) == (attack.outcome, attack.score), attacked.record(attack)


@every_attack
def test_the_instructor_is_told(attacked: Graded, attack: Attack) -> None:
    record = attacked.record(attack)
    told = [record.reason, *(repair.sentence for repair in record.repairs)]
    told += [verdict.message for verdict in record.verdicts]
    assert any(attack.told in " ".join(text.split()) for text in told), told


def test_no_other_file_changed(attacked: Graded) -> None:
    assert attacked.after == attacked.before


def test_the_honest_have_their_scores(attacked: Graded) -> None:
    for chapter in (TOY, FIRST):
        points = sum(cell.points for cell in attacked.folder.chapter(chapter).graded_cells)
        rows = attacked.rows[chapter]
        here = [EARLIER, *HONEST] if chapter == TOY else [EARLIER, HONEST[3]]
        assert {name: (rows[name].outcome, rows[name].score) for name in here} == dict.fromkeys(here, (GRADED, points))


def test_nothing_is_left_behind(attacked: Graded) -> None:
    assert attacked.left == []


def test_nobody_saw_what_is_not_theirs(attacked: Graded) -> None:
    folder = attacked.folder
    secrets = {folder.seed(), SECRET, str(folder.root), "return x * factors[:, None]"}
    for attack in ATTACKS:
        path = folder.autograded(attack.by, attack.chapter)
        shown = path.read_text(encoding="utf-8") if path.is_file() else ""
        assert [secret for secret in secrets if secret in shown] == [], attack.name
        for word in ("CONNECTED", "RESOLVED", "FETCHED", "changed'"):
            assert f"'{word}" not in shown, attack.name


def test_there_are_attacks_of_every_kind() -> None:
    names = [attack.by for attack in ATTACKS]
    assert len(set(names)) == len(names) >= 45
