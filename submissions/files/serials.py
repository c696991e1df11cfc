"""Excel's serial dates and number formats: which numbers are dates, and which day each is."""

import re
from datetime import date, datetime, time, timedelta
from functools import cache

_BUILT_IN_DATES = frozenset([*range(14, 23), *range(27, 37), 45, 47, *range(50, 59), *range(71, 82)])
"""Numbers of the built-in date formats, ECMA-376 part 1, 18.8.30, those of the eastern editions included."""
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.')
_DURATION = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_BRACKETS = re.compile(r"\[[^\]]*\]")
_DATE_LETTER = re.compile(r"[dmhysDMHYS]")
_LONGEST_FORMAT = 255
"""Letters of a number format that Excel takes; a hostile one of a million would be looked through a million times."""
_EPOCH = datetime(1899, 12, 30)
_EPOCH_EARLY = datetime(1899, 12, 31)
_EPOCH_1904 = datetime(1904, 1, 1)
_LAST = 2_958_466
_YEARS = range(1927, 2120)
"""A format of elapsed time over so many whole days was laid over a date: nobody counts hours by the 100,000."""


@cache
def kind_of_format(number: int, code: str | None) -> str:
    """What a number format shows: ``number``, ``date`` or ``duration``."""
    if code is None:
        return "duration" if number == 46 else "date" if number in _BUILT_IN_DATES else "number"
    section = _LITERAL.sub("", code[:_LONGEST_FORMAT]).split(";")[0]
    if _DURATION.search(section):
        return "duration"
    section = _BRACKETS.sub("", section)
    if section.strip().lower() in {"general", "standard"}:
        return "number"
    return "date" if _DATE_LETTER.search(section) else "number"


def from_serial(serial: float, kind: str, since_1904: bool) -> object:
    """The date, time, moment or duration of a serial number; the number where there is none such.

    Excel counts 29 February 1900, which never was: it comes back as the text that Excel shows.
    """
    if kind == "duration":
        return _duration(serial, since_1904)
    if not 0 <= serial < _LAST:
        return serial
    if serial < 1 and not since_1904:
        return _moment(_EPOCH_EARLY, serial).time()
    if int(serial) == 60 and not since_1904:
        return "29/02/1900"
    epoch = _EPOCH_1904 if since_1904 else _EPOCH if serial > 60 else _EPOCH_EARLY
    if serial < 1:
        return _moment(epoch, serial).time()
    moment = _moment(epoch, serial)
    return moment.date() if moment.time() == time() else moment


def _moment(epoch: datetime, serial: float) -> datetime:
    # A millisecond is what Excel keeps; more digits are noise of the fraction.
    return epoch + timedelta(milliseconds=round(serial * 86_400_000))


def _duration(serial: float, since_1904: bool) -> object:
    try:
        return day_or_length(timedelta(milliseconds=round(serial * 86_400_000)), since_1904)
    except (OverflowError, ValueError):
        return serial


def day_or_length(length: timedelta, since_1904: bool) -> date | timedelta:
    """The date that an elapsed time of whole days stands for, where these reach from 1927 to 2119; else the time."""
    if length % timedelta(days=1) or not 0 < length.days < _LAST:
        return length
    day = ((_EPOCH_1904 if since_1904 else _EPOCH) + length).date()
    return day if day.year in _YEARS else length


def from_iso(text: str) -> object:
    """The date, time or moment of an ISO text; the text where it is none."""
    written = text.strip().removesuffix("Z")
    for parse in (date.fromisoformat, datetime.fromisoformat, time.fromisoformat):
        try:
            return parse(written)
        except ValueError:
            continue
    return text
