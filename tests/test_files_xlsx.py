import io
import math
from datetime import date, datetime, time, timedelta

import openpyxl
import pytest
import xlsxwriter

from submissions.files.source import ErrorCell, RefusedError, Source, Uncalculated, open_source
from tests.files import DATE_STYLES, good_xlsx, read_whole, row, xlsx, xlsx_parts, zipped

LEGACY_STYLES = """
    <fonts count="4"><font><name val="Calibri"/></font><font><name val=".VnTime"/></font>
    <font><name val="VNI-Times"/></font><font><strike/><name val="Calibri"/></font></fonts>
    <cellXfs count="4"><xf numFmtId="0" fontId="0"/><xf numFmtId="0" fontId="1"/><xf numFmtId="0" fontId="2"/>
    <xf numFmtId="0" fontId="3"/></cellXfs>
"""
"""Style 1 is TCVN3, style 2 VNI, style 3 struck through."""


def opened(rows: str, strings: str | None = None, **options: object) -> Source:
    return open_source(xlsx(rows, strings, **options), "a.xlsx")


def one(cell: str, strings: str | None = None, **options: object) -> object:
    """The cell A1 of a workbook that holds just it."""
    cells = opened(row(1, cell), strings, **options).cells("Trang 1")
    return cells[0][0] if cells and cells[0] else ""


def text(markup: str) -> object:
    return one('<c r="A1" t="s"><v>0</v></c>', f"<si>{markup}</si>")


def refusal(content: bytes) -> str:
    with pytest.raises(RefusedError) as caught:
        read_whole(content, "a.xlsx")
    return caught.value.code


def met(source: Source) -> dict[str, tuple[str | None, str | None, int]]:
    return {hazard.code: (hazard.sheet, hazard.cell, hazard.count) for hazard in source.hazards}


def number(column: str, line: int, value: object = 1, attributes: str = "") -> str:
    return f'<c r="{column}{line}"{attributes}><v>{value}</v></c>'


# Cells


@pytest.mark.parametrize("position", ["1.0", "0x1", "1e0", "99999999999999999999", "+1", "x"])
def test_a_text_whose_position_is_no_number_is_refused_and_not_the_first_one(position):
    rows = row(1, f'<c r="A1" t="s"><v>{position}</v></c><c r="B1" t="s"><v>1</v></c>')
    assert refusal(xlsx(rows, "<si><t>Thứ nhất</t></si><si><t>Thứ hai</t></si>")) == "DAMAGED_SHEET"


def test_a_sheet_that_is_another_part_is_refused():
    parts = xlsx_parts(row(1, '<c r="A1"><v>1</v></c>'))
    parts["xl/worksheets/sheet1.xml"] = parts["xl/workbook.xml"]
    assert refusal(zipped(parts)) == "DAMAGED_SHEET"


