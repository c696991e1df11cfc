"""The two sheets that a returned workbook has more than the unit's own.

The first lists what is to be mended; the last is hidden, and says what file this answers.
"""

import posixpath
from collections.abc import Iterable, Sequence

import pandas as pd
from lxml import etree

from submissions.returned.marking import Mark, comment_on, deselect, letters, place
from submissions.returned.package import Package, PackageError, escaped
from submissions.returned.styles import FILLS, Styles

LIST_SHEET = "LOI_CAN_SUA"
MARK_SHEET = "_thucchat"
MARK = "thucchat-tra-lai"
"""What stands in the first cell of the hidden sheet."""
MARK_VERSION = 1
CODES_FROM = 4
"""The column of the hidden sheet, from 1, that holds the codes of explanations for the drop-down."""

COLUMNS = {
    "number": ("STT", 5),
    "severity": ("Mức độ", 10),
    "rule": ("Lỗi", 14),
    "form": ("Biểu", 8),
    "cell": ("Ô", 7),
    "key": ("Dòng (mã)", 16),
    "column": ("Cột", 14),
    "value": ("Giá trị hiện tại", 14),
    "expected": ("Vì sao / Cần có", 24),
    "message": ("Cách sửa", 34),
    "code": ("Mã giải trình", 13),
    "text": ("Giải trình", 24),
    "state": ("Tình trạng", 14),
    "identity": ("Mã nhận dạng", 10),
}
"""The columns of the list: heading and width in characters. The last is hidden and names the issue, so that the rows
may be sorted."""

SEVERITIES = {"error": "Phải sửa", "query": "Sửa hoặc giải trình"}
STATES = {
    "open": {"error": "Chờ sửa", "query": "Chờ sửa hoặc giải trình"},
    "explained": "Đã nhận giải trình",
    "waived": "Được miễn có thời hạn",
    "asked_again": "Hỏi lại vì số liệu đã đổi",
}
SEPARATOR = "|"
"""Between the parts of an issue's identity: issue_id, numbers, severity, rule, column (its key, which may be empty)."""

_WORKSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_MOST_LINKS = 65_530
"""Hyperlinks that Excel lets a sheet have."""
_LONGEST_SHOWN = 2_000
"""Characters of a value that the list shows; the cell itself is one click away."""


def add_sheets(
    package: Package,
    styles: Styles,
    *,
    lines: Sequence[tuple[str, str]],
    issues: pd.DataFrame,
    codes: Iterable[str],
    facts: dict[str, object],
) -> None:
    """Put the list in as the first sheet and the hidden one as the last, and open the workbook at the list.

    `lines` stand above the table: look (``title``, ``text``, ``strong``) and text. `issues` has `COLUMNS` (texts),
    ``sheet`` and ``target`` (the name of the sheet as it is in this package, or None), ``severity_level`` and
    ``state_level``, errors first; no table is written where it has no columns at all. `facts` go into the hidden sheet.
    """
    names = [sheet.get("name", "") for sheet in package.workbook.iter(f"{{{package.main}}}sheet")]
    shown, hidden = _free(LIST_SHEET, names), _free(MARK_SHEET, names)
    codes = list(codes)
    listing, heading_row = _list(styles, lines, issues, codes, hidden, package.main)
    name = _add_sheet(package, shown, listing, first=True)
    if heading_row:
        at = list(COLUMNS).index("code") + 1
        note = "Chọn một mã rồi ghi rõ ở cột Giải trình:\n" + "\n".join(codes)
        comment_on(package, name, {(heading_row, at): Mark("query", note)})
        last = f"{letters(len(COLUMNS))}${heading_row + len(issues)}"
        _define(package, "_xlnm._FilterDatabase", f"{_quoted(shown)}!$A${heading_row}:${last}", hidden=True)
        _define(package, "_xlnm.Print_Titles", f"{_quoted(shown)}!${heading_row}:${heading_row}")
    _add_sheet(package, hidden, _marks({**facts, "list_sheet": shown}, codes, package.main), first=False)


def _free(name: str, names: Iterable[str]) -> str:
    """A name that no sheet has; Excel does not tell case apart."""
    taken = {other.casefold() for other in names}
    numbered = (name if number == 1 else f"{name} ({number})" for number in range(1, len(taken) + 2))
    return next(free for free in numbered if free.casefold() not in taken)


