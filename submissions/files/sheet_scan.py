"""A look over a sheet's XML without parsing it: where its cells are, and whether the quick reader reads them right.

A workbook holds some megabytes of XML; a Python step per cell would cost more than reading the file. So the bytes
are looked at as arrays. What is not of the plain shape that common programs write is left to the careful reader.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from submissions.files.plain_cells import Layout, tag_key
from submissions.files.source import ErrorCell, Uncalculated

_PLAIN_TAGS = (
    b"c ",
    b"/c",
    b"ro",
    b"/r",
    b"v>",
    b"/v",
    b"v/",
    b"f>",
    b"f ",
    b"f/",
    b"/f",
    b"is",
    b"/i",
    b"t>",
    b"t ",
    b"t/",
    b"/t",
)
_UNCALCULATED = re.compile(rb"</f></c>|<f[^>]*/></c>|(?:</f>|/>)<v(?:/>| ?/>|></v>)")
_CELL = re.compile(
    rb'<c r="([A-Z]+)(\d+)"(?:\s(?:t="(\w+)"|\w+="[^"<>]*"))*\s*>(?:<f[^>]*/>|<f[^>]*>([^<]*)</f>)?'
    rb"(?:<v ?/>|<v>([^<]*)</v>)?</c>"
)
MOST_REPAIRS = 50_000
MOST_KEPT = 2**24
"""Bytes of XML of which the layout is kept, which takes as much again."""
SHOWN_FORMULA = 60
"""Letters of a formula without result that are shown."""
_PREFIX = re.compile(rb"<([A-Za-z][\w.-]*):(?:worksheet|sst)[\s>]")
_HIDDEN_ROW = re.compile(rb'<row r="(\d+)"[^>]*?\shidden="(?:1|true)"')


_PLAIN_KEYS = np.array([tag_key(tag) for tag in _PLAIN_TAGS])
_FILLED_KEYS = np.zeros(1 << 16, dtype=bool)
_FILLED_KEYS[[tag_key(tag) for tag in (b"v>", b"f>", b"f ", b"f/", b"is")]] = True
_FORMULA_KEYS = [tag_key(tag) for tag in (b"f>", b"f ", b"f/")]


_CLOSING_LENGTHS = np.full(256, 3, np.int32)
_CLOSING_LENGTHS[ord("r")] = 5
_CLOSING_LENGTHS[ord("i")] = 4
"""How far behind its bracket a closing tag ends, by its letter: ``</c>``, ``</row>``, ``</is>``."""


@dataclass(frozen=True)
class Scan:
    """What a look over the cells of a sheet told."""

    rows: int
    columns: int
    """How far the filled cells reach."""
    corner: str
    """The filled cells that reach farthest down and right."""
    cells: int
    formulas: int
    hidden_rows: tuple[int, ...]
    texts: bool
    """Whether texts stand in the cells themselves."""
    repairs: tuple[tuple[int, int, str], ...]
    """Row, column (from 1) and value of cells that the quick reader blanks: errors, formulas without result."""
    plain: bool
    """Whether the quick reader reads these cells right; the other figures hold only then."""
    layout: Layout | None = field(default=None, repr=False)
    """Where everything is; None for a sheet too large to keep it."""


NOT_PLAIN = Scan(0, 0, "", 0, 0, (), False, (), False)
EMPTY = Scan(0, 0, "", 0, 0, (), False, (), True)


def without_prefix(data: bytes) -> bytes:
    """A sheet, or the shared texts, with elements unprefixed: ``<x:c>`` is written by the .NET libraries."""
    found = _PREFIX.search(data[:4096])
    if found is None:
        return data
    prefix = found.group(1)
    return data.replace(b"<" + prefix + b":", b"<").replace(b"</" + prefix + b":", b"</")


def parts(data: bytes) -> tuple[bytes, bytes] | None:
    """A sheet's frame (its XML without the rows) and its rows; None where there are no rows to be found so."""
    opened = re.search(rb"<sheetData\s*(/?)>", data[: 1 << 20])
    if opened is None:
        return None
    if opened.group(1):
        return data, b""
    end = data.rfind(b"</sheetData>")
    if end < opened.end():
        return None
    return data[: opened.end()] + data[end:], data[opened.end() : end]