def test_a_plain_workbook_is_read_without_hazards():
    source = open_source(good_xlsx(), "a.xlsx")
    assert source.kind == "xlsx"
    assert [(sheet.name, sheet.visible, sheet.rows, sheet.columns) for sheet in source.sheets] == [
        ("Trang 1", True, 2, 3)
    ]
    assert source.cells("Trang 1") == [["Mã", "Ngày", ""], ["67.001", date(2024, 1, 1), 7.5]]
    assert source.hazards == ()


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('<c r="A1"><v>1E3</v></c>', 1000.0),
        ('<c r="A1" t="n"><v> 5 </v></c>', 5.0),
        ('<c r="A1"><v>-0.25</v></c>', -0.25),
        ('<c r="A1"><v>123456789012</v></c>', 123456789012.0),
        ('<c r="A1" t="b"><v>1</v></c>', True),
        ('<c r="A1" t="b"><v>0</v></c>', False),
        ('<c r="A1" t="b"><v>true</v></c>', True),
        ('<c r="A1" t="str"><v>chữ</v></c>', "chữ"),
        ('<c r="A1" t="str"><v>NaN</v></c>', "NaN"),
        ('<c r="A1" t="str"><f>B1</f><v>Nguyễn</v></c>', "Nguyễn"),
        ('<c r="A1" t="str"><f>IF(B1=1,"a","")</f><v></v></c>', ""),
        ('<c r="A1"><f>1+1</f><v>2</v></c>', 2.0),
        ('<c r="A1"><f t="shared" si="0"/><v>2</v></c>', 2.0),
        ('<c r="A1" t="inlineStr"><is><t>chữ</t></is></c>', "chữ"),
        ('<c r="A1" t="inlineStr"><is><t>  hai  bên  </t></is></c>', "  hai  bên  "),
        ('<c r="A1" t="inlineStr"><is><r><t>chữ </t></r><r><rPr><b/></rPr><t>đậm</t></r></is></c>', "chữ đậm"),
        ('<c r="A1" t="inlineStr"><is><t>a &amp; b &lt;c&gt; &#272;</t></is></c>', "a & b <c> Đ"),
        ('<c r="A1" t="inlineStr"><is><t><![CDATA[<a&b>]]></t></is></c>', "<a&b>"),
        ('<c r="A1" t="s"/>', ""),
        ('<c r="A1" s="1"/>', ""),
        ('<c r="A1"><v/></c>', ""),
        ("<c r='A1'><v>1</v></c>", 1.0),
        ('<c s="0" r="A1"><v>1</v></c>', 1.0),
        ("<c><v>1</v></c>", 1.0),
        ('<c r="A1"><!-- một --><v>1</v></c>', 1.0),
    ],
)
def test_cells_are_read_as_they_stand(cell, value):
    found = one(cell)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("markup", "value"),
    [
        ("<t>chữ</t>", "chữ"),
        ("<t> đầu và cuối  </t>", " đầu và cuối  "),
        ('<t xml:space="preserve"> đầu và cuối  </t>', " đầu và cuối  "),
        ("<t>\nhai dòng\n</t>", "\nhai dòng\n"),
        ("<t>&#10;</t>", "\n"),
        ("<t/>", ""),
        ("", ""),
        ("<r><t>chữ </t></r><r><rPr><b/></rPr><t>đậm</t></r>", "chữ đậm"),
        ('<t>漢字</t><rPh sb="0" eb="2"><t>かんじ</t></rPh><phoneticPr fontId="1"/>', "漢字"),
        ("<t>a_x000D_b_x0041_</t>", "a\rbA"),
        ("<t>_x005F_x0041_</t>", "_x0041_"),
        ("<t>a_xyz_</t>", "a_xyz_"),
        ("<t>1 &lt; 2 &amp; 3</t>", "1 < 2 & 3"),
        ("<t>a<![CDATA[ <b> ]]>c</t>", "a <b> c"),
    ],
)
def test_shared_texts_are_read_with_every_blank_and_escape(markup, value):
    assert text(markup) == value


@pytest.mark.parametrize("other", ['<c r="B1"><v>1</v></c>', '<c r="B1" s="1"><v>60</v></c>'], ids=["quick", "careful"])
def test_escapes_of_two_halves_are_one_letter(other):
    source = opened(row(1, '<c r="A1" t="s"><v>0</v></c>' + other), "<si><t>_xD83D__xDE00_</t></si>")
    assert source.cells("Trang 1")[0][0] == "😀"


# What the quick reader would lose