def _shortened(text: object) -> str:
    told = str(text)
    return told if len(told) <= _LONGEST_SHOWN else f"{told[:_LONGEST_SHOWN]}…"


def _quoted(sheet: str) -> str:
    return "'" + sheet.replace("'", "''") + "'"


def _cell(at: str, style: int, text: str) -> str:
    if not text:
        return f'<c r="{at}" s="{style}"/>'
    return f'<c r="{at}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _list(
    styles: Styles,
    lines: Sequence[tuple[str, str]],
    issues: pd.DataFrame,
    codes: list[str],
    hidden: str,
    main: str,
) -> tuple[bytes, int]:
    """The list as a sheet's part, and the row of its headings (0 without a table)."""
    looks = {
        "title": styles.new(font="b", size=16, colour="FF12436D", wrap=False, centred=True),
        "strong": styles.new(font="b", centred=True),
        "text": styles.new(centred=True),
    }
    has_table = len(issues.columns) > 0
    end = letters(len(COLUMNS) - 1) if has_table else "A"
    rows, merged = [], []
    for row, (look, text) in enumerate(lines, start=1):
        width = sum(width for _, width in list(COLUMNS.values())[:-1]) if has_table else 110
        wrapped = sum(1 + int(len(part) // (width * 0.95)) for part in text.split("\n"))
        height = 26 if look == "title" else 16 * wrapped + 2
        cell = _cell(f"A{row}", looks[look], escaped(text))
        rows.append(f'<row r="{row}" ht="{height}" customHeight="1">{cell}</row>')
        if has_table:
            merged.append(f"A{row}:{end}{row}")
    heading_row = len(lines) + 1 if has_table else 0
    after = ""
    if has_table:
        table, after = _table(styles, issues, heading_row, codes, hidden)
        rows.append(table)
    view = '<sheetView showGridLines="0" tabSelected="1" workbookViewId="0"/>'
    columns = '<col min="1" max="1" width="110" customWidth="1"/>'
    if has_table:
        first = heading_row + 1
        view = (
            '<sheetView showGridLines="0" tabSelected="1" workbookViewId="0">'
            f'<pane ySplit="{heading_row}" topLeftCell="A{first}" activePane="bottomLeft" state="frozen"/>'
            f'<selection pane="bottomLeft" activeCell="A{first}" sqref="A{first}"/></sheetView>'
        )
        columns = "".join(
            f'<col min="{number}" max="{number}" width="{width}" customWidth="1"{self_hidden}/>'
            for number, (key, (_, width)) in enumerate(COLUMNS.items(), start=1)
            for self_hidden in [' hidden="1"' if key == "identity" else ""]
        )
    merges = "".join(f'<mergeCell ref="{span}"/>' for span in merged)
    filtered, rest = after if after else ("", "")
    content = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<worksheet xmlns="{main}"><sheetPr><tabColor rgb="FFC00000"/><pageSetUpPr fitToPage="1"/></sheetPr>'
        f'<sheetViews>{view}</sheetViews><sheetFormatPr defaultRowHeight="15"/><cols>{columns}</cols>'
        f"<sheetData>{''.join(rows)}</sheetData>{filtered}"
        + (f'<mergeCells count="{len(merged)}">{merges}</mergeCells>' if merged else "")
        + rest
        + '<pageMargins left="0.4" right="0.4" top="0.5" bottom="0.6" header="0.3" footer="0.3"/>'
        '<pageSetup paperSize="9" orientation="landscape" fitToHeight="0"/>'
        "<headerFooter><oddFooter>&amp;LLOI_CAN_SUA&amp;RTrang &amp;P/&amp;N</oddFooter></headerFooter></worksheet>"
    )
    return content.encode(), heading_row


def _table(
    styles: Styles, issues: pd.DataFrame, heading_row: int, codes: list[str], hidden: str
) -> tuple[str, tuple[str, str]]:
    """The rows of the table with its headings; and what follows the cells: the filter, then drop-downs and links."""
    head = styles.new(font="b", size=10, colour="FFFFFFFF", fill="FF12436D", box=True, across="center", centred=True)
    text = styles.new(size=10, box=True)
    asked = styles.new(size=10, box=True, fill="FFFFFBE6")
    looks = {
        "number": styles.new(size=10, box=True, number=True, across="center"),
        "cell": styles.new(font="u", size=10, colour="FF0563C1", box=True),
        "code": asked,
        "text": asked,
    }
    quiet = styles.new(size=10, colour="FF595959", box=True)
    levels = {level: styles.new(font="b", size=10, box=True, fill=colour) for level, colour in FILLS.items()}
    headings = "".join(
        _cell(f"{letters(number)}{heading_row}", head, heading)
        for number, (heading, _) in enumerate(COLUMNS.values(), start=1)
    )
    rows = [f'<row r="{heading_row}" ht="32" customHeight="1">{headings}</row>']
    first = heading_row + 1
    last = heading_row + len(issues)
    settled = issues["state_level"].isin(["explained", "waived"]).to_numpy()
    open_error = (issues["severity_level"] == "error").to_numpy() & ~settled
    built = []
    for number, key in enumerate(COLUMNS, start=1):
        letter = letters(number)
        texts = [escaped(_shortened(one)) for one in issues[key].tolist()]
        at = [f"{letter}{row}" for row in range(first, last + 1)]
        if key == "number":
            built.append(
                [f'<c r="{cell}" s="{looks[key]}"><v>{one}</v></c>' for cell, one in zip(at, texts, strict=True)]
            )
            continue
        style = [looks.get(key, text)] * len(issues)
        if key == "severity":
            style = [levels[level] for level in issues["severity_level"]]
        if key in ("code", "text"):
            # An error cannot be explained away: nothing is asked for there.
            style = [text if error else look for error, look in zip(open_error, style, strict=True)]
        if key != "cell":
            style = [quiet if done else look for done, look in zip(settled, style, strict=True)]
        built.append([_cell(cell, look, one) for cell, look, one in zip(at, style, texts, strict=True)])
    heights = _heights(issues)
    rows += [
        f'<row r="{row}" ht="{height}" customHeight="1">{"".join(cells)}</row>'
        for row, height, *cells in zip(range(first, last + 1), heights, *built, strict=True)
    ]
    filtered = f'<autoFilter ref="A{heading_row}:{letters(len(COLUMNS))}{max(last, heading_row)}"/>'
    return "".join(rows), (filtered, _drop_down(issues, first, open_error, codes, hidden) + _links(issues, first))


def _heights(issues: pd.DataFrame) -> list[int]:
    """Heights of the rows in points, for the longest of their texts: LibreOffice does not fit them when it opens."""
    lines = [1] * len(issues)
    for key, (_, width) in COLUMNS.items():
        if key not in ("number", "identity"):
            lines = [
                max(most, 1 + int(len(str(text)) / width * 0.8)) for most, text in zip(lines, issues[key], strict=True)
            ]
    return [min(14 * most + 2, 400) for most in lines]


def _drop_down(issues: pd.DataFrame, first: int, open_error: Sequence[bool], codes: list[str], hidden: str) -> str:
    """The codes to choose from, wherever something may be explained."""
    rows = [first + number for number, error in enumerate(open_error) if not error]
    if not rows or not codes:
        return ""
    spans: list[list[int]] = []
    for row in rows:
        if spans and spans[-1][1] == row - 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    at = letters(list(COLUMNS).index("code") + 1)
    sqref = " ".join(f"{at}{start}:{at}{end}" for start, end in spans)
    letter = letters(CODES_FROM)
    source = escaped(f"{_quoted(hidden)}!${letter}$1:${letter}${len(codes)}")
    return (
        '<dataValidations count="1"><dataValidation type="list" allowBlank="1" showInputMessage="1" '
        'promptTitle="Mã giải trình" prompt="Chọn một mã trong danh sách, rồi ghi rõ ở cột Giải trình." '
        f'sqref="{sqref}"><formula1>{source}</formula1></dataValidation></dataValidations>'
    )


def _links(issues: pd.DataFrame, first: int) -> str:
    at = letters(list(COLUMNS).index("cell") + 1)
    found = []
    for row, (target, cell) in enumerate(zip(issues["target"], issues["cell"], strict=True), start=first):
        there = place(cell)
        if isinstance(target, str) and there is not None and len(found) < _MOST_LINKS:
            location = escaped(f"{_quoted(target)}!{letters(there[1])}{there[0]}")
            found.append(f'<hyperlink ref="{at}{row}" location="{location}" display="{escaped(cell)}"/>')
    return f"<hyperlinks>{''.join(found)}</hyperlinks>" if found else ""


def _marks(facts: dict[str, object], codes: list[str], main: str) -> bytes:
    """The hidden sheet: names and values of the facts in columns A and B, the codes of explanations in D."""
    lines = [(MARK, MARK_VERSION), *facts.items()]
    rows = []
    for row in range(1, max(len(lines), len(codes)) + 1):
        cells = ""
        if row <= len(lines):
            name, value = lines[row - 1]
            cells = _cell(f"A{row}", 0, escaped(name)) + _cell(f"B{row}", 0, "" if value is None else escaped(value))
        if row <= len(codes):
            cells += _cell(f"{letters(CODES_FROM)}{row}", 0, escaped(codes[row - 1]))
        rows.append(f'<row r="{row}">{cells}</row>')
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<worksheet xmlns="{main}"><sheetViews><sheetView workbookViewId="0"/></sheetViews>'
        f'<sheetFormatPr defaultRowHeight="15"/><sheetData>{"".join(rows)}</sheetData></worksheet>'
    ).encode()


