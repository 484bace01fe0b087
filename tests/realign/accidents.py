"""Everyday accidents with a notebook: for each, how it happens, the points that it must cost, and the repairs.

They start from a chapter's release with its reference solutions, and refer to exercises by their position in the
chapter.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from autograder.course.chapter import Chapter
from autograder.course.notebooks import exercise_cell, set_solution
from autograder.realign.repairs import Kind


@dataclass(frozen=True)
class Accident:
    """One accident.

    Args:
        happen: changes the solved notebook; the chapter says what it is about.
        repairs: the kinds of repair that must be reported, all of them.
        lost: exercises, by their place in the chapter, that are worth nothing after it.
    """

    happen: Callable[[NotebookNode, Chapter], None]
    repairs: frozenset[str]
    lost: tuple[int, ...] = ()


def _name(chapter: Chapter, place: int) -> str:
    return list(chapter.exercises)[place]


def _at(notebook: NotebookNode, name: str) -> int:
    return next(place for place, cell in enumerate(notebook.cells) if cell.get("id") == name)


def _copy_of(cell: NotebookNode) -> NotebookNode:
    again = copy.deepcopy(cell)
    again.id = f"copy-of-{cell.id}"
    return again


def _exercise_copied_below(notebook: NotebookNode, chapter: Chapter) -> None:
    cell = exercise_cell(notebook, _name(chapter, 0))
    again = _copy_of(cell)
    cell.source = cell.source.replace("return", "return None  #")  # an attempt that was left standing
    notebook.cells.append(again)


def _stub_pasted_again(notebook: NotebookNode, chapter: Chapter, stub: str = "") -> None:
    name = _name(chapter, 1)
    header = chapter.reference[name].partition('"""')[0]
    doc = chapter.reference[name].split('"""')[1]
    source = f'# exercise: {name}\n{header}"""{doc}"""\n    # YOUR CODE HERE\n    raise NotImplementedError()'
    again = _copy_of(exercise_cell(notebook, name))
    again.source = source
    notebook.cells.append(again)


def _whole_section_copied(notebook: NotebookNode, chapter: Chapter) -> None:
    place = _at(notebook, _name(chapter, 0))
    notebook.cells[place + 3 : place + 3] = [_copy_of(cell) for cell in notebook.cells[place : place + 3]]


def _checks_deleted(notebook: NotebookNode, chapter: Chapter) -> None:
    gone = {cell.grade_id for cell in chapter.graded_cells[1:6]}
    notebook.cells = [cell for cell in notebook.cells if cell.id not in gone]


def _exercise_deleted(notebook: NotebookNode, chapter: Chapter) -> None:
    del notebook.cells[_at(notebook, _name(chapter, -1))]


def _imports_deleted(notebook: NotebookNode, chapter: Chapter) -> None:
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip() != chapter.imports.strip()]


def _exercise_moved_to_the_end(notebook: NotebookNode, chapter: Chapter) -> None:
    notebook.cells.append(notebook.cells.pop(_at(notebook, _name(chapter, 0))))


def _exercise_moved_to_the_top(notebook: NotebookNode, chapter: Chapter) -> None:
    notebook.cells.insert(0, notebook.cells.pop(_at(notebook, _name(chapter, -1))))


def _cut_in(notebook: NotebookNode, name: str, line: int) -> None:
    place = _at(notebook, name)
    cell = notebook.cells[place]
    second = _copy_of(cell)
    lines = cell.source.split("\n")
    cell.source, second.source = "\n".join(lines[:line]).rstrip("\n"), "\n".join(lines[line:]).lstrip("\n")
    notebook.cells.insert(place + 1, second)


def _split_in_the_middle(notebook: NotebookNode, chapter: Chapter) -> None:
    name = _name(chapter, 0)
    _cut_in(notebook, name, exercise_cell(notebook, name).source.rstrip().count("\n"))


def _helper_split_off(notebook: NotebookNode, chapter: Chapter) -> None:
    name = _name(chapter, 0)
    cell = exercise_cell(notebook, name)
    cell.source = f"# exercise: {name}\ndef my_helper(x):\n    return x\n\n\n" + chapter.reference[name]
    _cut_in(notebook, name, 5)