@pytest.mark.parametrize("error", ["#REF!", "#N/A", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!"])
def test_error_cells_come_back_as_errors(error):
    source = opened(row(3, f'<c r="B3" t="e"><f>1/0</f><v>{error}</v></c>'))
    found = source.cells("Trang 1")[2][1]
    assert isinstance(found, ErrorCell)
    assert found == error
    assert met(source)["ERROR_CELLS"] == ("Trang 1", "B3", 1)


def test_a_text_that_looks_like_an_error_is_a_text():
    assert type(one('<c r="A1" t="str"><v>#REF!</v></c>')) is str


@pytest.mark.parametrize("written", ["NaN", "INF", "-INF"])
def test_numbers_that_are_none_come_back_as_errors(written):
    assert isinstance(one(f'<c r="A1"><v>{written}</v></c>'), ErrorCell)


@pytest.mark.parametrize(
    "cell",
    [
        '<c r="A1"><f>SUM(B1:B9)</f></c>',
        '<c r="A1"><f>SUM(B1:B9)</f><v></v></c>',
        '<c r="A1"><f>SUM(B1:B9)</f><v/></c>',
        '<c r="A1" t="str"><f>SUM(B1:B9)</f></c>',
        '<c r="A1"><f t="shared" si="0"/></c>',
    ],
)
def test_formulas_without_result_come_back_as_such(cell):
    source = opened(row(1, cell))
    assert isinstance(source.cells("Trang 1")[0][0], Uncalculated)
    assert met(source)["FORMULA_NOT_CALCULATED"] == ("Trang 1", "A1", 1)


def test_formulas_that_openpyxl_wrote_have_no_result():
    book = openpyxl.Workbook()
    book.active["B2"] = "=1+1"
    made = io.BytesIO()
    book.save(made)
    source = open_source(made.getvalue(), "a.xlsx")
    assert source.cells("Sheet")[1][1] == Uncalculated("=1+1")


def test_formulas_to_be_calculated_on_opening_are_a_hazard():
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True}) as book:
        book.add_worksheet("Trang 1").write_formula("A1", "=1+1")
    assert met(open_source(made.getvalue(), "a.xlsx"))["STALE_FORMULAS"][2] == 1


@pytest.mark.parametrize(
    ("serial", "value"),
    [
        ("1", date(1900, 1, 1)),
        ("59", date(1900, 2, 28)),
        ("60", "29/02/1900"),
        ("61", date(1900, 3, 1)),
        ("45292", date(2024, 1, 1)),
        ("45292.5", datetime(2024, 1, 1, 12)),
        ("0.25", time(6)),
        ("-1", -1.0),
        ("2958465", date(9999, 12, 31)),
        ("9999999", 9999999.0),
    ],
)
def test_dates_are_the_days_that_excel_shows(serial, value):
    assert one(f'<c r="A1" s="1"><v>{serial}</v></c>') == value
    assert one(f'<c r="A1" s="1" t="n"><v>{serial}</v></c>') == value
    assert one(f'<c r="A1" s="1"><f>B1</f><v>{serial}</v></c>') == value


def test_days_that_never_were_are_a_hazard():
    source = opened(row(1, number("A", 1, 60, ' s="1"')) + row(2, number("A", 2, -3, ' s="1"')))
    assert met(source)["ODD_DATES"] == ("Trang 1", "A1", 2)


def test_dates_of_the_1904_system_are_read_right_with_a_hazard():
    source = opened(
        row(1, number("A", 1, 43830, ' s="1"') + number("B", 1, 1, ' s="1"')),
        workbook='<workbookPr date1904="1"/>',
    )
    assert source.cells("Trang 1") == [[date(2024, 1, 1), date(1904, 1, 2)]]
    assert "DATES_1904" in met(source)


def test_durations_and_iso_dates_are_read():
    assert one('<c r="A1" s="2"><v>1.5</v></c>') == timedelta(hours=36)
    assert one('<c r="A1" t="d"><v>2024-01-31</v></c>') == date(2024, 1, 31)
    assert one('<c r="A1" t="d"><v>2024-01-31T06:30:00Z</v></c>') == datetime(2024, 1, 31, 6, 30)


