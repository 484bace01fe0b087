"""Reads a chapter's folder, `lesson.py` and the exercises declared beside it, into one `Chapter`.

The builder, the judge and the demo all start from here. Reading a chapter runs its own code (imports, reference
solutions, declarations), which its author wrote; it never sees a learner's.
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

from manyheads.checking.exam import CHECKS

from ..problems import Problem
from .exercise_files import PACKAGE, exercise_files, read_exercises
from .lesson_cells import lesson_cells
from .stand_ins import self_contained

if TYPE_CHECKING:  # they take seconds to import, and not everything that knows of chapters reads one
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
        exercise: what it checks.
        check: "shapes" or "outputs".
        points: what it is worth.
    """

    exercise: str
    check: str
    points: float

    @property
    def marker(self) -> str:
        """The name that stands in the cell's source: metadata does not survive everywhere."""
        return f"{self.exercise}.{self.check}"

    @property
    def grade_id(self) -> str:
        """nbgrader's name for the cell. The formgrader cannot select an element with a dot in its name."""
        return f"{self.exercise}-{self.check}"


@dataclass(frozen=True, eq=False)
class Chapter:
    """One chapter.

    Args:
        folder: where it was read from; its name is the assignment's name.
        cells: the lesson's cells as jupytext reads them, with `exercise`, `check`, `points`, `role` in metadata.
        exercises: what is declared of each exercise, by name, in the lesson's order.
    """

    folder: Path
    cells: tuple[NotebookNode, ...]
    exercises: Mapping[str, Exercise]

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def title(self) -> str:
        """The lesson's first heading, without its mark."""
        lines = (line for cell in self.cells if cell.cell_type == "markdown" for line in cell.source.splitlines())
        return next((line[2:].strip() for line in lines if line.startswith("# ")), self.name)

    @cached_property
    def reference(self) -> Mapping[str, str]:
        """The reference solution's cell by exercise, without solution marks."""
        return {
            cell.metadata["exercise"]: _SOLUTION_MARK.sub("", cell.source)
            for cell in self.cells
            if "exercise" in cell.metadata
        }

    @cached_property
    def imports(self) -> str:
        """Source of the cell that every exercise relies on."""
        return "\n".join(cell.source for cell in self.cells if cell.metadata.get("role") == "imports")

    @cached_property
    def graded_cells(self) -> tuple[GradedCell, ...]:
        """The graded cells in the lesson's order."""
        return tuple(
            GradedCell(*cell.metadata["check"].split("."), points=cell.metadata["points"])
            for cell in self.cells
            if "check" in cell.metadata
        )

    def cells_of(self, exercise: str) -> list[GradedCell]:
        """Return the graded cells that check `exercise`."""
        return [cell for cell in self.graded_cells if cell.exercise == exercise]

    def graded_cell(self, grade_id: str) -> GradedCell | None:
        """Return the graded cell with nbgrader's name `grade_id`, or None."""
        return self._graded.get(grade_id)

    @cached_property
    def _graded(self) -> Mapping[str, GradedCell]:
        return {cell.grade_id: cell for cell in self.graded_cells}

    def namespace(self, changed: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Run the imports and the reference solutions, and return the names they define.

        Args:
            changed: source by exercise, in place of the reference's.
        """
        from manyheads import earlier
        from manyheads.calling.forbidden_calls import compiled

        names: dict[str, Any] = {"__name__": f"{self.name}.reference"}
        sources = {"imports": self.imports, **self.reference, **(changed or {})}
        with earlier.given(self.earlier):
            for label, source in sources.items():
                file = f"<{self.name}: {label}, {zlib.crc32(source.encode()):08x}>"
                # As of a cell of a notebook: `manyheads.calling.cause` reads there what failed.
                linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
                exec(compiled(source, file), names)
        return names

    @cached_property
    def stand_ins(self) -> Mapping[str, str]:
        """Source that defines a working object, imports included, by exercise: what others that build on it get."""
        cells = {"imports": self.imports, **self.reference}
        found = {
            name: self_contained(name, cells) if exercise.stand_in is None else exercise.stand_in
            for name, exercise in self.exercises.items()
        }
        return {name: source for name, source in found.items() if source}

    @cached_property
    def earlier(self) -> Mapping[str, str]:
        """The stand-ins of the chapters before this one, by exercise: what `manyheads.earlier` gives it."""
        before = [path for path in sorted(self.folder.parent.glob(f"*/{LESSON}")) if path.parent.name < self.name]
        return {name: source for path in before for name, source in read_chapter(path.parent).stand_ins.items()}

    def mistaken(self, exercise: str, misconception: Misconception) -> str:
        """Return the reference solution of `exercise` with one known mistake made."""
        return self.reference[exercise].replace(misconception.replace, misconception.by)

    def misconceptions(self) -> Iterator[tuple[Exercise, Misconception]]:
        """Every declared mistake with its exercise."""
        for exercise in self.exercises.values():
            for misconception in exercise.misconceptions:
                yield exercise, misconception

    def alternatives(self) -> Iterator[tuple[Exercise, Alternative]]:
        """Every declared right solution with its exercise."""
        for exercise in self.exercises.values():
            for alternative in exercise.alternatives:
                yield exercise, alternative


def chapter_files(folder: Path) -> list[Path]:
    """Return all files that the chapter in `folder` is read from: the lesson first, then what declares its exercises.

    Raises:
        Problem: if one is missing.
    """
    if not (folder / LESSON).is_file():
        raise Problem(f"{folder} is no chapter: {LESSON} is missing there")
    return [folder / LESSON, *exercise_files(folder)]


def read_chapter(folder: Path) -> Chapter:
    """Read the chapter in `folder`.

    Raises:
        Problem: if a file is missing or cannot be read, or the lesson and its declarations do not fit together.
    """
    stamps = tuple((path, path.stat().st_mtime_ns) for path in chapter_files(folder))
    with _lock:  # several submissions of a chapter may want it at once, and it is to be one object for all
        return _read_chapter(folder.resolve(), stamps)


@lru_cache(maxsize=32)
def _read_chapter(folder: Path, stamps: tuple[tuple[Path, int], ...]) -> Chapter:
    declared = read_exercises(folder)
    chapter = Chapter(folder, tuple(lesson_cells(folder / LESSON)), {exercise.name: exercise for exercise in declared})
    faults = list(_faults(chapter))
    if faults:
        raise Problem(f"{folder}:\n  " + "\n  ".join(faults))
    return chapter


def read_chapters(folder: Path) -> list[Chapter]:
    """Read all chapters below `folder`, in the order of their names."""
    return [read_chapter(path.parent) for path in sorted(folder.glob(f"*/{LESSON}"))]


def _faults(chapter: Chapter) -> Iterator[str]:
    """Say what an author got wrong, before anything confusing comes of it."""
    if list(chapter.reference) != list(chapter.exercises):
        yield (
            f"{LESSON} has the exercises {', '.join(chapter.reference)}; "
            f"{PACKAGE} declares {', '.join(chapter.exercises)}"
        )
        return
    checks = [(cell.exercise, cell.check) for cell in chapter.graded_cells]
    for wanted in ((name, check) for name in chapter.exercises for check in CHECKS):
        if checks.count(wanted) != 1:
            yield f"{'.'.join(wanted)}: there must be exactly one such check cell"
    for exercise, misconception in chapter.misconceptions():
        found = chapter.reference[exercise.name].count(misconception.replace)
        if found != 1:
            yield (
                f"{exercise.name}, misconception {misconception.name!r}: the text to replace stands "
                f"{found} times in the reference solution, and must stand there once"
            )
