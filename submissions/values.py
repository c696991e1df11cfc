"""Cells to values: one column at a time, each distinct cell once, by the rules of the form set.

**Numbers in text.** Vietnamese style is agreed (``1.234,5``), English style (``1,234.5``) occurs. A text has the
readings that the grammar of each style allows: groups are of three digits, and the first does not begin with 0. A
column is in one style if some of its cells can be read in that style only; where it does not tell, the other columns of
the sheet do.

===============================  ===========  ====================================================================
text                             read as      why
===============================  ===========  ====================================================================
``12`` ``012`` ``+12`` ``−12``   12, -12      one reading
``1 234`` ``1’234``              1234         one reading: no style has a decimal space or apostrophe
``82,5`` ``1.234,5`` ``0,500``   82.5 ...     Vietnamese only, and evidence for it
``82.5`` ``1,234.5`` ``0.500``   82.5 ...     English only, and evidence for it
``1.234`` ``1,234``              by column    two readings: that of the column's style if it is lawful there (whole,
                                              in range); `ambiguous_number` if only the other one is, or if the column
                                              has cells of both styles; with no evidence Vietnamese, as agreed
... in an integer column                      ``1.234`` is 1234; ``1,234`` is asked, and 1234 beside ``1,234,567``
... in points of 0 to 100                     ``1.234`` is asked, and 1.234 beside ``82.5``; ``1,234`` is 1.234
``12,0`` in an integer column    12           one or two zeros; three could be thousands
``85%`` ``12 đv`` ``1e5``        refused      a share or a unit is not a number: `not_number`, `not_integer`
===============================  ===========  ====================================================================

**Dates in text** are ``dd/mm/yyyy``. ``31/12`` tells day first, ``12/31`` month first. In a column (or, where it does
not tell, a sheet) in which two dates or more tell month first, and more than tell day first, a date that can be either
is `ambiguous_date`: one odd date is evidence against itself only. What is possible with the month first alone is always
`not_date`. The year has four digits. A month in words,
``yyyy-mm-dd`` and a time of day beside the date leave no doubt. A day number in a number cell is a date that lost its
format; in text it is none.

A program that expects the month first turns ``05/03`` into an Excel date of 3 May and leaves ``31/03`` as text. A
column whose texts all have a number above 12 and whose Excel dates all have none was turned so: those dates are
`ambiguous_date`.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache

import numpy as np

from submissions.files.legacy import doubtful, is_doubtful
from submissions.files.source import ErrorCell, Uncalculated
from submissions.form_set import Column, period
from submissions.text import clean, clean_all, fold

Parsed = tuple[object, str | None]
"""A value (None where there is none) and the rule that the cell breaks (None where it is lawful)."""

FORMER_NAME = "former_name"
"""The one rule that a cell breaks and yet has a value: a name of former years, which is asked about."""

Evidence = frozenset[str]
"""Of which styles some cells of a column certainly are: ``vi``, ``en`` (numbers), ``dm``, ``md`` (dates in text: day or
month first); ``turned``: its Excel dates were turned by a program that expected the other order."""
NO_EVIDENCE: Evidence = frozenset()

_NONE: Mapping[str, str] = {}

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2100, 12, 31)
_SERIALS = range(10_000, 80_000)
"""Excel's day numbers from 1927 to 2119: a date whose cell format was lost."""
_SERIAL_ZERO = date(1899, 12, 30)

_ERRORS = {
    "#REF!", "#N/A", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#ERROR!", "#BLOCKED!",
    "#FIELD!", "#GETTING_DATA", "Err:502", "Err:508", "Err:522",
}  # fmt: skip
"""How spreadsheets write errors into text."""


def _style(thousands: str, decimal: str) -> re.Pattern[str]:
    return re.compile(
        rf"[+-]?(?:\d+|[1-9]\d{{0,2}}([ ’{thousands}])\d{{3}}(?:\1\d{{3}})*)(?:[{decimal}](?P<decimals>\d+))?", re.ASCII
    )


_STYLES = {"vi": _style(".", ","), "en": _style(",", ".")}
_GROUPING = {"vi": str.maketrans(",", ".", ". ’"), "en": str.maketrans("", "", ", ’")}
_MINUS = str.maketrans("−–", "--")
_SCIENTIFIC = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d+")

