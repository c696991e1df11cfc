"""OpenDocument spreadsheets (.ods); a few bytes may repeat a row a million times, so cells are counted first."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import time, timedelta
from functools import partial

from lxml import etree

from submissions.files.codes import hazard, refused
from submissions.files.layout import check_count, check_extent, place
from submissions.files.legacy import Legacy, detect
from submissions.files.legacy_fonts import in_unicode
from submissions.files.markup import attribute, local, tree, unparsed, utf8
from submissions.files.package import Package
from submissions.files.serials import day_or_length, from_iso
from submissions.files.sheet_scan import letters
from submissions.files.source import Cells, ErrorCell, Hazard, SheetInfo, Source, Uncalculated
from submissions.files.text_hazards import may_be_legacy, text_hazards

_ERROR = re.compile(r"#(?:REF!|N/A|NAME\?|VALUE!|DIV/0!|NUM!|NULL!|SPILL!|CALC!)|(?:Err|Lỗi):\d{3}")
_DURATION = re.compile(r"(-?)P(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d+)?)S)?")
_BLANKS = re.compile(r"[ \t\r\n]+")
_ROWS_OF = {"table", "table-rows", "table-header-rows", "table-row-group"}


@dataclass
class _Style:
    parent: str = ""
    font: str = ""
    struck: bool | None = None
    shown: bool = True


@dataclass
class _Table:
    """A sheet while it is read; rows hold only what is filled."""

    name: str
    visible: bool
    row: int = 0
    count: int = 0
    rows: dict[int, dict[int, object]] = field(default_factory=dict)
    pieces: dict[tuple[int, int], list[tuple[str, str]]] = field(default_factory=dict)
    """Texts by font, of cells whose text is not plain ASCII."""
    met: dict[str, list[str]] = field(default_factory=dict)
    """Places by hazard."""

    def meet(self, code: str, cell: str) -> None:
        """Note a hazard at a place."""
        self.met.setdefault(code, []).append(cell)


def open_ods(package: Package, kind: bytes) -> Source:
    """The workbook in a package whose type is `kind`; raises `RefusedError`."""
    if not kind.strip().startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
        raise refused("NOT_A_WORKBOOK", what="đây là tệp OpenDocument loại khác (văn bản, bản trình chiếu)")
    manifest = package.find("META-INF/manifest.xml")
    if manifest is not None and b"encryption-data" in package.read(manifest):
        raise refused("PASSWORD_PROTECTED")
    if any(re.match(r"(?:Basic/.*/(?!script-l[bc]\.xml)[^/]+|Scripts/.*[^/])$", name) for name in package.names):
        raise refused("MACROS")
    content = package.find("content.xml")
    if content is None:
        raise refused("DAMAGED_WORKBOOK", why="thiếu phần content.xml")
    data = utf8(package.read(content), "content.xml")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise refused("DOCTYPE", part="content.xml")
    styles: dict[str, _Style] = {}
    if (shared := package.find("styles.xml")) is not None:
        for item in tree(package.read(shared), "styles.xml").iter("{*}style"):
            _add_style(styles, item)
    hazards = [hazard("TRAILING_BYTES", count=package.padding)] if package.padding else []
    reader = _Reader(styles)
    tables = reader.read(data)
    if not tables:
        raise refused("NO_SHEETS")
    names = [table.name.casefold() for table in tables]
    if doubled := [table.name for table in tables if names.count(table.name.casefold()) > 1]:
        raise refused("DOUBLED_SHEET_NAME", sheet=doubled[0])
    if reader.linked:
        hazards.append(hazard("EXTERNAL_LINKS", count=reader.linked))
    if reader.since_1904:
        hazards.append(hazard("DATES_1904"))
    if count := sum(re.match(r"Object \d+/content\.xml$", name) is not None for name in package.names):
        hazards.append(hazard("EMBEDDED_OBJECTS", count=count))
    cells: dict[str, Cells] = {}
    infos = []
    detected = reader.detected()
    for table in tables:
        if not table.visible:
            hazards.append(hazard("HIDDEN_SHEET", table.name))
        _convert(table, detected)
        cells[table.name], columns = _laid_out(table)
        infos.append(SheetInfo(table.name, table.visible, len(cells[table.name]), columns))
        hazards += [hazard(code, table.name, places[0], len(places)) for code, places in table.met.items()]
    hazards += _text_hazards(tables)
    return Source("ods", tuple(infos), tuple(hazards), cells.__getitem__)


def _add_style(styles: dict[str, _Style], item: etree._Element) -> None:
    style = _Style(attribute(item, "parent-style-name") or "")
    for child in item:
        if local(child) == "text-properties":
            style.font = attribute(child, "font-name") or attribute(child, "font-family") or ""
            line = attribute(child, "text-line-through-style") or attribute(child, "text-line-through-type")
            style.struck = None if line is None else line != "none"
        elif local(child) == "table-properties":
            style.shown = attribute(child, "display") != "false"
    styles[attribute(item, "name") or ""] = style


class _Reader:
    """Reads the tables of a document, row by row."""

    def __init__(self, styles: dict[str, _Style]) -> None:
        self._styles = styles
        self.linked = 0
        self.since_1904 = False
        self._tables: list[_Table] = []
        self._columns: list[tuple[int, str]] = []

    def read(self, data: bytes) -> list[_Table]:
        """The tables of ``content.xml``."""
        events = etree.iterparse(
            io.BytesIO(data), events=("start", "end"), resolve_entities=False, no_network=True, huge_tree=True,
            tag=["{*}table", "{*}table-row", "{*}style", "{*}table-column", "{*}table-source", "{*}null-date"],
        )  # fmt: skip
        table: _Table | None = None
        outside = 0
        try:
            for event, element in events:
                name = local(element)
                if name == "table":
                    nested = any(local(above) in {"table-row", "tracked-changes"} for above in element.iterancestors())
                    if nested:
                        outside += 1 if event == "start" else -1
                    elif event == "start":
                        table = self._begun(element)
                    else:
                        element.clear()
                        table = None
                elif event == "start" or outside:
                    continue
                elif name == "style":
                    _add_style(self._styles, element)
                elif name == "null-date":
                    self.since_1904 = (attribute(element, "date-value") or "").startswith("1904")
                elif name == "table-source":
                    self.linked += 1
                    if table is not None and table.name.startswith("'file:"):
                        self._tables.remove(table)  # a copy of another file's sheet, kept for formulas
                        table = None
                elif table is not None and name == "table-column":
                    self._column(element, table)
                elif table is not None and name == "table-row" and local(element.getparent()) in _ROWS_OF:
                    self._row(element, table)
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]
        except etree.XMLSyntaxError as error:
            raise unparsed(error, "BAD_XML", part="content.xml") from None
        return self._tables

    def detected(self) -> Legacy:
        """How the document's texts are to be read where no font tells."""
        texts = [text for table in self._tables for pieces in table.pieces.values() for text, _ in pieces]
        return detect(texts) if may_be_legacy("\n".join(texts)) else Legacy(None)

    def _begun(self, element: etree._Element) -> _Table:
        style = self._styles.get(attribute(element, "style-name") or "", _Style())
        table = _Table(attribute(element, "name") or "", style.shown)
        self._tables.append(table)
        self._columns = []
        return table

    def _column(self, element: etree._Element, table: _Table) -> None:
        first = sum(count for count, _ in self._columns) + 1
        count = _repeated(element, "number-columns-repeated")
        self._columns.append((count, attribute(element, "default-cell-style-name") or ""))
        if (attribute(element, "visibility") or "visible") != "visible":
            table.meet("HIDDEN_COLUMNS", f"{letters(first)}:{letters(min(first + count - 1, 16_384))}")

    def _row(self, element: etree._Element, table: _Table) -> None:
        repeated = _repeated(element, "number-rows-repeated")
        cells: dict[int, object] = {}
        pieces: dict[int, list[tuple[str, str]]] = {}
        column, number = 1, table.row + 1
        for cell in element:
            if local(cell) not in {"table-cell", "covered-table-cell"}:
                continue
            times = _repeated(cell, "number-columns-repeated")
            value, texts, struck = self._value(cell, column, number, table)
            if value != "":
                check_extent(table.name, number, column + times - 1, place(number, min(column + times - 1, 16_384)))
                for offset in range(times):
                    cells[column + offset] = value
                    if texts and not str(value).isascii():
                        pieces[column + offset] = texts
                if struck:
                    table.meet("STRUCK_TEXT", place(number, column))
            column += times
        if (attribute(element, "visibility") or "visible") != "visible" and (cells or repeated < 1000):
            code = "FILTERED_ROWS" if attribute(element, "visibility") == "filter" else "HIDDEN_ROWS"
            table.met.setdefault(code, []).extend([f"{number}:{number}"] * repeated)
        if cells:
            table.count += len(cells) * repeated
            check_count(table.name, table.count)
            check_extent(table.name, table.row + repeated, max(cells), place(table.row + repeated, max(cells)))
            for offset in range(repeated):
                table.rows[number + offset] = cells
                for at, texts in pieces.items():
                    table.pieces[number + offset, at] = texts
        table.row += repeated

    def _value(
        self, cell: etree._Element, column: int, row: int, table: _Table
    ) -> tuple[object, list[tuple[str, str]], bool]:
        """A cell's value, its pieces of text with their fonts, and whether it is struck through."""
        at = place(row, min(column, 16_384))
        kind = attribute(cell, "value-type")
        error = cell.get("{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}value-type") == "error"
        formula = attribute(cell, "formula")
        spanned = _repeated(cell, "number-columns-spanned"), _repeated(cell, "number-rows-spanned")
        if spanned != (1, 1):
            last = place(row + spanned[1] - 1, min(column + spanned[0] - 1, 16_384))
            table.meet("MERGED_CELLS", f"{at}:{last}")
        if kind is None and formula is None and not len(cell):
            return "", [], False
        style = attribute(cell, "style-name") or self._default_style(column)
        paragraphs = [list(self._pieces(child, style)) for child in cell if local(child) == "p"]
        struck = self._resolve(style, "struck") is True
        if formula is not None and kind is None and not paragraphs:
            table.meet("FORMULA_NOT_CALCULATED", at)
            return Uncalculated(f"={formula.partition('=')[2] or formula}"[:60]), [], struck
        text = "\n".join(_trimmed("".join(piece for piece, _ in paragraph)) for paragraph in paragraphs)
        if error or (formula is not None and kind in {None, "string", "float"} and _ERROR.fullmatch(text.strip())):
            table.meet("ERROR_CELLS", at)
            return ErrorCell(text.strip() or "#N/A"), [], struck
        if kind in {"float", "percentage", "currency"}:
            return self._number(attribute(cell, "value"), table, at), [], struck
        if kind == "date":
            return from_iso(attribute(cell, "date-value") or text), [], struck
        if kind == "time":
            return _time(attribute(cell, "time-value") or text, self.since_1904), [], struck
        if kind == "boolean":
            return (attribute(cell, "boolean-value") or text).strip().lower() in {"true", "1"}, [], struck
        if (written := cell.get("{urn:oasis:names:tc:opendocument:xmlns:office:1.0}string-value")) is not None:
            return written, [(written, self._resolve(style, "font") or "")], struck
        one = paragraphs[0] if len(paragraphs) == 1 else []
        fonts = {font for paragraph in paragraphs for _, font in paragraph}
        if len(one) > 1 and len(fonts) > 1 and "".join(piece for piece, _ in one) == text:
            return text, one, struck
        return text, [(text, next(iter(fonts), "") if len(fonts) == 1 else "")], struck

    def _number(self, written: str | None, table: _Table, at: str) -> object:
        try:
            number = float(written or "")
        except ValueError:
            raise refused("DAMAGED_SHEET", sheet=table.name, why=f"ô {at} ghi là số nhưng không phải số") from None
        if number - number != 0:
            table.meet("ERROR_CELLS", at)
            return ErrorCell("#NUM!")
        return number

    def _default_style(self, column: int) -> str:
        first = 0
        for count, style in self._columns:
            first += count
            if column <= first:
                return style
        return ""

    def _resolve(self, name: str, what: str) -> object:
        """What a style says, or the one it is derived from."""
        for _ in range(20):
            style = self._styles.get(name)
            if style is None:
                return None
            if (found := getattr(style, what)) not in ("", None):
                return found
            name = style.parent
        return None

    def _pieces(self, element: etree._Element, style: str) -> Iterator[tuple[str, str]]:
        """The text of a paragraph in pieces of one font; notes and phonetic guides left out."""
        font = str(self._resolve(style, "font") or "")
        if element.text:
            yield _BLANKS.sub(" ", element.text), font
        for child in element:
            name = local(child)
            if name == "s":
                yield "\0" * min(_repeated(child, "c"), 1_000), font
            elif name == "tab":
                yield "\t", font
            elif name == "line-break":
                yield "\n", font
            elif name in {"span", "a", "ruby", "ruby-base", "meta"}:
                yield from self._pieces(child, attribute(child, "style-name") or style)
            elif name not in {"annotation", "ruby-text", "note"}:
                yield from self._pieces(child, style)
            if child.tail:
                yield _BLANKS.sub(" ", child.tail), font


