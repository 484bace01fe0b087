"""The formats of Canvas's exported gradebook and Moodle's grading worksheet: their grade columns and maxima.

`autograder.handback.export` fills them in. Both classes have the same interface, and neither changes a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..classroom.csv_table import columns
from ..classroom.roster_rows import POINTS_POSSIBLE
from ..problems import Problem
from .find_row import decimal


class CanvasSheet:
    """Canvas's exported gradebook: a header, sometimes a row about posting, a row of points possible, learners."""

    usual = ""

    def __init__(self, cells: Sequence[list[str]], file: Path) -> None:
        found = [row for row in cells[1:4] if row and POINTS_POSSIBLE in row[0]]
        if not found or not columns(cells[0], ["ID"]):
            raise Problem(
                f"{file} is not a gradebook exported from Canvas (it has no row {POINTS_POSSIBLE!r}): "
                "in Canvas, choose Grades → Export → Export Entire Gradebook"
            )
        self._points = found[0] + [""] * (len(cells[0]) - len(found[0]))
        after = max(columns(cells[0], ["Section"]), default=0)
        self.titles = [
            title if place > after and decimal(self._points[place]) is not None else ""
            for place, title in enumerate(cells[0])
        ]
        self.decimal_mark = "," if any("," in self._points[place] for place, t in enumerate(self.titles) if t) else "."

    def refuses(self, row: Sequence[str], place: int) -> str:
        """Return why the cell takes no grade, or ""."""
        text = row[place].strip()
        return {"EX": "excused in Canvas", "N/A": "not assigned to them in Canvas"}.get(text.upper(), "")

    def maximum(self, row: Sequence[str], place: int) -> float:
        """Return the column's maximum, in points."""
        return decimal(self._points[place]) or 0.0


class MoodleSheet:
    """Moodle's offline grading worksheet: a header, then a row per learner that includes the maximum grade."""

    usual = "Grade"
    decimal_mark = "."

    def __init__(self, cells: Sequence[list[str]], file: Path) -> None:
        needed = ("Identifier", "Grade", "Last modified (grade)")
        missing = [title for title in needed if not columns(cells[0], [title])]
        if missing:
            raise Problem(
                f"{file} is not a Moodle grading worksheet (it has no column {missing[0]!r}): switch Moodle to "
                "English, and in the assignment choose Download grading worksheet"
            )
        self.titles = [title.strip() for title in cells[0]]
        self._maximum = next(iter(columns(cells[0], ["Maximum grade"])), None)
        self._changeable = next(iter(columns(cells[0], ["Grade can be changed"])), None)

    def refuses(self, row: Sequence[str], place: int) -> str:
        """Return why Moodle takes no grade, or ""."""
        locked = self._changeable is not None and row[self._changeable].strip() == "No"
        return "Moodle says that the grade cannot be changed" if locked else ""

    def maximum(self, row: Sequence[str], place: int) -> float:
        """Return the assignment's maximum grade, in points."""
        maximum = decimal(row[self._maximum]) if self._maximum is not None else None
        if maximum is None:
            raise Problem("the assignment has no maximum grade in Moodle: set its grade to points, not to a scale")
        return maximum
