"""A learner's progress counts the checks' results exactly, and shows nothing during grading."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from playwright.sync_api import Page

from autograder.course.chapter import Chapter
from autograder.course.contents_page import minutes
from manyheads import check, earlier, progress, summary
from manyheads.calling import probe
from manyheads.checking import exam_files
from manyheads.checking.exam import Check
from manyheads.progress import ChapterRow, Row, State
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


@pytest.mark.slow
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
    worth = sum(sum(exam.points.values()) for exam in exam_files.all_exams().values())
    assert f"The whole course: 5 of {worth:g} points, 1 of {len(exam_files.all_exams())} exercises done." in shown
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


@pytest.mark.slow
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
    for call in ("check.progress()", "check.summary()"):
        capsys.readouterr()
        session.shell.run_cell(call).raise_error()
        assert capsys.readouterr().out == "There is nothing to count yet: run the cells above, then this one.\n"


def chapter_rows(session: Session) -> dict[str, ChapterRow]:
    counted = progress.count(session.shell.user_ns, check.sources_in(session.shell.user_ns))
    assert counted is not None
    return dict(zip(exam_files.exams_by_chapter(), counted.chapters, strict=True))


@pytest.mark.slow
def test_the_whole_course_is_counted_in_a_notebook_of_another_chapter_and_in_one_of_none() -> None:
    before = Session()
    for name in FIRST.exercises:
        before.write(name)
    progress.forget()

    now = Session()
    chapters = chapter_rows(now)
    assert now.rows() == {}
    assert chapters[FIRST.name] == ChapterRow(FIRST.title, minutes(FIRST), 6, 6, 20, 20)
    assert chapters[FIRST.name].symbol == "✓"
    others = [row for name, row in chapters.items() if name != FIRST.name]
    assert {(row.done, row.earned, row.symbol) for row in others} == {(0, 0, "○")}

    now.write("head_width", CHAPTERS[2].reference["head_width"], checks=(Check.SHAPES,))
    assert chapter_rows(now)[CHAPTERS[2].name].earned == 1
    assert chapter_rows(now)[CHAPTERS[2].name].symbol == "◐"
    assert chapter_rows(now)[FIRST.name].done == 6
    assert "head_width" in now.rows()


def test_what_a_mistake_undoes_is_not_counted_in_the_course_either() -> None:
    session = Session()
    session.write("project")
    assert chapter_rows(session)[FIRST.name].done == 1
    session.write("project", mistaken(FIRST, "project")[0])
    assert chapter_rows(session)[FIRST.name].done == 0


def test_it_says_where_what_has_passed_is_kept_and_when_it_is_lost(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def said(home: Path) -> str:
        monkeypatch.setenv("MANYHEADS_HOME", str(home))
        counted = progress.count(session.shell.user_ns, check.sources_in(session.shell.user_ns))
        assert counted is not None
        return counted.where

    session = Session()
    session.write("project")
    assert f"kept in {tmp_path / 'new' / 'folder'}" in said(tmp_path / "new" / "folder")
    (tmp_path / "file").touch()
    assert "this session's checks alone" in said(tmp_path / "file")
    assert "this session's checks alone" in said(tmp_path / "file" / "below")
    assert "Colab" not in said(tmp_path)
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    assert "Colab deletes that folder when the runtime ends" in said(tmp_path)
    assert "deletes" not in said(Path("/content/drive/MyDrive/manyheads"))


def test_without_the_list_of_chapters_they_have_their_folders_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    session = Session()
    session.write("project")
    exam_files.exams_by_chapter()  # read while they are there
    exam_files.about_chapters.cache_clear()
    monkeypatch.setattr(exam_files, "FOLDER", tmp_path)
    assert chapter_rows(session)[FIRST.name].title == FIRST.name
    exam_files.about_chapters.cache_clear()


def test_where_a_grader_asks_nothing_is_counted_or_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    monkeypatch.setattr(probe, "_responded", True)
    monkeypatch.setattr(exam_files, "exams_by_chapter", lambda: pytest.fail("fixtures were read"))
    monkeypatch.setattr(progress, "exams_by_chapter", exam_files.exams_by_chapter)
    monkeypatch.setattr(earlier, "kept_in", lambda: pytest.fail("kept code was looked for"))
    capsys.readouterr()
    for call in ("check.progress()", "check.summary()"):
        session.shell.run_cell(call).raise_error()
        assert capsys.readouterr().out == ""


def test_what_a_mistake_is_called_cannot_become_markup() -> None:
    row = Row("project", State.PARTLY, 1, 3, "The mistake last named: you wrote <script>alert(1)</script>.")
    chapter = ChapterRow("<script>2</script>", 5, 0, 1, 1, 3)
    for shown in (
        progress.Progress((row,), (chapter,), "<script>3</script>")._repr_html_(),
        summary.page(progress.Progress((row,), (chapter,), ""), "<script>4</script>", date(2026, 1, 2)),
    ):
        assert "<script" not in shown
        assert shown.count("&lt;script&gt;") >= 2


def test_the_table_can_be_read_aloud() -> None:
    chapter = ChapterRow("One", 5, 1, 1, 3, 3)
    shown = progress.Progress((Row("project", State.DONE, 3, 3),), (chapter,), "")._repr_html_()
    assert shown.count("<caption") == 2
    assert shown.count('scope="col"') == 8
    assert shown.count('scope="row"') == 2
    assert shown.count("aria-hidden") == 4  # the bars and the marks: words say the same


@pytest.mark.slow
def test_the_page_says_what_was_counted_and_that_it_is_not_a_grade(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    session = Session()
    for name in FIRST.exercises:
        session.write(name)
    capsys.readouterr()
    session.shell.run_cell('check.summary("Ada  Lovelace & Co")').raise_error()

    path = tmp_path / summary.FILE
    assert f"Written: {path}" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == [summary.FILE]
    page = path.read_text(encoding="utf-8")
    worth = sum(sum(exam.points.values()) for exam in exam_files.all_exams().values())
    assert f"20 of {worth:g} points · 6 of {len(exam_files.all_exams())} exercises" in page
    assert f"1 of {len(CHAPTERS)} chapters done" in page
    assert "Ada Lovelace &amp; Co</h2>" in page
    assert "not a grade" in page
    assert str(date.today().year) in page
    for chapter in CHAPTERS:
        assert html.escape(chapter.title) in page
    assert not re.search(r"https?://|src=|url\(|@import", page)  # it loads nothing

    session.shell.run_cell("check.summary()").raise_error()
    assert "Ada" not in path.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_the_page_is_printed_on_one_sheet(page: Page, tmp_path: Path, paper: str) -> None:
    rows = tuple(ChapterRow(chapter.title, 90, 6, 6, 20, 20) for chapter in CHAPTERS)
    path = tmp_path / summary.FILE
    path.write_text(summary.page(progress.Progress((), rows, ""), "Ada Lovelace", date(2026, 1, 2)), encoding="utf-8")
    page.goto(path.as_uri())
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper))) == 1


def test_a_page_that_cannot_be_written_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / summary.FILE).mkdir()
    session = Session()
    session.write("project")
    capsys.readouterr()
    session.shell.run_cell("check.summary()").raise_error()
    assert "The page cannot be written" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == [summary.FILE]


@pytest.mark.parametrize(("minutes", "words"), [(0, ""), (45, "45 min"), (120, "2 h"), (805, "13 h 25 min")])
def test_planned_time_is_in_hours_and_minutes(minutes: int, words: str) -> None:
    assert summary._duration(minutes) == words


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
