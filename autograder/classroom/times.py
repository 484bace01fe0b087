"""Parses submission times, and refuses ambiguous ones rather than guess.

A numeric date may begin with the day or the month, and a time without a zone depends on the place: the instructor
specifies both once, and the class stores it.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import dateutil.parser

from manyheads.whole_file import whole_file

from ..problems import Problem
from .class_folder import ClassFolder

DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
TIMES = "times.json"  # the file of the class folder with the instructor's choices

_NUMERIC = re.compile(r"(?:[^\W\d]+,?\s+)?(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?=$|[\sT,])[T,]?\s*(.*)", re.DOTALL)
_DIGITS = re.compile(r"(20\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\d{0,6}")  # Sakai's
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?\s*(?:(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_ZONE = re.compile(
    r"(?:\s|(?<=\d))\(?(?P<zone>(?:UTC|GMT)?[+-]\d\d?(?::?\d\d)?|[A-Z][A-Za-z]+(?:/[A-Za-z_+-]+)+|[A-Z]{1,5})\)?$"
)
# Unambiguous abbreviations. CST, IST, EST and others have several meanings.
_ABBREVIATIONS = {"UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3}
# Two defaults for missing fields that differ in every field: if the results differ, a field was missing. The days
# differ by more than 6, because dateutil moves a default on to a weekday that is given without a date.
_DEFAULTS = datetime(2000, 1, 1, 1, 1), datetime(2001, 2, 15)
_MONTH = re.compile("jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec", re.IGNORECASE)
_ASK_ZONE = "give the time zone, e.g. --zone Europe/Berlin, America/Chicago or UTC"


class Unclear(Exception):
    """A time that is ambiguous or cannot be parsed.

    Args:
        text: the time as written.
        why: what is not clear, and what to do; the same text for all times with the same problem.
    """

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"{text!r}: {why}")
        self.text, self.why = text[:60], why


@dataclass(frozen=True)
class Reading:
    """How to interpret ambiguous times.

    Args:
        order: "day-first" or "month-first", for numeric dates such as 12/11; "" if not specified.
        zone: the time zone of times that name none; "" if not specified.
    """

    order: str = ""
    zone: str = ""

    def __post_init__(self) -> None:
        if self.zone:
            _zone(self.zone)

    def when(self, text: str) -> datetime:
        """Parse `text`, and return the time in UTC.

        Raises:
            Unclear: if it is not a time, or could be several.
        """
        text = text[:100]
        rest, zone = _split_zone(text.strip())
        time = self._without_zone(rest)
        return self._with_zone(time, zone, text).astimezone(UTC)

    def _without_zone(self, text: str) -> datetime:
        if digits := _DIGITS.fullmatch(text):
            return _datetime(digits.groups(), text)
        numeric = _NUMERIC.fullmatch(text)
        if numeric is None:
            return _in_words(text)
        first, mark, second, third, rest = numeric.groups()
        clock = _clock(rest, text)
        if len(first) == 4:
            return _datetime((first, second, third, *clock), text)
        if len(third) != 4 and mark != "/" and mark != ".":
            raise Unclear(text, "the year needs four digits")
        year = third if len(third) == 4 else f"20{third}" if len(third) == 2 else ""
        orders = {DAY_FIRST: (second, first), MONTH_FIRST: (first, second)}
        possible = {order: pair for order, pair in orders.items() if int(pair[0]) <= 12 and int(pair[1]) <= 31}
        if not self.order and len(third) == 4 and len(set(possible.values())) == 1:
            return _datetime((year, *next(iter(possible.values())), *clock), text)
        if not self.order:
            why = f"dates may begin with the day or the month: choose with --dates {DAY_FIRST} or {MONTH_FIRST}"
            raise Unclear(text, why)
        if self.order not in possible:
            raise Unclear(text, f"it does not begin with the {self.order.partition('-')[0]}, contrary to --dates")
        return _datetime((year, *possible[self.order], *clock), text)

    def _with_zone(self, time: datetime, zone: str, text: str) -> datetime:
        """Return `time` with the time zone named `zone` or, if it is "", with this reading's zone."""
        offset = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d\d?):?(\d\d)?", zone)
        if offset is not None:
            sign, hours, minutes = offset.groups()
            if int(hours) > 14 or int(minutes or 0) > 59:
                raise Unclear(text, f"its time zone is not known here: {_ASK_ZONE}")
            away = timedelta(hours=int(hours), minutes=int(minutes or 0))
            return time.replace(tzinfo=timezone(-away if sign == "-" else away))
        if zone in _ABBREVIATIONS:
            return time.replace(tzinfo=timezone(timedelta(hours=_ABBREVIATIONS[zone])))
        if "/" in zone:
            return _unfolded(time, _known_zone(zone, text), text)
        if not self.zone:
            what = f"{zone} may be several time zones" if zone else "no time zone is named"
            raise Unclear(text, f"{what}: {_ASK_ZONE}")
        here = _zone(self.zone)
        if not zone:
            return _unfolded(time, here, text)
        for fold in (0, 1):
            placed = time.replace(tzinfo=here, fold=fold)
            if placed.tzname() == zone:
                return placed
        raise Unclear(text, f"{self.zone} does not use {zone} at that time: write the offset instead, e.g. +0100")


