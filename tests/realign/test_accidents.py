"""Everyday accidents, end to end: each gets the score that the work deserves, and the repairs are listed."""

from __future__ import annotations

import fnmatch
import html
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.classroom.class_folder import ClassFolder, new_class
from autograder.classroom.record import read_record
from autograder.classroom.results import class_results
from autograder.course.chapter import REPOSITORY_ROOT, Chapter, read_chapter
from autograder.course.notebooks import read_text, released_notebook, solved_notebook
from autograder.outcomes import Outcome
from autograder.realign.read_submission import Unreadable, read_submission
from autograder.realign.realign import realign
from autograder.realign.release import read_release
from autograder.realign.repairs import sentences
from autograder.report.report import write_report
from autograder.run.grade import grade
from tests.realign.accidents import ACCIDENTS, solved
from tests.support.nbgrader_command import nbgrader
from tests.support.real_course import CHAPTERS

FIRST = CHAPTERS[0]
every_accident = pytest.mark.parametrize("name", ACCIDENTS)
BY_NBGRADER = "s[ae]*"  # a section copied, and notebooks saved by other programs


def damaged(release: NotebookNode, chapter: Chapter, name: str) -> NotebookNode:
    notebook = solved(release, chapter)
    ACCIDENTS[name].happen(notebook, chapter)
    return notebook


@pytest.mark.slow
@every_accident
def test_an_accident_is_reported_as_what_it_is(name: str) -> None:
    release = released_notebook(solved_notebook(FIRST, "a/b", "v1"))
    done = realign(damaged(release, FIRST, name), read_release(release))
    assert {found.kind for found in done.repairs} == ACCIDENTS[name].repairs


def deserved(chapter: Chapter, name: str) -> float:
    exercises = list(chapter.exercises)
    lost = {exercises[place] for place in ACCIDENTS[name].lost}
    return sum(cell.points for cell in chapter.graded_cells if cell.exercise not in lost)


@pytest.fixture(scope="module")
def accident_class(tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    """A class in which every accident has happened to one learner, graded together."""
    folder = new_class(tmp_path_factory.mktemp("accidents") / "class", REPOSITORY_ROOT / "solutions")
    chapter = read_chapter(folder.solutions / FIRST.name)
    release = read_text(folder.root / "release" / FIRST.name / f"{FIRST.name}.ipynb")
    for name in ACCIDENTS:
        path = folder.notebook(name, FIRST.name)
        path.parent.mkdir(parents=True)
        path.write_text(nbformat.writes(damaged(release, chapter, name), version=nbformat.NO_CONVERT))
    grade(folder, FIRST.name, workers=2, progress=False)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_every_accident_has_the_score_it_deserves_and_its_repairs_on_record(accident_class: ClassFolder) -> None:
    rows = {learner.student: learner for learner in class_results(accident_class, FIRST.name).learners}
    got = {name: (row.outcome, row.score) for name, row in rows.items()}
    assert got == {name: (Outcome.GRADED, deserved(FIRST, name)) for name in ACCIDENTS}
    for name, accident in ACCIDENTS.items():
        record = read_record(accident_class.record_path(name, FIRST.name))
        assert record is not None
        assert {found.kind for found in record.repairs} == accident.repairs
        assert rows[name].repairs == tuple(sentences(record.repairs))


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_feedback_and_report_list_the_repairs(accident_class: ClassFolder) -> None:
    page = html.unescape(write_report(accident_class, [FIRST.name]).read_text(encoding="utf-8"))
    for name in ACCIDENTS:
        record = read_record(accident_class.record_path(name, FIRST.name))
        assert record is not None
        notebook = read_text(accident_class.autograded(name, FIRST.name))
        for sentence in sentences(record.repairs):
            assert sentence in notebook.cells[0].source
            assert sentence in page
        if not record.repairs:
            assert "Repaired" not in notebook.cells[0].source
    done = nbgrader(accident_class.root, "generate_feedback", FIRST.name, "--student", "saved-by-colab")
    assert done.returncode == 0, done.stderr
    feedback = accident_class.root / "feedback" / "saved-by-colab" / FIRST.name / f"{FIRST.name}.html"
    assert "Repaired before grading" in feedback.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.thorough
def test_nbgraders_own_autograde_gives_the_same_scores(accident_class: ClassFolder) -> None:
    before = {learner.student: learner for learner in class_results(accident_class, FIRST.name).learners}
    done = nbgrader(accident_class.root, "autograde", FIRST.name, "--student", BY_NBGRADER, "--force", timeout=600)
    assert done.returncode == 0, done.stderr
    after = {learner.student: learner for learner in class_results(accident_class, FIRST.name).learners}
    again = fnmatch.filter(ACCIDENTS, BY_NBGRADER)
    assert len(again) == 3
    for name in again:
        assert len(after[name].history) == len(before[name].history) + 1
        assert (after[name].score, after[name].repairs) == (before[name].score, before[name].repairs)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["metadata-gone", "markers-damaged", "only-definitions", "saved-by-colab", "ids-gone"])
def test_a_notebook_that_has_lost_its_names_is_taken_by_its_own_chapter_and_no_other(name: str, tmp_path: Path) -> None:
    path = tmp_path / "notebook.ipynb"
    release = released_notebook(solved_notebook(FIRST, "a/b", "v1"))
    path.write_text(nbformat.writes(damaged(release, FIRST, name), version=nbformat.NO_CONVERT))
    read_submission(path, FIRST)
    for other in CHAPTERS[1:]:
        with pytest.raises(Unreadable, match=f"not the notebook of {other.name}"):
            read_submission(path, other)


@pytest.mark.slow
def test_another_chapters_notebook_is_refused_also_with_an_exercise_of_this_one_pasted_in(tmp_path: Path) -> None:
    other = CHAPTERS[-1]
    notebook = solved(released_notebook(solved_notebook(other, "a/b", "v1")), other)
    notebook.cells.append(nbformat.v4.new_code_cell(FIRST.reference[next(iter(FIRST.exercises))]))
    path = tmp_path / "notebook.ipynb"
    path.write_text(nbformat.writes(notebook))
    with pytest.raises(Unreadable, match=f"not the notebook of {FIRST.name}"):
        read_submission(path, FIRST)