@pytest.mark.parametrize("beside", ["", '<c r="B1" t="e"><v>#N/A</v></c>'], ids=["quickly", "with care"])
@pytest.mark.parametrize(
    ("since", "serial", "value"),
    [
        ("", 38426, date(2005, 3, 15)),
        ('<workbookPr date1904="1"/>', 38426 - 1462, date(2005, 3, 15)),
        ("", 38426.5, timedelta(days=38426, hours=12)),
        ("", 30, timedelta(days=30)),
        ("", -38426, timedelta(days=-38426)),
        ("", 2_000_000, timedelta(days=2_000_000)),
    ],
)
def test_a_date_under_a_format_of_elapsed_time_is_a_date(since, serial, value, beside):
    source = opened(row(1, number("A", 1, serial, ' s="2"') + beside), workbook=since)
    assert source.cells("Trang 1")[0][0] == value
    assert type(source.cells("Trang 1")[0][0]) is type(value)


@pytest.mark.parametrize(
    ("code", "is_date"),
    [
        ("dd/mm/yyyy", True),
        ('"ngày" d "tháng" m', True),
        ("[$-42A]d mmmm yyyy", True),
        ("hh:mm", True),
        ("0.00", False),
        ('#,##0" đồng"', False),
        ("[Red]0;[Blue]-0", False),
        ("General", False),
        (r"\d0", False),
        ("0.00E+00", False),
    ],
)
def test_a_number_is_a_date_by_its_format(code, is_date):
    quoted = code.replace('"', "&quot;")
    styles = DATE_STYLES.replace("dd/mm/yyyy", quoted)
    assert (one('<c r="A1" s="1"><v>45292.5</v></c>', styles=styles) == 45292.5) is not is_date


# Shapes of sheets


@pytest.mark.parametrize(
    "rows",
    [
        row(1, number("A", 1)) + row(2, number("A", 2, 2) + number("A", 2, 3)),
        row(1, number("B", 1) + number("A", 1) + number("B", 1, 9)),
        row(1, number("A", 1)) + row(1, number("A", 1, 2)),
    ],
)
def test_a_cell_that_stands_twice_is_refused(rows):
    assert refusal(xlsx(rows)) == "DOUBLED_CELL"


def test_cells_and_rows_out_of_order_are_read_in_their_places():
    source = opened(row(2, number("C", 2, 6) + number("A", 2, 4)) + row(1, number("A", 1, 1)))
    assert source.cells("Trang 1") == [[1.0], [4.0, "", 6.0]]
    assert "UNSORTED_CELLS" in met(source)


def test_cells_without_references_follow_each_other():
    rows = (
        "<row><c><v>1</v></c><c><v>2</v></c></row><row r='4'><c><v>3</v></c><c r='D4'><v>4</v></c><c><v>5</v></c></row>"
    )
    assert opened(rows).cells("Trang 1") == [[1.0, 2.0], [], [], [3.0, "", "", 4.0, 5.0]]


@pytest.mark.parametrize(
    "rows",
    [
        row(1, '<c r="A1" t="s"><v>7</v></c>'),
        row(1, '<c r="A1" t="s"><v>-1</v></c>'),
        row(1, '<c r="A1" t="la"><v>1</v></c>'),
        row(1, '<c r="A2"><v>1</v></c>'),
        row(1, '<c r="1A"><v>1</v></c>'),
        row(0, '<c r="A0"><v>1</v></c>'),
        row(1048577, '<c r="A1048577"><v>1</v></c>'),
        row(1, '<c r="XFE1"><v>1</v></c>'),
    ],
)
def test_cells_that_no_program_writes_are_refused(rows):
    assert refusal(xlsx(rows, "<si><t>a</t></si>")) == "DAMAGED_SHEET"


@pytest.mark.parametrize("sheet", ["<sheetData><row r='1'><c r='A1'><v>1</v>", "<sheetData><row r='1'></sheetData>"])
def test_a_sheet_whose_xml_is_cut_is_refused(sheet):
    assert refusal(xlsx({"Trang 1": sheet})) in {"BAD_XML", "DAMAGED_SHEET"}