def scan(body: bytes, date_styles: frozenset[int]) -> Scan:
    """The figures of a sheet's rows (the XML between ``<sheetData>`` and its end)."""
    if not body.strip():
        return EMPTY
    body += b"        "  # so that a look a few bytes ahead never falls off the end
    view = np.frombuffer(body, np.uint8)
    low = np.count_nonzero(view < 32)
    if low and low != sum(body.count(blank) for blank in (b"\n", b"\r", b"\t")):
        return NOT_PLAIN
    brackets = np.flatnonzero(view == 60)
    tags = view[brackets + 1].astype(np.uint16) << 8 | view[brackets + 2]
    counts = np.bincount(tags, minlength=1 << 16)
    if counts[_PLAIN_KEYS].sum() != len(brackets) or b"&" in body or b"'" in body:
        return NOT_PLAIN
    if not _well_formed(
        view, brackets, tags, bool(counts[tag_key(b"is")] or counts[tag_key(b"f>")] or counts[tag_key(b"f ")])
    ):
        return NOT_PLAIN
    cell_tags, row_tags = np.flatnonzero(tags == tag_key(b"c ")), np.flatnonzero(tags == tag_key(b"ro"))
    cells, rows = brackets[cell_tags], brackets[row_tags]
    # <c r="B7" and <row r="7": other orders of attributes are lawful, and rare
    if not len(rows) or np.any(view[cells + 3] != 114) or np.any(view[rows + 5] != 114):
        return NOT_PLAIN
    row_numbers = _numbers(view, rows + 8)
    if row_numbers is None or np.any(np.diff(row_numbers) <= 0):
        return NOT_PLAIN
    hidden = tuple(int(row) for row in _HIDDEN_ROW.findall(body)) if b" hidden=" in body else ()
    if not len(cells):
        return Scan(0, 0, "", 0, 0, hidden, False, (), True)
    places = _references(view, cells + 6)
    if places is None:
        return NOT_PLAIN
    row, column = places
    order = row * 16_384 + column
    if cell_tags[0] < row_tags[0]:
        return NOT_PLAIN
    owner = np.repeat(row_numbers, np.diff(np.searchsorted(cell_tags, row_tags), append=len(cells)))
    if np.any(np.diff(order) <= 0) or np.any(owner != row) or row[-1] > 1 << 20 or column.max() > 16_384:
        return NOT_PLAIN
    filled = _FILLED_KEYS[tags[np.minimum(cell_tags + 1, len(tags) - 1)]]
    formulas = int(counts[_FORMULA_KEYS].sum())
    repairs = _repairs(body, formulas > 0)
    if repairs is None:
        return NOT_PLAIN
    if not _plain_values(body, view, brackets[tags == tag_key(b"v>")], cells, date_styles):
        return NOT_PLAIN
    if not filled.any():
        return Scan(0, 0, "", len(cells), formulas, hidden, False, (), True)
    layout = Layout(body, brackets, tags, cell_tags, row, column) if len(body) <= MOST_KEPT else None
    row, column = row[filled], column[filled]
    return Scan(
        int(row.max()),
        int(column.max()),
        f"{_at(row, column, int(column.argmax()))}, {_at(row, column, len(row) - 1)}",
        len(row),
        formulas,
        hidden,
        bool(counts[tag_key(b"is")]),
        repairs,
        True,
        layout,
    )


def _repairs(body: bytes, formulas: bool) -> tuple[tuple[int, int, str], ...] | None:
    """What the quick reader leaves blank; None where it is too much to be looked at one by one."""
    starts: list[int] = []
    at = body.find(b't="e"')
    while at >= 0:
        starts.append(at)
        at = body.find(b't="e"', at + 5)
    if formulas:
        starts += [found.start() for found in _UNCALCULATED.finditer(body)]
    if len(starts) > MOST_REPAIRS:
        return None
    repairs: dict[tuple[int, int], str] = {}
    for start in starts:
        cell = _CELL.match(body, body.rfind(b"<c r=", 0, start))
        if cell is None or cell.end() < start:
            return None
        letters_of, line, kind, formula, value = cell.groups()
        if kind == b"e":
            made: str = ErrorCell((value or b"").decode().strip() or "#N/A")
        elif value is None or (not value and kind != b"str"):
            made = Uncalculated(f"={(formula or b'').decode()}"[:SHOWN_FORMULA])
        else:
            continue
        repairs[int(line), _column(letters_of)] = made
    return tuple((*place, made) for place, made in sorted(repairs.items()))


def _column(letters_of: bytes) -> int:
    number = 0
    for letter in letters_of:
        number = number * 26 + letter - 64
    return number


def _well_formed(view: np.ndarray, brackets: np.ndarray, tags: np.ndarray, texts: bool) -> bool:
    """Whether brackets, quotation marks and closing tags are in their places (texts may hold some of their own)."""
    closing = np.flatnonzero(tags >> 8 == 47)
    lengths = _CLOSING_LENGTHS[tags[closing] & 255]
    if texts:
        return bool(np.all((view[brackets[closing] + lengths] == 62) | (lengths == 5)))  # </r> of a text, or </row>
    if np.any(view[brackets[closing] + lengths] != 62):
        return False
    quotes = view == 34
    attributes = np.count_nonzero(quotes[1:] & (view[:-1] == 61))
    return np.count_nonzero(view == 62) == len(brackets) and 2 * attributes == np.count_nonzero(quotes)


