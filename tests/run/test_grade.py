"""A class, end to end with real kernels: nbgrader's own commands and ours give the same grades."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.classroom.class_folder import ClassFolder, new_class
from autograder.classroom.record import read_record
from autograder.classroom.results import NOT_GRADED, State, class_results
from autograder.course.chapter import Chapter
from autograder.course.notebooks import read_text, to_text
from autograder.outcomes import Outcome
from autograder.problems import Problem
from autograder.run.grade import Steps, grade
from tests.support.nbgrader_command import nbgrader
from tests.support.toy import TOY, HandIn

pytestmark = pytest.mark.slow

WRONG = "def scale_rows(x, factors): return x + factors[:, None]"


@pytest.fixture
def right(toy: Chapter) -> dict[str, str]:
    return dict(toy.reference)


def scores(folder: ClassFolder) -> dict[str, dict[str, float]]:
    with Gradebook(folder.gradebook_url) as gradebook:
        submissions: Any = gradebook.assignment_submissions(TOY)
        return {
            submission.student_id: {g.name: g.score for nb in submission.notebooks for g in nb.grades}
            for submission in submissions
        }


@pytest.mark.sandbox
@pytest.mark.thorough
def test_nbgraders_own_commands_work_in_a_class_and_give_the_same_grades(
    toy_class: ClassFolder, hand_in: HandIn, right: dict[str, str]
) -> None:
    hand_in(toy_class, "ada", right)
    hand_in(toy_class, "bo", {**right, "scale_rows": WRONG})
    assert nbgrader(toy_class.root, "generate_assignment", TOY, "--force", anew=True).returncode == 0
    autograded = nbgrader(toy_class.root, "autograde", TOY, anew=True)
    assert autograded.returncode == 0, autograded.stderr
    by_nbgrader = scores(toy_class)
    assert sum(by_nbgrader["ada"].values()) == 9
    assert by_nbgrader["bo"] == {**by_nbgrader["ada"], "scale_rows-outputs": 0}
    results = class_results(toy_class, TOY)
    assert [learner.outcome for learner in results.learners] == [Outcome.GRADED, Outcome.GRADED]
    assert results.learners[1].exercises["row_sums"].state == State.CARRIED

    grade(toy_class, TOY, workers=2, regrade=True, progress=False)
    assert scores(toy_class) == by_nbgrader

    feedback = nbgrader(toy_class.root, "generate_feedback", TOY, anew=True)
    assert feedback.returncode == 0, feedback.stderr
    page = (toy_class.root / "feedback" / "bo" / TOY / f"{TOY}.html").read_text()
    assert "if you added the factors" in page
    assert "row_sums itself is right. It was checked with a working scale_rows" in page


def test_the_release_that_nbgrader_makes_is_the_one_that_learners_open(toy_class: ClassFolder, built_toy: Path) -> None:
    ours = read_text(built_toy / "notebooks" / TOY / f"{TOY}.ipynb")
    theirs = read_text(toy_class.root / "release" / TOY / f"{TOY}.ipynb")
    assert to_text(theirs) == to_text(ours)


def test_bad_input_becomes_rows_with_reasons_and_the_others_are_graded(
    toy_class: ClassFolder, hand_in: HandIn, right: dict[str, str]
) -> None:
    hand_in(toy_class, "ada", right)
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []}
    other = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("# grade: attend.outputs\ncheck.outputs(attend)")]
    )
    contents = {
        "not-json": "hello",
        "no-notebook": "[1, 2]",
        "empty": "",
        "old": json.dumps(old),
        "other": nbformat.writes(other),
        "damaged": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "poem"}]}',
    }
    for student, content in contents.items():
        path = toy_class.notebook(student, TOY)
        path.parent.mkdir(parents=True)
        path.write_text(content)
    missing = toy_class.submission("missing", TOY)
    missing.mkdir(parents=True)
    (missing / "notes.ipynb").write_text("{}")

    run = grade(toy_class, TOY, workers=1, progress=False)

    assert run.outcomes == {Outcome.GRADED: 1, Outcome.UNREADABLE: 7}
    rows = {learner.student: learner for learner in class_results(toy_class, TOY).learners}
    assert rows["ada"].score == 9
    for student, words in {
        "not-json": "not JSON",
        "no-notebook": "not a notebook",
        "empty": "empty",
        "old": "it has none of its graded cells",
        "other": "attend.outputs",
        "damaged": "it has none of its graded cells",
        "missing": "there is only notes.ipynb",
    }.items():
        assert rows[student].outcome == Outcome.UNREADABLE
        assert words in rows[student].reason
        assert rows[student].score is None
    for student, content in contents.items():
        assert toy_class.notebook(student, TOY).read_text() == content
    assert (missing / "notes.ipynb").exists()


def test_a_kernel_that_dies_and_one_that_hangs_keep_earlier_points_and_stop_no_others(
    toy_class: ClassFolder, hand_in: HandIn, right: dict[str, str]
) -> None:
    hand_in(toy_class, "ada", right)
    hand_in(toy_class, "dead", {**right, "row_sums": "import os\nos._exit(1)"})
    hand_in(toy_class, "hangs", {**right, "row_sums": "def row_sums(x, factors):\n    while True: pass"})
    talks = "def scale_rows(x, factors):\n    print('called')\n    return x * factors[:, None]\nprint('defined')"
    hand_in(toy_class, "talks", {**right, "scale_rows": talks})
    config = toy_class.root / "nbgrader_config.py"
    config.write_text(config.read_text() + "\nc.Execute.timeout = 4\n")

    run = grade(toy_class, TOY, workers=2, progress=False)

    assert run.outcomes == {Outcome.GRADED: 2, Outcome.CRASHED: 1, Outcome.TIMEOUT: 1}
    rows = {learner.student: learner for learner in class_results(toy_class, TOY).learners}

    def autograded(student: str) -> list[nbformat.NotebookNode]:
        return read_text(toy_class.autograded(student, TOY)).cells

    assert rows["ada"].score == 9
    assert rows["dead"].score == 3
    assert "ended its kernel" in rows["dead"].reason
    assert rows["hangs"].score == 6
    cells = [cell.get("metadata", {}).get("nbgrader", {}).get("grade_id") for cell in autograded("hangs")]
    check = 1 + cells.index("row_sums-shapes")  # not the cell that defines it: that one ended at once
    assert rows["hangs"].reason == f"cell {check} ran longer than 4 s and was stopped"
    assert autograded("hangs")[cells.index("row_sums")].outputs == []
    assert "your code ran longer than 4 s" in str(autograded("hangs")[check - 1].outputs)
    assert rows["talks"].score == 9
    shown = [output for cell in autograded("talks") for output in cell.get("outputs", ())]
    assert [output.text for output in shown if "called" in output.text or "defined" in output.text] == ["defined\n"]


def test_odd_metadata_and_duplicated_cells_are_repaired_and_graded(
    toy_class: ClassFolder, hand_in: HandIn, right: dict[str, str]
) -> None:
    odd: list[object] = [None, "x", {"grade_id": 3}, {"grade_id": "unknown", "grade": True}]
    for number, value in enumerate(odd):
        path = hand_in(toy_class, f"odd{number}", right)
        data = json.loads(path.read_text())
        data["cells"][0]["metadata"]["nbgrader"] = value
        path.write_text(json.dumps(data))
    path = hand_in(toy_class, "duplicate", {**right, "scale_rows": WRONG})
    notebook = read_text(path)
    graded = next(i for i, cell in enumerate(notebook.cells) if cell.metadata.get("nbgrader", {}).get("grade"))
    again = copy.deepcopy(notebook.cells[graded - 1 : graded + 2])
    again[0].source = right["scale_rows"]
    notebook.cells += again
    path.write_text(to_text(notebook))

    run = grade(toy_class, TOY, workers=2, progress=False)

    assert run.outcomes == {Outcome.GRADED: 1 + len(odd)}
    assert {learner.student: learner.score for learner in class_results(toy_class, TOY).learners} == {
        "duplicate": 9,
        **{f"odd{number}": 9 for number in range(len(odd))},
    }


@pytest.mark.parametrize("sandbox", [True, pytest.param(False, marks=pytest.mark.thorough)], ids=["sealed", "ordinary"])
def test_a_submission_that_kills_its_parent_affects_no_other(
    toy_class: ClassFolder, hand_in: HandIn, right: dict[str, str], sandbox: bool
) -> None:
    for student in ("ada", "bo"):
        hand_in(toy_class, student, right)
    hand_in(toy_class, "killer", {"scale_rows": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"})
    run = grade(toy_class, TOY, workers=2, progress=False, sandbox=sandbox)
    assert run.outcomes == {Outcome.GRADED: 2, Outcome.CRASHED: 1}  # in the sandbox it has killed itself
    rows = {learner.student: learner for learner in class_results(toy_class, TOY).learners}
    assert (rows["ada"].score, rows["bo"].score) == (9, 9)
    assert rows["killer"].score == (0 if sandbox else None)
    assert sandbox or "twice" in rows["killer"].reason
    assert class_results(toy_class, TOY).unsealed == ([] if sandbox else ["ada", "bo", "killer"])


def test_limits_of_the_class_end_a_submission_with_a_reason(
    toy_class: ClassFolder, hand_in: HandIn, right: dict[str, str]
) -> None:
    hand_in(toy_class, "slow", {**right, "row_sums": "import time\nos = 1\nwhile True: time.sleep(0.1)"})
    hand_in(toy_class, "busy", {**right, "row_sums": "while True: pass"})
    hand_in(toy_class, "loud", {**right, "row_sums": f"print('x' * 3 * 2**20)\n{right['row_sums']}"})
    config = toy_class.root / "nbgrader_config.py"
    limits = {"seconds": 20, "cpu_seconds": 3, "output_mb": 2}
    config.write_text(config.read_text() + f"\nc.Execute.timeout = 200\nc.Execute.limits = {limits}\n")

    run = grade(toy_class, TOY, workers=1, progress=False)

    assert run.outcomes == {Outcome.GRADED: 1, Outcome.TIMEOUT: 2}
    rows = {learner.student: learner for learner in class_results(toy_class, TOY).learners}
    assert rows["slow"].reason == "it ran longer than 20 s in all"
    assert rows["busy"].reason == "it computed longer than 3 s in all"
    assert rows["slow"].score == rows["busy"].score == 3  # what was earned before stays
    assert rows["loud"].score == 9
    written = toy_class.autograded("loud", TOY).read_text()
    assert "outputs after the first 2 MB were dropped" in written
    assert len(written) < 2 * 2**20


def test_cells_are_numbered_as_they_ran(toy_class: ClassFolder, hand_in: HandIn, right: dict[str, str]) -> None:
    failing = "1 / 0"
    path = hand_in(toy_class, "ada", right)
    notebook = read_text(path)
    notebook.cells.insert(1, nbformat.v4.new_code_cell(failing))
    path.write_text(to_text(notebook))
    grade(toy_class, TOY, workers=1, progress=False)
    graded = read_text(toy_class.autograded("ada", TOY))
    numbers = [cell.execution_count for cell in graded.cells if cell.cell_type == "code" and cell.execution_count]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 4
    [failed] = [cell for cell in graded.cells if cell.source == failing]
    assert failed.execution_count in numbers


def test_a_regrade_that_is_stopped_loses_nothing_and_continues(
    toy_class: ClassFolder, hand_in: HandIn, right: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    students = ("ada", "bo", "cy")
    for student in students:
        hand_in(toy_class, student, right)
    grade(toy_class, TOY, workers=2, progress=False)
    before = scores(toy_class)

    def stop(self: Steps, executed: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Steps, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            grade(toy_class, TOY, workers=1, regrade=True, progress=False)
    assert all(toy_class.autograded(student, TOY).is_file() for student in students)
    assert scores(toy_class) == before

    toy_class.autograded("bo", TOY).unlink()  # as if it had been stopped while it was replaced
    assert grade(toy_class, TOY, workers=1, progress=False).outcomes == {Outcome.GRADED: 1}
    assert toy_class.autograded("bo", TOY).is_file()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_is_not_lost_although_python_drops_it(
    toy_class: ClassFolder,
    hand_in: HandIn,
    right: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    interruptible: None,
) -> None:
    for student in ("ada", "bo", "cy"):
        hand_in(toy_class, student, right)
    save = Steps.save

    class Doomed:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    def interrupted(self: Steps, executed: Any) -> str:
        doomed = Doomed()
        del doomed
        return save(self, executed)

    monkeypatch.setattr(Steps, "save", interrupted)
    with pytest.raises(KeyboardInterrupt) as stopped:
        grade(toy_class, TOY, workers=1, progress=False)
    assert "1 of 3 submissions" in stopped.value.__notes__[0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_forbidden_call_is_found_wherever_the_exercise_is_written(toy_class: ClassFolder, hand_in: HandIn) -> None:
    cheat = "def scale_rows(x, factors): return torch.diag(factors) @ x"
    hand_in(toy_class, "magic", {"scale_rows": f"{cheat}\n%time 1"})
    notebook_path = hand_in(toy_class, "below", {"scale_rows": "def scale_rows(x, factors): return x"})
    notebook = read_text(notebook_path)
    place = next(i for i, cell in enumerate(notebook.cells) if "# grade: scale_rows.shapes" in cell.source)
    notebook.cells.insert(place, nbformat.v4.new_code_cell(cheat))
    notebook_path.write_text(to_text(notebook))
    grade(toy_class, TOY, workers=2, progress=False)
    for learner in class_results(toy_class, TOY).learners:
        assert learner.exercises["scale_rows"].earned == 0, learner.student
        assert "uses diag" in learner.exercises["scale_rows"].messages[0]


def test_an_error_in_a_sealed_kernel_is_explained_as_in_a_notebook(toy_class: ClassFolder, hand_in: HandIn) -> None:
    wrong = {
        "scale_rows": "def scale_rows(x, factors): return x @ factors",
        "row_sums": "def row_sums(x, factors):\n    return x, x.summ(dim=1)",
    }
    hand_in(toy_class, "ada", wrong)
    grade(toy_class, TOY, workers=1, progress=False)
    [learner] = class_results(toy_class, TOY).learners
    said = {name: " ".join(result.messages[0].split()) for name, result in learner.exercises.items()}
    assert re.search(
        r"In `x @ factors`: `x` is .* = \(rows, columns\), `factors` is .* = \(rows,\)", said["scale_rows"]
    )
    assert "Did you mean `x.sum`?" in said["row_sums"]


def test_a_learners_changes_to_the_scratch_folder_cost_no_points(
    toy_class: ClassFolder, hand_in: HandIn, right: dict[str, str]
) -> None:
    rude = "import os, shutil\nshutil.rmtree(os.getcwd())\nglobals = None\n"
    hand_in(toy_class, "rude", {**right, "scale_rows": rude + right["scale_rows"]})
    assert grade(toy_class, TOY, workers=1, progress=False).outcomes == {Outcome.GRADED: 1}
    assert class_results(toy_class, TOY).learners[0].score == 9


def test_a_broken_resubmission_says_that_the_earlier_grade_stands(
    toy_class: ClassFolder, hand_in: HandIn, right: dict[str, str]
) -> None:
    path = hand_in(toy_class, "ada", right)
    grade(toy_class, TOY, workers=1, progress=False)
    path.write_text("oops")
    assert grade(toy_class, TOY, workers=1, progress=False).outcomes == {Outcome.UNREADABLE: 1}
    [ada] = class_results(toy_class, TOY).learners
    assert "the grade of the previous submission stays" in ada.reason
    assert sum(scores(toy_class)["ada"].values()) == 9


def test_an_unchanged_submission_is_not_graded_again_and_a_changed_one_is(
    toy_class: ClassFolder, hand_in: HandIn, right: dict[str, str]
) -> None:
    path = hand_in(toy_class, "ada", {**right, "scale_rows": WRONG})
    grade(toy_class, TOY, workers=1, progress=False)
    before = read_record(toy_class.record_path("ada", TOY))
    again = grade(toy_class, TOY, workers=1, progress=False)
    assert again.unchanged == 1
    assert read_record(toy_class.record_path("ada", TOY)) == before

    path.unlink()
    path.parent.rmdir()
    hand_in(toy_class, "ada", right)
    changed = grade(toy_class, TOY, workers=1, progress=False)
    assert changed.outcomes == {Outcome.GRADED: 1}
    assert class_results(toy_class, TOY).learners[0].score == 9


def test_a_score_set_by_hand_survives_regrading(toy_class: ClassFolder, hand_in: HandIn) -> None:
    hand_in(toy_class, "ada", {})
    grade(toy_class, TOY, workers=1, progress=False)
    with Gradebook(toy_class.gradebook_url) as gradebook:
        changed: Any = gradebook.find_grade("scale_rows-outputs", TOY, TOY, "ada")
        changed.manual_score = 1.5
        gradebook.db.commit()
    grade(toy_class, TOY, workers=1, regrade=True, progress=False)
    [ada] = class_results(toy_class, TOY).learners
    assert ada.score == 1.5
    assert ada.changed_by_hand


def test_a_learners_process_is_given_nothing_of_the_graders(toy_class: ClassFolder, hand_in: HandIn) -> None:
    os.environ["GRADERS_SECRET"] = "swordfish"
    try:
        spy = "import os\nprint(dict(os.environ), os.getcwd(), os.listdir())\ndef scale_rows(x, factors): return x"
        hand_in(toy_class, "spy", {"scale_rows": spy})
        grade(toy_class, TOY, workers=1, progress=False)
    finally:
        del os.environ["GRADERS_SECRET"]
    written = (toy_class.root / "autograded" / "spy" / TOY / f"{TOY}.ipynb").read_text()
    assert "OMP_NUM_THREADS" in written
    assert "swordfish" not in written
    assert toy_class.seed() not in written
    assert str(toy_class.root) not in written


def test_an_ungraded_submission_is_a_row(toy_class: ClassFolder, hand_in: HandIn) -> None:
    hand_in(toy_class, "ada", {})
    [ada] = class_results(toy_class, TOY).learners
    assert ada.outcome == NOT_GRADED
    assert ada.score is None


def test_a_fault_of_the_grader_is_never_a_zero(
    toy_class: ClassFolder, hand_in: HandIn, right: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(toy_class, "ada", right)
    monkeypatch.setattr("autograder.run.fan_out.run_job", _broken)
    run = grade(toy_class, TOY, workers=1, progress=False)
    assert run.outcomes == {Outcome.NEEDS_REVIEW: 1}
    [ada] = class_results(toy_class, TOY).learners
    assert ada.score is None
    assert "the disk is on fire" in ada.reason
    monkeypatch.undo()
    assert grade(toy_class, TOY, workers=1, progress=False).outcomes == {Outcome.GRADED: 1}
    assert class_results(toy_class, TOY).learners[0].exercises["scale_rows"].state == State.RIGHT


def _broken(job: object) -> None:
    raise OSError("the disk is on fire")


def test_a_class_is_not_made_in_an_existing_folder(toy_class: ClassFolder, built_toy: Path) -> None:
    with pytest.raises(Problem, match="not empty"):
        new_class(toy_class.root, built_toy / "solutions")


def test_the_seed_is_the_instructors_alone_and_differs_by_class(
    toy_class: ClassFolder, built_toy: Path, tmp_path: Path
) -> None:
    other = new_class(tmp_path / "other", built_toy / "solutions")
    assert other.seed() != toy_class.seed()
    assert (toy_class.root / ".judge-seed").stat().st_mode & 0o077 == 0
    for folder in ("release", "source"):
        for path in (toy_class.root / folder).rglob("*"):
            assert path.is_dir() or toy_class.seed() not in path.read_text()
    shutil.rmtree(other.root)