def _merge(notebook: NotebookNode, first: int, count: int) -> None:
    cells = notebook.cells[first : first + count]
    cells[0].source = "\n\n".join(cell.source for cell in cells)
    del notebook.cells[first + 1 : first + count]


def _merged_with_its_checks(notebook: NotebookNode, chapter: Chapter) -> None:
    _merge(notebook, _at(notebook, _name(chapter, 0)), 3)


def _merged_with_the_prose_below(notebook: NotebookNode, chapter: Chapter) -> None:
    first = _at(notebook, _name(chapter, 0))
    after = next(place for place in range(first, len(notebook.cells)) if notebook.cells[place].cell_type == "markdown")
    _merge(notebook, first, after - first + 1)


def _all_exercises_in_one_cell(notebook: NotebookNode, chapter: Chapter) -> None:
    """Everything is written in one cell of the learner's own; the stubs are left as they were below."""
    together = new_code_cell("\n\n\n".join(chapter.reference.values()), id="all-in-one")
    for name, place in ((name, _at(notebook, name)) for name in chapter.exercises):
        notebook.cells[place].source = STUBS[chapter.name, name]
    notebook.cells.insert(3, together)


def _only_the_definitions(notebook: NotebookNode, chapter: Chapter) -> None:
    """A script: the imports and the functions, nothing else of the notebook."""
    sources = [chapter.imports, *chapter.reference.values()]
    notebook.cells = [new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)]


def _metadata_gone(notebook: NotebookNode, chapter: Chapter) -> None:
    for number, cell in enumerate(notebook.cells):
        cell.metadata, cell.id = NotebookNode(), f"new-{number}"


def _ids_gone(notebook: NotebookNode, chapter: Chapter) -> None:
    notebook.nbformat_minor = 4
    for cell in notebook.cells:
        del cell["id"]


def _metadata_and_markers_gone(notebook: NotebookNode, chapter: Chapter) -> None:
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
        cell.source = re.sub(r"^# (exercise|grade): .*\n", "", cell.source)


def _markers_damaged(notebook: NotebookNode, chapter: Chapter) -> None:
    _metadata_gone(notebook, chapter)
    for cell in notebook.cells:
        cell.source = re.sub(r"^# (exercise|grade): ", r"#\1 ", cell.source)


def _types_changed(notebook: NotebookNode, chapter: Chapter) -> None:
    for name, make in ((_name(chapter, 0), new_markdown_cell), (_name(chapter, 1), new_raw_cell)):
        place = _at(notebook, name)
        cell = notebook.cells[place]
        notebook.cells[place] = make(cell.source, id=cell.id, metadata=cell.metadata)


def _checks_edited(notebook: NotebookNode, chapter: Chapter) -> None:
    for cell in chapter.graded_cells:
        notebook.cells[_at(notebook, cell.grade_id)].source = f"# grade: {cell.marker}\nassert True"


def _kernel_renamed(notebook: NotebookNode, chapter: Chapter) -> None:
    notebook.metadata.kernelspec = {"display_name": "Torch (mine)", "name": "conda-env-torch-py", "language": "python"}


def _saved_by_colab(notebook: NotebookNode, chapter: Chapter) -> None:
    notebook.nbformat_minor = 0
    notebook.metadata.colab = {"provenance": [], "gpuType": "T4", "toc_visible": True}
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"abc": {"model_name": "HBoxModel"}}}
    for cell in notebook.cells:
        cell.metadata = {"id": cell.pop("id")}
        if cell.cell_type == "code":
            cell.metadata |= {"outputId": "5c01", "executionInfo": {"status": "ok", "elapsed": 12, "user": {}}}


def _saved_by_vs_code(notebook: NotebookNode, chapter: Chapter) -> None:
    notebook.nbformat_minor = 2
    notebook.metadata.kernelspec = {"display_name": ".venv (3.11.9)", "language": "python", "name": "python3"}
    for cell in notebook.cells:
        del cell["id"]
        cell.metadata = {"vscode": {"languageId": "python"}} if cell.cell_type == "code" else {}


def _tagged(notebook: NotebookNode, chapter: Chapter) -> None:
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution"]