def read_reading(folder: ClassFolder) -> Reading:
    """Return the class's stored reading; an empty one if the file is missing or damaged."""
    try:
        return Reading(**json.loads((folder.root / TIMES).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, Problem):
        return Reading()


def store_reading(folder: ClassFolder, reading: Reading) -> None:
    """Store the reading in the class folder."""
    path = folder.root / TIMES
    if reading != read_reading(folder):
        with whole_file(path) as beside:
            beside.write_text(json.dumps(asdict(reading)) + "\n", encoding="utf-8")


def _split_zone(text: str) -> tuple[str, str]:
    """Split a time's text into the part before its zone, and the zone, or ""."""
    if re.search(r"\d\s*[AaPp]\.?[Mm]\.?$", text):
        return text, ""
    found = _ZONE.search(text)
    if found is None or not re.search(r"\d:\d\d|\dT?\d{4}", text[: found.start() + 1]):
        return text, ""
    zone = found["zone"]
    before = text[: found.start()].rstrip(" (")
    if re.fullmatch(r"[+-].*", zone) and (named := re.search(r"\s\(?(?:UTC|GMT)$", before)):
        before = before[: named.start()]
    return before.strip(), zone


def _clock(text: str, whole: str) -> tuple[int, int, int]:
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise Unclear(whole, "it has no time of day that can be read")
    hour, half = int(found["hour"]), (found["half"] or "").lower()
    if half and not 1 <= hour <= 12:
        raise Unclear(whole, "it has no time of day that can be read")
    hour = hour % 12 + (12 if half == "p" else 0) if half else hour
    return hour, int(found["minute"]), int(found["second"] or 0)


def _in_words(text: str) -> datetime:
    """Parse "Friday, 13 November 2026, 11:05 PM". Times with missing fields, which dateutil would fill, are refused."""
    try:
        one, other = (dateutil.parser.parse(text, default=day, tzinfos=_some_zone) for day in _DEFAULTS)
    except (ValueError, OverflowError, TypeError):
        one = other = None
    if one is None or not _MONTH.search(text):
        raise Unclear(text, "it is not a time in English: switch the LMS to English")
    if one != other or not re.search(r"\b\d{4}\b", text):
        raise Unclear(text, "it is not a whole date with a time of day")
    if one.tzinfo is not None:
        raise Unclear(text, "its time zone is not at the end: write it there")
    return one


def _some_zone(name: str | None, offset: int | None) -> tzinfo | None:
    # Only whether there is a zone matters. By default, dateutil ignores zones that it does not know.
    return None if name is None and offset is None else UTC


def _datetime(numbers: tuple[str | int, ...], text: str) -> datetime:
    try:
        return datetime(*map(int, numbers))  # pyrefly: ignore[bad-argument-type]  # 7 at most: no time zone
    except ValueError:
        raise Unclear(text, "this date does not exist") from None


def _unfolded(time: datetime, zone: tzinfo, text: str) -> datetime:
    """Return `time` in `zone`, unless the clocks were changed at that hour."""
    first, second = (time.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        raise Unclear(text, "the clocks changed at that hour, so it is ambiguous: write its offset, e.g. +0100")
    return first


def _known_zone(name: str, text: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise Unclear(text, f"its time zone is not known here: {_ASK_ZONE}") from None


def _zone(name: str) -> tzinfo:
    """Return the time zone that an instructor chose.

    Raises:
        Problem: if there is no time zone of that name.
    """
    if name in _ABBREVIATIONS:
        return timezone(timedelta(hours=_ABBREVIATIONS[name]))
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise Problem(f"there is no time zone {name!r}; use e.g. Europe/Berlin, America/Chicago or UTC") from None