@pytest.mark.parametrize(
    "rows", ['<c r="A1"><v>1</c></v>', '<c r="A1" t="str"><v>a & b</v></c>', '<c r="A1"><v>1</v></c>\x01']
)
def test_a_sheet_that_is_no_xml_is_refused(rows):
    assert refusal(xlsx(row(1, rows))) in {"BAD_XML", "DAMAGED_SHEET"}


def test_a_stray_cell_far_away_is_refused_with_its_place():
    content = xlsx(row(1, number("A", 1)) + row(1048576, number("XFD", 1048576)))
    with pytest.raises(RefusedError, match="XFD1048576") as caught:
        open_source(content, "a.xlsx")
    assert caught.value.code == "FAR_CELL"


def test_a_stray_format_far_away_is_nothing():
    rows = row(1, number("A", 1)) + row(1048576, '<c r="XFD1048576" s="1"/>')
    source = opened(rows)
    assert source.cells("Trang 1") == [[1.0]]
    assert (source.sheets[0].rows, source.sheets[0].columns) == (1, 1)


def test_two_hundred_thousand_formatted_rows_are_read_as_what_they_hold():
    rows = "".join(row(line, f'<c r="A{line}" s="1"/>') for line in range(2, 200_000))
    source = opened(row(1, number("A", 1, 5)) + rows)
    assert source.cells("Trang 1")[0][0] == 5.0
    assert source.sheets[0].rows == 1


@pytest.mark.parametrize(
    ("dimension", "lies"), [("A1", True), ("A1:B1", True), ("A1:C9", False), ("A1:B2", False), ("rubbish", False)]
)
def test_a_dimension_that_lies_loses_nothing(dimension, lies):
    rows = row(1, number("A", 1)) + row(2, number("B", 2, 2))
    source = open_source(xlsx({"Trang 1": f'<dimension ref="{dimension}"/><sheetData>{rows}</sheetData>'}), "a.xlsx")
    assert source.cells("Trang 1")[1][1] == 2.0
    assert ("LYING_DIMENSION" in met(source)) is lies


def test_prefixed_elements_are_read():
    parts = xlsx_parts(row(1, '<c r="A1" t="s"><v>0</v></c><c r="B1"><v>2</v></c>'), "<si><t> a </t></si>")
    for part in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"):
        text = (
            str(parts[part]).replace("</", "</\0").replace("<", "<x:").replace("<x:/\0", "</x:").replace("<x:?", "<?")
        )
        parts[part] = text.replace("xmlns=", "xmlns:x=")
    assert open_source(zipped(parts), "a.xlsx").cells("Trang 1") == [[" a ", 2.0]]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "iso-8859-1"])
def test_parts_in_other_encodings_are_read(encoding):
    parts = xlsx_parts(row(1, '<c r="A1" t="s"><v>0</v></c>'), "<si><t>Hà</t></si>")
    for part in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"):
        body = str(parts[part]).removeprefix('<?xml version="1.0" encoding="UTF-8"?>')
        declared = encoding.removesuffix("-sig")
        parts[part] = f'<?xml version="1.0" encoding="{declared}"?>{body}'.encode(encoding)
    assert open_source(zipped(parts), "a.xlsx").cells("Trang 1") == [["Hà"]]


def test_the_strict_edition_is_read():
    source = open_source(xlsx(row(1, number("A", 1, 45292, ' s="1"')), strict=True), "a.xlsx")
    assert source.cells("Trang 1") == [[date(2024, 1, 1)]]


def test_parts_are_found_by_relations_in_any_case_and_with_backslashes():
    parts = xlsx_parts(row(1, number("A", 1, 3)))
    parts["xl\\worksheets\\SHEET1.xml"] = parts.pop("xl/worksheets/sheet1.xml")
    assert open_source(zipped(parts), "a.xlsx").cells("Trang 1") == [[3.0]]