def letters(column: int) -> str:
    """Excel's letters of a column counted from 1."""
    made = ""
    while column:
        column, rest = divmod(column - 1, 26)
        made = chr(65 + rest) + made
    return made


def _at(row: np.ndarray, column: np.ndarray, position: int) -> str:
    return f"{letters(int(column[position]))}{row[position]}"


def _numbers(view: np.ndarray, starts: np.ndarray) -> np.ndarray | None:
    """Numbers that end with a quotation mark, from their first digits; None where one is something else."""
    number = np.zeros(len(starts), np.int32)
    going = np.ones(len(starts), bool)
    for digit in range(9):
        found = view[np.minimum(starts + digit, len(view) - 1)]
        ended = found == 34
        if digit == 0 and ended.any():
            return None
        going &= ~ended
        if not going.any():
            return number
        if np.any(going & ((found < 48) | (found > 57))):
            return None
        number = np.where(going, number * 10 + found - 48, number)
    return None


def _references(view: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Row and column (from 1) of references like ``AB12``; None where one is something else."""
    if np.any(view[starts - 2] != 61) or np.any(view[starts - 1] != 34):
        return None
    column = np.zeros(len(starts), np.int32)
    width = np.zeros(len(starts), np.int32)
    going = np.ones(len(starts), bool)
    for letter in range(3):
        found = view[starts + letter]
        going = going & (found >= 65) & (found <= 90)
        if letter == 0 and not going.all():
            return None
        column = np.where(going, column * 26 + found - 64, column)
        width += going
    row = _numbers(view, starts + width)
    return None if row is None else (row, column)


def _plain_values(
    body: bytes, view: np.ndarray, values: np.ndarray, cells: np.ndarray, date_styles: frozenset[int]
) -> bool:
    """Whether the quick reader takes all values as they are: no NaN, no blanks around, no dates before March 1900."""
    first = view[values + 3]
    # A number begins with a digit or a sign; texts (t="str") with anything, and then they are looked at below.
    odd = values[np.isin(first, np.frombuffer(b"NnIi \n\r\t+", np.uint8)) | ((first == 45) & (view[values + 4] > 57))]
    if len(odd) and not _are_texts(body, view, odd, cells):
        return False
    if np.any((view[values + 7] == 45) & (first < 58)) and b't="d"' in body:
        return False
    second, third = view[values + 4], view[values + 5]
    small = (first == 45) | (second == 60) | (third == 60) | (second == 46) | (third == 46)
    suspects = values[small]
    # Most small numbers are positions of shared texts: t="s"><v>12<
    text = (view[suspects - 3] == 115) & (view[suspects - 4] == 34)
    if np.any(view[suspects[text] + 3] == 45):
        return False
    suspects = suspects[~text]
    if not len(suspects) or not date_styles:
        return True
    starts = cells[np.searchsorted(cells, suspects) - 1]
    # <c r="B7"><v>: no style at all
    styled = suspects - starts > 14
    suspects, starts = suspects[styled], starts[styled]
    ends = np.where(view[suspects - 3] == 110, suspects - 8, suspects - 2)  # …s="2" t="n"><v> or …s="2"><v>
    number, scale = np.zeros(len(suspects), np.int32), np.ones(len(suspects), np.int32)
    going = np.ones(len(suspects), bool)
    for back in range(1, 7):
        found = view[ends - back]
        going &= (found >= 48) & (found <= 57)
        number = np.where(going, number + (found.astype(np.int32) - 48) * scale, number)
        scale = np.where(going, scale * 10, scale)
    known = scale > 1
    if np.any(np.isin(number[known], list(date_styles))):
        return False
    for start, end in zip(starts[~known], suspects[~known], strict=True):
        found = re.search(rb'\ss="(\d+)"', body[start : min(end, start + 200)])
        if found and int(found.group(1)) in date_styles:
            return False
    return True


def _are_texts(body: bytes, view: np.ndarray, values: np.ndarray, cells: np.ndarray) -> bool:
    """Whether values stand in cells of text, ``t="str"``; of many that do not say so just before, none is asked."""
    unsure = values[(view[values - 3] != 114) | (view[values - 4] != 116)]
    starts = cells[np.searchsorted(cells, unsure) - 1]
    return len(unsure) <= 20_000 and all(b't="str"' in body[start : start + 60] for start in starts)
