"""Builders of good, odd and bad files, byte by byte: what no library would write."""

import io
import zipfile
from collections.abc import Mapping

import xlwt

from submissions.files.source import open_source

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
STRICT_RELATIONS = "http://purl.oclc.org/ooxml/officeDocument/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
DATE_STYLES = """
    <numFmts count="1"><numFmt numFmtId="164" formatCode="dd/mm/yyyy"/></numFmts>
    <fonts count="1"><font><name val="Calibri"/></font></fonts>
    <cellXfs count="3"><xf numFmtId="0" fontId="0"/><xf numFmtId="164" fontId="0"/>
    <xf numFmtId="46" fontId="0"/></cellXfs>
"""
"""Style 1 is a date, style 2 a duration."""


def zipped(parts: Mapping[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these parts."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return made.getvalue()


def xlsx_parts(
    sheets: Mapping[str, str] | str,
    strings: str | None = None,
    styles: str = DATE_STYLES,
    workbook: str = "",
    states: Mapping[str, str] | None = None,
    strict: bool = False,
) -> dict[str, bytes | str]:
    """The parts of a workbook: for each sheet what stands in its ``<worksheet>``, or one sheet's rows alone."""
    if isinstance(sheets, str):
        sheets = {"Trang 1": f"<sheetData>{sheets}</sheetData>"}
    main, relations = (STRICT, STRICT_RELATIONS) if strict else (MAIN, RELATIONS)
    listed = "".join(
        f'<sheet name="{name}" sheetId="{number}" state="{(states or {}).get(name, "visible")}" r:id="r{number}"/>'
        for number, name in enumerate(sheets, start=1)
    )
    targets = "".join(
        f'<Relationship Id="r{number}" Type="{relations}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in range(1, len(sheets) + 1)
    )
    parts: dict[str, bytes | str] = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r1" '
        f'Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}">{workbook}'
        f"<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">{targets}'
        f'<Relationship Id="s" Type="{relations}/styles" Target="styles.xml"/>'
        f'<Relationship Id="t" Type="{relations}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}">{styles}</styleSheet>',
    }
    if strings is not None:
        parts["xl/sharedStrings.xml"] = f'<sst xmlns="{main}">{strings}</sst>'
    for number, body in enumerate(sheets.values(), start=1):
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="{main}" xmlns:r="{relations}">{body}</worksheet>'
        )
    return parts


def xlsx(sheets: Mapping[str, str] | str, *args: object, **options: object) -> bytes:
    """A workbook as `xlsx_parts` has it."""
    return zipped(xlsx_parts(sheets, *args, **options))


def read_whole(content: bytes, name: str) -> None:
    """Open a file and read each of its sheets."""
    source = open_source(content, name)
    for sheet in source.sheets:
        source.cells(sheet.name)


def row(number: int, cells: str, attributes: str = "") -> str:
    """A row of a sheet's XML."""
    return f'<row r="{number}"{attributes}>{cells}</row>'


def good_xlsx() -> bytes:
    """A small workbook that nothing is wrong with."""
    return xlsx(
        row(1, '<c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c>')
        + row(2, '<c r="A2" t="s"><v>2</v></c><c r="B2" s="1"><v>45292</v></c><c r="C2"><v>7.5</v></c>'),
        "<si><t>Mã</t></si><si><t>Ngày</t></si><si><t>67.001</t></si>",
    )


def ods(
    tables: str, styles: str = "", parts: Mapping[str, bytes | str] | None = None, kind: str = "spreadsheet"
) -> bytes:
    """An OpenDocument workbook: its ``<table:table>`` elements and automatic styles."""
    spaces = " ".join(
        f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for prefix, name in (("office", "office"), ("table", "table"), ("text", "text"), ("style", "style"))
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces} '
        'xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" '
        'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0">'
        f"<office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    mimetype = f"application/vnd.oasis.opendocument.{kind}"
    return zipped({"mimetype": mimetype, "content.xml": content, **(parts or {})})


def ods_table(rows: str, name: str = "Trang 1", attributes: str = "") -> str:
    """A sheet of an OpenDocument workbook."""
    return f'<table:table table:name="{name}"{attributes}>{rows}</table:table>'


def ods_row(*cells: str, attributes: str = "") -> str:
    """A row of an OpenDocument sheet."""
    return f"<table:table-row{attributes}>{''.join(cells)}</table:table-row>"


def ods_text(text: str, attributes: str = "") -> str:
    """A cell of text."""
    return f'<table:table-cell office:value-type="string"{attributes}><text:p>{text}</text:p></table:table-cell>'


def xls(fill, name: str = "Trang 1") -> bytes:
    """A workbook of Excel 97: `fill` is given the xlwt workbook and its first sheet."""
    book = xlwt.Workbook(encoding="utf-8")
    fill(book, book.add_sheet(name))
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def good_xls() -> bytes:
    """A workbook of Excel 97 large enough to be copied by halves."""

    def fill(book: xlwt.Workbook, sheet: xlwt.Worksheet) -> None:
        for number in range(500):
            sheet.write(number, 0, f"67.001.{number:03}")
            sheet.write(number, 1, number * 1.5)

    return xls(fill)