# Workbooks


def test_two_sheets_of_one_name_are_refused():
    parts = xlsx_parts({"Biểu 5": "<sheetData/>", "BIỂU 5": "<sheetData/>"})
    assert refusal(zipped(parts)) == "DOUBLED_SHEET_NAME"


def test_a_sheet_that_is_missing_is_refused_and_a_workbook_without_sheets():
    parts = xlsx_parts(row(1, number("A", 1)))
    del parts["xl/worksheets/sheet1.xml"]
    assert refusal(zipped(parts)) == "DAMAGED_SHEET"
    assert refusal(xlsx({})) == "NO_SHEETS"


def test_hidden_sheets_are_read_and_told():
    source = open_source(
        xlsx(
            {name: f"<sheetData>{row(1, number('A', 1))}</sheetData>" for name in ("a", "b", "c")},
            states={"b": "hidden", "c": "veryHidden"},
        ),
        "a.xlsx",
    )
    assert [sheet.visible for sheet in source.sheets] == [True, False, False]
    assert [(item.code, item.sheet) for item in source.hazards] == [("HIDDEN_SHEET", "b"), ("HIDDEN_SHEET", "c")]
    assert source.cells("c") == [[1.0]]


def test_what_may_mislead_in_a_sheet_is_told_with_its_place():
    body = (
        '<cols><col min="2" max="3" hidden="1"/></cols><sheetData>'
        + row(1, number("A", 1))
        + row(2, number("A", 2), ' hidden="1"')
        + row(3, number("A", 3), ' hidden="1"')
        + '</sheetData><mergeCells count="2"><mergeCell ref="A1:B1"/><mergeCell ref="C1:D2"/></mergeCells>'
    )
    source = open_source(xlsx({"Trang 1": body}), "a.xlsx")
    assert met(source) == {
        "HIDDEN_COLUMNS": ("Trang 1", "B:C", 2),
        "HIDDEN_ROWS": ("Trang 1", "2:2", 2),
        "MERGED_CELLS": ("Trang 1", "A1:B1", 2),
    }
    filtered = body + '<autoFilter ref="A1:A3"><filterColumn colId="0"/></autoFilter>'
    assert met(open_source(xlsx({"Trang 1": filtered}), "a.xlsx"))["FILTERED_ROWS"] == ("Trang 1", "2:2", 2)


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("xl/externalLinks/externalLink1.xml", "EXTERNAL_LINKS"),
        ("xl/connections.xml", "DATA_CONNECTIONS"),
        ("xl/embeddings/oleObject1.bin", "EMBEDDED_OBJECTS"),
    ],
)
def test_what_leads_out_of_a_workbook_is_told_and_not_followed(part, code):
    assert code in met(open_source(zipped(xlsx_parts(row(1, number("A", 1))) | {part: "<x/>"}), "a.xlsx"))


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("Nguye\u0302\u0303n", "DECOMPOSED_TEXT"),
        ("a_x0007_b", "CONTROL_CHARACTERS"),
        ("67.001\u200b", "INVISIBLE_CHARACTERS"),
        ("67\u00a0001", "INVISIBLE_CHARACTERS"),
        ("a\u202eb", "BIDI_CHARACTERS"),
        ("Ðảng ủy", "LOOKALIKE_LETTERS"),
        ("Х", "LOOKALIKE_LETTERS"),
        ("=HYPERLINK(1)", "FORMULA_LIKE_TEXT"),
        ("@SUM(1)", "FORMULA_LIKE_TEXT"),
    ],
)
def test_texts_that_are_not_what_they_show_are_told_with_their_cell(written, code):
    rows = row(1, '<c r="A1" t="s"><v>0</v></c>') + row(2, '<c r="B2" t="s"><v>1</v></c>')
    source = opened(rows, f"<si><t>Đảng bộ – “xã” 67.001</t></si><si><t>{written}</t></si>")
    assert met(source) == {code: ("Trang 1", "B2", 1)}


