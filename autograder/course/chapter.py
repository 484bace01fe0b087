"""Reads a chapter's folder, with `lesson.py` and the declarations of its exercises, into a `Chapter`.

The builder, the judge and the demo use it. Reading a chapter runs the code of its author (the declarations, and for
exams the imports and reference solutions), never a learner's.
"""

from __future__ import annotations

import linecache
import re
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.checking.exam import Check

from ..problems import Problem
from .exercise_files import PACKAGE, exercise_files, read_exercises
from .lesson_cells import lesson_cells
from .stand_ins import self_contained

if TYPE_CHECKING:  # slow imports, which are needed only when a chapter is read
    from nbformat import NotebookNode

    from .declare import Alternative, Exercise, Misconception

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]
LESSON = "lesson.py"
_lock = threading.RLock()
_SOLUTION_MARK = re.compile(r"^\s*### (BEGIN|END) SOLUTION\n?", re.MULTILINE)


@dataclass(frozen=True)
class GradedCell:
    """A graded cell of a lesson.

    Args:
        exercise: the exercise that it checks.
        check: which of its checks.
        points: its maximum points.
    """

    exercise: str
    check: Check
    points: float

    @property
    def marker(self) -> str:
        """The name in the first line of the cell's source, because some programs remove metadata."""
        return f"{self.exercise}.{self.check}"

    @property
    def grade_id(self) -> str:
        """nbgrader's id of the cell. It has no dot, because the formgrader cannot select elements with one."""
        return f"{self.exercise}-{self.check}"


