"""What a board's record says after class."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path

from bs4 import BeautifulSoup

from autograder.board.after_class import HintFollowed, TimeSpent, hints_followed, times_spent, write_anonymous
from autograder.board.lesson import LESSON_ENDS_AFTER, Report
from autograder.board.store import open_store
from autograder.classroom.class_folder import ClassFolder
from manyheads.checking.exam import Check
from tests.support.toy import TOY, Here

from .boards import CATALOGUE, report, solved, wrong

START = 1_700_000_000.0


def in_order(*reports: Report) -> list[Report]:
    return sorted(reports, key=lambda one: one.at)


def test_time_is_from_check_to_check_without_long_pauses() -> None:
    reports = in_order(
        wrong("a", START),
        wrong("a", START + 120),
        *solved("a", START + 300),
        wrong("a", START + 420, exercise="sums"),
        wrong("a", START + 420 + 3600, exercise="sums"),
        wrong("b", START),
    )
    assert times_spent(reports, CATALOGUE) == [
        TimeSpent("scale", learners=2, done=1, minutes=2.5, checks=2.5),
        TimeSpent("sums", learners=1, done=0, minutes=2.0, checks=2),
    ]


def test_what_follows_on_a_hint() -> None:
    reports = in_order(
        wrong("a", START, "forgot to scale"),
        report("a", START + 60),
        wrong("b", START, "forgot to scale"),
        wrong("b", START + 60, "scaled twice"),
        report("b", START + 180),
        wrong("c", START, "forgot to scale"),
        report("c", START + 10, check=Check.SHAPES),  # of another check, so no right answer to this one
        wrong("d", START),
    )
    assert hints_followed(reports, CATALOGUE) == [
        HintFollowed("scale", "forgot to scale", learners=3, right=2, at_once=1, minutes=2.0),
        HintFollowed("scale", "scaled twice", learners=1, right=1, at_once=1, minutes=2.0),
    ]


def test_the_export_has_neither_aliases_nor_dates(tmp_path: Path) -> None:
    later = START + LESSON_ENDS_AFTER + 100
    first, *then, last = in_order(
        wrong("alias-a", START, "forgot to scale"), *solved("alias-b", START + 30), wrong("alias-a", later)
    )
    after_the_switch = wrong("alias-a", later + 60)
    recorded = [(0, first), *((0, one) for one in then), (0, last), (1, after_the_switch)]
    assert write_anonymous(tmp_path / "record.csv", recorded) == 2
    text = (tmp_path / "record.csv").read_text(encoding="utf-8")
    assert "alias" not in text
    assert str(int(START))[:6] not in text
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["lesson"], row["seconds"], row["stage"]) for row in rows] == [
        ("1", "0", "values"),
        ("1", "30", "passed"),
        ("1", "30", "passed"),
        ("2", "0", "values"),
        ("3", "0", "values"),
    ]
    assert rows[0]["learner"] == rows[3]["learner"] != rows[1]["learner"]


def test_the_report_shows_the_record_of_its_chapters(toy_class: ClassFolder, here: Here) -> None:
    store = open_store(toy_class)
    made = [wrong("a", START, "summed the columns", "row_sums"), *solved("a", START + 90, "row_sums")]
    for number, one in enumerate([*made, wrong("b", START, exercise="of no chapter")]):
        assert asyncio.run(store.add_report(str(number), one))
    store.close()
    assert here("report", toy_class.root, TOY).code == 0
    page = BeautifulSoup((toy_class.root / "report.html").read_text(encoding="utf-8"), "html.parser")
    [section] = page.select("#in-class")
    assert "1 learner, 3 checks" in section.get_text()
    times, hints = ([cell.get_text() for cell in table.select("tbody tr > *")] for table in section.select("table"))
    assert times == ["row_sums", "1", "1", "1.5", "3"]
    assert hints == ["row_sums", "summed the columns", "1", "1", "1", "1.5"]


def test_without_a_board_the_report_says_nothing_of_it(toy_class: ClassFolder, here: Here) -> None:
    assert here("report", toy_class.root, TOY).code == 0
    assert "in-class" not in (toy_class.root / "report.html").read_text(encoding="utf-8")
    assert not (toy_class.root / "board.db").exists()


def test_the_command_exports_the_record(toy_class: ClassFolder, here: Here, tmp_path: Path) -> None:
    said = here("board", toy_class.root, "--anonymous-export", tmp_path / "record.csv")
    assert (said.code, "has no record of a board" in said.err) == (2, True)
    open_store(toy_class).close()
    said = here("board", toy_class.root, "--anonymous-export", tmp_path / "record.csv")
    assert said.out == f"Wrote {tmp_path / 'record.csv'}: 0 checks of 0 learners.\n"
