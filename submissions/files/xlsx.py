"""Workbooks of Excel 2007 and later (.xlsx): the gate over their parts, and the reading of their sheets.

What passes is put together anew from the sheets, texts and formats alone, under names of our own: the quick reader
opens exactly the bytes that were checked, and never sees links, macros, names of sheets or anything else of it.
"""

import io
import posixpath
import re
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from urllib.parse import unquote

import numpy as np
from lxml import etree
from python_calamine import CalamineWorkbook

from submissions.files import sheet_scan
from submissions.files.codes import hazard, refused
from submissions.files.layout import check_count, check_extent, place
from submissions.files.legacy import Legacy, detect, encoding_of_font
from submissions.files.markup import attribute, check, is_on, local, tree, utf8
from submissions.files.package import Package, stored
from submissions.files.plain_cells import Layout, plain_cells
from submissions.files.serials import day_or_length, kind_of_format
from submissions.files.source import Cells, ErrorCell, Hazard, RefusedError, SheetInfo, Source, Uncalculated, failed
from submissions.files.text_hazards import LEGACY_FONT_NAME, may_be_legacy, may_be_odd, text_hazards
from submissions.files.xlsx_cells import CarefulReader, Reading, Run, Styles, runs_of, unescape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_SHARED_TEXT = re.compile(r"<si><t(?: [^>]*)?>([^<]*)</t></si>")
_OWN_TEXT = re.compile(
    r'<c r="([A-Z]+\d+)"[^>]*>(?:<f[^>]*/>|<f[^>]*>[^<]*</f>)?<(?:is>(?:<r>)?(?:<rPr>.*?</rPr>)?<t[^>]*|v)>([^<]*)'
)
"""A text, or another value, that stands in its cell."""
_HALVES = re.compile(rb"_x[Dd][89ABab][0-9A-Fa-f]{2}__x[Dd][C-Fc-f][0-9A-Fa-f]{2}_")
"""A letter beyond U+FFFF, escaped by its two halves."""
_ODD_POSITION = re.compile(rb'\st="s"[^>]*><v>(?!\d{1,8}</v>)')
"""A shared text whose position is not written in digits alone, which the quick reader takes for the first text."""
_LONGEST_SIMPLE = 4_000
"""Longer texts, shared by many cells, grow beyond the memory allowed: the quick reader is stopped by it at once."""
_FORMAT_NUMBERS = {"number": 0, "date": 22, "duration": 46}


@dataclass
class _Sheet:
    """A sheet of the workbook: what it is called, where it is, and how it is read."""

    name: str
    visible: bool
    part: str
    data: bytes = b""
    rows: int = 0
    columns: int = 0
    careful: bool = False
    repairs: tuple[tuple[int, int, str], ...] = ()
    layout: Layout | None = None
    reading: Reading | None = None


@dataclass
class _Workbook:
    package: Package
    sheets: list[_Sheet]
    styles: Styles
    strings: bytes
    since_1904: bool
    legacy: Legacy | None
    """How texts of old encodings are read; None where there are none."""
    recalculated: bool
    hazards: list[Hazard] = field(default_factory=list)
    odd_texts: bool = False

    @cached_property
    def texts(self) -> list[str]:
        """The shared texts by position."""
        if self.plain_texts is not None:
            return self.plain_texts
        return ["".join(run.text for run in runs) for runs in self.runs]

    @cached_property
    def plain_texts(self) -> list[str] | None:
        """The shared texts where they stand in their XML as they are: in one piece each, nothing escaped."""
        markup = self.strings.decode()
        texts = _SHARED_TEXT.findall(markup)
        whole = len(texts) == markup.count("<si") and "&" not in markup and "_x" not in markup
        return texts if whole else None

    @cached_property
    def simple_texts(self) -> np.ndarray | None:
        """The same as objects, where any reader takes them so: no blanks or lines to keep or not, no comments."""
        markup = self.strings
        simple = (
            self.plain_texts is not None
            and b"\r" not in markup
            and b"<!" not in markup
            and markup.rfind(b"<?") <= 0
            and markup.count(b"<t ") == markup.count(b'<t xml:space="preserve">')
            and max(map(len, self.plain_texts), default=0) <= _LONGEST_SIMPLE
        )
        return np.array(self.plain_texts, dtype=object) if simple else None

    @cached_property
    def runs(self) -> list[list[Run]]:
        """The shared texts by position, in pieces of one font."""
        if not self.strings:
            return []
        root = tree(self.strings, "sharedStrings.xml")
        return [runs_of(item) for item in root if local(item) == "si"]


