"""nbgrader's own workflow in one class, with its real commands, exchange and formgrader: from release to feedback.

Here, instructor and learners are the same user of this machine; on a shared machine the exchange distinguishes them by
user.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from nbgrader.api import Gradebook
from playwright.sync_api import expect

from autograder.classroom.class_folder import ClassFolder
from autograder.classroom.history import Why
from autograder.classroom.results import State, class_results
from autograder.course.chapter import Chapter
from autograder.course.notebooks import read_text, set_solution, to_text
from autograder.handback.feedback import write_feedback
from autograder.run.grade import grade
from tests.support.formgrader import COMMENT, grade_by_hand
from tests.support.lab import browser_page, jupyter_lab
from tests.support.nbgrader_command import nbgrader
from tests.support.toy import TOY

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.sandbox]

COURSE = "many-heads"
WRONG = "def scale_rows(x, factors): return x + factors[:, None]"
expect.set_options(timeout=60_000)


@dataclass(frozen=True)
class Person:
    """A person at a command line.

    Args:
        folder: the working directory.
        home: the home directory, where nbgrader stores copies of submissions.
        options: added to each command.
    """

    folder: Path
    home: Path
    options: tuple[str, ...] = ()

    def nbgrader(self, *arguments: str, anew: bool = False) -> str:
        """Run an nbgrader command, in a process of its own if `anew`, and return its output."""
        done = nbgrader(self.folder, *arguments, *self.options, home=self.home, anew=anew)
        assert done.returncode == 0, f"nbgrader {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def exchange(tmp_path: Path) -> Path:
    folder = tmp_path / "exchange"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def instructor(toy_class: ClassFolder, exchange: Path, tmp_path: Path) -> Person:
    config = toy_class.root / "nbgrader_config.py"
    settings = f'\nc.Exchange.root = "{exchange}"\nc.ExchangeCollect.check_owner = False\n'
    config.write_text(config.read_text() + settings)
    (tmp_path / "instructor").mkdir()
    return Person(toy_class.root, tmp_path / "instructor")


@pytest.fixture
def learner(exchange: Path, tmp_path: Path) -> Person:
    folder = tmp_path / "ada" / "work"
    folder.mkdir(parents=True)
    options = (f"--Exchange.root={exchange}", f"--course={COURSE}", "--CourseDirectory.student_id=ada")
    return Person(folder, tmp_path / "ada", options)


def scores(folder: ClassFolder) -> dict[str, float]:
    with Gradebook(folder.gradebook_url) as gradebook:
        submission = gradebook.find_submission(TOY, "ada")
        return {grade.name: grade.score for notebook in submission.notebooks for grade in notebook.grades}


def text_of(page: Path) -> str:
    return " ".join(BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").get_text(" ").split())


@pytest.mark.timeout(600)
def test_from_release_to_the_feedback_that_a_learner_fetches(
    toy_class: ClassFolder,
    toy: Chapter,
    instructor: Person,
    learner: Person,
    tmp_path: Path,
) -> None:
    # Hand out.
    instructor.nbgrader("generate_assignment", TOY, "--force")
    instructor.nbgrader("release_assignment", TOY)
    learner.nbgrader("fetch_assignment", TOY)
    notebook_path = learner.folder / TOY / f"{TOY}.ipynb"
    notebook = read_text(notebook_path)
    assert to_text(notebook) == to_text(read_text(toy_class.root / "release" / TOY / f"{TOY}.ipynb"))
    assert "BEGIN SOLUTION" not in notebook_path.read_text()

    # Work, and hand in.
    for exercise, source in {**toy.reference, "scale_rows": WRONG}.items():
        set_solution(notebook, exercise, source)
    notebook_path.write_text(to_text(notebook), encoding="utf-8")
    learner.nbgrader("submit", TOY)

    # Collect, and grade: with nbgrader's command, then with ours.
    instructor.nbgrader("collect", TOY)
    assert toy_class.students(TOY) == ["ada"]
    instructor.nbgrader("autograde", TOY, anew=True)
    by_nbgrader = scores(toy_class)
    assert sum(by_nbgrader.values()) == 7
    assert by_nbgrader["scale_rows-outputs"] == 0
    grade(toy_class, TOY, workers=1, regrade=True, progress=False)
    assert scores(toy_class) == by_nbgrader

    # A hand in the formgrader.
    with jupyter_lab(toy_class.root, tmp_path) as address, browser_page() as page:
        grade_by_hand(page, address)
    assert scores(toy_class) == {**by_nbgrader, "scale_rows-outputs": 1.5}

    # Feedback goes out, and comes to the learner: nbgrader's page could, and ours does.
    instructor.nbgrader("generate_feedback", TOY)
    by_nbgrader_itself = text_of(toy_class.feedback("ada", TOY))
    assert "(Score: 8.5 / 9.0)" in by_nbgrader_itself
    assert re.search(r"scale_rows-outputs Score: 1.5 / 2.0", by_nbgrader_itself)
    write_feedback(toy_class, TOY)
    instructor.nbgrader("release_feedback", TOY)
    learner.nbgrader("fetch_feedback", TOY)
    [fetched] = (learner.folder / TOY / "feedback").rglob("*.html")
    ours = text_of(fetched)
    assert "8.5 of 9 points" in ours
    assert "1.5 / 2 points, set by your instructor" in ours
    for text in (by_nbgrader_itself, ours):
        assert COMMENT in text
        assert "if you added the factors" in text
        assert "row_sums itself is right" in text

    # Grading once more keeps what the hand has given, and says so.
    grade(toy_class, TOY, workers=1, regrade=True, progress=False)
    assert scores(toy_class) == {**by_nbgrader, "scale_rows-outputs": 1.5}
    [ada] = class_results(toy_class, TOY).learners
    assert ada.changed_by_hand
    assert ada.exercises["row_sums"].state == State.CARRIED
    assert [(step.why, step.score) for step in ada.history] == [
        (Why.FIRST, 7),
        (Why.REGRADED, 7),
        (Why.BY_HAND, 8.5),
        (Why.REGRADED, 8.5),
    ]
    with Gradebook(toy_class.gradebook_url) as gradebook:
        assert gradebook.find_comment("scale_rows", TOY, TOY, "ada").comment == COMMENT
