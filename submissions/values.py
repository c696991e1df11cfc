"""Cells to values: one column at a time, each distinct cell once, by the rules of the form set."""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta

import numpy as np

from submissions.form_set import Column, period
from submissions.text import clean, fold

Parsed = tuple[object, str | None]
"""A value (None where there is none) and the rule that the cell breaks (None where it is lawful)."""

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2100, 12, 31)
_SERIALS = range(10_000, 80_000)
"""Excel's day numbers from 1927 to 2119: a date whose cell format was lost."""
_SERIAL_ZERO = date(1899, 12, 30)

_WHOLE = re.compile(r"[+-]?\d+(?:[.,]0{1,2})?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[. ]\d{3})+")
_DECIMAL = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:[. ]\d{3})+)(?:,\d+)?")
_POINT = re.compile(r"[+-]?\d+\.\d+")
_DAY_FIRST = re.compile(r"(\d{1,2})\s?[/.-]\s?(\d{1,2})\s?[/.-]\s?(\d{4})")
_YEAR_FIRST = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[ T]00:00:00)?")


def is_blank(cell: object) -> bool:
    """Whether nothing was entered: an empty cell, or only spaces."""
    return cell is None or (isinstance(cell, str) and (not cell or (not cell[:1].isalnum() and not clean(cell))))


def shown(cell: object) -> str:
    """A cell as its sender would read it, for issue lists."""
    match cell:
        case None:
            return ""
        case bool():
            return "TRUE" if cell else "FALSE"
        case float() if cell.is_integer():
            return str(int(cell))
        case float():
            return repr(cell).replace(".", ",")
        case datetime() | date():
            return f"{cell:%d/%m/%Y}"
        case _:
            return clean(str(cell))


def parse_integer(cell: object) -> Parsed:
    """A whole number: a number cell, or text such as ``12``, ``1.234`` (Vietnamese thousands) or ``12,0``."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return (int(cell), None) if float(cell).is_integer() else (None, "not_integer")
    text = clean(cell) if isinstance(cell, str) else ""
    if _GROUPED.fullmatch(text):
        return int(text.replace(".", "").replace(" ", "")), None
    if _WHOLE.fullmatch(text):
        return int(re.split("[.,]", text)[0]), None
    return None, "not_integer"


def parse_number(cell: object) -> Parsed:
    """A number: a number cell, or text in Vietnamese style (``82,5``, ``1.234,5``); ``82.5`` has one reading too."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(cell), None
    text = clean(cell) if isinstance(cell, str) else ""
    if _DECIMAL.fullmatch(text):
        return float(text.replace(".", "").replace(" ", "").replace(",", ".")), None
    if _POINT.fullmatch(text):
        return float(text), None
    return None, "not_number"


def parse_date(cell: object) -> Parsed:
    """A day: an Excel date, text ``dd/mm/yyyy`` or ``d/m/yyyy``, or a day number that lost its format."""
    if isinstance(cell, datetime):
        return cell.date(), None
    if isinstance(cell, date):
        return cell, None
    if isinstance(cell, float) and cell.is_integer() and int(cell) in _SERIALS:
        return _SERIAL_ZERO + timedelta(days=int(cell)), None
    if isinstance(cell, str):
        text = clean(cell)
        try:
            if found := _DAY_FIRST.fullmatch(text):
                day, month, year = map(int, found.groups())
                return date(year, month, day), None
            if found := _YEAR_FIRST.fullmatch(text):
                year, month, day = map(int, found.groups())
                return date(year, month, day), None
        except ValueError:  # a day that no calendar has, such as 31/02
            return None, "not_date"
    return None, "not_date"


def parse_mark(cell: object) -> Parsed:
    """A mark: ``x`` or ``X``."""
    return (True, None) if isinstance(cell, str) and fold(cell) == "x" else (None, "not_mark")


def parse_text(cell: object) -> Parsed:
    """Text in one spelling."""
    return shown(cell) if not isinstance(cell, str) else clean(cell), None


def _code_parser(pattern: str | None) -> Callable[[object], Parsed]:
    expected = re.compile(pattern) if pattern else None

    def parse_code(cell: object) -> Parsed:
        # Codes are text: Excel drops leading zeros of a number, and rounds a long one.
        if not isinstance(cell, str):
            return None, "code_as_number"
        text = clean(cell)
        return (text, None) if expected is None or expected.fullmatch(text) else (None, "pattern")

    return parse_code


def _list_parser(spellings: dict[str, str]) -> Callable[[object], Parsed]:
    def parse_listed(cell: object) -> Parsed:
        value = spellings.get(fold(shown(cell)))
        return (value, None) if value is not None else (None, "not_in_list")

    return parse_listed


_PARSERS: dict[str, Callable[[object], Parsed]] = {
    "integer": parse_integer,
    "number": parse_number,
    "date": parse_date,
    "mark": parse_mark,
    "text": parse_text,
}


def _bounded(parse: Callable[[object], Parsed], column: Column, year: int) -> Callable[[object], Parsed]:
    """`parse`, then the column's range, list of numbers or period."""
    first, last = FIRST_DAY, LAST_DAY
    if column.within is not None:
        start, last = period(column.within, year)
        first = start or first

    def bounded(cell: object) -> Parsed:
        value, rule = parse(cell)
        if rule is not None:
            return value, rule
        if column.type == "date":
            return (value, None) if first <= value <= last else (None, "outside_period")
        if column.allowed and value not in column.allowed:
            return None, "not_in_list"
        low = column.min is not None and value < column.min
        high = column.max is not None and value > column.max
        return (None, "out_of_range") if low or high else (value, None)

    return bounded


def parser(column: Column, spellings: dict[str, dict[str, str]], year: int) -> Callable[[object], Parsed]:
    """The function that reads one filled cell of a column in a report of `year`."""
    if column.list is not None:
        return _list_parser(spellings[column.list])
    if column.type == "code":
        return _code_parser(None if column.card_when else column.pattern)
    parse = _PARSERS[column.type]
    return _bounded(parse, column, year) if column.type in {"integer", "number", "date"} else parse


def parse_column(
    codes: np.ndarray, distinct: np.ndarray, blanks: np.ndarray, parse: Callable[[object], Parsed]
) -> tuple[np.ndarray, np.ndarray]:
    """Values and broken rules of a column of cells (object arrays, None for neither); blank cells have neither.

    The column comes as its distinct cells, which of them are blank, and the position of each cell among them.
    """
    values = np.empty(len(distinct), dtype=object)
    rules = np.empty(len(distinct), dtype=object)
    for position in np.flatnonzero(~blanks):
        values[position], rules[position] = parse(distinct[position])
    return values[codes], rules[codes]
