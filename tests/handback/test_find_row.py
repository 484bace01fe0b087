"""A grade goes into its learner's row, or into none, by matching keys."""

from __future__ import annotations

from typing import Any

import pytest

from autograder.classroom.person import Person
from autograder.classroom.receipts import Receipt
from autograder.handback.find_row import Rows
from autograder.problems import Problem

ADA = Person("s1", name="Ada Lovelace", sis_id="00417", login="al", email="ada@example.org")


def row(**said: Any) -> Person:
    return Person("row", **said)


OTHERS = [None, row(name="Bo Ek", sis_id="00523", login="be"), None]


@pytest.mark.parametrize(
    "theirs",
    [
        row(name="Ada Lovelace", sis_id="00417"),
        row(name="Ada King", login="AL"),  # another name, the same login
        row(name="Ada Lovelace", sis_id="417"),  # a spreadsheet's
        row(name="Ada Lovelace", sis_id="417", email="ada@example.org"),
        row(name="Ada Lovelace", login="ada2", email="ada@example.org"),  # another login
        row(name="Ada Lovelace", canvas_id="1234"),  # by the name, and nothing else
        row(sis_id="s1"),  # the student id
    ],
)
def test_a_row_that_agrees_is_theirs(theirs: Person) -> None:
    assert Rows([*OTHERS, theirs], "g.csv").find(ADA, None) == 3


@pytest.mark.parametrize(
    "anothers",
    [
        row(name="Ada Lovelace", sis_id="99999"),  # a namesake
        row(name="Cy Doe", sis_id="417"),
        row(name="Cy Doe", email="ada@example.org"),  # a family's address
        row(name="Cy Doe", sis_id="99999", login="al"),
        row(name="Cy Doe", login="s1"),  # another's login is the class's student id
        row(name="Cy Doe", canvas_id="s1"),
    ],
)
def test_a_row_that_contradicts_is_not_theirs(anothers: Person) -> None:
    assert Rows([*OTHERS, anothers], "g.csv").find(ADA, None) is None


@pytest.mark.parametrize(
    "second", [row(name="Ada Lovelace", sis_id="00417"), row(name="Cy Doe", sis_id="99999", login="al")]
)
def test_two_rows_with_ones_numbers_stop_the_export(second: Person) -> None:
    rows = Rows([row(name="Ada Lovelace", sis_id="00417"), second], "g.csv")
    with pytest.raises(Problem, match="2 rows that may be s1"):
        rows.find(ADA, None)


def test_a_worksheet_of_another_assignment_is_refused() -> None:
    rows = Rows([row(name="Ada Lovelace", participant="Participant 733", email="ada@example.org")], "w.csv")
    receipt = Receipt("moodle", "x", "Ada Lovelace", "401")
    with pytest.raises(Problem, match="is from another assignment: in it s1 is Participant 733"):
        rows.find(ADA, receipt)
    assert rows.find(ADA, Receipt("moodle", "x", "Ada Lovelace", "733")) == 0
    assert rows.find(ADA, Receipt("moodle", "x", "Lab 3", "17")) == 0  # the group's number


def test_moodles_number_tells_namesakes_apart_and_no_other_number_does() -> None:
    anna = Person("s2", name="Anna Müller")
    twice = [row(name="Anna Müller", participant=f"Participant {number}") for number in (402, 403)]
    assert Rows(twice, "w.csv").find(anna, Receipt("moodle", "x", "Anna Müller", "403")) == 1
    for receipt in (None, Receipt("canvas", "x", "mülleranna", "403"), Receipt("moodle", "x", "Anna Müller", "")):
        with pytest.raises(Problem, match="2 rows that may be s2"):
            Rows(twice, "w.csv").find(anna, receipt)


def test_a_groups_number_is_not_taken_for_a_participants() -> None:
    rows = Rows([row(name="Bo Ek", participant="Participant 17"), row(name="Ada Lovelace", sis_id="00417")], "w.csv")
    assert rows.find(ADA, Receipt("moodle", "x", "Lab 3", "17")) == 1
