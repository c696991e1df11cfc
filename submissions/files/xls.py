"""Workbooks of Excel 97-2003 (.xls): records walked first, then read twice, believed where both readers agree."""

import io
import struct
from collections.abc import Iterable
from datetime import date, time, timedelta

import olefile
import xlrd
from python_calamine import CalamineWorkbook

from submissions.files.codes import hazard, refused
from submissions.files.layout import check_count, check_extent, place
from submissions.files.legacy import Legacy, detect
from submissions.files.legacy_fonts import in_unicode
from submissions.files.serials import from_serial, kind_of_format
from submissions.files.sheet_scan import letters
from submissions.files.source import Cells, ErrorCell, Hazard, SheetInfo, Source, Uncalculated, failed
from submissions.files.text_hazards import may_be_legacy, text_hazards

_BOF, _EOF, _FILEPASS, _BOUNDSHEET, _FORMULA = 0x0809, 0x000A, 0x002F, 0x0085, 0x0006
_MANY_CELLS = {0x00BD: 6, 0x00BE: 2}
"""Records of many numbers or blank cells, and the bytes of a cell in them; others hold one cell each."""
_MAX_RECORD = 8_228
_OTHER_STREAMS = {
    "worddocument": "đây là văn bản Word",
    "powerpoint document": "đây là bản trình chiếu PowerPoint",
    "__properties_version1.0": "đây là thư Outlook",
    "visiodocument": "đây là bản vẽ Visio",
    "contents": "đây không phải là tệp Excel",
}
_ERRORS = xlrd.error_text_from_code


def open_xls(content: bytes) -> Source:
    """The workbook in an OLE file; raises `RefusedError`."""
    stream, authored = _stream(content)
    uncalculated = _walk(stream, authored)
    try:
        book = xlrd.open_workbook(file_contents=content, logfile=io.StringIO(), formatting_info=True, ragged_rows=True)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the reader raises many kinds for damaged files
        if "password" in str(error).lower() or "encrypt" in str(error).lower():
            raise refused("PASSWORD_PROTECTED") from None
        raise refused("DAMAGED_WORKBOOK", why="không đọc được nội dung") from None
    return _Reader(book, content, uncalculated).source()


def _stream(content: bytes) -> tuple[bytes, bool]:
    """The stream of the workbook, and whether the file says who made it (bare writers do not)."""
    try:
        ole = olefile.OleFileIO(io.BytesIO(content), raise_defects=olefile.DEFECT_INCORRECT)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - as in open_xls
        raise refused("DAMAGED_WORKBOOK", why="cấu trúc tệp bị hỏng") from None
    names = {"/".join(path).lower(): path for path in ole.listdir(streams=True, storages=True)}
    if "encryptedpackage" in names or "encryptioninfo" in names:
        raise refused("PASSWORD_PROTECTED")
    if any(name.startswith("_vba_project_cur") for name in names):
        raise refused("MACROS")
    found = names.get("workbook") or names.get("book")
    if found is None:
        what = next((what for name, what in _OTHER_STREAMS.items() if name in names), "đây không phải là tệp Excel")
        raise refused("NOT_A_WORKBOOK", what=what)
    try:
        return ole.openstream(found).read(), "\x05summaryinformation" in names
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - as in open_xls
        raise refused("DAMAGED_WORKBOOK", why="thiếu phần cuối") from None


def _walk(stream: bytes, authored: bool) -> dict[int, set[tuple[int, int]]]:
    """Prove that the records are whole; returns the cells of formulas without result, by place of their sheet."""
    starts, _ = _substream(stream, 0, authored)
    uncalculated = {}
    for number, start in enumerate(starts, start=1):
        uncalculated[start] = _substream(stream, start, authored, number)[1]
    return uncalculated


def _substream(stream: bytes, start: int, authored: bool, sheet: int = 0) -> tuple[list[int], set[tuple[int, int]]]:
    """Where the sheets begin that a run of records lists, and its formulas without result; raises `RefusedError`."""
    damaged = refused("DAMAGED_WORKBOOK", why="dữ liệu bị cụt hoặc bị ghi đè")
    header = struct.Struct("<HH")
    if start + 4 > len(stream) or header.unpack_from(stream, start)[0] != _BOF:
        raise damaged
    at, depth = start, 0
    starts: list[int] = []
    blank: set[tuple[int, int]] = set()
    cells = 0
    while True:
        if at + 4 > len(stream):
            raise damaged
        kind, length = header.unpack_from(stream, at)
        body = at + 4
        at = body + length
        if at > len(stream) or length > _MAX_RECORD or stream[at - 8 : at] == bytes(8) == stream[at : at + 8]:
            raise damaged
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth == 0:
                return starts, blank
        elif kind == _FILEPASS:
            raise refused("PASSWORD_PROTECTED")
        elif kind == _BOUNDSHEET and length >= 6:
            if stream[body + 5] == 1:
                raise refused("MACROS")
            if stream[body + 5] == 0:
                starts.append(struct.unpack_from("<I", stream, body)[0])
        elif kind in _MANY_CELLS:
            # Blank cells with a format count too: the readers make something of each.
            cells += (length - 6) // _MANY_CELLS[kind]
            check_count(f"thứ {sheet}", cells)
        elif kind == _FORMULA and length >= 16:
            # A result that is a blank text is also what bare writers put for "not calculated yet".
            row, column, _, result, flags = struct.unpack_from("<3H8sH", stream, body)
            if result[6:] == b"\xff\xff" and result[0] == 3 and (flags & 2 or not authored):
                blank.add((row, column))


