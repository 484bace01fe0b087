"""Reads a file's name from its bytes. Zip files and folders seldom say in which encoding their names are written.

UTF-8 is recognised for certain. Any other encoding is a guess, so every reading is given: the roster decides.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib

# What zip programs on Windows, DOS and the Mac write: West and Central European, Japanese, Chinese.
_PAGES = ("cp850", "cp437", "cp1252", "mac_roman", "cp1250", "cp932", "gbk")
_MISREAD_AS = ("cp437", "cp850", "cp1252", "latin-1", "mac_roman")
_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075  # Info-ZIP's extra field: the name in UTF-8


def names_in_zip(member: zipfile.ZipInfo) -> tuple[str, ...]:
    """Return a zip member's name as it may be read, the likeliest first; one where it is certain."""
    if member.flag_bits & _UTF8_FLAG:
        return readings(member.orig_filename.encode("utf-8", "surrogateescape"))
    raw = member.orig_filename.encode("cp437")  # as zipfile decodes it
    return readings(_unicode_path(member.extra, raw) or raw)


def names_on_disk(path: str) -> tuple[str, ...]:
    """Return a path as it may be read, the likeliest first."""
    return readings(os.fsencode(path))


def readings(raw: bytes) -> tuple[str, ...]:
    """Return what bytes may say, the likeliest first."""
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        return tuple(dict.fromkeys(filter(None, (_decoded(raw, page) for page in _PAGES)))) or (raw.decode("latin-1"),)
    return tuple(dict.fromkeys((*_mended(name), name)))


def _mended(name: str) -> list[str]:
    """Return a name as it was before somebody unpacked it in the wrong encoding: "Jos├⌐" was "José"."""
    found = []
    for page in _MISREAD_AS:
        try:
            mended = name.encode(page).decode()
        except UnicodeError:
            continue
        if mended != name:
            found.append(mended)
    return found


def _decoded(raw: bytes, page: str) -> str:
    try:
        return raw.decode(page)
    except UnicodeDecodeError:
        return ""


def _unicode_path(extra: bytes, raw: bytes) -> bytes:
    """Return the name in Info-ZIP's extra field, b"" where there is none or it belongs to another name."""
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and len(field) > 5 and field[0] == 1:
            matches = struct.unpack("<L", field[1:5])[0] == zlib.crc32(raw)
            return field[5:] if matches else b""
    return b""
