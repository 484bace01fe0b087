"""What the board shows of a lesson follows from the reports and the time."""

from __future__ import annotations

import dataclasses
import random

import pytest

from autograder.board.lesson import AWAY_AFTER, LESSON_ENDS_AFTER, STUCK_AFTER, Lesson, Report, Standing
from manyheads.checking.exam import Check
from manyheads.checking.stage import Stage

from .boards import CATALOGUE, report, solved, wrong

START = 1_000_000.0


def lesson_of(*reports: Report) -> Lesson:
    lesson = Lesson(CATALOGUE)
    for one in sorted(reports, key=lambda one: one.at):
        lesson.apply(one)
    return lesson


def test_each_learner_is_counted_once() -> None:
    lesson = lesson_of(
        *solved("done", START),
        wrong("stuck", START),
        wrong("working", START + STUCK_AFTER),
        wrong("elsewhere", START),
        wrong("elsewhere", START + 10, exercise="sums"),
        wrong("not begun", START, exercise="sums"),
    )
    assert lesson.standing("scale", START + STUCK_AFTER + 1) == Standing(1, 1, 1, 1, 1)


def test_who_got_further_is_not_stuck() -> None:
    further = report("a", START + STUCK_AFTER, stage=Stage.PASSED, check=Check.SHAPES)
    lesson = lesson_of(wrong("a", START), further)
    assert lesson.standing("scale", START + STUCK_AFTER + 1).working == 1


def test_the_same_mistake_again_is_no_progress() -> None:
    again = [wrong("a", START + minute * 60, "forgot to scale") for minute in range(6)]
    assert lesson_of(*again).standing("scale", START + 301).stuck == 1


def test_a_later_stage_is_progress() -> None:
    lesson = lesson_of(report("a", START, stage=Stage.RAN), report("a", START + 290, stage=Stage.VALUES))
    assert lesson.standing("scale", START + 310).working == 1


def test_an_earlier_stage_is_not() -> None:
    lesson = lesson_of(report("a", START, stage=Stage.VALUES), report("a", START + 290, stage=Stage.RAN))
    assert lesson.standing("scale", START + 310).stuck == 1


def test_who_runs_no_check_for_long_is_elsewhere() -> None:
    assert lesson_of(wrong("a", START)).standing("scale", START + AWAY_AFTER + 1).elsewhere == 1


def test_who_was_done_once_stays_done() -> None:
    assert lesson_of(*solved("a", START), wrong("a", START + 60)).standing("scale", START + 61).done == 1


def test_one_check_of_two_is_not_done() -> None:
    assert lesson_of(report("a", START, check=Check.SHAPES)).standing("scale", START + 1).working == 1


def test_the_last_mistake_of_each_who_is_at_it_counts() -> None:
    lesson = lesson_of(
        wrong("a", START, "forgot to scale"),
        wrong("a", START + 1, "scaled twice"),
        wrong("b", START, "scaled twice"),
        wrong("c", START),
        wrong("d", START, "forgot to scale"),
        *solved("d", START + 5),
    )
    found = [(one.name, one.learners, one.hint) for one in lesson.mistakes("scale", START + 10)]
    assert found == [("scaled twice", 2, "Too small."), ("", 1, "")]


def test_mistakes_are_compared_with_ten_minutes_ago() -> None:
    reports = [wrong(name, START, "forgot to scale") for name in "abc"]
    later = [*solved("a", START + 400), wrong("b", START + 700, "scaled twice")]
    lesson = lesson_of(*reports, *later)
    lesson.advance(START + 700)
    [common, other] = lesson.mistakes("scale", START + 700)
    assert {(one.name, one.learners, one.before) for one in (common, other)} == {
        ("forgot to scale", 1, 3),
        ("scaled twice", 1, 0),
    }


def test_the_trend_has_the_last_ten_minutes_and_now() -> None:
    lesson = lesson_of(*(one for minute in range(30) for one in solved(str(minute), START + 60 * minute + 1)))
    lesson.advance(START + 60 * 30)
    assert lesson.trend("scale") == [*range(20, 30), 30]


def test_the_class_is_where_most_are() -> None:
    lesson = lesson_of(*solved("a", START), wrong("b", START), wrong("c", START, exercise="sums"))
    assert lesson.current(START + 1) == "scale"
    lesson.apply(wrong("a", START + 2, exercise="sums"))
    assert lesson.current(START + 3) == "sums"


def test_nobody_is_anywhere_when_all_have_left() -> None:
    assert lesson_of(wrong("a", START)).current(START + AWAY_AFTER + 1) == ""


def test_a_new_lesson_begins_empty() -> None:
    lesson = lesson_of(*solved("a", START), wrong("b", START + LESSON_ENDS_AFTER + 1))
    assert lesson.standing("scale", START + LESSON_ENDS_AFTER + 2) == Standing(working=1)


def test_reports_of_unknown_exercises_are_ignored() -> None:
    assert lesson_of(wrong("a", START, exercise="no such exercise")).learners == 0


@pytest.mark.parametrize("seed", range(5))
def test_what_is_shown_does_not_depend_on_when_it_was_looked_at(seed: int) -> None:
    """A board that was restarted applies all reports at once, and must show what it showed before."""
    draw = random.Random(seed)
    reports = sorted(
        (
            dataclasses.replace(
                wrong(draw.choice("abcdef"), START + draw.random() * 1500, draw.choice(["", "forgot to scale"])),
                exercise=draw.choice(list(CATALOGUE)),
                stage=draw.choice([Stage.VALUES, Stage.PASSED, Stage.RAN]),
            )
            for _ in range(80)
        ),
        key=lambda one: one.at,
    )
    watched, restarted = Lesson(CATALOGUE), Lesson(CATALOGUE)
    for one in reports:
        watched.apply(one)
        watched.advance(one.at + draw.random())
    for one in reports:
        restarted.apply(one)
    now = START + 1600
    watched.advance(now)
    restarted.advance(now)
    for name in CATALOGUE:
        assert watched.trend(name) == restarted.trend(name)
        assert watched.mistakes(name, now) == restarted.mistakes(name, now)
        assert watched.standing(name, now) == restarted.standing(name, now)