class _Reader:
    """Reads the sheets of a workbook by both readers."""

    def __init__(self, book: xlrd.Book, content: bytes, uncalculated: dict[int, set[tuple[int, int]]]) -> None:
        self._book = book
        self._content = content
        self._uncalculated = list(uncalculated.values())
        self._kinds = [
            kind_of_format(style.format_key, None if entry is None else _code(style.format_key, entry.format_str))
            for style in book.xf_list
            for entry in (book.format_map.get(style.format_key),)
        ]
        self._fonts = [
            book.font_list[style.font_index] if style.font_index < len(book.font_list) else None
            for style in book.xf_list
        ]
        self._cells: dict[str, Cells] = {}
        self._hazards: list[Hazard] = []

    def source(self) -> Source:
        """The workbook; raises `RefusedError`."""
        names = [name.casefold() for name in self._book.sheet_names()]
        if not names:
            raise refused("NO_SHEETS")
        if doubled := [name for name in self._book.sheet_names() if names.count(name.casefold()) > 1]:
            raise refused("DOUBLED_SHEET_NAME", sheet=doubled[0])
        if self._book.datemode:
            self._hazards.append(hazard("DATES_1904"))
        detected = self._detected()
        infos = []
        for position, sheet in enumerate(self._book.sheets()):
            blank = self._uncalculated[position] if len(self._uncalculated) == self._book.nsheets else set()
            cells, columns = self._read(sheet, blank, detected)
            self._cells[sheet.name] = cells
            infos.append(SheetInfo(sheet.name, sheet.visibility == 0, len(cells), columns))
            if sheet.visibility:
                self._hazards.append(hazard("HIDDEN_SHEET", sheet.name))
            self._hazards += _sheet_hazards(sheet)
        self._compare()
        self._hazards += self._text_hazards()
        return Source("xls", tuple(infos), tuple(self._hazards), self._cells.__getitem__)

    def _detected(self) -> Legacy:
        texts = {
            value
            for sheet in self._book.sheets()
            for row in range(sheet.nrows)
            for kind, value in zip(sheet.row_types(row), sheet.row_values(row), strict=True)
            if kind == xlrd.XL_CELL_TEXT
        }
        return detect(texts) if may_be_legacy("\n".join(texts)) else Legacy(None)

    def _read(self, sheet: xlrd.sheet.Sheet, blank: set[tuple[int, int]], detected: Legacy) -> tuple[Cells, int]:
        met: dict[str, list[str]] = {}
        filled: Cells = []
        last = columns = 0
        for row in range(sheet.nrows):
            kinds, values = sheet.row_types(row), sheet.row_values(row)
            made: list[object] = []
            for column, (kind, value) in enumerate(zip(kinds, values, strict=True)):
                if kind in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
                    made.append("")
                    continue
                style = sheet.cell_xf_index(row, column)
                at = place(row + 1, column + 1)
                if (row, column) in blank:
                    met.setdefault("FORMULA_NOT_CALCULATED", []).append(at)
                    made.append(Uncalculated("="))
                elif kind == xlrd.XL_CELL_TEXT:
                    made.append(self._text(sheet, row, column, value, style, detected, met))
                elif kind == xlrd.XL_CELL_BOOLEAN:
                    made.append(bool(value))
                elif kind == xlrd.XL_CELL_ERROR:
                    met.setdefault("ERROR_CELLS", []).append(at)
                    made.append(ErrorCell(_ERRORS.get(value, "#N/A")))
                else:
                    made.append(self._number(value, style, at, met))
                font = self._fonts[style] if style < len(self._fonts) else None
                if font is not None and font.struck_out:
                    met.setdefault("STRUCK_TEXT", []).append(at)
            while made and made[-1] == "":
                made.pop()
            filled.append(made)
            if made:
                last, columns = row + 1, max(columns, len(made))
        check_extent(sheet.name, last, columns, place(last, columns) if last else "")
        self._hazards += [hazard(code, sheet.name, places[0], len(places)) for code, places in met.items()]
        return filled[:last], columns

    def _text(
        self,
        sheet: xlrd.sheet.Sheet,
        row: int,
        column: int,
        value: str,
        style: int,
        detected: Legacy,
        met: dict[str, list[str]],
    ) -> str:
        font = self._fonts[style] if style < len(self._fonts) else None
        runs = sheet.rich_text_runlist_map.get((row, column), [])
        pieces: list[tuple[str, str]] = []
        start, name = 0, font.name if font is not None else ""
        for position, number in runs:
            pieces.append((value[start:position], name))
            start = position
            name = self._book.font_list[number].name if number < len(self._book.font_list) else ""
        pieces.append((value[start:], name))
        text, state = in_unicode(pieces, detected)
        if state != "kept":
            code = "LEGACY_FONT" if state == "converted" else "LEGACY_DOUBT"
            met.setdefault(code, []).append(place(row + 1, column + 1))
        return text

    def _number(self, value: float, style: int, at: str, met: dict[str, list[str]]) -> object:
        kind = self._kinds[style] if style < len(self._kinds) else "number"
        if value - value != 0:
            met.setdefault("ERROR_CELLS", []).append(at)
            return ErrorCell("#NUM!")
        if kind == "number":
            return value
        made = from_serial(value, kind, bool(self._book.datemode))
        if isinstance(made, float | str):
            met.setdefault("ODD_DATES", []).append(at)
        return made

    def _compare(self) -> None:
        """Read once more by the other reader; raises `RefusedError` at the first cell that differs."""
        try:
            other = CalamineWorkbook.from_filelike(io.BytesIO(self._content))
            names = other.sheet_names
            sheets = {
                name: other.get_sheet_by_name(name).to_python(skip_empty_area=False)
                for name in self._cells
                if name in names
            }
        except BaseException as error:
            if not failed(error):
                raise
            raise refused("READERS_DISAGREE", sheet=next(iter(self._cells)), cell="A1") from None
        for name, cells in self._cells.items():
            if name not in sheets:
                raise refused("READERS_DISAGREE", sheet=name, cell="A1")
            if different := _first_difference(cells, sheets[name]):
                raise refused("READERS_DISAGREE", sheet=name, cell=different)

    def _text_hazards(self) -> list[Hazard]:
        places: dict[str, tuple[str, str]] = {}
        for name, cells in self._cells.items():
            for row, values in enumerate(cells, start=1):
                for column, value in enumerate(values, start=1):
                    if type(value) is str and value and value not in places:
                        places[value] = (name, place(row, column))
        texts = list(places)
        return text_hazards(texts, lambda position: places[texts[position]])


