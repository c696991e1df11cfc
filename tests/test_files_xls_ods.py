import io
from datetime import date, time, timedelta

import odf.opendocument
import odf.table
import odf.text
import pytest
import xlwt

from submissions.files.source import ErrorCell, RefusedError, Source, Uncalculated, open_source
from tests.files import ods, ods_row, ods_table, ods_text, xls

STYLES = """
    <style:style style:name="hidden" style:family="table"><style:table-properties table:display="false"/></style:style>
    <style:style style:name="tcvn" style:family="table-cell">
      <style:text-properties style:font-name=".VnTime"/></style:style>
    <style:style style:name="struck" style:family="table-cell">
      <style:text-properties style:text-line-through-style="solid"/></style:style>
"""


def old(fill) -> Source:
    return open_source(xls(fill), "a.xls")


def document(*rows: str, **options: object) -> Source:
    return open_source(ods(ods_table("".join(rows)), STYLES, **options), "a.ods")


def met(source: Source) -> dict[str, tuple[str | None, str | None, int]]:
    return {hazard.code: (hazard.sheet, hazard.cell, hazard.count) for hazard in source.hazards}


def refusal(content: bytes, name: str) -> str:
    with pytest.raises(RefusedError) as caught:
        open_source(content, name)
    return caught.value.code


# Excel 97-2003


def test_old_workbooks_are_read_cell_by_cell():
    def fill(book: xlwt.Workbook, sheet: xlwt.Worksheet) -> None:
        sheet.write(0, 0, " Mã – Đắk Mây ")
        sheet.write(1, 0, 7.5)
        sheet.write(1, 2, True)
        sheet.write(2, 0, date(2024, 1, 31), xlwt.easyxf(num_format_str="dd/mm/yyyy"))
        sheet.write(2, 1, 1.5, xlwt.easyxf(num_format_str="[h]:mm:ss"))
        sheet.write(3, 0, xlwt.Formula("1+1"))

    source = old(fill)
    cells = source.cells("Trang 1")
    assert source.kind == "xls"
    assert cells[:3] == [[" Mã – Đắk Mây "], [7.5, "", True], [date(2024, 1, 31), timedelta(hours=36)]]
    assert (source.sheets[0].rows, source.sheets[0].columns) == (4, 3)
    assert isinstance(cells[3][0], Uncalculated)
    assert met(source) == {"FORMULA_NOT_CALCULATED": ("Trang 1", "A4", 1)}


def test_error_cells_of_old_workbooks_come_back_as_errors():
    def fill(book: xlwt.Workbook, sheet: xlwt.Worksheet) -> None:
        for line, error in enumerate((0x17, 0x2A, 0x07)):
            sheet.row(line).set_cell_error(0, error)

    source = old(fill)
    assert source.cells("Trang 1") == [["#REF!"], ["#N/A"], ["#DIV/0!"]]
    assert all(isinstance(line[0], ErrorCell) for line in source.cells("Trang 1"))
    assert met(source) == {"ERROR_CELLS": ("Trang 1", "A1", 3)}


def test_what_may_mislead_in_an_old_workbook_is_told():
    def fill(book: xlwt.Workbook, sheet: xlwt.Worksheet) -> None:
        book.dates_1904 = True
        sheet.write_merge(0, 0, 0, 3, "tiêu đề")
        sheet.write(1, 0, "a\u202eb")
        sheet.row(1).hidden = True
        sheet.write(2, 1, 5)
        sheet.col(1).hidden = True
        sheet.write(3, 0, "bỏ", xlwt.easyxf("font: struck_out true"))
        sheet.write(4, 0, "Hoµng §×nh", xlwt.easyxf("font: name .VnTime"))
        other = book.add_sheet("nháp")
        other.visibility = 1

    source = old(fill)
    assert source.cells("Trang 1")[4][0] == "Hoàng Đình"
    assert [sheet.visible for sheet in source.sheets] == [True, False]
    assert met(source) == {
        "DATES_1904": (None, None, 1),
        "MERGED_CELLS": ("Trang 1", "A1:D1", 1),
        "HIDDEN_ROWS": ("Trang 1", "2:2", 1),
        "HIDDEN_COLUMNS": ("Trang 1", "B:B", 1),
        "STRUCK_TEXT": ("Trang 1", "A4", 1),
        "LEGACY_FONT": ("Trang 1", "A5", 1),
        "HIDDEN_SHEET": ("nháp", None, 1),
        "BIDI_CHARACTERS": ("Trang 1", "A2", 1),
    }


def test_a_stray_cell_in_an_old_workbook_is_read_in_its_place():
    def fill(book: xlwt.Workbook, sheet: xlwt.Worksheet) -> None:
        sheet.write(0, 0, 1)
        sheet.write(9_999, 255, 2)

    cells = old(fill).cells("Trang 1")
    assert (cells[0], len(cells), cells[-1][-1], len(cells[-1])) == ([1.0], 10_000, 2.0, 256)


