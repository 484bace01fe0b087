"""Opens zip files with malformed directory entries. Python's `zipfile` refuses the whole file for one bad entry.

Used by `autograder.intake.source_files`. The file itself is never changed: if `zipfile` cannot read its directory, a
corrected copy of the directory is used.
"""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

_ENTRY = struct.Struct("<4s2xBxH6xIIIHHH8xI")  # signature, version, flags, sizes, lengths, offset: 46 bytes
_SIGNATURE, _END = b"PK\x01\x02", b"PK\x05\x06"
_END_LENGTH, _LONGEST_COMMENT = 22, 2**16
_VERSION_AT, _FLAGS_AT = 6, 8  # bytes from an entry's start
_NEWEST = 63  # the version of the format, times ten, that `zipfile` reads
_UTF8_FLAG = 0x800
_ZIP64, _IN_ZIP64 = 0x0001, 0xFFFFFFFF


def open_zip(source: Path) -> zipfile.ZipFile:
    """Open a zip file for reading.

    Raises:
        zipfile.BadZipFile, NotImplementedError, UnicodeError: if its directory cannot be read even when corrected.
    """
    try:
        return zipfile.ZipFile(source)
    except (zipfile.BadZipFile, NotImplementedError, UnicodeError):
        corrected = _Corrected(source)
    try:
        return zipfile.ZipFile(corrected)
    except BaseException:
        corrected.close()
        raise


class _Corrected(io.RawIOBase):
    """A zip file with a corrected directory, as a readable file."""

    def __init__(self, source: Path) -> None:
        super().__init__()
        self._file: BinaryIO = source.open("rb")
        self._start, self._directory = _directory(self._file)
        self._file.seek(0)

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1, /) -> bytes:
        at = self._file.tell()
        found = self._file.read(size)
        first = max(at, self._start)
        last = min(at + len(found), self._start + len(self._directory))
        if first >= last:
            return found
        return found[: first - at] + self._directory[first - self._start : last - self._start] + found[last - at :]

    def close(self) -> None:
        self._file.close()
        super().close()


def _directory(file: BinaryIO) -> tuple[int, bytes]:
    """Return the directory's offset in the file and its corrected bytes; (0, b"") if it is not found."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _END_LENGTH - _LONGEST_COMMENT))
    begins, tail = file.tell(), file.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) < place + _END_LENGTH:
        return 0, b""
    [length] = struct.unpack_from("<I", tail, place + 12)  # in bytes; zipfile computes the start the same way
    start = begins + place - length
    if length == _IN_ZIP64 or start < 0:
        return 0, b""
    file.seek(start)
    entries = bytearray(file.read(length))
    at = 0
    while at + _ENTRY.size <= len(entries):
        signature, version, flags, *sizes, name_length, extra_length, comment_length, offset = _ENTRY.unpack_from(
            entries, at
        )
        if signature != _SIGNATURE:
            break
        name_at = at + _ENTRY.size
        extra_at = name_at + name_length
        name, extra = entries[name_at:extra_at], entries[extra_at : extra_at + extra_length]
        if version > _NEWEST:
            entries[at + _VERSION_AT] = _NEWEST
        if flags & _UTF8_FLAG and not _is_utf8(name):
            struct.pack_into("<H", entries, at + _FLAGS_AT, flags & ~_UTF8_FLAG)
        if not _is_sound(extra, [*sizes[1:], offset].count(_IN_ZIP64)):
            entries[extra_at : extra_at + extra_length] = bytes(extra_length)
        at = extra_at + extra_length + comment_length
    return start, bytes(entries)


def _is_utf8(name: bytes | bytearray) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_sound(extra: bytes | bytearray, large: int) -> bool:
    """Whether a member's extra fields have the lengths they declare, and contain `large` 8-byte numbers."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        at += 4 + length
        if at > len(extra) or (kind == _ZIP64 and length < 8 * large):
            return False
    return True
