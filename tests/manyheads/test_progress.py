"""A learner's progress counts the checks' results exactly, and shows nothing during grading."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient

from autograder.course.chapter import Chapter
from manyheads import check, earlier, progress
from manyheads.calling import probe
from manyheads.checking import exam_files
from manyheads.checking.exam import Check
from manyheads.progress import Row, State
from tests.support.real_course import CHAPTERS, chapters
from tests.support.run_notebook import mistaken, partly_solved, progress_cell

FIRST = CHAPTERS[0]
UNWRITTEN_CODE = "def attention_weights(scores, mask=None):\n    raise NotImplementedError()"
WRONG_SHAPE = "def attention(q, k, v, mask=None):\n    return v, v"


@pytest.fixture(autouse=True)
def a_new_session(monkeypatch: pytest.MonkeyPatch) -> None:
    progress.forget()
    monkeypatch.setattr(probe, "_responded", False)


class Session:
    """A notebook's kernel without the notebook: cells run one after the other."""

    def __init__(self) -> None:
        self.shell = InteractiveShell()
        self.shell.run_cell(FIRST.imports).raise_error()

    def write(self, exercise: str, source: str = "", checks: Sequence[Check] = tuple(Check)) -> None:
        """Run an exercise's cell, the reference's by default, and its checks."""
        self.shell.run_cell(source or FIRST.reference[exercise]).raise_error()
        for name in checks:
            self.shell.run_cell(f"check.{name}({exercise})")

    def rows(self) -> dict[str, Row]:
        counted = progress.count(self.shell.user_ns, check.sources_in(self.shell.user_ns))
        assert counted is not None
        return {row.exercise: row for row in counted.rows}


