"""A class folder: the paths in it, and the settings that its `nbgrader_config.py` makes.

`autograder new-class` makes a class folder, and most other commands work on one. Its `solutions/` and `.judge-seed` are
for the instructor alone.
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
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from ..course.chapter import Chapter, chapter_files, chapter_names, read_chapter, read_chapters
from ..handed_in_file import NotAFile, open_untrusted
from ..problems import Problem, one_line

_PATTERN = re.compile(r"[*?\[]")  # characters with a meaning in glob patterns
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
        """Return the folder of a student's submission."""
        return self.root / "submitted" / student / assignment

    def notebook(self, student: str, assignment: str) -> Path:
        """Return the path where a student's submitted notebook must be."""
        return self.submission(student, assignment) / f"{assignment}.ipynb"

    def autograded(self, student: str, assignment: str) -> Path:
        """Return the path of a student's graded notebook."""
        return self.root / "autograded" / student / assignment / f"{assignment}.ipynb"

    def feedback(self, student: str, assignment: str) -> Path:
        """Return the path of a student's feedback page."""
        return self.root / "feedback" / student / assignment / f"{assignment}.html"

    def record_path(self, student: str, assignment: str) -> Path:
        """Return the path of a submission's record."""
        return self.root / "outcomes" / assignment / f"{student}.json"

    def assignments(self) -> list[str]:
        """Return the names of the class's chapters, in order."""
        return chapter_names(self.solutions)

    def students(self, assignment: str) -> list[str]:
        """Return the students with a submission for `assignment`."""
        return [name for name in self._folders(assignment) if _is_text(name)]

    def misnamed(self, assignment: str) -> list[str]:
        """Return the submissions' folders whose names are not UTF-8, so that a gradebook cannot store them.

        Undecodable bytes are escaped with backslashes.
        """
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
        """Return the settings of `nbgrader_config.py`, with this folder as the course's root."""
        try:
            config = PyFileConfigLoader(CONFIG, path=str(self.root)).load_config()
        except Exception as error:  # the file is Python code that instructors edit
            raise Problem(f"{self.root / CONFIG} cannot be read: {one_line(error)}") from error
        config.CourseDirectory.root = str(self.root)
        if "db_url" not in config.CourseDirectory:
            config.CourseDirectory.db_url = f"sqlite:///{self.root / 'gradebook.db'}"
        return config

    def judged_by(self, assignment: str) -> str:
        """Return a digest of everything that affects the verdicts on submissions of `assignment`.

        That is the class's seed, the chapter itself, and the stand-ins for exercises of earlier chapters.
        """
        before = [name for name in self.assignments() if name < assignment]
        stand_ins = json.dumps([sorted(self.chapter(name).stand_ins.items()) for name in before])
        folder = self.solutions / assignment
        files = {path.relative_to(folder) for path in (*folder.glob("*.py"), *chapter_files(folder))}
        return _digest(folder, sorted(files), self.seed() + stand_ins)

    def fingerprint(self, submission: Path, judged_by: str) -> str:
        """Return a digest of the file `submission`, a dash, and a digest of everything else that affects its grade.

        Args:
            judged_by: the result of the method `judged_by`.
        """
        time = submission.with_name("timestamp.txt")
        if os.path.lexists(time):  # nbgrader's late penalty depends on it
            judged_by = hashlib.sha256(f"{judged_by} {_digest_of_untrusted(time)}".encode()).hexdigest()
        return f"{_digest_of_untrusted(submission)}-{judged_by}"


def open_class(root: Path, assignments: Sequence[str] = ()) -> tuple[ClassFolder, list[str]]:
    """Return the class folder at `root` and the names of the chosen assignments: `assignments`, or all if it is empty.

    Raises:
        Problem: if it is not a complete class folder, or lacks one of `assignments`.
    """
    folder = ClassFolder(root.resolve())
    if root.is_file():
        raise Problem(f"{root} is a file, not a class folder")
    if not root.is_dir():
        raise Problem(f"the folder {root} does not exist; make a class with: autograder new-class {root}")
    if not (root / CONFIG).is_file():
        raise Problem(f"{root} is not a class folder; make one with: autograder new-class {root}")
    if not (root / SEED).is_file():
        raise Problem(
            f"{root / SEED} is missing: the class's secret seed, from which the judge draws its questions. Copy it "
            "from the class's old folder (cp DIR/* skips hidden files, cp -a DIR does not) or from a backup: "
            "with another seed the judge asks everybody other questions"
        )
    if not folder.seed():
        raise Problem(f"{root / SEED} is empty: without a secret seed, learners could know the judge's questions")
    known = folder.assignments()
    if not known:
        raise Problem(f"{folder.solutions} contains no chapters")
    for name in assignments:
        if name not in known:
            raise Problem(f"{root} has no assignment {name!r}; it has: {', '.join(known)}")
    return folder, list(assignments) or known


