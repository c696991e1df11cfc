"""The careful reader of .xlsx sheets: every cell by its own rules, for sheets that the quick reader would read wrongly.

The quick reader (calamine) blanks error cells, formulas without result and NaN, moves dates before March 1900, and
does not see fonts. This one reads all of that, some ten times slower: it is asked where `sheet_scan` saw such a thing.
"""

import io
import math
import re
from dataclasses import dataclass, field
from functools import lru_cache

from lxml import etree

from submissions.files.codes import refused
from submissions.files.layout import MAX_COLUMNS, check_count, check_extent, place
from submissions.files.legacy import Legacy
from submissions.files.legacy_fonts import in_unicode
from submissions.files.markup import check, is_on, local, unparsed
from submissions.files.serials import from_iso, from_serial
from submissions.files.sheet_scan import SHOWN_FORMULA
from submissions.files.source import Cells, ErrorCell, Uncalculated

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_LETTERS = re.compile(r"[A-Za-z]{1,3}")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


@dataclass(frozen=True)
class Run:
    """A piece of text of one font; None is the font of its cell."""

    text: str
    font: str | None = None


@dataclass
class Styles:
    """What a cell's style number says."""

    kinds: list[str] = field(default_factory=list)
    """``number``, ``date`` or ``duration`` by style number."""
    fonts: list[str] = field(default_factory=list)
    """Font name by style number."""
    struck: list[bool] = field(default_factory=list)
    """Whether its text is struck through, by style number."""

    def kind(self, style: int) -> str:
        """``number`` where the style is not among them, as Excel takes it."""
        return self.kinds[style] if 0 <= style < len(self.kinds) else "number"

    def font(self, style: int) -> str:
        """Font name of a style, blank where it is not known."""
        return self.fonts[style] if 0 <= style < len(self.fonts) else ""


@dataclass
class Reading:
    """A sheet's cells and what was odd about them, each with its places."""

    cells: Cells
    errors: list[str] = field(default_factory=list)
    uncalculated: list[str] = field(default_factory=list)
    odd_dates: list[str] = field(default_factory=list)
    unsorted: bool = False
    converted: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    hidden_rows: list[int] = field(default_factory=list)
    formulas: int = 0
    columns: int = 0
    own_texts: dict[str, str] = field(default_factory=dict)
    """Texts that stand in the sheet itself and not among the shared ones, each with its first cell."""


def unescape(text: str) -> str:
    """Text with its ``_xHHHH_`` escapes resolved (ECMA-376 part 1, 22.9.2.19)."""
    if "_x" not in text:
        return text
    made = _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text)
    made = _SURROGATES.sub(lambda pair: pair.group().encode("utf-16", "surrogatepass").decode("utf-16"), made)
    # Half of a pair is no text that anything else could hold.
    return made if made.isascii() else made.encode("utf-8", "replace").decode()


def runs_of(element: etree._Element) -> list[Run]:
    """The text of a shared or inline string, phonetic guides left out, by font."""
    runs = []
    for child in element:
        name = local(child)
        if name == "t":
            runs.append(Run(unescape(child.text or "")))
        elif name == "r":
            font, text = None, ""
            for part in child:
                if local(part) == "t":
                    text += unescape(part.text or "")
                elif local(part) == "rPr":
                    font = next((item.get("val") for item in part if local(item) == "rFont"), None)
            runs.append(Run(text, font))
    return runs


