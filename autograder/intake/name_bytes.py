"""Decodes file names. Zip files and folders rarely declare the encoding of their names.

UTF-8 is recognised reliably. Any other encoding is a guess, so all plausible readings are returned; the roster decides.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib

# Encodings that zip programs on Windows, DOS and the Mac write: West and Central European, Japanese, Chinese.
_PAGES = ("cp850", "cp437", "cp1252", "mac_roman", "cp1250", "cp932", "gbk")
_MISREAD_AS = ("cp437", "cp850", "cp1252", "latin-1", "mac_roman")
_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075  # Info-ZIP's extra field: the name in UTF-8


def names_in_zip(member: zipfile.ZipInfo) -> tuple[str, ...]:
    """Return the possible names of a zip's member, the likeliest first."""
    if member.flag_bits & _UTF8_FLAG:
        return readings(member.orig_filename.encode("utf-8", "surrogateescape"))
    raw = member.orig_filename.encode("cp437")  # as zipfile decodes it
    return readings(_unicode_path(member.extra, raw) or raw)


def names_on_disk(path: str) -> tuple[str, ...]:
    """Return the possible readings of a path, the likeliest first."""
    return readings(os.fsencode(path))


def readings(raw: bytes) -> tuple[str, ...]:
    """Return the possible texts of the bytes `raw`, the likeliest first."""
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        return tuple(dict.fromkeys(filter(None, (_decoded(raw, page) for page in _PAGES)))) or (raw.decode("latin-1"),)
    return tuple(dict.fromkeys((*_repaired(name), name)))


def _repaired(name: str) -> list[str]:
    """Return the name before a program decoded it with the wrong encoding: "Jos├⌐" was "José"."""
    found = []
    for page in _MISREAD_AS:
        try:
            repaired = name.encode(page).decode()
        except UnicodeError:
            continue
        if repaired != name:
            found.append(repaired)
    return found


def _decoded(raw: bytes, page: str) -> str:
    try:
        return raw.decode(page)
    except UnicodeDecodeError:
        return ""


def _unicode_path(extra: bytes, raw: bytes) -> bytes:
    """Return the name in Info-ZIP's extra field, b"" if there is none or it belongs to another name."""
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and len(field) > 5 and field[0] == 1:
            matches = struct.unpack("<L", field[1:5])[0] == zlib.crc32(raw)
            return field[5:] if matches else b""
    return b""
