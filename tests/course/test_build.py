"""`autograder build` makes the same bytes every time, and knows what is stale."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch

from autograder.course import build
from autograder.course import exams as examiner
from autograder.course.chapter import Chapter
from autograder.course.notebooks import exercise_cell, released_notebook, solved_notebook, to_text
from autograder.problems import Problem
from manyheads.calling import wire
from tests.support.real_course import chapters
from tests.support.toy import TOY

LESSON, EXERCISES = f"solutions/{TOY}/lesson.py", f"solutions/{TOY}/exercises"


def edit(path: Path, replace: str, by: str) -> None:
    text = path.read_text()
    assert text.count(replace) >= 1
    path.write_text(text.replace(replace, by))


def test_two_builds_give_the_same_bytes(toy_root: Path) -> None:
    first = {derived.path: derived.content for derived in build.derive(toy_root)}
    examiner._exams.cache_clear()  # what the second build draws is drawn anew
    second = {derived.path: derived.content for derived in build.derive(toy_root)}
    assert first == second
    assert len(first) == 5


def test_a_fresh_build_is_not_stale_and_writes_nothing_twice(toy_root: Path) -> None:
    assert len(build.build(toy_root)) == 5
    assert build.stale(toy_root) == []
    assert build.build(toy_root) == []


def test_one_chapter_can_be_built_alone(toy_root: Path) -> None:
    assert len(build.build(toy_root, [TOY])) == 3
    assert build.stale(toy_root, [TOY]) == []
    assert [path.name for path in build.stale(toy_root)] == ["chapters.json", "README.md"]
    with pytest.raises(Problem, match="is not a chapter"):
        build.build(toy_root, ["99_other"])


def test_the_contents_page_counts_exercises_minutes_and_points(toy_root: Path) -> None:
    edit(
        toy_root / LESSON,
        "![A picture",
        "## Rows <sub>7 min · difficulty 2/5</sub>\n\n## Quiz <sub>3 min</sub>\n\n![A picture",
    )
    build.build(toy_root)
    chapters = json.loads((toy_root / "manyheads" / "fixtures" / "chapters.json").read_text())
    assert chapters == {TOY: {"title": "0 · Rows", "minutes": 10}}
    page = (toy_root / "notebooks" / "README.md").read_text()
    assert f"| [0 · Rows]({TOY}/{TOY}.ipynb) | 3 | 10 | 9 |" in page
    assert "- Rows (7 min, difficulty 2 of 5)" in page
    assert "`scale_rows` 3, `row_sums` 3, `RowLayer` 3" in page


def test_a_changed_lesson_makes_its_notebooks_stale(toy_root: Path) -> None:
    build.build(toy_root)
    edit(toy_root / LESSON, "the end", "the very end")
    assert [path.name for path in build.stale(toy_root)] == [f"{TOY}.ipynb", f"{TOY}.ipynb"]


def test_a_changed_hint_makes_the_fixtures_stale(toy_root: Path) -> None:
    build.build(toy_root)
    edit(toy_root / EXERCISES / "scale_rows.py", "Rows are multiplied.", "Multiply the rows.")
    assert [path.name for path in build.stale(toy_root)] == [f"{TOY}.safetensors"]


@pytest.mark.slow
def test_a_changed_picture_makes_notebooks_stale_and_a_changed_home_the_contents_page_too(toy_root: Path) -> None:
    build.build(toy_root)
    edit(toy_root / "solutions" / TOY / "pictures" / "row.svg", "40", "50")
    assert len(build.stale(toy_root)) == 2
    build.build(toy_root)
    edit(toy_root / "pyproject.toml", "somebody/a-fork", "another/fork")
    assert [path.suffix for path in build.stale(toy_root)] == [".ipynb", ".ipynb", ".md"]


def test_a_notebook_edited_by_hand_and_one_without_chapter_are_stale(toy_root: Path) -> None:
    build.build(toy_root)
    notebook = toy_root / "notebooks" / TOY / f"{TOY}.ipynb"
    edit(notebook, "the end", "my end")
    leftover = toy_root / "notebooks" / "07_gone" / "07_gone.ipynb"
    leftover.parent.mkdir()
    leftover.write_text("{}")
    assert build.stale(toy_root) == [notebook, leftover]


def test_a_fixture_that_rounds_differently_is_not_stale_and_one_with_other_numbers_is(toy_root: Path) -> None:
    build.build(toy_root)
    path = toy_root / "manyheads" / "fixtures" / f"{TOY}.safetensors"
    document, tensors = wire.load(path)
    # As a product does on another processor: a small entry may be off by what rounds away in the large ones.
    rounded = {name: t + 5e-7 * t.abs().max() if t.is_floating_point() else t for name, t in tensors.items()}
    assert any(not torch.equal(rounded[name], tensors[name]) for name in tensors)
    wire.save(path, document, rounded)
    assert build.stale(toy_root) == []
    # Numbers that are equal here, and stored once, may differ by rounding there.
    apart: dict[str, torch.Tensor] = {}
    wire.save(path, _each_its_own(document, tensors, apart), apart)
    assert len(apart) > len(tensors)
    assert build.stale(toy_root) == []
    wire.save(path, document, {name: t * 1.01 for name, t in tensors.items()})
    assert build.stale(toy_root) == [path]
    path.write_bytes(b"damaged")
    assert build.stale(toy_root) == [path]


def _each_its_own(document: Any, tensors: dict[str, torch.Tensor], apart: dict[str, torch.Tensor]) -> Any:
    """Return the document with a tensor of its own at each place; put the tensors into `apart`."""
    if isinstance(document, list):
        return [_each_its_own(part, tensors, apart) for part in document]
    if not isinstance(document, dict):
        return document
    if document.keys() == {"tensor"}:
        name = str(len(apart))
        apart[name] = tensors[document["tensor"]].clone()
        return {"tensor": name}
    return {key: _each_its_own(part, tensors, apart) for key, part in document.items()}


@pytest.mark.parametrize(
    ("file", "replace", "by", "says"),
    [
        (f"{EXERCISES}/scale_rows.py", '"x * factors", "x + factors"', '"x * nothing", "x"', "0 times"),
        (f"{EXERCISES}/scale_rows.py", '"x * factors", "x + factors"', '"factors", "x"', "times in the ref"),
        (f"{EXERCISES}/row_sums.py", 'name="row_sums"', 'name="sums"', "declares scale_rows, sums, RowLayer"),
        (LESSON, 'check="row_sums.outputs"', 'check="row_sums.shapes"', "row_sums.outputs: there must be exactly one"),
        (LESSON, "pictures/row.svg", "pictures/column.svg", "no such picture"),
    ],
)
def test_an_authors_error_is_named(toy_root: Path, file: str, replace: str, by: str, says: str) -> None:
    edit(toy_root / file, replace, by)
    with pytest.raises(Problem, match=says):
        list(build.derive(toy_root))


def test_a_course_without_chapters_is_named(toy_root: Path) -> None:
    shutil.rmtree(toy_root / "solutions")
    with pytest.raises(Problem, match="no chapter"):
        build.build(toy_root)


@pytest.mark.slow
@chapters
def test_the_release_holds_no_solution_and_no_output(chapter: Chapter) -> None:
    released = released_notebook(solved_notebook(chapter, "owner/name", "v1"))
    text = to_text(released)
    assert "BEGIN SOLUTION" not in text
    for exercise in chapter.exercises:
        assert "raise NotImplementedError()" in exercise_cell(released, exercise).source
        assert f"# exercise: {exercise}\n" in exercise_cell(released, exercise).source
    for cell in released.cells:
        assert not cell.get("outputs")
    nbformat.validate(released)


@pytest.mark.slow
@chapters
def test_graded_cells_carry_their_marker_beside_the_metadata(chapter: Chapter) -> None:
    released = released_notebook(solved_notebook(chapter, "owner/name", "v1"))
    graded = [cell for cell in released.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert [cell.source.splitlines()[0] for cell in graded] == [
        f"# grade: {cell.marker}" for cell in chapter.graded_cells
    ]
    assert [cell.metadata.nbgrader.grade_id for cell in graded] == [cell.grade_id for cell in chapter.graded_cells]


@pytest.mark.slow
@chapters
def test_pictures_travel_inside_the_notebook_and_the_set_up_cell_names_the_fork(chapter: Chapter) -> None:
    released = released_notebook(solved_notebook(chapter, "owner/name", "v9.8"))
    # VS Code refuses an SVG as a picture of Markdown's own, and shows its code.
    shown = [cell.source for cell in released.cells if cell.cell_type == "markdown" and "data:image/svg" in cell.source]
    assert shown
    for source in shown:
        assert "data:image/svg" not in re.sub(
            r'<img alt="[^"<>]+" src="data:image/svg\+xml;base64,[^"<>]+">', "", source
        )
    assert "pictures/" not in to_text(released)
    assert "github.com/owner/name@v9.8" in released.cells[1].source
    assert json.loads(to_text(released))["metadata"]["colab"]["gpuType"] == "T4"
