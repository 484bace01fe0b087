"""`autograder collect`: puts handed-in files where nbgrader expects them, `submitted/STUDENT/ASSIGNMENT/`.

It takes a folder of notebooks, or a zip of one. It writes below the class folder only, replaces nothing unless
told to, and lists what it left alone.
"""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .class_folder import ClassFolder
from .problems import Problem, one_line
from .triage import MAX_BYTES


@dataclass
class Collected:
    """What one `collect` did: students whose file was taken, was there already, or was kept; files left alone."""

    taken: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    left_alone: list[str] = field(default_factory=list)


def collect(folder: ClassFolder, assignment: str, source: Path, update: bool = False) -> Collected:
    """Take the notebooks of `source` in.

    A file `ada.ipynb`, `ada_ASSIGNMENT.ipynb` or `ada/anything.ipynb` is the student ada's.

    Args:
        source: a folder, or a zip file.
        update: replace a submission that is there already and differs.

    Raises:
        Problem: if `source` is neither, or two files are the same student's.
    """
    if source.resolve() == folder.root:
        raise Problem(f"{source} is the class folder itself; name the folder with the handed-in files")
    found: dict[str, tuple[str, bytes]] = {}
    collected = Collected()
    for name, content in _files(source):
        student = _student(name, assignment)
        if student is None:
            collected.left_alone.append(name)
        elif student in found:
            raise Problem(f"{name} and {found[student][0]} are both {student}'s; keep the one to grade")
        else:
            found[student] = (name, content)
    for student, (_, content) in sorted(found.items()):
        path = folder.notebook(student, assignment)
        if path.is_file() and path.read_bytes() == content:
            collected.same.append(student)
        elif path.is_file() and not update:
            collected.kept.append(student)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            collected.taken.append(student)
    return collected


def _files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each file's name relative to `source`, and its content."""
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(source).as_posix(), path.read_bytes()
    elif zipfile.is_zipfile(source):
        try:
            with zipfile.ZipFile(source) as archive:
                for member in archive.infolist():
                    if not member.is_dir():
                        with archive.open(member) as file:
                            yield member.filename, file.read(MAX_BYTES + 1)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:  # damaged, encrypted, another method
            raise Problem(f"{source} cannot be unpacked: {one_line(error)}") from error
    elif source.exists():
        raise Problem(f"{source} is neither a folder nor a zip file")
    else:
        raise Problem(f"there is no {source}")


def _student(name: str, assignment: str) -> str | None:
    """Return whose file this is, or None where it is no notebook."""
    parts = name.replace("\\", "/").split("/")
    if not parts[-1].endswith(".ipynb") or ".ipynb_checkpoints" in parts:
        return None
    owner = parts[-2] if len(parts) > 1 else parts[-1].removesuffix(".ipynb")
    owner = owner.removesuffix(assignment).removeprefix(assignment).strip(" _-.")
    # Only what is safe as a folder's name; a name of dots alone would leave the class folder.
    owner = "".join(
        c if c.isalnum() or unicodedata.category(c)[0] == "M" or c in "_.@+-" else "_"
        for c in unicodedata.normalize("NFC", owner)
    ).strip("._")
    return owner[:100] or None
