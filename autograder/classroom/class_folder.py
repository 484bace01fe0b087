"""A class folder: where everything of one class lies, and what its `nbgrader_config.py` sets.

`autograder new-class` makes one; every other command takes one. Its `solutions/` and `.judge-seed` belong to the
instructor alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from ..course.chapter import Chapter, chapter_files, read_chapter, read_chapters
from ..handed_in_file import NotAFile, open_untrusted
from ..problems import Problem, one_line

_PATTERN = re.compile(r"[*?\[]")  # what glob gives a meaning to
CONFIG, SEED, _LOCK = "nbgrader_config.py", ".judge-seed", ".lock"
_CONFIG_TEXT = '''\
"""nbgrader's settings for this class. Add your own below the call: it sets up Many Heads' judge."""

from autograder.class_folder import configure

c = get_config()  # noqa: F821 (nbgrader provides it)
configure(c, __file__)

# c.CourseDirectory.course_id = "attention-2026"
# c.Execute.timeout = 30  # seconds a cell may run
'''


@dataclass(frozen=True)
class ClassFolder:
    """Paths within a class folder."""

    root: Path

    @property
    def solutions(self) -> Path:
        return self.root / "solutions"

    @property
    def gradebook_url(self) -> str:
        """The database that `nbgrader_config.py` names, or nbgrader's default in this folder."""
        return self.config().CourseDirectory.db_url

    def submission(self, student: str, assignment: str) -> Path:
        """Return the folder that holds what a student handed in."""
        return self.root / "submitted" / student / assignment

    def notebook(self, student: str, assignment: str) -> Path:
        """Return the path at which a student's notebook is expected."""
        return self.submission(student, assignment) / f"{assignment}.ipynb"

    def autograded(self, student: str, assignment: str) -> Path:
        """Return the path of a student's notebook after grading."""
        return self.root / "autograded" / student / assignment / f"{assignment}.ipynb"

    def record_path(self, student: str, assignment: str) -> Path:
        """Return the path of a submission's record."""
        return self.root / "outcomes" / assignment / f"{student}.json"

    def assignments(self) -> list[str]:
        """Return the names of the class's chapters, in order."""
        return sorted(path.parent.name for path in self.solutions.glob("*/lesson.py"))

    def students(self, assignment: str) -> list[str]:
        """Return everybody who handed something in for `assignment`."""
        return [name for name in self._folders(assignment) if _is_text(name)]

    def misnamed(self, assignment: str) -> list[str]:
        """Return the folders whose names are not text, so that no gradebook can hold them, in words."""
        return [
            os.fsencode(name).decode("utf-8", "backslashreplace")
            for name in self._folders(assignment)
            if not _is_text(name)
        ]

    def _folders(self, assignment: str) -> list[str]:
        return sorted(path.parent.name for path in self.root.glob(f"submitted/[!.]*/{assignment}") if path.is_dir())

    def chapter(self, assignment: str) -> Chapter:
        """Read the class's own copy of a chapter."""
        return read_chapter(self.solutions / assignment)

    def seed(self) -> str:
        """Return the class's secret seed."""
        return (self.root / SEED).read_text(encoding="utf-8").strip()

    def config(self) -> Config:
        """Return what `nbgrader_config.py` sets, with this folder as the course's root."""
        try:
            config = PyFileConfigLoader(CONFIG, path=str(self.root)).load_config()
        except Exception as error:  # it is Python that somebody edits
            raise Problem(f"{self.root / CONFIG} cannot be read: {one_line(error)}") from error
        config.CourseDirectory.root = str(self.root)
        if "db_url" not in config.CourseDirectory:
            config.CourseDirectory.db_url = f"sqlite:///{self.root / 'gradebook.db'}"
        return config

    def judged_by(self, assignment: str) -> str:
        """Return a digest of everything that submissions of `assignment` are judged by.

        That is its own chapter, and what stands in for exercises of the chapters before it.
        """
        before = [name for name in self.assignments() if name < assignment]
        lent = json.dumps([sorted(self.chapter(name).stand_ins.items()) for name in before])
        folder = self.solutions / assignment
        files = {path.relative_to(folder) for path in (*folder.glob("*.py"), *chapter_files(folder))}
        return _digest(folder, sorted(files), self.seed() + lent)

    def fingerprint(self, submission: Path, judged_by: str) -> str:
        """Return a digest of the file `submission`, a dash, and one of all else that its grade depends on.

        Args:
            judged_by: what the method of that name returned.
        """
        time = submission.with_name("timestamp.txt")
        if os.path.lexists(time):  # what nbgrader takes off for lateness depends on it
            judged_by = hashlib.sha256(f"{judged_by} {_digest_of_untrusted(time)}".encode()).hexdigest()
        return f"{_digest_of_untrusted(submission)}-{judged_by}"


def open_class(root: Path, assignments: Sequence[str] = ()) -> tuple[ClassFolder, list[str]]:
    """Return the class folder at `root` and the assignments meant, all where none are named.

    Raises:
        Problem: if it is no class folder, or has no such assignment.
    """
    folder = ClassFolder(root.resolve())
    if root.is_file():
        raise Problem(f"{root} is a file, and a class is a folder")
    if not root.is_dir():
        raise Problem(f"there is no folder {root}; make a class with: autograder new-class {root}")
    if not (root / CONFIG).is_file():
        raise Problem(f"{root} is not a class folder; make one with: autograder new-class {root}")
    if not (root / SEED).is_file():
        raise Problem(
            f"{root / SEED} is missing: the class's secret seed, from which the judge draws its questions. Copy it "
            "from where the class was (cp DIR/* leaves hidden files behind, cp -a DIR does not) or from a backup: "
            "with another seed everybody is judged by other questions"
        )
    if not folder.seed():
        raise Problem(f"{root / SEED} is empty: without a secret seed anybody could know the judge's questions")
    known = folder.assignments()
    if not known:
        raise Problem(f"{folder.solutions} holds no chapter")
    for name in assignments:
        if name not in known:
            raise Problem(f"{root} has no assignment {name!r}; it has: {', '.join(known)}")
    return folder, list(assignments) or known