@dataclass(frozen=True, eq=False)
class Chapter:
    """One chapter.

    Args:
        folder: the folder from which it was read; its name is the assignment's name.
        cells: the lesson's cells as jupytext reads them, with `exercise`, `check`, `points`, `role` in metadata.
        exercises: the declarations of its exercises, by name, in the lesson's order.
    """

    folder: Path
    cells: tuple[NotebookNode, ...]
    exercises: Mapping[str, Exercise]

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def title(self) -> str:
        """The text of the lesson's first heading."""
        lines = (line for cell in self.cells if cell.cell_type == "markdown" for line in cell.source.splitlines())
        return next((line[2:].strip() for line in lines if line.startswith("# ")), self.name)

    @cached_property
    def reference(self) -> Mapping[str, str]:
        """The source of the reference solutions by exercise, without the SOLUTION comments."""
        return {
            cell.metadata["exercise"]: _SOLUTION_MARK.sub("", cell.source)
            for cell in self.cells
            if "exercise" in cell.metadata
        }

    @cached_property
    def imports(self) -> str:
        """The source of the imports, on which all exercises rely."""
        return "\n".join(cell.source for cell in self.cells if cell.metadata.get("role") == "imports")

    @cached_property
    def graded_cells(self) -> tuple[GradedCell, ...]:
        """The graded cells in the lesson's order."""
        cells = [cell.metadata for cell in self.cells if "check" in cell.metadata]
        names = [metadata["check"].split(".") for metadata in cells]
        return tuple(
            GradedCell(exercise, Check(check), metadata["points"])
            for metadata, (exercise, check) in zip(cells, names, strict=True)
        )

    def cells_of(self, exercise: str) -> list[GradedCell]:
        """Return the graded cells that check `exercise`."""
        return [cell for cell in self.graded_cells if cell.exercise == exercise]

    def graded_cell(self, grade_id: str) -> GradedCell | None:
        """Return the graded cell with nbgrader's id `grade_id`, or None."""
        return self._graded.get(grade_id)

    @cached_property
    def _graded(self) -> Mapping[str, GradedCell]:
        return {cell.grade_id: cell for cell in self.graded_cells}

    def namespace(self, changed: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Run the imports and the reference solutions, and return the names they define.

        Args:
            changed: source by exercise, to run instead of the reference's.
        """
        from manyheads import earlier
        from manyheads.calling.forbidden_calls import compiled

        names: dict[str, Any] = {"__name__": f"{self.name}.reference"}
        sources = {"imports": self.imports, **self.reference, **(changed or {})}
        with earlier.given(self.earlier):
            for label, source in sources.items():
                file = f"<{self.name}: {label}, {zlib.crc32(source.encode()):08x}>"
                # As for a notebook's cell, so that `manyheads.calling.cause` can read the line that failed.
                linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
                exec(compiled(source, file), names)
        return names

    @cached_property
    def stand_ins(self) -> Mapping[str, str]:
        """The stand-ins by exercise: self-contained source of a working version, for exercises that build on it."""
        cells = {"imports": self.imports, **self.reference}
        found = {
            name: self_contained(name, cells) if exercise.stand_in is None else exercise.stand_in
            for name, exercise in self.exercises.items()
        }
        return {name: source for name, source in found.items() if source}

    @cached_property
    def earlier(self) -> Mapping[str, str]:
        """The stand-ins of all earlier chapters by exercise, which `manyheads.earlier` provides to this one."""
        chapters = self.folder.parent
        before = [read_chapter(chapters / name) for name in chapter_names(chapters) if name < self.name]
        return {name: source for chapter in before for name, source in chapter.stand_ins.items()}

    def mistaken(self, exercise: str, misconception: Misconception) -> str:
        """Return the reference solution of `exercise` with a known mistake."""
        return self.reference[exercise].replace(misconception.replace, misconception.by)

    def misconceptions(self) -> Iterator[tuple[Exercise, Misconception]]:
        """Yield all declared mistakes with their exercises."""
        for exercise in self.exercises.values():
            for misconception in exercise.misconceptions:
                yield exercise, misconception

    def alternatives(self) -> Iterator[tuple[Exercise, Alternative]]:
        """Yield all declared alternative solutions with their exercises."""
        for exercise in self.exercises.values():
            for alternative in exercise.alternatives:
                yield exercise, alternative


def chapter_files(folder: Path) -> list[Path]:
    """Return all files of the chapter in `folder`: the lesson first, then the declarations of its exercises.

    Raises:
        Problem: if one is missing.
    """
    if not (folder / LESSON).is_file():
        raise Problem(f"{folder} is not a chapter: it has no {LESSON}")
    return [folder / LESSON, *exercise_files(folder)]


def read_chapter(folder: Path) -> Chapter:
    """Read the chapter in `folder`.

    Raises:
        Problem: if a file is missing or cannot be read, or the lesson and the declarations contradict each other.
    """
    stamps = tuple((path, path.stat().st_mtime_ns) for path in chapter_files(folder))
    with _lock:  # several threads may read a chapter at once, and must get the same object
        return _read_chapter(folder.resolve(), stamps)


@lru_cache(maxsize=32)
def _read_chapter(folder: Path, stamps: tuple[tuple[Path, int], ...]) -> Chapter:
    declared = read_exercises(folder)
    chapter = Chapter(folder, _cells(folder), {exercise.name: exercise for exercise in declared})
    faults = list(_faults(chapter))
    if faults:
        raise Problem(f"{folder}:\n  " + "\n  ".join(faults))
    return chapter


def chapter_names(folder: Path) -> list[str]:
    """Return the names of the chapters in `folder`, sorted, without reading them."""
    return sorted(path.parent.name for path in folder.glob(f"*/{LESSON}"))


def read_chapters(folder: Path) -> list[Chapter]:
    """Read all chapters in `folder`, sorted by name."""
    return [read_chapter(folder / name) for name in chapter_names(folder)]


def neighbours(folder: Path) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return name and title of the chapters before and after the one in `folder`; ("", "") where there is none."""
    names = chapter_names(folder.parent)
    if folder.name not in names:
        return ("", ""), ("", "")
    place = names.index(folder.name)

    def named(other: int) -> tuple[str, str]:
        return (names[other], _title(folder.parent / names[other])) if 0 <= other < len(names) else ("", "")

    return named(place - 1), named(place + 1)


def _title(folder: Path) -> str:
    """Return the title of the lesson in `folder`. Nothing is imported for it."""
    return Chapter(folder, _cells(folder), {}).title


def _cells(folder: Path) -> tuple[NotebookNode, ...]:
    """Return the cells of the lesson in `folder`."""
    lesson = folder / LESSON
    return _read_cells(lesson, lesson.stat().st_mtime_ns)


@lru_cache(maxsize=32)  # for the chapter, and for the title in the links of each neighbour's notebooks
def _read_cells(lesson: Path, stamp: int) -> tuple[NotebookNode, ...]:
    return tuple(lesson_cells(lesson))


def _faults(chapter: Chapter) -> Iterator[str]:
    """Yield the author's mistakes in words, before they cause confusing errors."""
    if list(chapter.reference) != list(chapter.exercises):
        yield (
            f"{LESSON} has the exercises {', '.join(chapter.reference)}; "
            f"{PACKAGE} declares {', '.join(chapter.exercises)}"
        )
        return
    checks = [cell.metadata["check"] for cell in chapter.cells if "check" in cell.metadata]
    wanted = [f"{name}.{check}" for name in chapter.exercises for check in Check]
    for name in wanted:
        if checks.count(name) != 1:
            yield f"{name}: there must be exactly one check cell with this name"
    for name in checks:
        if name not in wanted:
            yield f"{name}: no exercise has a check of this name"
    for exercise, misconception in chapter.misconceptions():
        found = chapter.reference[exercise.name].count(misconception.replace)
        if found != 1:
            yield (
                f"{exercise.name}, misconception {misconception.name!r}: the text to replace occurs "
                f"{found} times in the reference solution, and must occur exactly once"
            )