def open_xlsx(package: Package) -> Source:
    """The workbook in a package; raises `RefusedError`."""
    _refuse_others(package)
    workbook = _open(package)
    hazards = workbook.hazards
    formulas = 0
    for sheet in workbook.sheets:
        formulas += _look(workbook, sheet)
    if formulas and workbook.recalculated:
        hazards.append(hazard("STALE_FORMULAS", count=formulas))
    hazards += _texts_of(workbook)
    reader = _Reader(workbook)
    hazards += reader.read_carefully()
    infos = tuple(SheetInfo(sheet.name, sheet.visible, sheet.rows, sheet.columns) for sheet in workbook.sheets)
    return Source("xlsx", infos, tuple(hazards), reader.cells)


# The parts of the package


def _refuse_others(package: Package) -> None:
    names = [name.replace("\\", "/").lower() for name in package.names]
    types = package.find("[Content_Types].xml")
    if types is None:
        raise refused("NOT_A_WORKBOOK", what="đây là tệp nén (zip)")
    macro = any("vbaproject" in name or "/macrosheets/" in name or name.endswith("vbadata.xml") for name in names)
    content_types = utf8(package.read(types), types)
    check(content_types, types)
    content_types = content_types.lower()
    if any(re.fullmatch(r"(?:.*/)?workbook\.bin", name) for name in names):
        raise refused("XLSB_FILE")
    if macro or b"macroenabled" in content_types or b"vbaproject" in content_types:
        raise refused("MACROS")
    for start, what in (("word/", "đây là văn bản Word"), ("ppt/", "đây là bản trình chiếu PowerPoint")):
        if any(name.startswith(start) for name in names) and not any(name.startswith("xl/") for name in names):
            raise refused("NOT_A_WORKBOOK", what=what)
    _refuse_doctypes(package)


def _refuse_doctypes(package: Package) -> None:
    """No part may declare a document type, not even one that nobody here reads: Excel will read it."""
    for name in package.names:
        lower = name.lower()
        # Sheets and texts are looked over when they are read.
        if lower.endswith((".xml", ".rels", ".vml")) and not lower.startswith(
            ("xl/worksheets/sheet", "xl/sharedstrings")
        ):
            data = package.read(name)
            if any("<!DOCTYPE".encode(encoding) in data for encoding in ("ascii", "utf-16-le", "utf-16-be")):
                raise refused("DOCTYPE", part=name)


def _part(package: Package, name: str) -> etree._Element | None:
    found = package.find(name)
    return tree(package.read(found), name) if found is not None else None