def _trimmed(text: str) -> str:
    """A paragraph without the blanks that lay out its XML; those that were written are zero bytes till here."""
    return text.strip(" ").replace("\0", " ")


def _repeated(element: etree._Element, name: str) -> int:
    written = attribute(element, name)
    if written is None:
        return 1
    if not written.isdigit() or len(written) > 9:
        raise refused("BAD_XML", part="content.xml")
    return max(int(written), 1)


def _time(written: str, since_1904: bool) -> object:
    found = _DURATION.fullmatch(written.strip())
    if found is None or not any(found.groups()[1:]):
        return from_iso(written)
    days, hours, minutes = (int(part or 0) for part in found.groups()[1:4])
    seconds = float((found.group(5) or "0").replace(",", "."))
    try:
        length = timedelta(days=days, hours=hours, minutes=minutes, milliseconds=round(seconds * 1000))
    except OverflowError:
        return written
    if found.group(1) or length >= timedelta(days=1):
        return -length if found.group(1) else day_or_length(length, since_1904)
    total = int(length.total_seconds())
    return time(total // 3600, total // 60 % 60, total % 60, length.microseconds)


def _convert(table: _Table, detected: Legacy) -> None:
    """Bring texts of old encodings to Unicode."""
    for (row, column), pieces in table.pieces.items():
        text, state = in_unicode(pieces, detected)
        if state == "converted":
            table.rows[row] = {**table.rows[row], column: text}
        if state != "kept":
            table.meet("LEGACY_FONT" if state == "converted" else "LEGACY_DOUBT", place(row, column))


def _laid_out(table: _Table) -> tuple[Cells, int]:
    rows: Cells = []
    columns = 0
    for number in range(1, max(table.rows, default=0) + 1):
        row = table.rows.get(number, {})
        columns = max(columns, max(row, default=0))
        rows.append([row.get(column, "") for column in range(1, max(row, default=0) + 1)])
    return rows, columns


def _text_hazards(tables: list[_Table]) -> list[Hazard]:
    places: dict[str, tuple[str, str]] = {}
    for table in tables:
        for row, cells in table.rows.items():
            for column, cell in cells.items():
                if type(cell) is str and cell not in places:
                    places[cell] = (table.name, place(row, column))
    texts = list(places)
    return text_hazards(texts, partial(_at, texts, places))


def _at(texts: list[str], places: dict[str, tuple[str, str]], position: int) -> tuple[str, str]:
    return places[texts[position]]
