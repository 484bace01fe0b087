"""A chapter's released notebook, indexed by everything that identifies its cells in a submission."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

from nbformat import NotebookNode

from ..course.chapter import Chapter
from ..course.notebooks import EXERCISE_PREFIX, GRADE_PREFIX, grade_id, read_text, released_notebook, solved_notebook
from ..notebook.outline import meaning, outline

_CHECK_NAME = re.compile(r"\s*#*\s*\w{0,12}\s*:?\s*([A-Za-z_]\w*\.\w+)\s*$")
_MARKER = re.compile(r"\s*#*\s*(exercise|grade)\b\s*:?\s*([\w.-]+)\s*$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Slot:
    """One released cell, for which a cell of the submission is sought.

    Args:
        index: its index in the release.
        cell: the released cell itself.
        name: nbgrader's id of it; "" for a cell that nbgrader does not know.
        exercise: the exercise that is written or checked in it; "" for other cells.
        checks: whether it is a check of `exercise`.
        imports: whether it is code that consists of imports.
    """

    index: int
    cell: NotebookNode
    name: str
    exercise: str
    checks: bool
    imports: bool

    @property
    def body(self) -> str:
        """The source without the marker."""
        return _without_marker(self.cell.source) if self.name else self.cell.source.strip()

    def is_stub_in(self, source: str) -> bool:
        """Whether `source` defines the exercise exactly as the released stub does, whatever else it contains."""
        written = meaning(source, self.exercise)
        return bool(written) and written == meaning(self.cell.source, self.exercise)

    @cached_property
    def stub(self) -> str:
        """The digest of the released code, see `Outline.code`."""
        return outline(self.cell.source).code


@dataclass(frozen=True, eq=False)
class Release:
    """A released notebook, with indices of its cells.

    Args:
        notebook: the notebook.
        slots: its cells.
        questions: cells that only the class's own release has, by nbgrader's id: an instructor added them and grades
            them by hand.
    """

    notebook: NotebookNode
    slots: tuple[Slot, ...]
    questions: Mapping[str, NotebookNode] = field(default_factory=dict)

    @cached_property
    def exercises(self) -> Mapping[str, Slot]:
        """The cells of exercises, by exercise, in the release's order."""
        return {slot.exercise: slot for slot in self.slots if slot.exercise and not slot.checks}

    @cached_property
    def checks(self) -> tuple[Slot, ...]:
        """The check cells in the release's order."""
        return tuple(slot for slot in self.slots if slot.checks)

    @cached_property
    def by_name(self) -> Mapping[str, Slot]:
        """The cells that nbgrader knows, by its ids."""
        return {slot.name: slot for slot in self.slots if slot.name}

    @cached_property
    def by_id(self) -> Mapping[str, Slot]:
        return {slot.cell.id: slot for slot in self.slots if slot.cell.get("id")}

    @cached_property
    def by_body(self) -> Mapping[str, Slot]:
        """All cells except exercises, by their source without the marker."""
        return {slot.body: slot for slot in self.slots if slot.checks or not slot.exercise}

    @cached_property
    def _by_marker(self) -> Mapping[tuple[str, str], Slot]:
        found = {}
        for slot in self.by_name.values():
            kind, name = marker(slot.cell.source.partition("\n")[0]) or ("", "")
            found[kind, name.lower()] = slot
        return found

    def marked(self, line: str) -> Slot | None:
        """Return the cell of the marker comment `line`, which may be slightly damaged; None if it is not a marker."""
        found = _lenient_marker(line)
        return self._by_marker.get(found) if found else None


@lru_cache(maxsize=4096)  # most lines occur in every submission
def _lenient_marker(line: str) -> tuple[str, str] | None:
    """Like `marker`, but lower-cases the name, and accepts a line with only a check's name ("split_heads.outputs")."""
    found = marker(line)
    if found is None and len(line) < 200 and (name := _CHECK_NAME.match(line)):
        found = ("grade", name[1])
    return (found[0], found[1].lower()) if found else None


def marker(line: str) -> tuple[str, str] | None:
    """Return ("exercise" or "grade", name) if `line` is a marker comment, which may be damaged; else None."""
    found = _MARKER.match(line) if len(line) < 200 else None
    return (found[1].lower(), found[2]) if found else None


def read_release(notebook: NotebookNode) -> Release:
    """Return the released `notebook` with its slots."""
    return Release(notebook, tuple(_slots(notebook)))


@lru_cache(maxsize=32)
def release_of(chapter: Chapter) -> Release:
    """Return the release of `chapter`. Its set-up cell has no URL, because realignment never restores that cell."""
    return read_release(released_notebook(solved_notebook(chapter, repository="", tag="")))


def release_in_class(chapter: Chapter) -> Release:
    """Return the release of a class's copy of a chapter, with the questions that its instructor added."""
    release = release_of(chapter)
    path = chapter.folder.parent.parent / "release" / chapter.name / f"{chapter.name}.ipynb"
    return replace(release, questions=_questions(path, path.stat().st_mtime_ns, release)) if path.is_file() else release


@lru_cache(maxsize=32)
def _questions(path: Path, changed: int, release: Release) -> Mapping[str, NotebookNode]:
    return {name: cell for cell in read_text(path).cells if (name := grade_id(cell)) and name not in release.by_name}


def _slots(notebook: NotebookNode) -> Iterator[Slot]:
    for index, cell in enumerate(notebook.cells):
        name, exercise = grade_id(cell), ""
        first_line = cell.source.partition("\n")[0]
        if name and first_line.startswith(EXERCISE_PREFIX):
            exercise = first_line.removeprefix(EXERCISE_PREFIX).strip()
        elif name and first_line.startswith(GRADE_PREFIX):
            exercise = first_line.removeprefix(GRADE_PREFIX).strip().partition(".")[0]
        yield Slot(
            index,
            cell,
            name if exercise else "",
            exercise,
            checks=bool(exercise) and bool(cell.metadata.nbgrader.get("grade")),
            imports=cell.cell_type == "code" and outline(cell.source).only_imports,
        )


def _without_marker(source: str) -> str:
    return source.partition("\n")[2].strip()
