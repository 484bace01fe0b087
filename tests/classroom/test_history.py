"""No score is forgotten: a submission's record keeps the history of its scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

from autograder.classroom.class_folder import ClassFolder
from autograder.classroom.graded_points import GradedPoints, graded_points
from autograder.classroom.history import Grading, Why, noticed, why
from autograder.classroom.record import Record, read_record
from autograder.classroom.results import class_results
from autograder.course.chapter import Chapter
from autograder.judge.verdict import Verdict
from autograder.outcomes import Outcome
from autograder.realign.repairs import Kind
from autograder.run.grade import grade
from manyheads.checking.exam import Check
from manyheads.checking.stage import Stage
from tests.support.nbgrader_command import nbgrader
from tests.support.toy import TOY, HandIn

WRONG = "def scale_rows(x, factors): return x + factors[:, None]"

# Written when outcome, check, stage, kind and why were plain strings.
OLD_RECORD = """{
"student": "ada",
"assignment": "00_rows",
"outcome": "timeout",
"reason": "cell 3 ran longer than 30 s and was stopped",
"fingerprint": "1f-2e",
"graded_at": "2026-09-01T10:00:00+00:00",
"seconds": 1.25,
"verdicts": [{"exercise": "scale_rows", "check": "shapes", "grade_id": "scale_rows-shapes", "points": 1.0, \
"earned": 1.0, "stage": "passed", "message": "✓ scale_rows.shapes · 2 cases", "misconception": null, \
"carried": [], "group": ""}, {"exercise": "scale_rows", "check": "outputs", "grade_id": "scale_rows-outputs", \
"points": 2.0, "earned": 0, "stage": "values", "message": "scale_rows is not right.", \
"misconception": "added the factors", "carried": ["row_sums"], "group": "one apart"}],
"repairs": [{"kind": "moved", "cell": "scale_rows"}, {"kind": "kernel", "cell": ""}],
"sealed": true,
"history": [{"graded_at": "2026-09-01T10:00:00+00:00", "score": 1.0, "outcome": "timeout", "why": "first graded"}]
}
"""


def verdict(earned: float, cell: str = "scale_rows-outputs") -> Verdict:
    return Verdict("scale_rows", Check.OUTPUTS, cell, 2.0, earned, Stage.PASSED if earned else Stage.VALUES, "")


def record(fingerprint: str, *verdicts: Verdict, outcome: Outcome = Outcome.GRADED) -> Record:
    return Record.of("ada", TOY, outcome, "", fingerprint, verdicts)


def told(path: Path) -> list[tuple[float | None, str]]:
    found = read_record(path)
    assert found is not None
    return [(grading.score, grading.why) for grading in found.gradings]


def by_hand(points: float) -> dict[str, GradedPoints]:
    return {"scale_rows-outputs": GradedPoints(0.0, points, 0.0, to_check=False)}


def test_each_grading_is_kept_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "ada.json"
    record("file1-judge1", verdict(0)).write(path)
    record("file2-judge1", verdict(2)).write(path)
    record("file2-judge2", verdict(0)).write(path)
    record("file3-judge2", outcome=Outcome.UNREADABLE).write(path)
    record("file4-judge2", verdict(2)).write(path)
    assert told(path) == [
        (0, Why.FIRST),
        (2, Why.RESUBMITTED),
        (0, Why.REGRADED),
        (None, Why.RESUBMITTED),
        (2, Why.RESUBMITTED),
    ]
    kept = read_record(path)
    assert kept
    assert [grading.outcome for grading in kept.history] == [
        Outcome.GRADED,
        Outcome.GRADED,
        Outcome.GRADED,
        Outcome.UNREADABLE,
        Outcome.GRADED,
    ]
    assert kept.history[-1].graded_at == kept.graded_at


def test_a_change_by_hand_is_listed_between_two_gradings(tmp_path: Path) -> None:
    path = tmp_path / "ada.json"
    record("file1-judge1", verdict(0)).write(path)
    record("file1-judge1", verdict(2)).write(path, by_hand(1.5))
    assert told(path) == [(0, Why.FIRST), (1.5, Why.BY_HAND), (1.5, Why.REGRADED)]
    record("file1-judge1", verdict(2)).write(path, by_hand(1.5))
    assert told(path)[-2:] == [(1.5, Why.REGRADED), (1.5, Why.REGRADED)], "a change is noticed once"
    record("file1-judge1", verdict(2)).write(path, {})
    assert told(path)[-2:] == [(2, Why.BY_HAND), (2, Why.REGRADED)], "taking it back is a change too"


def test_a_record_written_before_there_was_a_history_is_read_and_begins_it(tmp_path: Path) -> None:
    path = tmp_path / "ada.json"
    record("0123abcd", verdict(2)).write(path)
    old = json.loads(path.read_text())
    del old["history"]
    path.write_text(json.dumps(old))
    found = read_record(path)
    assert found is not None
    assert found.gradings == (Grading(found.graded_at, 2.0, Outcome.GRADED, Why.FIRST),)
    record("file1-judge1", verdict(0)).write(path)
    assert told(path) == [(2, Why.FIRST), (0, Why.REGRADED)]


def test_an_old_record_is_read_and_written_again_as_the_same_bytes(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(OLD_RECORD, encoding="utf-8")
    found = read_record(old)
    assert found is not None
    assert found.outcome is Outcome.TIMEOUT
    assert [(verdict.check, verdict.stage) for verdict in found.verdicts] == [
        (Check.SHAPES, Stage.PASSED),
        (Check.OUTPUTS, Stage.VALUES),
    ]
    assert [type(repair.kind) for repair in found.repairs] == [Kind, Kind]
    assert found.history[0].why is Why.FIRST
    found.write(new)
    assert new.read_bytes() == old.read_bytes()


def test_what_changed_tells_why() -> None:
    assert why("a-x", "b-x") == Why.RESUBMITTED
    assert why("a-x", "a-y") == Why.REGRADED
    assert why("a-x", "b-y") == Why.RESUBMITTED


def test_the_gradebooks_score_is_noticed_only_where_it_differs() -> None:
    history = (Grading("t", 2.0, Outcome.GRADED, Why.FIRST),)
    assert noticed(history, 2.0, "") == history
    assert noticed(history, None, "") == history
    assert noticed((), 1.0, "") == ()
    assert noticed(history, 3.0, "")[1:] == (Grading("", 3.0, Outcome.GRADED, Why.BY_HAND),)


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.thorough
def test_grading_resubmitting_and_a_hand_in_the_formgrader_make_one_history(
    toy_class: ClassFolder, hand_in: HandIn, toy: Chapter
) -> None:
    right = dict(toy.reference)
    path = hand_in(toy_class, "ada", {**right, "scale_rows": WRONG})
    grade(toy_class, TOY, workers=1, progress=False)
    path.unlink()
    path.parent.rmdir()
    hand_in(toy_class, "ada", {**right, "row_sums": "def row_sums(x, factors): return x, x.sum(1)"})
    grade(toy_class, TOY, workers=1, progress=False)
    [ada] = class_results(toy_class, TOY).learners
    first, second = ada.history
    assert (first.why, second.why) == (Why.FIRST, Why.RESUBMITTED)
    assert second.score == ada.score

    with Gradebook(toy_class.gradebook_url) as gradebook:
        sums: Any = gradebook.find_grade("row_sums-outputs", TOY, TOY, "ada")
        layer: Any = gradebook.find_grade("RowLayer-outputs", TOY, TOY, "ada")
        sums.manual_score, layer.extra_credit = 1.5, 0.25
        gradebook.db.commit()
    [ada] = class_results(toy_class, TOY).learners
    with Gradebook(toy_class.gradebook_url) as gradebook:
        assert ada.score == gradebook.find_submission(TOY, "ada").score
    assert ada.history == (first, second, Grading("", ada.score, Outcome.GRADED, Why.BY_HAND))
    assert ada.manual_scores_to_check == ()

    grade(toy_class, TOY, workers=1, regrade=True, progress=False)
    [ada] = class_results(toy_class, TOY).learners
    assert [grading.why for grading in ada.history] == [Why.FIRST, Why.RESUBMITTED, Why.BY_HAND, Why.REGRADED]
    assert ada.history[-1].score == ada.history[-2].score == ada.score
    assert ada.manual_scores_to_check == ("row_sums",), (
        "nbgrader asks for a look at a hand's score after each judgement"
    )
    assert ada.needs_a_look

    # nbgrader's own command continues the same history.
    autograded = nbgrader(toy_class.root, "autograde", TOY, "--force")
    assert autograded.returncode == 0, autograded.stderr
    [ada] = class_results(toy_class, TOY).learners
    assert [grading.why for grading in ada.history][3:] == [Why.REGRADED, Why.REGRADED]


@pytest.mark.slow
def test_the_gradebooks_roster_shows_missing_learners(toy_class: ClassFolder, hand_in: HandIn) -> None:
    with Gradebook(toy_class.gradebook_url) as gradebook:
        for student in ("zoe", "ada", "yan"):
            gradebook.add_student(student)
    hand_in(toy_class, "ada", {})
    assert class_results(toy_class, TOY).missing == ("yan", "zoe")
    assert graded_points(toy_class.gradebook_url, TOY) == {}