def new_class(root: Path, solutions: Path) -> ClassFolder:
    """Make a class folder at `root` with every chapter of `solutions`, ready for nbgrader's commands.

    Raises:
        Problem: if something stands at `root` already.
    """
    odd = _PATTERN.findall(str(root.resolve()))
    if odd:
        raise Problem(
            f"nbgrader cannot work in {root.resolve()}: it takes {' and '.join(dict.fromkeys(odd))} in a path for a "
            "pattern; name a folder without, and nothing is written here"
        )
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise Problem(f"{root} exists and is not empty; name a new folder")
    chapters = read_chapters(solutions)
    if not chapters:
        raise Problem(f"{solutions} holds no chapter: the class needs the instructor's copy of this repository")
    existed = root.exists()
    root.mkdir(parents=True, exist_ok=True)
    try:
        return _fill(root, chapters)
    except BaseException:  # Ctrl-C too: half a class is none, and would be in the way of the next try
        for path in root.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not existed:
            root.rmdir()
        raise


@contextlib.contextmanager
def in_use(folder: ClassFolder) -> Iterator[None]:
    """Keep every other command that changes the class away from it for the whole block.

    Raises:
        Problem: if another one is at work.
    """
    lock = FileLock(folder.root / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Problem(f"another command is at work in {folder.root}; wait until it has ended, or stop it") from None
    try:
        yield
    finally:
        lock.release()


def _fill(root: Path, chapters: Sequence[Chapter]) -> ClassFolder:
    folder = ClassFolder(root.resolve())
    (root / CONFIG).write_text(_CONFIG_TEXT, encoding="utf-8")
    seed_file = root / SEED
    seed_file.touch(mode=0o600)
    seed_file.write_text(secrets.token_hex(32) + "\n", encoding="utf-8")
    for chapter in chapters:
        shutil.copytree(
            chapter.folder,
            folder.solutions / chapter.name,
            ignore=shutil.ignore_patterns("*.ipynb", "__pycache__", ".ipynb_checkpoints"),
        )
        source = root / "source" / chapter.name
        source.mkdir(parents=True)
        shutil.copy(chapter.folder / f"{chapter.name}.ipynb", source)
        _generate(folder, chapter.name)
    return folder


def configure(config: Any, config_file: str) -> None:
    """Set up the judge in a class's nbgrader configuration. Called by its `nbgrader_config.py`.

    Args:
        config: nbgrader's configuration object.
        config_file: path of the class's `nbgrader_config.py`.
    """
    root = Path(config_file).resolve().parent
    config.CourseDirectory.course_id = "many-heads"
    config.Execute.solutions = str(root / "solutions")
    config.Execute.seed = (root / SEED).read_text(encoding="utf-8").strip()
    config.KeepRecord.class_folder = str(root)
    config.Realign.solutions = str(root / "solutions")
    # Pages of what learners wrote: feedback, and the formgrader's.
    config.HTMLExporter.sanitize_html = True
    config.HTMLExporter.filters = {
        name: f"autograder.nbgrader_steps.make_inert.{name}"
        for name in ("markdown2html", "clean_html", "strip_files_prefix")
    }
    config.OverwriteCells.add_missing_cells = True
    # nbgrader would check cells' metadata after each half; what Realign leaves is the release's own. Names in place of
    # classes: importing them takes seconds, and most commands read this file and take none of these steps.
    config.Autograde.sanitize_preprocessors = [
        "nbgrader.preprocessors.ClearOutput",
        "autograder.nbgrader_steps.realign.Realign",
        "nbgrader.preprocessors.OverwriteKernelspec",
        "autograder.classroom.gradebook.OverwriteReleased",
    ]
    config.Autograde.autograde_preprocessors = [
        "autograder.nbgrader_steps.execute.Execute",
        "autograder.nbgrader_steps.make_inert.MakeInert",
        "nbgrader.preprocessors.IgnorePattern",
        "nbgrader.preprocessors.LimitOutput",
        "autograder.classroom.gradebook.SaveGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
        "autograder.nbgrader_steps.keep_record.KeepRecord",
    ]


def _is_text(name: str) -> bool:
    """Whether a file's name is text: another system's encoding leaves bytes that are none."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _digest(folder: Path, files: Iterable[Path], secret: str) -> str:
    digest = hashlib.sha256(secret.encode())
    for path in files:
        digest.update(os.fsencode(path.as_posix()))
        digest.update((folder / path).read_bytes())
    return digest.hexdigest()


def _digest_of_untrusted(path: Path) -> str:
    """Return a digest of a file that somebody handed in, or of what there is in its place. Never raises an OSError."""
    try:
        with open_untrusted(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except NotAFile as error:
        return hashlib.sha256(str(error).encode(errors="backslashreplace")).hexdigest()


def _generate(folder: ClassFolder, assignment: str) -> None:
    """Run `nbgrader generate_assignment`: it writes the release and tells the gradebook of the cells."""
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    # nbgrader makes a database with the command `alembic`, which lies beside this Python, in the PATH or not.
    own_commands = str(Path(sys.executable).parent)
    if own_commands not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] += os.pathsep + own_commands
    config = folder.config()
    api = NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)
    result = api.generate_assignment(assignment)
    if not result["success"]:
        raise Problem(f"nbgrader could not generate {assignment}:\n{result.get('log') or result.get('error')}")
