"""Reads and writes CSV files, preserving the encoding and separator that a gradebook or spreadsheet used.

Used for rosters and for the gradebooks of Canvas and Moodle. Cells that a spreadsheet would run as a formula are
escaped when written.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.whole_file import whole_file

from ..problems import Problem, one_line

_MAX_BYTES = 64 * 2**20
csv.field_size_limit(_MAX_BYTES)  # for the whole process; learners may paste long texts into Moodle
_NUMBER = re.compile(r"[+-]?\d[\d.,\s]*%?|[+-]?[.,]\d+%?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True)
class Table:
    """A CSV file.

    Args:
        rows: all its rows, the header first.
        encoding: its encoding; "utf-8-sig" if it begins with a byte order mark.
        separator: the character between cells.
        line_end: the characters after each row.
    """

    rows: tuple[tuple[str, ...], ...]
    encoding: str = "utf-8"
    separator: str = ","
    line_end: str = "\r\n"

    @property
    def header(self) -> tuple[str, ...]:
        return self.rows[0]


def read_table(path: Path) -> Table:
    """Read the CSV file at `path`.

    Raises:
        Problem: if it does not exist, or is not a CSV file.
    """
    if not path.is_file():
        raise Problem(f"the file {path} does not exist")
    if path.stat().st_size > _MAX_BYTES:
        raise Problem(f"{path} has {path.stat().st_size / 2**20:.0f} MB: is it the CSV file?")
    data = path.read_bytes()
    if data[:2] == b"PK":
        raise Problem(f"{path} is not a CSV file: in the spreadsheet, save it as CSV (UTF-8)")
    encoding = _encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeError as error:
        raise Problem(f"{path} is not text: save it as CSV (UTF-8)") from error
    hint = re.match(r"sep=([,;\t|])\r?\n", text)  # an instruction for spreadsheets, not a row
    text = text[hint.end() :] if hint else text
    first = re.sub(r'"[^"]*"', "", text.partition("\n")[0])
    separator = hint[1] if hint else max(",;\t", key=first.count)
    try:
        rows = tuple(tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise Problem(f"{path} cannot be read as CSV: {one_line(error)}") from error
    rows = tuple(row for row in rows if row)
    if not rows or "\0" in text:
        raise Problem(f"{path} is empty or not a CSV file")
    return Table(rows, encoding, separator, "\r\n" if "\r\n" in text else "\n")


def write_table(path: Path, table: Table) -> None:
    """Write `table` atomically, with formulas escaped."""
    with whole_file(path) as beside, beside.open("w", encoding=table.encoding, newline="") as file:
        writer = csv.writer(file, delimiter=table.separator, lineterminator=table.line_end)
        writer.writerows([harmless(cell) for cell in row] for row in table.rows)


def harmless(cell: str) -> str:
    """Return `cell`, with an apostrophe in front if a spreadsheet would read it as a formula. Numbers stay."""
    text = cell.lstrip(" \u00a0\ufeff\u200b")
    if not text.startswith(_FORMULA) or text.strip() in _FORMULA or _NUMBER.fullmatch(text.strip()):
        return cell
    return f"'{cell}"


def number(value: float, decimal_mark: str = ".") -> str:
    """Format a score with at most two decimals: 7, 7.5, 7.25."""
    return f"{value:.2f}".rstrip("0").rstrip(".").replace(".", decimal_mark)


def columns(header: Sequence[str], names: Iterable[str]) -> list[int]:
    """Return the indices of the columns in `header` with one of `names`, ignoring case and spacing."""
    wanted = {_plain(name) for name in names}
    return [index for index, title in enumerate(header) if _plain(title) in wanted]


def _plain(title: str) -> str:
    return re.sub(r"[\W_]+", " ", title).strip().casefold()


def _encoding(data: bytes) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"  # the default of spreadsheets on Windows
    return "utf-8"