def test_a_password_of_an_old_workbook_is_told():
    whole = xls(lambda book, sheet: sheet.write(0, 0, "a" * 100))
    at = whole.index(b"\x09\x08\x10\x00") + 20  # behind the first record of the workbook
    kind, length = whole[at : at + 2], whole[at + 2 : at + 4]
    assert kind != b"\x2f\x00"
    assert int.from_bytes(length, "little") < 200
    assert refusal(whole[:at] + b"\x2f\x00" + whole[at + 2 :], "a.xls") == "PASSWORD_PROTECTED"


def test_an_encrypted_new_workbook_is_told_by_its_container():
    whole = bytearray(xls(lambda book, sheet: sheet.write(0, 0, 1)))
    name = "Workbook\0".encode("utf-16-le")
    at = whole.index(name)
    other = "EncryptedPackage\0".encode("utf-16-le")
    whole[at : at + len(other)] = other
    whole[at + 64 : at + 66] = len(other).to_bytes(2, "little")
    assert refusal(bytes(whole), "a.xlsx") == "PASSWORD_PROTECTED"


@pytest.mark.parametrize("stream", ["WordDocument", "Contents"])
def test_other_programs_files_in_the_old_container_are_refused(stream):
    whole = bytearray(xls(lambda book, sheet: sheet.write(0, 0, 1)))
    at = whole.index("Workbook\0".encode("utf-16-le"))
    other = f"{stream}\0".encode("utf-16-le")
    whole[at : at + len(other)] = other
    whole[at + 64 : at + 66] = len(other).to_bytes(2, "little")
    assert refusal(bytes(whole), "a.xls") == "NOT_A_WORKBOOK"


def test_an_old_workbook_of_which_a_byte_was_changed_ends_in_a_refusal_or_a_reading():
    whole = xls(lambda book, sheet: [sheet.write(line, 0, f"67.001.{line:03}") for line in range(60)])
    right = open_source(whole, "a.xls").cells("Trang 1")
    refused = read = 0
    for at in range(512, len(whole), 61):
        changed = bytearray(whole)
        changed[at] ^= 0xFF
        try:
            source = open_source(bytes(changed), "a.xls")
            cells = [source.cells(sheet.name) for sheet in source.sheets]
        except RefusedError:
            refused += 1
            continue
        read += cells[0] == right
    assert refused > 10
    assert read > 10


# OpenDocument


def test_open_documents_are_read_cell_by_cell():
    source = document(
        ods_row(ods_text("Mã"), ods_text("Đắk Mây")),
        ods_row(
            '<table:table-cell office:value-type="float" office:value="7.5"><text:p>7,5</text:p></table:table-cell>',
            '<table:table-cell office:value-type="percentage" office:value="0.25"/>',
            '<table:table-cell office:value-type="date" office:date-value="2024-01-31"/>',
            '<table:table-cell office:value-type="boolean" office:boolean-value="true"/>',
            '<table:table-cell office:value-type="time" office:time-value="PT06H30M00S"/>',
            '<table:table-cell office:value-type="time" office:time-value="PT36H00M00S"/>',
        ),
    )
    assert source.kind == "ods"
    assert source.cells("Trang 1") == [
        ["Mã", "Đắk Mây"],
        [7.5, 0.25, date(2024, 1, 31), True, time(6, 30), timedelta(hours=36)],
    ]
    assert (source.sheets[0].rows, source.sheets[0].columns) == (2, 6)
    assert source.hazards == ()


@pytest.mark.parametrize(
    ("markup", "value"),
    [
        ("<text:p>a<text:s text:c='3'/>b</text:p>", "a   b"),
        ("<text:p><text:s/>a<text:s/></text:p>", " a "),
        ("<text:p>  a \n  b  </text:p>", "a b"),
        ("<text:p>một</text:p><text:p>hai</text:p>", "một\nhai"),
        ("<text:p>một<text:line-break/>hai<text:tab/>ba</text:p>", "một\nhai\tba"),
        ("<text:p>chữ <text:span>đậm</text:span> <text:a>nối</text:a>.</text:p>", "chữ đậm nối."),
        ("<office:annotation><text:p>ghi chú</text:p></office:annotation><text:p>chữ</text:p>", "chữ"),
    ],
)
def test_texts_of_open_documents_are_read_with_every_blank(markup, value):
    source = document(ods_row(f'<table:table-cell office:value-type="string">{markup}</table:table-cell>'))
    assert source.cells("Trang 1") == [[value]]


def test_repeats_are_laid_out():
    source = document(
        ods_row(
            '<table:table-cell table:number-columns-repeated="2"/>', ods_text("a", ' table:number-columns-repeated="2"')
        ),
        ods_row("<table:table-cell/>", attributes=' table:number-rows-repeated="2"'),
        ods_row(ods_text("b"), attributes=' table:number-rows-repeated="2"'),
        ods_row(
            '<table:table-cell table:number-columns-repeated="16384"/>',
            attributes=' table:number-rows-repeated="1048571"',
        ),
    )
    assert source.cells("Trang 1") == [["", "", "a", "a"], [], [], ["b"], ["b"]]