def _add_sheet(package: Package, name: str, content: bytes, *, first: bool) -> str:
    """Put a sheet into the workbook; returns the name of its part."""
    main, office = f"{{{package.main}}}", f"{{{package.office}}}"
    sheets = package.workbook.find(f"{main}sheets")
    if sheets is None:
        raise PackageError("a workbook without a list of sheets")
    if first:
        _shift(package)
    folder = posixpath.join(posixpath.dirname(package.workbook_name), "worksheets")
    part = package.new_name(f"{folder}/sheet{{}}.xml")
    package.write(part, content)
    package.declare(part, _WORKSHEET)
    number = max((int(sheet.get("sheetId", "0")) for sheet in sheets), default=0) + 1
    sheet = etree.Element(f"{main}sheet", name=name, sheetId=str(number))
    if not first:
        sheet.set("state", "veryHidden")
    sheet.set(f"{office}id", package.link(package.workbook_name, "worksheet", part))
    sheets.insert(0 if first else len(sheets), sheet)
    return part


def _shift(package: Package) -> None:
    """Sheets are counted from the first one, which a new sheet becomes: what counts them counts one more."""
    main = f"{{{package.main}}}"
    for defined in package.workbook.iter(f"{main}definedName"):
        if defined.get("localSheetId") is not None:
            defined.set("localSheetId", str(int(defined.get("localSheetId")) + 1))
    views = list(package.workbook.iter(f"{main}workbookView"))
    if not views:
        made = etree.Element(f"{main}bookViews")
        package.workbook.find(f"{main}sheets").addprevious(made)
        etree.SubElement(made, f"{main}workbookView")
    for view in views:
        view.set("activeTab", "0")
        view.set("firstSheet", "0")
    for name in sheet_parts(package, ("/worksheet", "/chartsheet", "/dialogsheet")).values():
        deselect(package, name)