def test_texts_in_the_cells_themselves_are_looked_at_too():
    source = opened(row(3, '<c r="B3" t="inlineStr"><is><t>a\u202eb</t></is></c>'))
    assert met(source) == {"BIDI_CHARACTERS": ("Trang 1", "B3", 1)}


# Old fonts and struck text


def test_texts_in_old_fonts_come_back_in_unicode():
    rows = row(
        1, '<c r="A1" s="1" t="s"><v>0</v></c><c r="B1" s="2" t="s"><v>1</v></c><c r="C1" s="1" t="s"><v>2</v></c>'
    )
    strings = "<si><t>Hoµng §×nh</t></si><si><t>Ñaûng vieân</t></si><si><t>67.001</t></si>"
    source = opened(rows, strings, styles=LEGACY_STYLES)
    assert source.cells("Trang 1") == [["Hoàng Đình", "Đảng viên", "67.001"]]
    assert met(source) == {"LEGACY_FONT": ("Trang 1", "A1", 2)}


def test_a_piece_in_an_old_font_is_converted_by_itself():
    strings = '<si><r><rPr><rFont val=".VnTime"/></rPr><t>Hoµng</t></r><r><t> Đình</t></r></si>'
    source = opened(row(1, '<c r="A1" t="s"><v>0</v></c>'), strings)
    assert source.cells("Trang 1") == [["Hoàng Đình"]]


def test_unicode_under_an_old_font_stays_as_it_is():
    source = opened(
        row(1, '<c r="A1" s="1" t="s"><v>0</v></c>'), "<si><t>Nguyễn Văn Thử</t></si>", styles=LEGACY_STYLES
    )
    assert source.cells("Trang 1") == [["Nguyễn Văn Thử"]]
    assert met(source) == {}


def test_struck_text_is_told_with_its_place():
    rows = row(1, number("A", 1)) + row(2, number("A", 2, 5, ' s="3"') + '<c r="B2" s="3"/>')
    assert met(opened(rows, styles=LEGACY_STYLES)) == {"STRUCK_TEXT": ("Trang 1", "A2", 1)}


# Both readers say the same


@pytest.mark.parametrize("rows", [40])
def test_quick_and_careful_reading_agree(rows):
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True}) as book:
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        moment = book.add_format({"num_format": "dd/mm/yyyy hh:mm:ss"})
        span = book.add_format({"num_format": "[h]:mm:ss"})
        for name in ("quick", "careful"):
            sheet = book.add_worksheet(name)
            for line in range(rows):
                sheet.write_string(line, 0, f"67.001.{line:03}")
                sheet.write_string(line, 1, f" Chi bộ thôn {line} – Đắk Mây ")
                sheet.write_number(line, 2, line / 7)
                sheet.write_datetime(line, 3, date(1950 + line, 2, 28), day)
                sheet.write_datetime(line, 5, datetime(2024, 5, 1, line % 24, 59, 59, 123_000), moment)
                sheet.write_datetime(line, 6, timedelta(hours=line + 1), span)
                sheet.write_boolean(line, 7, line % 2 == 0)
                sheet.write_blank(line, 9, None, day)
                sheet.write_rich_string(line, 8, "chữ ", book.add_format({"bold": True}), f"đậm {line}")
        book.get_worksheet_by_name("careful").write_number("K1", 60, day)
    source = open_source(made.getvalue(), "a.xlsx")
    quick, careful = source.cells("quick"), source.cells("careful")
    assert careful[0].pop() == "29/02/1900"
    careful[0].pop()
    assert quick == careful
    assert quick[1][:2] == ["67.001.001", " Chi bộ thôn 1 – Đắk Mây "]
    assert not any(isinstance(cell, float) and math.isnan(cell) for line in quick for cell in line)