def _an_older_release(notebook: NotebookNode, chapter: Chapter) -> None:
    check = notebook.cells[_at(notebook, chapter.graded_cells[0].grade_id)]
    check.source += "\ncheck.device(what_was_checked_then)"
    old = new_code_cell("# grade: what_was_asked_then.shapes\ncheck.shapes(what_was_asked_then)", id="old")
    old.metadata["nbgrader"] = {**check.metadata.nbgrader, "grade_id": "what_was_asked_then-shapes"}
    notebook.cells.append(old)
    newest = chapter.graded_cells[-1].grade_id
    notebook.cells = [cell for cell in notebook.cells if cell.id != newest]


def _empty_cells_between(notebook: NotebookNode, chapter: Chapter) -> None:
    for place in range(len(notebook.cells), 0, -3):
        notebook.cells.insert(place, new_code_cell("", id=f"empty-{place}"))


def _nothing(notebook: NotebookNode, chapter: Chapter) -> None:
    pass


STUBS: dict[tuple[str, str], str] = {}  # the released stub by chapter and exercise, filled by `solved`


def solved(release: NotebookNode, chapter: Chapter) -> NotebookNode:
    """Return `release` with the reference solutions in it."""
    notebook = copy.deepcopy(release)
    for name, source in chapter.reference.items():
        STUBS[chapter.name, name] = exercise_cell(notebook, name).source
        set_solution(notebook, name, source)
    return notebook


def _mends(*kinds: str) -> frozenset[str]:
    return frozenset(kinds)


ACCIDENTS = {
    "nothing": Accident(_nothing, _mends()),
    "exercise-copied-below": Accident(_exercise_copied_below, _mends(Kind.DUPLICATE, Kind.MOVED)),
    "stub-pasted-again": Accident(_stub_pasted_again, _mends(Kind.DUPLICATE)),
    "section-copied": Accident(_whole_section_copied, _mends(Kind.DUPLICATE)),
    "checks-deleted": Accident(_checks_deleted, _mends(Kind.MISSING)),
    "exercise-deleted": Accident(_exercise_deleted, _mends(Kind.MISSING), lost=(-1,)),
    "imports-deleted": Accident(_imports_deleted, _mends(Kind.MISSING)),
    "moved-to-the-end": Accident(_exercise_moved_to_the_end, _mends(Kind.MOVED)),
    "moved-to-the-top": Accident(_exercise_moved_to_the_top, _mends(Kind.MOVED)),
    "split-in-the-middle": Accident(_split_in_the_middle, _mends(Kind.SPLIT)),
    "helper-split-off": Accident(_helper_split_off, _mends(Kind.SPLIT)),
    "merged-with-its-checks": Accident(_merged_with_its_checks, _mends(Kind.MERGED, Kind.RECOGNISED)),
    "merged-with-prose": Accident(_merged_with_the_prose_below, _mends(Kind.MERGED, Kind.RECOGNISED)),
    "all-in-one-cell": Accident(
        _all_exercises_in_one_cell, _mends(Kind.MERGED, Kind.DUPLICATE, Kind.RECOGNISED)
    ),
    "only-definitions": Accident(_only_the_definitions, _mends(Kind.MISSING, Kind.RECOGNISED)),
    "metadata-gone": Accident(_metadata_gone, _mends(Kind.RECOGNISED)),
    "ids-gone": Accident(_ids_gone, _mends(Kind.FORMAT)),
    "metadata-and-markers-gone": Accident(
        _metadata_and_markers_gone, _mends(Kind.RECOGNISED)
    ),
    "markers-damaged": Accident(_markers_damaged, _mends(Kind.RECOGNISED, Kind.CHECK_EDITED)),
    "types-changed": Accident(_types_changed, _mends(Kind.CELL_TYPE)),
    "checks-edited": Accident(_checks_edited, _mends(Kind.CHECK_EDITED)),
    "kernel-renamed": Accident(_kernel_renamed, _mends(Kind.KERNEL)),
    "saved-by-colab": Accident(_saved_by_colab, _mends(Kind.FORMAT, Kind.RECOGNISED)),
    "saved-by-vs-code": Accident(_saved_by_vs_code, _mends(Kind.FORMAT, Kind.RECOGNISED)),
    "tagged": Accident(_tagged, _mends(Kind.METADATA)),
    "older-release": Accident(
        _an_older_release, _mends(Kind.CHECK_EDITED, Kind.UNKNOWN, Kind.MISSING)
    ),
    "empty-cells": Accident(_empty_cells_between, _mends()),
}  # fmt: skip
