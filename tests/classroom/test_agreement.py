"""Questions and points that an instructor changes in `source/` count as they are in the gradebook."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest

from autograder.classroom.agreement import differences
from autograder.classroom.class_folder import ClassFolder, _generate
from autograder.classroom.graded_points import max_points
from autograder.classroom.results import class_results
from autograder.course.chapter import Chapter
from autograder.course.notebooks import cell_metadata, grade_id, read_text, to_text
from autograder.realign.realign import realign
from autograder.realign.release import release_in_class
from autograder.realign.repairs import Kind
from tests.support.toy import TOY


@pytest.fixture(scope="module")
def changed(new_toy_class: ClassFolder, tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    """A class whose instructor has added a question of 4 points, and made a check worth 2 more."""
    folder = ClassFolder(shutil.copytree(new_toy_class.root, tmp_path_factory.mktemp("changed") / "class"))
    source: Path = folder.root / "source" / TOY / f"{TOY}.ipynb"
    notebook = read_text(source)
    question = nbformat.v4.new_markdown_cell("Explain it.", id="explain")
    question.metadata["nbgrader"] = {
        **cell_metadata("explain", 4),
        "solution": True,
        "locked": False,
        "cell_type": "markdown",
    }
    notebook.cells.append(question)
    check = next(cell for cell in notebook.cells if grade_id(cell) == "scale_rows-shapes")
    check.metadata["nbgrader"]["points"] += 2
    source.write_text(to_text(notebook), encoding="utf-8")
    _generate(folder, TOY)
    return folder


def test_points_are_the_gradebooks_and_differences_are_reported(changed: ClassFolder, toy: Chapter) -> None:
    worth = max_points(changed.gradebook_url, TOY)
    assert differences(toy, worth) == [
        "explain (4 points) is not in solutions/, so it is not judged: grade it by hand in the formgrader",
        "scale_rows-shapes is worth 3 points in the gradebook, but 1 in solutions/: the gradebook's count",
    ]
    assert differences(toy, {cell.grade_id: cell.points for cell in toy.graded_cells}) == differences(toy, {}) == []
    results = class_results(changed, TOY)
    assert results.points["scale_rows"] == sum(cell.points for cell in toy.cells_of("scale_rows")) + 2
    assert results.max_score == sum(cell.points for cell in toy.graded_cells) + 6


def test_the_answer_to_a_question_stays_where_it_is_graded(changed: ClassFolder) -> None:
    release = release_in_class(changed.chapter(TOY))
    notebook = read_text(changed.root / "release" / TOY / f"{TOY}.ipynb")
    question = next(cell for cell in notebook.cells if grade_id(cell) == "explain")
    question.source = "Because."
    notebook.cells.append(nbformat.from_dict({**question, "id": "copy"}))
    done = realign(notebook, release)
    assert [cell.source for cell in done.notebook.cells if grade_id(cell) == "explain"] == ["Because."]
    assert Kind.UNKNOWN not in {found.kind for found in done.repairs}