_TIME = r"(?:[ T,]+[0-2]?\d:[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?: ?(?:[AaPp][Mm]|SA|CH))?Z?)?"
_DAY_FIRST = re.compile(
    rf"(?:ngày )?(\d{{1,2}}) ?[/.-] ?(\d{{1,2}}) ?[/.-] ?(\d{{4}}){_TIME}", re.ASCII | re.IGNORECASE
)
_YEAR_FIRST = re.compile(rf"(\d{{4}})[/.-](\d{{1,2}})[/.-](\d{{1,2}}){_TIME}", re.ASCII)
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("một", "hai", "ba", "tư|bốn", "năm", "sáu", "bảy|bẩy", "tám", "chín", "mười", "mười một", "mười hai"), start=1
    )
    for name in names.split("|")
} | {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)  # noqa: SIM905
}
_IN_WORDS = re.compile(rf"(?:ngày )?(\d{{1,2}}),? tháng (\d{{1,2}}|{'|'.join(reversed(_MONTHS))}),? năm (\d{{4}})")
_ENGLISH = re.compile(r"(\d{1,2})[- ]([a-z]{3})[a-z]*[- ,]+(\d{4})")


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
        case timedelta():
            minutes, seconds = divmod(abs(cell).total_seconds(), 60)
            told = f"{minutes // 60:.0f}:{minutes % 60:02.0f}" + (f":{int(seconds):02}" if seconds else "")
            return f"-{told}" if cell < timedelta() else told
        case _:
            return clean(str(cell))


def _unreadable(cell: object) -> str | None:
    """The rule that a cell without a value breaks: it holds an error, or a formula that was never calculated."""
    if isinstance(cell, Uncalculated):
        return "uncalculated"
    if isinstance(cell, ErrorCell) or (isinstance(cell, str) and cell in _ERRORS):
        return "error_cell"
    return None


def _numeral(cell: object) -> str:
    return clean(cell).translate(_MINUS) if isinstance(cell, str) else ""


def _readings(text: str) -> dict[str, re.Match[str]]:
    """What each style makes of a text, by style."""
    return {style: found for style, pattern in _STYLES.items() if (found := pattern.fullmatch(text))}


def _number(column: Column, evidence: Evidence) -> Callable[[object], Parsed]:
    """The function that reads a number of a column: in its type, list and range."""
    whole = column.type == "integer"

    def lawful(number: float, decimals: str | None = None) -> Parsed:
        if not math.isfinite(number):
            return None, "not_integer" if whole else "not_number"
        if whole and (not number.is_integer() or decimals not in {None, "0", "00"}):
            return None, "not_integer"
        value = int(number) if whole else number
        if column.allowed and value not in column.allowed:
            return None, "not_in_list"
        low = column.min is not None and value < column.min
        high = column.max is not None and value > column.max
        return (None, "out_of_range") if low or high else (value, None)

    def parse_number(cell: object) -> Parsed:
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            return lawful(float(cell))
        text = _numeral(cell)
        read = {
            style: lawful(float(text.translate(_GROUPING[style])), found["decimals"])
            for style, found in _readings(text).items()
        }
        if not read:
            return None, _unreadable(cell) or ("not_integer" if whole else "not_number")
        if len(read) == 1 or read["vi"] == read["en"]:
            return next(iter(read.values()))
        if len(evidence) > 1:
            return None, "ambiguous_number"
        own, other = (read["en"], read["vi"]) if evidence == {"en"} else (read["vi"], read["en"])
        return own if own[1] is None or other[1] is not None else (None, "ambiguous_number")

    return parse_number


def _day(cell: object) -> tuple[date | None, tuple[int, int] | None]:
    """The day of a cell (None where it is none), and the first two numbers of one written ``d/m/yyyy``."""
    if isinstance(cell, str):
        return _written_day(cell)
    if isinstance(cell, datetime):
        return cell.date(), None
    if isinstance(cell, date):
        return cell, None
    number = isinstance(cell, int | float) and not isinstance(cell, bool) and float(cell).is_integer()
    if number and int(cell) in _SERIALS:
        return _SERIAL_ZERO + timedelta(days=int(cell)), None
    return None, None