def _code(number: int, code: str) -> str | None:
    """A format's code; that of a built-in format is a matter of the program's language."""
    return None if number < 164 and number != 0 and not code else code if number >= 164 else None


def _sheet_hazards(sheet: xlrd.sheet.Sheet) -> list[Hazard]:
    met = []
    if sheet.merged_cells:
        top, bottom, left, right = sheet.merged_cells[0]
        cell = f"{place(top + 1, left + 1)}:{place(bottom, right)}"
        met.append(hazard("MERGED_CELLS", sheet.name, cell, len(sheet.merged_cells)))
    rows = sorted(row for row, info in sheet.rowinfo_map.items() if info.hidden and row < sheet.nrows)
    if rows:
        met.append(hazard("HIDDEN_ROWS", sheet.name, f"{rows[0] + 1}:{rows[0] + 1}", len(rows)))
    columns = sorted(column for column, info in sheet.colinfo_map.items() if info.hidden and column < 16_384)
    if columns:
        letter = letters(columns[0] + 1)
        met.append(hazard("HIDDEN_COLUMNS", sheet.name, f"{letter}:{letter}", len(columns)))
    return met


def _first_difference(ours: Cells, theirs: Cells) -> str | None:
    """The first cell in which two readings differ, of those that both can show; None where they agree."""
    for number in range(max(len(ours), len(theirs))):
        one: Iterable[object] = ours[number] if number < len(ours) else ()
        two: Iterable[object] = theirs[number] if number < len(theirs) else ()
        if one == two:
            continue
        one, two = list(one), list(two)
        width = max(len(one), len(two))
        one += [""] * (width - len(one))
        two += [""] * (width - len(two))
        for column, (mine, other) in enumerate(zip(one, two, strict=True)):
            if not _agree(mine, other):
                return place(number + 1, column + 1)
    return None


def _agree(mine: object, other: object) -> bool:
    if mine == other or isinstance(mine, ErrorCell | Uncalculated):
        return True  # the other reader blanks errors
    dated = (date, time, timedelta)
    if isinstance(mine, dated) or isinstance(other, dated):
        return not isinstance(mine, str) or mine == "29/02/1900"
    if isinstance(mine, str) and isinstance(other, str):
        return mine.strip() == other.strip() or not mine.isascii()
    return isinstance(mine, bool | float) and isinstance(other, bool | float | int) and float(mine) == float(other)