def _define(package: Package, name: str, area: str, *, hidden: bool = False) -> None:
    """Define a name of the first sheet."""
    main = f"{{{package.main}}}"
    defined = package.workbook.find(f"{main}definedNames")
    if defined is None:
        defined = etree.Element(f"{main}definedNames")
        before = ("sheets", "functionGroups", "externalReferences")
        at = max(number for number, part in enumerate(package.workbook) if part.tag in {main + tag for tag in before})
        package.workbook.insert(at + 1, defined)
    one = etree.SubElement(defined, f"{main}definedName", name=name, localSheetId="0")
    if hidden:
        one.set("hidden", "1")
    one.text = area


def sheet_parts(package: Package, kinds: tuple[str, ...] = ("/worksheet",)) -> dict[str, str]:
    """The part of each sheet of cells (or of other kinds), by the sheet's name."""
    links = {link.get("Id"): link for link in package.linked(package.workbook_name)}
    parts = {}
    for sheet in package.workbook.iter(f"{{{package.main}}}sheet"):
        link = links.get(sheet.get(f"{{{package.office}}}id"))
        if link is None:
            raise PackageError("a sheet without a part")
        if link.get("Type", "").endswith(kinds):
            parts[sheet.get("name", "")] = package.target(package.workbook_name, link)
    return parts