@lru_cache(maxsize=1 << 15)
def _written_day(text: str) -> tuple[date | None, tuple[int, int] | None]:
    text, order = clean(text), None
    if found := _DAY_FIRST.fullmatch(text):
        day, month, year = map(int, found.groups())
        order = day, month
    elif found := _YEAR_FIRST.fullmatch(text):
        year, month, day = map(int, found.groups())
    elif found := (_IN_WORDS.fullmatch(text.casefold()) or _ENGLISH.fullmatch(text.casefold())):
        day, year = int(found[1]), int(found[3])
        month = int(found[2]) if found[2].isdigit() else _MONTHS.get(found[2], 0)
    else:
        return None, None
    try:
        return date(year, month, day), order
    except ValueError:  # a day that no calendar has, such as 31/02
        return None, order


def _days_allowed(column: Column, year: int) -> tuple[date, date]:
    """The first and the last day that a cell of a column may have."""
    if column.within is None:
        return FIRST_DAY, LAST_DAY
    first, last = period(column.within, year)
    return first or FIRST_DAY, last


def _date(column: Column, year: int, evidence: Evidence) -> Callable[[object], Parsed]:
    """The function that reads a day of a column, inside its period."""
    first, last = _days_allowed(column, year)
    month_first = "md" in evidence and "dm" not in evidence
    turned = "turned" in evidence

    def parse_date(cell: object) -> Parsed:
        # Most cells are dates: they need no look at what they are.
        day, order = (cell, None) if type(cell) is date else _day(cell)
        if day is None:
            return None, _unreadable(cell) or "not_date"
        doubted = month_first if order is not None else turned and not isinstance(cell, str)
        if doubted and day.day <= 12 and day.day != day.month:
            return None, "ambiguous_date"
        return (day, None) if first <= day <= last else (None, "outside_period")

    return parse_date


def parse_integer(cell: object) -> Parsed:
    """A whole number by itself: a number cell, or text such as ``12``, ``1.234`` (Vietnamese thousands) or ``12,0``."""
    return _INTEGER(cell)


def parse_number(cell: object) -> Parsed:
    """A number by itself: a number cell, or text such as ``82,5``, ``1.234,5`` or ``82.5`` (one reading)."""
    return _NUMBER(cell)


def parse_date(cell: object) -> Parsed:
    """A day by itself: an Excel date, text ``dd/mm/yyyy`` or ``d/m/yyyy``, or a day number that lost its format."""
    return _DATE(cell)


def parse_mark(cell: object) -> Parsed:
    """A mark: ``x`` or ``X``."""
    marked = isinstance(cell, str) and fold(cell) == "x"
    return (True, None) if marked else (None, _unreadable(cell) or "not_mark")


def parse_text(cell: object) -> Parsed:
    """Text in one spelling."""
    if not isinstance(cell, str):
        return shown(cell), None
    if rule := _unreadable(cell) or (is_doubtful(cell) and "legacy_text") or None:
        return None, rule
    return clean(cell), None


def _code(pattern: str | None) -> Callable[[object], Parsed]:
    expected = re.compile(pattern, re.ASCII) if pattern else None

    def parse_code(cell: object) -> Parsed:
        # Codes are text: Excel drops leading zeros of a number, and rounds a long one.
        if not isinstance(cell, str):
            return None, "code_as_number"
        text = clean(cell)
        if expected is not None and expected.fullmatch(text):
            return text, None
        if rule := _unreadable(cell):
            return None, rule
        if _SCIENTIFIC.fullmatch(text):
            return None, "code_as_number"
        return (text, None) if expected is None else (None, "pattern")

    return parse_code


def _listed(spellings: Mapping[str, str], former: Mapping[str, str]) -> Callable[[object], Parsed]:
    def parse_listed(cell: object) -> Parsed:
        text = fold(shown(cell))
        value = spellings.get(text)
        if value is not None:
            return value, None
        if text in former:
            return former[text], FORMER_NAME
        return None, _unreadable(cell) or ("legacy_text" if is_doubtful(str(cell)) else "not_in_list")

    return parse_listed


_INTEGER = _number(Column(key="integer", heading="integer", type="integer"), NO_EVIDENCE)
_NUMBER = _number(Column(key="number", heading="number", type="number"), NO_EVIDENCE)
_DATE = _date(Column(key="date", heading="date", type="date"), 0, NO_EVIDENCE)


def parser(
    column: Column,
    spellings: dict[str, dict[str, str]],
    year: int,
    evidence: Evidence = NO_EVIDENCE,
    former: Mapping[str, str] = _NONE,
) -> Callable[[object], Parsed]:
    """The function that reads one filled cell of a column in a report of `year`."""
    if column.list is not None:
        return _listed(spellings[column.list], former)
    match column.type:
        case "code":
            return _code(None if column.card_when else column.pattern)
        case "integer" | "number":
            return _number(column, evidence)
        case "date":
            return _date(column, year, evidence)
        case "mark":
            return parse_mark
        case _:
            return parse_text


