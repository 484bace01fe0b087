"""The attacked class: all hostile notebooks, graded together with honest ones, once for all tests."""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook

from autograder.classroom.class_folder import ClassFolder, new_class
from autograder.classroom.record import Record, read_record
from autograder.classroom.results import LearnerResult, class_results
from autograder.course.chapter import REPOSITORY_ROOT, read_chapter
from autograder.course.notebooks import read_text, set_solution
from autograder.run import cluster
from autograder.run.grade import grade
from tests.conftest import Chapter
from tests.support.processes import descendants
from tests.support.toy import TOY

from . import KINDS, PAGES, Attack
from .files import NEIGHBOUR

FIRST = "01_single_head"
ALL = "all attacks"
SECRET = "swordfish-5f3a"
# Small, so that bombs end quickly. A cell of an honest notebook takes a tenth of a second.
SETTINGS = """
c.Execute.timeout = 7
c.Execute.limits = {
    "seconds": 30, "cpu_seconds": 8, "memory_mb": 768, "file_mb": 8, "scratch_mb": 32, "output_mb": 1, "processes": 60,
}
"""
EARLIER = "graded-before"  # honest, and graded before any attack
_ENDING = 30  # seconds that the last processes of a run may take to end
HONEST = (NEIGHBOUR, "d-honest", "h-honest", "l-honest", "p-honest", "z-honest")
ALSO_FIRST = HONEST[3]  # has handed in the first chapter too
_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>


@dataclass
class Graded:
    """A class after the attacks.

    Args:
        folder: the class.
        before, after: a digest of each file that a run must not change, around the run.
        left: new processes and files after the run.
        memory: the peak memory of each of the grader's processes, in bytes, by process id.
        attacks: who attacked it.
    """

    folder: ClassFolder
    before: Mapping[str, str]
    after: Mapping[str, str]
    left: list[str]
    memory: Mapping[int, int]
    attacks: list[Attack]

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
    """Return a digest of each file below `root`, except the gradebook, which is compared row by row."""
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


def running() -> list[psutil.Process]:
    """Return this process's descendants, including orphans, see `_orphans_come_here`."""
    found = []
    for child in descendants():
        with suppress(psutil.NoSuchProcess):  # it has just ended
            # The resource tracker is multiprocessing's own, and stays.
            if "resource_tracker" not in " ".join(child.cmdline()):
                found.append(child)
    return found


def processes() -> set[str]:
    found = set()
    for child in running():
        with suppress(psutil.NoSuchProcess):
            found.add(f"{child.pid} {' '.join(child.cmdline()) or child.name()}")
    return found


def most_memory(process: int) -> int:
    """Return a process's peak memory in bytes, 0 if it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return 0


def left_files() -> set[str]:
    """Return the files in world-writable folders, except those of other programs."""
    own = Path(tempfile.gettempdir())
    # torch makes a cache for the grader itself
    found = {str(path) for path in own.rglob("*") if not path.name.startswith("torchinductor")}
    for place in (Path("/tmp"), Path("/dev/shm"), Path("/var/tmp"), Path("/run"), REPOSITORY_ROOT):
        found |= {str(path) for path in place.glob("*by-a-learner*")}
        found |= {str(path) for path in place.glob("opened-by-the-judge")}
    return found


@pytest.fixture(scope="session", params=["a third of the attacks", pytest.param(ALL, marks=pytest.mark.thorough)])
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, built_toy: Path) -> Graded:
    """A class of attacks and some honest submissions, graded in one go.

    In every run, each third attack of each kind and all on pages; every night, all.
    """
    attacks = [
        attack
        for kind in KINDS
        for place, attack in enumerate(kind)
        if request.param == ALL or kind is PAGES or place % 3 == 0
    ]
    root, temporary = tmp_path_factory.mktemp("attacked"), tmp_path_factory.mktemp("temporary")
    solutions = shutil.copytree(built_toy / "solutions", root / "solutions")
    shutil.copytree(REPOSITORY_ROOT / "solutions" / FIRST, solutions / FIRST)
    folder = new_class(root / "class", solutions)
    config = folder.root / "nbgrader_config.py"
    config.write_text(config.read_text() + SETTINGS)
    chapters = [read_chapter(folder.solutions / name) for name in (TOY, FIRST)]
    for chapter in chapters:
        hand_in(folder, honest(EARLIER, chapter))
        grade(folder, chapter.name, workers=1, progress=False)
    for attack in attacks:
        hand_in(folder, attack)
    for name in HONEST:
        hand_in(folder, honest(name, chapters[0]))
    hand_in(folder, honest(ALSO_FIRST, chapters[1]))
    with pytest.MonkeyPatch.context() as patch, _orphans_come_here():
        patch.setenv("TMPDIR", str(temporary))
        patch.setattr(tempfile, "tempdir", None)
        patch.setenv("GRADERS_SECRET", SECRET)
        cluster.end_workers()  # all that starts now has this environment
        before, rows, here, files = digests(root), gradebook_rows(folder, EARLIER), processes(), left_files()
        memory = _measured(patch)
        for chapter in chapters:
            grade(folder, chapter.name, workers=4, progress=False)
        cluster.end_workers()
        psutil.wait_procs(running(), timeout=_ENDING)  # the warm processes end when they notice that nobody asks
        left = sorted((processes() - here) | (left_files() - files))
    after = {path: digest for path, digest in digests(root).items() if path in before}
    before["rows of " + EARLIER], after["rows of " + EARLIER] = str(rows), str(gradebook_rows(folder, EARLIER))
    return Graded(folder, before, after, left, memory, attacks)


def _measured(patch: pytest.MonkeyPatch) -> dict[int, int]:
    """Return a dict that receives each process's peak memory when workers are about to end."""
    memory: dict[int, int] = {}
    local = cluster.local

    @contextmanager
    def measuring(*arguments: Any, **options: Any) -> Generator[Any]:
        with local(*arguments, **options) as client:
            yield client
            memory.update({process.pid: most_memory(process.pid) for process in (psutil.Process(), *running())})

    patch.setattr(cluster, "local", measuring)
    return memory


@contextmanager
def _orphans_come_here() -> Generator[None]:
    """Become the parent of orphaned descendants, so that none can hide by outliving its parent."""
    library = ctypes.CDLL(None)
    library.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        library.prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