def _relations(package: Package, part: str) -> dict[str, tuple[str, str]]:
    """Kind and target of the relations of a part, by id; those that lead out of the package have no target."""
    folder, _, name = part.rpartition("/")
    root = _part(package, f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels")
    made = {}
    for item in root if root is not None else ():
        if local(item) != "Relationship":
            continue
        target = unquote(item.get("Target", "")).replace("\\", "/")
        inside = item.get("TargetMode", "").lower() != "external"
        path = posixpath.normpath(posixpath.join("/" + folder, target)).lstrip("/") if inside else ""
        made[item.get("Id", "")] = (item.get("Type", "").rsplit("/", 1)[-1].lower(), path)
    return made


def _open(package: Package) -> _Workbook:
    main = next(
        (path for kind, path in _relations(package, "").values() if kind == "officedocument"), "xl/workbook.xml"
    )
    root = _part(package, main)
    if root is None or local(root) != "workbook":
        what = "đây là tệp nén (zip)" if root is None else "bên trong không có sổ tính"
        raise refused("NOT_A_WORKBOOK", what=what)
    main = package.find(main) or main
    relations = _relations(package, main.replace("\\", "/"))
    since_1904 = recalculated = False
    sheets: list[_Sheet] = []
    for item in root.iter():
        name = local(item)
        if name == "workbookPr" and item.getparent() is root:  # an extension has one of its own
            since_1904 = is_on(item.get("date1904"))
        elif name == "calcPr":
            recalculated = is_on(item.get("fullCalcOnLoad"))
        elif name == "sheet" and local(item.getparent()) == "sheets":
            kind, path = relations.get(attribute(item, "id") or "", ("", ""))
            if kind in {"chartsheet", "dialogsheet"}:
                continue
            if kind in {"xlmacrosheet", "xlintlmacrosheet"}:
                raise refused("MACROS")
            title = item.get("name", "")
            part = package.find(path) if path else None
            if part is None:
                raise refused("DAMAGED_SHEET", sheet=title, why="không có trong tệp")
            sheets.append(_Sheet(title, item.get("state", "visible") == "visible", part))
    if not sheets:
        raise refused("NO_SHEETS")
    names = [sheet.name.casefold() for sheet in sheets]
    if doubled := [sheet.name for sheet in sheets if names.count(sheet.name.casefold()) > 1]:
        raise refused("DOUBLED_SHEET_NAME", sheet=doubled[0])
    by_kind = {kind: path for kind, path in relations.values()}
    styles, legacy = _styles(package, by_kind.get("styles", "xl/styles.xml"))
    part = package.find(by_kind.get("sharedstrings", "xl/sharedStrings.xml"))
    strings = utf8(package.read(part), part) if part else b""
    if strings:
        check(strings, part)
        strings = sheet_scan.without_prefix(strings)
    workbook = _Workbook(package, sheets, styles, strings, since_1904, None, recalculated)
    markup = strings.decode()
    detected = detect(workbook.texts) if may_be_legacy(markup) else Legacy(None)
    if legacy or detected.encoding is not None or LEGACY_FONT_NAME.search(markup):
        workbook.legacy = detected
    if may_be_odd(strings):
        workbook.odd_texts = True
    workbook.hazards += _package_hazards(package, workbook)
    return workbook


def _package_hazards(package: Package, workbook: _Workbook) -> list[Hazard]:
    names = [name.replace("\\", "/").lower() for name in package.names]
    met = []
    if package.padding:
        met.append(hazard("TRAILING_BYTES", count=package.padding))
    for code, mark in (
        ("EXTERNAL_LINKS", "/externallinks/"),
        ("DATA_CONNECTIONS", "/connections.xml"),
        ("EMBEDDED_OBJECTS", "/embeddings/"),
        ("EMBEDDED_OBJECTS", "/activex/"),
    ):
        if count := sum(mark in "/" + name and not name.endswith(".rels") for name in names):
            met.append(hazard(code, count=count))
    if workbook.since_1904:
        met.append(hazard("DATES_1904"))
    met += [hazard("HIDDEN_SHEET", sheet.name) for sheet in workbook.sheets if not sheet.visible]
    return met


def _styles(package: Package, part: str) -> tuple[Styles, bool]:
    """What each style number says, and whether a font of an old encoding is among them."""
    root = _part(package, part)
    styles = Styles()
    if root is None:
        return styles, False
    codes: dict[int, str] = {}
    fonts: list[tuple[str, bool]] = []
    for group in root:
        name = local(group)
        if name == "numFmts":
            for item in group:
                if (number := item.get("numFmtId", "")).isdigit():
                    codes[int(number)] = item.get("formatCode", "")
        elif name == "fonts":
            for item in group:
                font = next((child.get("val", "") for child in item if local(child) in {"name", "rFont"}), "")
                struck = any(local(child) == "strike" and is_on(child.get("val", "1")) for child in item)
                fonts.append((font, struck))
        elif name == "cellXfs":
            for item in group:
                number, font = _whole(item.get("numFmtId")), _whole(item.get("fontId"))
                styles.kinds.append(kind_of_format(number, codes.get(number)))
                known = fonts[font] if font < len(fonts) else ("", False)
                styles.fonts.append(known[0])
                styles.struck.append(known[1])
    return styles, any(encoding_of_font(font)[0] for font in styles.fonts)


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


# The sheets


def _look(workbook: _Workbook, sheet: _Sheet) -> int:
    """Look over a sheet: how far it reaches, whether it must be read with care, its hazards; returns its formulas."""
    data = sheet_scan.without_prefix(utf8(workbook.package.read(sheet.part), sheet.part))
    workbook.package.forget(sheet.part)
    parts = sheet_scan.parts(data)
    sheet.data = data
    dates = frozenset(style for style, kind in enumerate(workbook.styles.kinds) if kind != "number")
    found = sheet_scan.NOT_PLAIN
    if parts is None:
        if re.search(rb"<\w*:?sheetData", data[:65_536]) and b"sheetData>" not in data[-65_536:]:
            raise refused("DAMAGED_SHEET", sheet=sheet.name, why="dữ liệu của trang bị cụt")
        frame = tree(data, sheet.part)
    else:
        frame = tree(parts[0], sheet.part)
        if workbook.legacy is None:
            found = sheet_scan.scan(parts[1], dates)
    if local(frame) != "worksheet":
        raise refused("DAMAGED_SHEET", sheet=sheet.name, why="phần này không phải là một trang")
    hazards = workbook.hazards
    hazards += _frame_hazards(frame, sheet.name)
    if not found.plain:
        sheet.careful = True
        return 0
    check_count(sheet.name, found.cells)
    check_extent(sheet.name, found.rows, found.columns, found.corner)
    sheet.rows, sheet.columns, sheet.layout = found.rows, found.columns, found.layout
    if found.texts and _has_padded_text(data):
        sheet.data = data.replace(b"<t>", b'<t xml:space="preserve">')
    sheet.repairs = found.repairs
    for code, kind in (("ERROR_CELLS", ErrorCell), ("FORMULA_NOT_CALCULATED", Uncalculated)):
        if places := [(row, column) for row, column, cell in found.repairs if isinstance(cell, kind)]:
            hazards.append(hazard(code, sheet.name, place(*places[0]), len(places)))
    hazards += _row_hazards(sheet.name, list(found.hidden_rows), frame)
    hazards += _dimension_hazards(sheet, frame)
    hazards += _struck(workbook.styles, sheet, parts[1] if parts else b"")
    if parts and (found.texts or not parts[1].isascii()):
        hazards += _own_texts(workbook, sheet, parts[1])
    return found.formulas


def _own_texts(workbook: _Workbook, sheet: _Sheet, body: bytes) -> list[Hazard]:
    """Hazards in texts that stand in the cells themselves; texts of an old encoding let the sheet be read with care."""
    markup = body.decode()
    if may_be_legacy(markup):
        detected = detect([unescape(text) for _, text in _OWN_TEXT.findall(markup)])
        if detected.encoding is not None:
            workbook.legacy, sheet.careful = workbook.legacy or detected, True
            return []
    if not may_be_odd(body):
        return []
    found = _OWN_TEXT.findall(markup)
    return text_hazards([unescape(text) for _, text in found], lambda position: (sheet.name, found[position][0]))


def _frame_hazards(frame: etree._Element, sheet: str) -> list[Hazard]:
    """Hazards told by a sheet's XML outside its rows."""
    met = []
    merged = [item.get("ref", "") for item in frame.iter("{*}mergeCell")]
    if merged:
        met.append(hazard("MERGED_CELLS", sheet, merged[0], len(merged)))
    hidden = [item for item in frame.iter("{*}col") if is_on(item.get("hidden"))]
    if hidden:
        first, last = _whole(hidden[0].get("min")), _whole(hidden[0].get("max"))
        count = sum(max(_whole(item.get("max")) - _whole(item.get("min")) + 1, 1) for item in hidden)
        met.append(hazard("HIDDEN_COLUMNS", sheet, f"{sheet_scan.letters(first)}:{sheet_scan.letters(last)}", count))
    return met


def _row_hazards(sheet: str, hidden: list[int], frame: etree._Element) -> list[Hazard]:
    if not hidden:
        return []
    filtered = any(len(item) for item in frame.iter("{*}autoFilter"))
    return [hazard("FILTERED_ROWS" if filtered else "HIDDEN_ROWS", sheet, f"{hidden[0]}:{hidden[0]}", len(hidden))]


def _dimension_hazards(sheet: _Sheet, frame: etree._Element) -> list[Hazard]:
    written = next((item.get("ref", "") for item in frame.iter("{*}dimension")), "")
    found = re.fullmatch(r"(?:[A-Z]+\d+:)?([A-Z]+)(\d+)", written)
    if not found or not sheet.rows:
        return []
    # A dimension that is too large is common (formats without values); one that is too small loses rows elsewhere.
    corner = len(found.group(1)), found.group(1)
    letters = sheet_scan.letters(sheet.columns)
    if int(found.group(2)) >= sheet.rows and corner >= (len(letters), letters):
        return []
    return [hazard("LYING_DIMENSION", sheet.name, written)]


def _struck(styles: Styles, sheet: _Sheet, body: bytes) -> list[Hazard]:
    """Cells that hold something struck through."""
    struck = [number for number, is_struck in enumerate(styles.struck) if is_struck]
    if not struck or not body:
        return []
    pattern = re.compile(
        rb'<c r="([A-Z]+\d+)"[^>]*\ss="(?:' + b"|".join(b"%d" % number for number in struck) + rb')"[^>/]*>'
    )
    places = [place.decode() for place in pattern.findall(body)]
    return [hazard("STRUCK_TEXT", sheet.name, places[0], len(places))] if places else []


def _has_padded_text(data: bytes) -> bool:
    """Whether an unmarked text begins or ends with a blank, which the quick reader takes away."""
    marks = (b"<t> ", b" </t>", b"<t>\n", b"\n</t>", b"<t>\t", b"\t</t>", b"<t>\r", b"\r</t>", b"&#")
    return b"<t>" in data and any(mark in data for mark in marks)


# The texts


def _texts_of(workbook: _Workbook) -> list[Hazard]:
    """Hazards in the shared texts, each with the first cell that shows such a text."""
    if not workbook.odd_texts:
        return []

    def first_cell(position: int) -> tuple[str | None, str | None]:
        mark = b't="s"><v>%d</v>' % position
        for sheet in workbook.sheets:
            at = sheet.data.find(mark)
            start = sheet.data.rfind(b'<c r="', max(at - 200, 0), at) if at >= 0 else -1
            if start >= 0:
                return sheet.name, sheet.data[start + 6 : sheet.data.find(b'"', start + 6)].decode()
        return None, None

    return text_hazards(workbook.texts, first_cell)


# Reading


class _Reader:
    """Reads the sheets of a workbook that passed: quickly where that is right, with care where it is not."""

    def __init__(self, workbook: _Workbook) -> None:
        self._workbook = workbook
        self._by_name = {sheet.name: sheet for sheet in workbook.sheets}
        self._quick: CalamineWorkbook | None = None
        self._careful: CarefulReader | None = None

    def cells(self, name: str) -> Cells:
        """The cells of a sheet."""
        sheet = self._by_name[name]
        if not sheet.careful:
            try:
                return self._quickly(sheet)
            except RefusedError:
                raise
            except BaseException as error:
                if not failed(error):
                    raise
                sheet.careful = True
        return self._reading(sheet).cells

    def read_carefully(self) -> list[Hazard]:
        """Read the sheets that need care, so that their size and hazards are known."""
        met: list[Hazard] = []
        for sheet in self._workbook.sheets:
            if sheet.careful:
                met += self._met(sheet, self._reading(sheet))
        return met

    def _reading(self, sheet: _Sheet) -> Reading:
        if sheet.reading is None:
            if self._careful is None:
                book = self._workbook
                self._careful = CarefulReader(book.runs, book.styles, book.since_1904, book.legacy)
            sheet.reading = self._careful.read(sheet.data, sheet.name)
            sheet.rows, sheet.columns = len(sheet.reading.cells), sheet.reading.columns
        return sheet.reading

    def _met(self, sheet: _Sheet, reading: Reading) -> list[Hazard]:
        met = []
        for code, places in (
            ("ERROR_CELLS", reading.errors),
            ("FORMULA_NOT_CALCULATED", reading.uncalculated),
            ("ODD_DATES", reading.odd_dates),
            ("LEGACY_FONT", reading.converted),
            ("LEGACY_DOUBT", reading.doubtful),
        ):
            if places:
                met.append(hazard(code, sheet.name, places[0], len(places)))
        own = list(reading.own_texts)
        met += text_hazards(own, lambda position: (sheet.name, reading.own_texts[own[position]]))
        if reading.unsorted:
            met.append(hazard("UNSORTED_CELLS", sheet.name))
        parts = sheet_scan.parts(sheet.data)
        frame = tree(parts[0] if parts else sheet.data, sheet.part)
        met += _row_hazards(sheet.name, reading.hidden_rows, frame)
        met += _dimension_hazards(sheet, frame)
        met += _struck(self._workbook.styles, sheet, parts[1] if parts else b"")
        return met

    def _quickly(self, sheet: _Sheet) -> Cells:
        book = self._workbook
        if sheet.layout is not None and not book.since_1904 and book.simple_texts is not None:
            plain = plain_cells(sheet.layout, book.simple_texts, book.styles.kinds)
            if plain is not None:
                return plain
        if _ODD_POSITION.search(sheet.data) is not None:
            sheet.careful = True
            return self._reading(sheet).cells
        if self._quick is None:
            self._quick = CalamineWorkbook.from_filelike(io.BytesIO(_rebuilt(book)))
        position = book.sheets.index(sheet)
        cells = self._quick.get_sheet_by_index(position).to_python(skip_empty_area=False)
        if "duration" in book.styles.kinds:
            cells = [
                [day_or_length(cell, book.since_1904) if cell.__class__ is timedelta else cell for cell in row]
                for row in cells
            ]
        for row, column, cell in sheet.repairs:
            cells += ([] for _ in range(len(cells), row))
            line = cells[row - 1]
            line += [""] * (column - len(line))
            line[column - 1] = cell
        return cells


def _rebuilt(workbook: _Workbook) -> bytes:
    """A workbook of the checked sheets, texts and formats, for the quick reader."""
    quick = [(number, sheet) for number, sheet in enumerate(workbook.sheets)]
    sheets = "".join(f'<sheet name="s{number}" sheetId="{number + 1}" r:id="r{number}"/>' for number, _ in quick)
    relations = "".join(
        f'<Relationship Id="r{number}" Type="{_RELATIONS}/worksheet" Target="worksheets/s{number}.xml"/>'
        for number, _ in quick
    )
    parts = [
        (
            "_rels/.rels",
            _relationships(f'<Relationship Id="r" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/>'),
        ),
        (
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><workbookPr date1904="{int(workbook.since_1904)}"/>'
            f"<sheets>{sheets}</sheets></workbook>".encode(),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            _relationships(
                f'{relations}<Relationship Id="t" Type="{_RELATIONS}/sharedStrings" Target="sharedStrings.xml"/>'
                f'<Relationship Id="f" Type="{_RELATIONS}/styles" Target="styles.xml"/>'
            ),
        ),
        ("xl/styles.xml", _formats(workbook.styles)),
    ]
    strings = workbook.strings
    if strings:
        if _has_padded_text(strings):
            strings = strings.replace(b"<t>", b'<t xml:space="preserve">')
        if b"_xD" in strings or b"_xd" in strings:
            strings = _HALVES.sub(lambda pair: unescape(pair.group().decode()).encode(), strings)
        parts.append(("xl/sharedStrings.xml", strings))
    for number, sheet in quick:
        empty = b"<worksheet><sheetData/></worksheet>"
        parts.append((f"xl/worksheets/s{number}.xml", empty if sheet.careful else sheet.data))
    return stored(parts)


def _relationships(items: str) -> bytes:
    return f'<Relationships xmlns="{_PACKAGE}">{items}</Relationships>'.encode()


def _formats(styles: Styles) -> bytes:
    formats = "".join(f'<xf numFmtId="{_FORMAT_NUMBERS[kind]}"/>' for kind in styles.kinds)
    return f'<styleSheet xmlns="{_MAIN}"><cellXfs>{formats}</cellXfs></styleSheet>'.encode()
