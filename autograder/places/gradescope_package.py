"""`autograder package gradescope`: writes the zip from which Gradescope builds an assignment's autograder.

The zip contains this package, `manyheads`, and the chapter with all earlier ones, including solutions: it is for the
instructor alone. `autograder.places.gradescope_run` then runs for each submission.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from manyheads.whole_file import whole_file

from ..course.chapter import REPOSITORY_ROOT, chapter_names, read_chapter
from ..problems import Problem

PACKAGE = "package.json"  # names the assignment
_TEMPLATES = Path(__file__).parent / "templates" / "gradescope"
_SCRIPTS = ("setup.sh", "run_autograder")
_PROJECT = ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "LICENSE-lessons")
_LEFT_OUT = {"__pycache__", ".ipynb_checkpoints"}


def package(assignment: str, output: Path, solutions: Path = REPOSITORY_ROOT / "solutions") -> Path:
    """Write the package for `assignment` to `output`.

    Args:
        solutions: the folder of chapters.

    Raises:
        Problem: if there is no such chapter, or one of the chapters was not built.
    """
    known = chapter_names(solutions)
    if assignment not in known:
        raise Problem(f"{solutions} has no chapter {assignment!r}; it has: {', '.join(known) or 'none'}")
    read_chapter(solutions / assignment)  # reports faults in the chapter now, not on Gradescope
    chapters = [name for name in known if name <= assignment]  # it may use exercises of the earlier chapters
    for name in chapters:
        if not (solutions / name / f"{name}.ipynb").is_file():
            raise Problem(f"{solutions / name} has no {name}.ipynb: run `autograder build` first")
    with whole_file(output) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _SCRIPTS:
            _add(archive, name, (_TEMPLATES / name).read_bytes(), mode=0o755)
        _add(archive, PACKAGE, json.dumps({"assignment": assignment}).encode())
        for name in _PROJECT:
            _add(archive, name, (REPOSITORY_ROOT / name).read_bytes())
        folders = [(REPOSITORY_ROOT / name, name) for name in ("manyheads", "autograder")]
        folders += [(solutions / name, f"solutions/{name}") for name in chapters]
        for folder, inside in folders:
            for path in _files(folder):
                _add(archive, f"{inside}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return output


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _LEFT_OUT & set(path.parts) and not path.name.endswith((".pyc", ".new")):
            yield path


def _add(archive: zipfile.ZipFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = zipfile.ZipInfo(name)  # without a date, so that the same files give the same zip
    member.external_attr = (0o100000 | mode) << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, content)