def find_evidence(column: Column, cells: Iterable[object]) -> Evidence:
    """Of which style the distinct cells of a column of numbers or dates certainly are."""
    if column.type not in {"integer", "number", "date"}:
        return NO_EVIDENCE
    cells = list(cells)
    texts = [cell for cell in cells if isinstance(cell, str)]
    if column.type == "date":
        return _evidence_of_dates(texts, cells) if texts else NO_EVIDENCE
    read = (_readings(_numeral(text)) for text in texts)
    return frozenset(style for readings in read if len(readings) == 1 for style in readings)


_TURNED_CELLS, _TURNED_DAYS = 8, 5
"""So many texts and Excel dates, of so many days, do not fall apart so by chance (0.6^8 * 0.4^8 is 1 in 90,000)."""


def _evidence_of_dates(texts: list[str], cells: list[object]) -> Evidence:
    orders = [order for order in (_day(text)[1] for text in texts) if order is not None]
    day_first = sum(first > 12 >= second for first, second in orders)
    month_first = sum(second > 12 >= first for first, second in orders)
    found = {"dm"} if day_first else set()
    # One odd cell is evidence against itself, not against its column.
    if month_first >= 2 and month_first > day_first:
        found.add("md")
    if len(orders) >= _TURNED_CELLS and all(max(order) > 12 for order in orders):
        days = [day for day, _ in (_day(cell) for cell in cells if not isinstance(cell, str)) if day is not None]
        parted = len(days) >= _TURNED_CELLS and all(day.day <= 12 for day in days)
        if parted and min(len({day.day for day in days}), len({max(order) for order in orders})) >= _TURNED_DAYS:
            found.add("turned")
    return frozenset(found)


def parse_column(
    column: Column,
    spellings: dict[str, dict[str, str]],
    year: int,
    distinct: np.ndarray,
    blanks: np.ndarray,
    evidence: Evidence = NO_EVIDENCE,
    former: Mapping[str, str] = _NONE,
) -> tuple[np.ndarray, np.ndarray]:
    """Values and broken rules of the distinct cells of a column (object arrays, None for neither).

    `blanks` says which of them are to be left alone: they have neither. `evidence` is what `find_evidence` found in the
    column, or else in its sheet. `former` are the names of former years (`FormSet.former_names`).
    """
    values = np.full(len(distinct), None, dtype=object)
    rules = np.full(len(distinct), None, dtype=object)
    positions = np.flatnonzero(~blanks)
    plain = _plain_values(column, distinct[positions].tolist(), year, evidence)
    values[positions] = plain
    parse = parser(column, spellings, year, evidence, former)
    for place, value in enumerate(plain):
        if value is None:
            position = positions[place]
            values[position], rules[position] = parse(distinct[position])
    return values, rules


def _plain_values(column: Column, cells: list[object], year: int, evidence: Evidence) -> list[object]:
    """The values of cells that are as they should be, as most are; None for those that `parser` is to look at."""
    if column.list is None and column.type == "text":
        doubts = doubtful(cell for cell in cells if isinstance(cell, str)) | _ERRORS
        texts = zip(cells, _clean_texts(cells), strict=True)
        return [None if cell in doubts else text for cell, text in texts]
    if column.list is None and column.type == "code":
        pattern = None if column.card_when else column.pattern
        texts = _clean_texts(cells)
        if pattern is not None:
            fits = re.compile(pattern, re.ASCII).fullmatch
            return [text if text and fits(text) else None for text in texts]
        return [None if text is None or text in _ERRORS or _SCIENTIFIC.fullmatch(text) else text for text in texts]
    if column.type == "date" and not evidence & {"turned", "md"}:
        first, last = _days_allowed(column, year)
        days = [
            cell if cell.__class__ is date else _written_day(cell)[0] if cell.__class__ is str else None
            for cell in cells
        ]
        return [day if day is not None and first <= day <= last else None for day in days]
    return [None] * len(cells)


def _clean_texts(cells: list[object]) -> list[str | None]:
    """The cells that are texts, clean; None for the others."""
    texts = iter(clean_all([cell for cell in cells if cell.__class__ is str]))
    return [next(texts) if cell.__class__ is str else None for cell in cells]