def new_class(root: Path, solutions: Path) -> ClassFolder:
    """Make a class folder at `root` with every chapter of `solutions`, ready for nbgrader's commands.

    Raises:
        Problem: if `root` exists and is not an empty folder, or nbgrader cannot work there.
    """
    odd = _PATTERN.findall(str(root.resolve()))
    if odd:
        raise Problem(
            f"nbgrader cannot work in {root.resolve()}: it reads {' and '.join(dict.fromkeys(odd))} in a path as a "
            "pattern. Choose a folder without these characters; nothing was written"
        )
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise Problem(f"{root} exists and is not empty; name a new folder")
    chapters = read_chapters(solutions)
    if not chapters:
        raise Problem(f"{solutions} contains no chapters: use the instructor's copy of this repository")
    existed = root.exists()
    root.mkdir(parents=True, exist_ok=True)
    try:
        return _fill(root, chapters)
    except BaseException:  # including Ctrl-C: an incomplete class would block the next attempt
        for path in root.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not existed:
            root.rmdir()
        raise


@contextlib.contextmanager
def in_use(folder: ClassFolder) -> Generator[None]:
    """Lock the class for the block, so that no other command changes it.

    Raises:
        Problem: if another command holds the lock.
    """
    lock = FileLock(folder.root / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Problem(f"another command is working in {folder.root}; wait until it ends, or stop it") from None
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
    # For pages that show learners' text: the feedback and the formgrader.
    config.HTMLExporter.sanitize_html = True
    config.HTMLExporter.filters = {
        name: f"autograder.pages.safe_html.{name}" for name in ("markdown2html", "clean_html", "strip_files_prefix")
    }
    config.OverwriteCells.add_missing_cells = True
    # Without nbgrader's own checks of cell metadata after each half: Realign restores the release's metadata. The steps
    # are given as strings, because importing their classes takes seconds and most commands do not run them.
    config.Autograde.sanitize_preprocessors = [
        "nbgrader.preprocessors.ClearOutput",
        "autograder.nbgrader_steps.realign.Realign",
        "nbgrader.preprocessors.OverwriteKernelspec",
        "autograder.nbgrader_steps.gradebook_steps.OverwriteReleased",
    ]
    config.Autograde.autograde_preprocessors = [
        "autograder.nbgrader_steps.execute.Execute",
        "autograder.nbgrader_steps.make_inert.MakeInert",
        "nbgrader.preprocessors.IgnorePattern",
        "nbgrader.preprocessors.LimitOutput",
        "autograder.nbgrader_steps.gradebook_steps.SaveGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
        "autograder.nbgrader_steps.keep_record.KeepRecord",
    ]


def _is_text(name: str) -> bool:
    """Whether a file's name is valid UTF-8; names from other systems may not be."""
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
    """Return a digest of a submitted file or, if it cannot be read, of the reason."""
    try:
        with open_untrusted(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except NotAFile as error:
        return hashlib.sha256(str(error).encode(errors="backslashreplace")).hexdigest()


def _generate(folder: ClassFolder, assignment: str) -> None:
    """Run `nbgrader generate_assignment`, which writes the release and adds its cells to the gradebook."""
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    # nbgrader calls the command `alembic` to make a database. It is beside this Python, which may not be in the PATH.
    own_commands = str(Path(sys.executable).parent)
    if own_commands not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] += os.pathsep + own_commands
    config = folder.config()
    api = NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)
    result = api.generate_assignment(assignment)
    if not result["success"]:
        raise Problem(f"nbgrader could not generate {assignment}:\n{result.get('log') or result.get('error')}")