class CarefulReader:
    """Reads the sheets of one workbook."""

    def __init__(self, strings: list[list[Run]], styles: Styles, since_1904: bool, legacy: Legacy | None) -> None:
        """`legacy` says how texts of old encodings are read; None where there are none of them."""
        self._strings = strings
        self._plain = ["".join(run.text for run in runs) for runs in strings]
        self._styles = styles
        self._since_1904 = since_1904
        self._legacy = legacy

    def read(self, data: bytes, sheet: str) -> Reading:
        """The cells of a sheet from its XML; raises `RefusedError` where they cannot be read rightly."""
        check(data, sheet)
        reading = Reading([])
        placed: dict[int, dict[int, object]] = {}
        row_number, count = 0, 0
        parser = etree.iterparse(
            io.BytesIO(data), events=("end",), tag="{*}row", resolve_entities=False, no_network=True, huge_tree=True,
            remove_comments=True, remove_pis=True,
        )  # fmt: skip
        try:
            for _, row in parser:
                count += len(row)
                check_count(sheet, count)
                row_number = self._row(row, row_number, placed, reading, sheet)
                row.clear()
                while row.getprevious() is not None:
                    del row.getparent()[0]
        except etree.XMLSyntaxError as error:
            raise unparsed(error, "DAMAGED_SHEET", sheet=sheet, why="dữ liệu của trang bị hỏng") from None
        return self._laid_out(placed, reading, sheet)

    def _row(
        self, row: etree._Element, before: int, placed: dict[int, dict[int, object]], reading: Reading, sheet: str
    ) -> int:
        written = row.get("r")
        if written is not None and not re.fullmatch(r"\s*\d{1,7}\s*", written):
            raise refused("DAMAGED_SHEET", sheet=sheet, why="số dòng không đọc được")
        number = int(written) if written else before + 1
        if not 1 <= number <= 1 << 20:
            raise refused("DAMAGED_SHEET", sheet=sheet, why="số dòng ngoài giới hạn của Excel")
        if number <= before:
            reading.unsorted = True
        if is_on(row.get("hidden")):
            reading.hidden_rows.append(number)
        cells = placed.setdefault(number, {})
        column = 0
        for cell in row:
            if local(cell) != "c":
                continue
            reference = cell.get("r")
            if reference is None:
                column += 1
            else:
                letters = reference.removesuffix(str(number))
                there = _column(letters) if letters is not reference else 0
                if not 1 <= there <= 16_384:
                    raise refused("DAMAGED_SHEET", sheet=sheet, why=f"địa chỉ ô không đúng ở dòng {number}")
                reading.unsorted |= there <= column
                column = there
            if column in cells:
                raise refused("DOUBLED_CELL", sheet=sheet, cell=place(number, column))
            cells[column] = self._value(cell, column, number, reading, sheet)
        return max(number, before)

    def _value(self, cell: etree._Element, column: int, row: int, reading: Reading, sheet: str) -> object:
        kind = cell.get("t", "n")
        style = int(written) if (written := cell.get("s", "0")).isdigit() else 0
        value, formula, inline = None, None, None
        for child in cell:
            name = local(child)
            if name == "v":
                value = child.text or "" if not len(child) else "".join(child.itertext())
            elif name == "f":
                formula = child
            elif name == "is":
                inline = child
        at = (row, column)
        if formula is not None:
            reading.formulas += 1
            if value is None or (value == "" and kind != "str"):
                reading.uncalculated.append(place(*at))
                return Uncalculated(f"={formula.text or ''}"[:SHOWN_FORMULA])
        if kind in {"inlineStr", "is"}:
            runs = runs_of(inline) if inline is not None else [Run(unescape(value or ""))]
            return self._text(runs, style, at, reading)
        if value is None:
            return ""
        if kind == "s":
            if not value.strip():
                return ""
            position = int(value) if value.strip().isdigit() else -1
            if not 0 <= position < len(self._strings):
                raise refused("DAMAGED_SHEET", sheet=sheet, why=f"ô {place(*at)} trỏ tới chữ không có trong tệp")
            return self._text(self._strings[position], style, at, reading, self._plain[position])
        if kind == "str":
            return self._text([Run(unescape(value))], style, at, reading)
        if kind == "b":
            return is_on(value)
        if kind == "e":
            reading.errors.append(place(*at))
            return ErrorCell(value.strip() or "#N/A")
        if kind == "d":
            return from_iso(value)
        if kind != "n":
            raise refused("DAMAGED_SHEET", sheet=sheet, why=f"ô {place(*at)} có kiểu lạ")
        return self._number(value, style, at, reading, sheet)

    def _number(self, value: str, style: int, at: tuple[int, int], reading: Reading, sheet: str) -> object:
        if not value.strip():
            return ""
        try:
            number = float(value) if "_" not in value else math.nan
        except ValueError:
            return value  # a text in the place of a number, as the quick reader gives it
        if not math.isfinite(number):
            reading.errors.append(place(*at))
            return ErrorCell("#NUM!")
        kind = self._styles.kind(style)
        if kind == "number":
            return number
        made = from_serial(number, kind, self._since_1904)
        if isinstance(made, float | str):
            reading.odd_dates.append(place(*at))
        return made

    def _text(
        self, runs: list[Run], style: int, at: tuple[int, int], reading: Reading, plain: str | None = None
    ) -> str:
        if plain is None:
            own = "".join(run.text for run in runs)
            if own not in reading.own_texts:
                reading.own_texts[own] = place(*at)
        if self._legacy is None:
            return plain if plain is not None else "".join(run.text for run in runs)
        text, state = in_unicode([(run.text, run.font or self._styles.font(style)) for run in runs], self._legacy)
        if state == "converted":
            reading.converted.append(place(*at))
        elif state == "doubtful":
            reading.doubtful.append(place(*at))
        return text

    def _laid_out(self, placed: dict[int, dict[int, object]], reading: Reading, sheet: str) -> Reading:
        filled = {
            number: {column: cell for column, cell in cells.items() if cell != ""} for number, cells in placed.items()
        }
        last = max((number for number, cells in filled.items() if cells), default=0)
        width = max((max(cells) for cells in filled.values() if cells), default=0)
        if last:
            widest = max((number for number in filled if filled[number]), key=lambda number: max(filled[number]))
            corner = place(widest, width) if width > MAX_COLUMNS else place(last, max(filled[last]))
            check_extent(sheet, last, width, corner)
        reading.columns = width
        for number in range(1, last + 1):
            row = filled.get(number, {})
            reading.cells.append([row.get(column, "") for column in range(1, max(row, default=0) + 1)])
        return reading


@lru_cache(maxsize=20_000)
def _column(letters: str) -> int:
    """The column (from 1) of its letters; 0 where they are none."""
    if not _LETTERS.fullmatch(letters):
        return 0
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number