@pytest.mark.parametrize(
    ("columns", "rows", "code"),
    [(16_384, 1, "FAR_CELL"), (1_000, 1_000_000, None), (1, 999_999_999, None), (900, 9_000, None)],
)
def test_repeats_that_would_fill_the_memory_are_refused_before_they_are_laid_out(columns, rows, code):
    content = ods(
        ods_table(
            ods_row(
                ods_text("a", f' table:number-columns-repeated="{columns}"'),
                attributes=f' table:number-rows-repeated="{rows}"',
            )
        )
    )
    assert len(content) < 2_000
    assert refusal(content, "a.ods") == code or code is None


def test_errors_and_formulas_without_result_of_open_documents_come_back_as_such():
    source = document(
        ods_row(
            '<table:table-cell table:formula="of:=1/0" office:value-type="string" office:string-value="" '
            'calcext:value-type="error"><text:p>#DIV/0!</text:p></table:table-cell>',
            '<table:table-cell table:formula="of:=A2" office:value-type="string">'
            "<text:p>Err:522</text:p></table:table-cell>",
            '<table:table-cell table:formula="of:=SUM([.A2:.A9])"/>',
            ods_text("#REF!"),
        )
    )
    cells = source.cells("Trang 1")[0]
    assert [type(cell) for cell in cells] == [ErrorCell, ErrorCell, Uncalculated, str]
    assert cells[:2] == ["#DIV/0!", "Err:522"]
    assert met(source) == {
        "ERROR_CELLS": ("Trang 1", "A1", 2),
        "FORMULA_NOT_CALCULATED": ("Trang 1", "C1", 1),
    }


def test_what_may_mislead_in_an_open_document_is_told():
    first = ods_table(
        '<table:table-column/><table:table-column table:visibility="collapse"/>'
        + ods_row(
            ods_text("tiêu đề", ' table:number-columns-spanned="3"'),
            '<table:covered-table-cell table:number-columns-repeated="2"/>',
        )
        + ods_row(ods_text("ẩn"), attributes=' table:visibility="collapse"')
        + ods_row(ods_text("lọc"), attributes=' table:visibility="filter"')
        + ods_row(ods_text("bỏ", ' table:style-name="struck"'))
        + ods_row(ods_text("Hoµng §×nh", ' table:style-name="tcvn"'))
        + ods_row(ods_text("a\u202eb"))
    )
    second = ods_table(ods_row(ods_text("x")), "nháp", ' table:style-name="hidden"')
    source = open_source(ods(first + second, STYLES), "a.ods")
    assert source.cells("Trang 1")[4] == ["Hoàng Đình"]
    assert [sheet.visible for sheet in source.sheets] == [True, False]
    assert met(source) == {
        "HIDDEN_COLUMNS": ("Trang 1", "B:B", 1),
        "MERGED_CELLS": ("Trang 1", "A1:C1", 1),
        "HIDDEN_ROWS": ("Trang 1", "2:2", 1),
        "FILTERED_ROWS": ("Trang 1", "3:3", 1),
        "STRUCK_TEXT": ("Trang 1", "A4", 1),
        "LEGACY_FONT": ("Trang 1", "A5", 1),
        "HIDDEN_SHEET": ("nháp", None, 1),
        "BIDI_CHARACTERS": ("Trang 1", "A6", 1),
    }


def test_deleted_rows_that_a_document_remembers_are_not_read():
    remembered = (
        "<table:tracked-changes><table:deletion><table:cell-content-deletion>"
        + ods_table(ods_row(ods_text("xóa")), "cũ")
        + "</table:cell-content-deletion></table:deletion></table:tracked-changes>"
    )
    source = open_source(ods(remembered + ods_table(ods_row(ods_text("giữ")))), "a.ods")
    assert [sheet.name for sheet in source.sheets] == ["Trang 1"]
    assert source.cells("Trang 1") == [["giữ"]]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"META-INF/manifest.xml": "<m><encryption-data/></m>"}, "PASSWORD_PROTECTED"),
        ({"Basic/Standard/Module1.xml": "<x/>"}, "MACROS"),
        ({"Scripts/python/a.py": "x"}, "MACROS"),
        ({"content.xml": "<office:document-content"}, "BAD_XML"),
    ],
)
def test_open_documents_that_are_locked_scripted_or_broken_are_refused(parts, code):
    assert refusal(ods(ods_table(ods_row(ods_text("a"))), parts=parts), "a.ods") == code


def test_two_tables_of_one_name_and_none_are_refused():
    table = ods_table(ods_row(ods_text("a")))
    assert refusal(ods(table + table), "a.ods") == "DOUBLED_SHEET_NAME"
    assert refusal(ods(""), "a.ods") == "NO_SHEETS"


def test_a_document_of_another_library_is_read():
    made = odf.opendocument.OpenDocumentSpreadsheet()
    table = odf.table.Table(name="Biểu 1")
    for line in range(3):
        written = odf.table.TableRow()
        cell = odf.table.TableCell(valuetype="float", value=line / 4)
        cell.addElement(odf.text.P(text=str(line / 4)))
        written.addElement(cell)
        table.addElement(written)
    made.spreadsheet.addElement(table)
    content = io.BytesIO()
    made.save(content)
    assert open_source(content.getvalue(), "a.ods").cells("Biểu 1") == [[0.0], [0.25], [0.5]]
