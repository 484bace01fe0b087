"""Lists the files in a folder or zip of submissions, without trusting any of them.

Used by `autograder.intake.collect`. Archives are not unpacked: a file's content is read in place, and never more than a
notebook's maximum size. Files that are refused are returned with the reason.
"""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from manyheads.whole_file import whole_file

from ..handed_in_file import MAX_BYTES
from ..problems import Problem, Skipped, one_line
from .name_bytes import names_in_zip, names_on_disk
from .zip_directory import open_zip

MAX_FILES = 100_000
_CHUNK = 2**20
_LONGEST_PATH, _LONGEST_NAME = 4096, 255  # characters; the limits of Linux file systems
_LINK = "it is a link, and links are not followed"
# Repetitive notebooks compress a hundredfold, zip bombs a thousandfold.
_RATIO, _RATIO_FROM = 300, 2**20  # refused above this ratio, if the file is larger than this many bytes

# Errors while reading a file: `zipfile` raises nearly anything for a malformed member.
_UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, struct.error)


class Damaged(Exception):
    """A file that cannot be read. Its text is the reason why it is not collected."""


class Readable(Protocol):
    """A source of bytes that is read in chunks."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, b"" at the end."""
        ...


@dataclass(frozen=True)
class HandedIn:
    """One file.

    Args:
        name: its path relative to the source, with "/".
        size: in bytes.
        opened: opens it for reading; opening or reading raises `Damaged` if the file cannot be read.
        other_names: other readings of its path, if the name's encoding is not known.
    """

    name: str
    size: int
    opened: Callable[[], AbstractContextManager[Readable]] = field(repr=False, compare=False)
    other_names: tuple[str, ...] = ()

    @property
    def parts(self) -> list[str]:
        """The name's folders and the file's own name."""
        return [part for part in self.name.split("/") if part]

    def copy_to(self, path: Path) -> None:
        """Write the content atomically to `path`.

        Raises:
            Damaged: if it cannot be read.
            OSError: if it cannot be written.
        """
        with whole_file(path) as beside, self.opened() as source, beside.open("wb") as target:
            for chunk in _chunks(source):
                target.write(chunk)

    def digest(self) -> str:
        """Return the SHA-256 digest of the content."""
        with self.opened() as source:
            return digest(source)


def digest(source: Readable) -> str:
    """Return the SHA-256 digest of the rest of `source`."""
    found = hashlib.sha256()
    for chunk in _chunks(source):
        found.update(chunk)
    return found.hexdigest()


@contextmanager
def handed_in(source: Path) -> Generator[tuple[list[HandedIn], list[Skipped]]]:
    """Open a folder or a zip, and yield its files, sorted by name, and the files that are refused.

    Raises:
        Problem: if `source` is neither, or contains too many files.
    """
    if source.is_dir():
        yield _split(_files_of_folder(source))
    elif zipfile.is_zipfile(source):
        try:
            archive = open_zip(source)
        except (zipfile.BadZipFile, NotImplementedError, UnicodeError) as error:
            raise Problem(f"{source} cannot be unpacked: {one_line(error)}; download it again") from error
        with archive:
            yield _split(_files_of_zip(archive, source))
    elif source.exists():
        raise Problem(f"{source} is neither a folder nor a zip file")
    else:
        raise Problem(f"{source} does not exist")


def _split(found: Iterator[HandedIn | Skipped]) -> tuple[list[HandedIn], list[Skipped]]:
    files: list[HandedIn] = []
    skipped: list[Skipped] = []
    for file in found:
        files.append(file) if isinstance(file, HandedIn) else skipped.append(file)
        if len(files) + len(skipped) > MAX_FILES:
            raise Problem(f"there are more than {MAX_FILES:,} files; collect a smaller folder or zip")
    return sorted(files, key=lambda file: file.name), skipped