def test_done_wrong_unwritten_and_unchecked_are_distinguished(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session()
    session.write("project")
    source, name = mistaken(FIRST, "attention_scores")
    session.write("attention_scores", source)
    session.write("causal_mask", checks=(Check.SHAPES,))
    session.write("attention_weights", UNWRITTEN_CODE)
    session.write("attention", WRONG_SHAPE)

    rows = session.rows()

    assert {exercise: (row.state, row.earned) for exercise, row in rows.items()} == {
        "project": (State.DONE, 3),
        "attention_scores": (State.PARTLY, 1),
        "causal_mask": (State.PARTLY, 1),
        "attention_weights": (State.UNWRITTEN, 0),
        "attention": (State.WRONG, 0),
        "SingleHeadAttention": (State.UNCHECKED, 0),
    }
    assert rows["attention_scores"].remark == f"The mistake last named: you {name}."
    assert {row.worth for row in rows.values()} == {2, 3, 4}
    capsys.readouterr()
    session.shell.run_cell("check.progress()")
    shown = capsys.readouterr().out
    assert "5 of 20 points so far, 1 of 6 exercises done" in shown
    assert "Still open: attention_scores, causal_mask, attention_weights, attention, SingleHeadAttention." in shown
    assert f"1 of {len(exam_files.all_exams())} exercises have passed on this machine" in shown
    assert "hidden" in shown


def test_a_corrected_mistake_does_not_count() -> None:
    session = Session()
    session.write("attention_scores", mistaken(FIRST, "attention_scores")[0])
    session.write("attention_scores")
    assert session.rows()["attention_scores"] == Row("attention_scores", State.DONE, 3, 3)
    session.write("attention_scores", "def attention_scores(q, k):\n    return q @ k.transpose(-2, -1) * 17")
    assert session.rows()["attention_scores"].remark == ""


def test_code_that_changed_after_its_check_has_to_be_checked_again() -> None:
    session = Session()
    session.write("project")
    session.write("project", FIRST.reference["project"].replace("x @ w_v", "(x @ w_v)"), checks=())
    row = session.rows()["project"]
    assert (row.state, row.earned) == (State.UNCHECKED, 0)
    assert row.remark == "Its code has changed: run its checks."
    session.write("project", checks=())  # as it was
    assert session.rows()["project"].state == State.DONE


def test_an_exercise_that_is_right_except_for_its_foundation_counts_and_says_so() -> None:
    session = Session()
    for name in ("project", "causal_mask"):
        session.write(name)
    session.write("attention_scores", mistaken(FIRST, "attention_scores")[0])
    session.write("attention_weights")
    session.write("attention")
    row = session.rows()["attention"]
    assert (row.state, row.earned) == (State.DONE, row.worth)
    assert row.remark == "Right with a working attention_scores."


def test_code_that_passed_in_another_session_counts_if_it_is_still_here() -> None:
    before = Session()
    before.write("project")
    before.write("causal_mask")
    progress.forget()

    now = Session()
    now.write("project", checks=())
    now.write("causal_mask", "def causal_mask(seq, device=None): ...", checks=())
    rows = now.rows()

    assert (rows["project"].state, rows["project"].earned) == (State.DONE, 3)
    assert rows["project"].remark == "It passed before, in another session."
    assert (rows["causal_mask"].state, rows["causal_mask"].earned) == (State.UNCHECKED, 0)
    now.write("project", mistaken(FIRST, "project")[0])
    assert now.rows()["project"].state != State.DONE  # what the check says now counts more


def test_exercises_that_an_earlier_chapter_lends_do_not_make_it_that_chapter() -> None:
    session = Session()
    lent = ", ".join(FIRST.exercises)
    session.shell.run_cell(f"from manyheads.earlier import {lent}\ndef head_width(d_model, num_heads): ...")
    assert "head_width" in session.rows()


def test_with_nothing_to_count_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session()
    capsys.readouterr()
    session.shell.run_cell("check.progress()").raise_error()
    assert capsys.readouterr().out == "There is nothing to count yet: run the cells above, then this one.\n"


def test_where_a_grader_asks_nothing_is_counted_or_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    monkeypatch.setattr(probe, "_responded", True)
    monkeypatch.setattr(exam_files, "exams_by_chapter", lambda: pytest.fail("fixtures were read"))
    monkeypatch.setattr(progress, "exams_by_chapter", exam_files.exams_by_chapter)
    monkeypatch.setattr(earlier, "kept_in", lambda: pytest.fail("kept code was looked for"))
    capsys.readouterr()
    session.shell.run_cell("check.progress()").raise_error()
    assert capsys.readouterr().out == ""


def test_what_a_mistake_is_called_cannot_become_markup() -> None:
    row = Row("project", State.PARTLY, 1, 3, "The mistake last named: you wrote <script>alert(1)</script>.")
    shown = progress.Progress((row,), (0, 36))._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_the_table_can_be_read_aloud() -> None:
    shown = progress.Progress((Row("project", State.DONE, 3, 3),), (1, 36))._repr_html_()
    assert "<caption" in shown
    assert shown.count('scope="col"') == 4
    assert shown.count('scope="row"') == 1
    assert shown.count("aria-hidden") == 2  # the bar and the mark: words say the same


@chapters
def test_every_chapter_ends_with_it_and_every_check_is_worth_something(chapter: Chapter) -> None:
    assert chapter.cells[-1].source == "check.progress()"
    exams = exam_files.exams_by_chapter()[chapter.name]
    worth = {f"{name}.{check}": points for name, exam in exams.items() for check, points in exam.points.items()}
    assert worth == {cell.marker: cell.points for cell in chapter.graded_cells}


@pytest.mark.slow
def test_a_notebook_shows_the_table_and_its_text(tmp_path: Path) -> None:
    notebook = partly_solved(FIRST)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=120, allow_errors=True, resources=resources).execute()
    [output] = progress_cell(notebook).outputs
    _, name = mistaken(FIRST, "attention_scores")
    assert output.data["text/plain"].splitlines()[:4] == [
        "Your progress: 4 of 20 points so far, 1 of 6 exercises done.",
        "✓ project                3 of 3  done",
        f"◐ attention_scores       1 of 3  partly right. The mistake last named: you {name}.",
        "· causal_mask            0 of 2  not written yet",
    ]
    assert "4 of 20 points so far" in output.data["text/html"]
