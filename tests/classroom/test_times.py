"""Submission times are read with certainty, or asked about: a wrong hour can cost a learner all points."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.classroom.class_folder import ClassFolder
from autograder.classroom.times import Reading, Unclear, read_reading, store_reading
from autograder.problems import Problem

NOBODY_SAID = Reading()
BERLIN = Reading("day-first", "Europe/Berlin")
CHICAGO = Reading("month-first", "America/Chicago")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-14 08:00:00.123 UTC", "2026-11-14 08:00"),
        ("2026-11-14T08:00:00Z", "2026-11-14 08:00"),
        ("2026-12-11 10:00 +0100", "2026-12-11 09:00"),
        ("2026-11-13 23:30:00.000000 CET", "2026-11-13 22:30"),
        ("2026-11-13 23:30 (UTC+1)", "2026-11-13 22:30"),
        ("2026-11-13 23:30 Europe/Paris", "2026-11-13 22:30"),
        ("11/11/2026 10:00 UTC", "2026-11-11 10:00"),
        ("13/11/2026 10:00 UTC", "2026-11-13 10:00"),
        ("Friday, 13 November 2026, 11:05 PM +0100", "2026-11-13 22:05"),
        ("Fri, 13 Nov 2026 22:05:00 GMT", "2026-11-13 22:05"),
    ],
)
def test_a_time_that_can_be_read_one_way_is_read(text: str, utc: str) -> None:
    for reading in (NOBODY_SAID, BERLIN):
        assert f"{reading.when(text):%Y-%m-%d %H:%M}" == utc


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("12/11/2026 10:00 UTC", "--dates"),
        ("12.11.2026 10:00 UTC", "--dates"),
        ("13/11/26 10:00 UTC", "--dates"),
        ("Friday, 13 November 2026, 11:05 PM", "--zone"),
        ("2026-11-13 23:30", "--zone"),
        ("2026-11-13 23:30 IST", "IST may be several"),
        ("2026-11-13 23:30 CST", "CST may be several"),
        ("20261113220500000", "--zone"),
    ],
)
def test_a_time_that_can_be_read_in_two_ways_is_asked_about(text: str, asks: str) -> None:
    with pytest.raises(Unclear, match=asks):
        NOBODY_SAID.when(text)


@pytest.mark.parametrize(
    "text",
    [
        *("13/11/2026", "2026-11-13", "13 November 2026 UTC", "13 November", "10", "46339.41667", "yesterday"),
        *("Freitag, 13. November 2026, 23:05", "2026-11-13 25:00", "2026-13-11 10:00", "12/11/2026 0:30 AM"),
        *("Fri Nov 13 22:05:00 CET 2026", "12 11 2026 10:00", "", "10:00", "2026-11-13 10:00 Mars/Base"),
        *("November 2026, 10:00 UTC", "13 November 2026, 10 PM", "Friday, November 2026, 11:05 PM +0100"),
        *("13 Nov 26, 10:05 UTC", "13 November, 10:05 UTC"),
    ],
)
def test_an_incomplete_time_is_not_completed(text: str) -> None:
    for reading in (NOBODY_SAID, BERLIN, CHICAGO):
        with pytest.raises(Unclear):
            reading.when(text)


@pytest.mark.parametrize("text", ["2026-11-13", "13/11/2026", "2026-11-13 UTC"])
def test_a_date_without_a_time_of_day_is_reported_as_one(text: str) -> None:
    with pytest.raises(Unclear, match="no time of day"):
        BERLIN.when(text)


@pytest.mark.parametrize(
    ("reading", "text", "utc"),
    [
        (BERLIN, "12/11/2026 10:00", "2026-11-12 09:00"),
        (CHICAGO, "12/11/2026 10:00", "2026-12-11 16:00"),
        (BERLIN, "12.11.26 10:00", "2026-11-12 09:00"),
        (BERLIN, "2026-12-11 10:00", "2026-12-11 09:00"),  # the year first: the month follows
        (BERLIN, "12/07/2026, 12:30 am", "2026-07-11 22:30"),  # summer time
        (CHICAGO, "2026-11-13 23:30 CST", "2026-11-14 05:30"),
        (CHICAGO, "Nov 13, 2026 11:05 PM", "2026-11-14 05:05"),
    ],
)
def test_what_an_instructor_said_counts_for_every_time(reading: Reading, text: str, utc: str) -> None:
    assert f"{reading.when(text):%Y-%m-%d %H:%M}" == utc


@pytest.mark.parametrize(
    ("reading", "text"),
    [
        (CHICAGO, "13/11/2026 10:00"),  # no such month
        (BERLIN, "2026-11-13 23:30 CST"),  # not Berlin's
        (BERLIN, "25/10/2026 02:30"),  # twice, when the clocks go back
        (BERLIN, "29/03/2026 02:30"),  # never, when they go forward
    ],
)
def test_a_time_that_contradicts_what_was_said_is_asked_about(reading: Reading, text: str) -> None:
    with pytest.raises(Unclear):
        reading.when(text)


def test_what_was_said_is_remembered_and_a_zone_must_exist(tmp_path: Path) -> None:
    folder = ClassFolder(tmp_path)
    assert read_reading(folder) == NOBODY_SAID
    store_reading(folder, BERLIN)
    assert read_reading(folder) == BERLIN
    with pytest.raises(Problem, match="Europe/Berlin"):
        Reading(zone="Berlin time")