def _files_of_folder(source: Path) -> Iterator[HandedIn | Skipped]:
    closed: list[OSError] = []
    for folder, folders, names in os.walk(source, onerror=closed.append):
        for name in sorted(folders):
            if Path(folder, name).is_symlink():
                yield Skipped(_names_below(source, Path(folder, name))[0], _LINK)
        folders[:] = sorted(name for name in folders if not _is_litter([name]))
        for name in sorted(names):
            path = Path(folder, name)
            shown, *others = _names_below(source, path)
            if _is_litter([name]):
                continue
            try:
                status = path.lstat()
            except OSError as error:  # it has just been deleted
                yield Skipped(shown, _why(error))
                continue
            if stat.S_ISLNK(status.st_mode):
                yield Skipped(shown, _LINK)
            elif not stat.S_ISREG(status.st_mode):
                yield Skipped(shown, "it is not a regular file")
            elif status.st_size > MAX_BYTES:
                yield Skipped(shown, _too_large(status.st_size))
            else:
                opened = functools.partial(_opened, functools.partial(path.open, "rb"))
                yield HandedIn(shown, status.st_size, opened, tuple(others))
    for error in closed:
        where = Path(os.fsdecode(error.filename))
        if where == source:
            raise Problem(f"{source} cannot be read: {error.strerror}")
        yield Skipped(_names_below(source, where)[0], f"the files in this folder are not collected: {_why(error)}")


@contextmanager
def _opened(opener: Callable[[], IO[bytes]]) -> Generator[Readable]:
    try:
        file = opener()
    except _UNREADABLE as error:
        raise Damaged(_why(error)) from error
    with file:
        yield _Reader(file)


@dataclass(frozen=True)
class _Reader:
    """Reads a file, and turns reading errors into `Damaged`."""

    file: IO[bytes]

    def read(self, size: int, /) -> bytes:
        try:
            return self.file.read(size)
        except _UNREADABLE as error:
            raise Damaged(_why(error)) from error


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"it cannot be read ({error.strerror or one_line(error)})"
    return f"it is damaged ({one_line(error)}): download the zip again, or ask for the file"


def _names_below(source: Path, path: Path) -> tuple[str, ...]:
    return names_on_disk(path.relative_to(source).as_posix())


def _files_of_zip(archive: zipfile.ZipFile, source: Path) -> Iterator[HandedIn | Skipped]:
    if len(archive.infolist()) > MAX_FILES:
        raise Problem(
            f"{source} contains {len(archive.infolist()):,} files, more than {MAX_FILES:,}: is it a class's work?"
        )
    for member in archive.infolist():
        name, *others = (name.replace("\\", "/") for name in names_in_zip(member))
        parts = name.split("/")
        if name.endswith("/") or _is_litter(parts):
            continue
        reason = _refuse(member, name, parts)
        if reason:
            yield Skipped(name, reason)
        else:
            yield HandedIn(
                name, member.file_size, lambda member=member: _opened(lambda: archive.open(member)), tuple(others)
            )


def _refuse(member: zipfile.ZipInfo, name: str, parts: list[str]) -> str:
    """Return why a zip's member is refused, or ""."""
    if not name or "\0" in name:
        return "its name is not a valid file name"
    if name.startswith("/") or (len(parts[0]) == 2 and parts[0][1] == ":") or ".." in parts:
        return "its path leads out of the archive"
    if len(name) > _LONGEST_PATH or len(max(parts, key=len)) > _LONGEST_NAME:
        return "its name is longer than a file name can be"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return _LINK
    if kind not in (0, stat.S_IFREG):
        return "it is not a regular file"
    if member.flag_bits & 0x1:
        return "it is encrypted; ask for it without a password"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "it is compressed in an unusual way; zip it again"
    if member.file_size > MAX_BYTES:
        return _too_large(member.file_size)
    if member.file_size > _RATIO_FROM and member.file_size > _RATIO * max(member.compress_size, 1):
        return f"it would grow to {member.file_size / max(member.compress_size, 1):.0f} times its size: a zip bomb"
    return ""


def _too_large(size: int) -> str:
    return f"it has {size / 2**20:.0f} MB; ask for the notebook with its outputs cleared"


def _is_litter(parts: list[str]) -> bool:
    """Whether a path belongs to a program or the operating system, and not to a submission."""
    hidden = any(part in ("__MACOSX", ".ipynb_checkpoints", ".git", "__pycache__") for part in parts)
    return hidden or parts[-1] in (".DS_Store", "Thumbs.db", "desktop.ini") or parts[-1].startswith("._")


def _chunks(source: Readable) -> Iterator[bytes]:
    left = MAX_BYTES + 1  # the declared size may be wrong
    while left > 0 and (chunk := source.read(min(_CHUNK, left))):
        left -= len(chunk)
        yield chunk
