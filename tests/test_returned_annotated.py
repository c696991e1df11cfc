"""The unit's own workbook comes back with marks in it, and otherwise as it was sent."""

import io
import re
import struct
import zipfile
import zlib
from datetime import datetime

import openpyxl
import pytest
import xlsxwriter
from lxml import etree
from python_calamine import CalamineWorkbook

from submissions.files.source import SheetInfo, Source, open_source
from submissions.returned.explanations import recognise
from submissions.returned.returns import annotate
from tests.libreoffice import office  # noqa: F401
from tests.returns import about, drawn_issues

RED, AMBER = "FFF2A9A0", "FFFFE699"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def picture() -> io.BytesIO:
    """A PNG of one red pixel."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b""))


@pytest.fixture
def rich() -> bytes:
    """A workbook with all that a unit may have put into it."""
    written = io.BytesIO()
    with xlsxwriter.Workbook(written, {"in_memory": True}) as book:
        day = book.add_format({"num_format": "dd/mm/yyyy", "font_name": "Times New Roman", "border": 1, "bold": True})
        head = book.add_format({"bg_color": "#1F3864", "font_color": "#FFFFFF"})
        first = book.add_worksheet("Biểu 1")
        second = book.add_worksheet("Kế hoạch '25")
        hidden = book.add_worksheet("Nháp")
        hidden.hide()
        hidden.write("A1", "nháp")
        first.write_row("A1", ["Mã", "Số", "Ngày"], head)
        first.write_column("A2", ["B1", "B2", "B3"])
        first.write_column("B2", [1, 2, 3])
        first.write_formula("B5", "=SUM(B2:B4)", None, 6)
        first.write_datetime("C2", datetime(2024, 2, 29), day)
        first.set_column("C:C", 23)
        first.merge_range("E1:G1", "gộp")
        first.data_validation("A2:A9", {"validate": "list", "source": ["B1", "B2", "B3"]})
        first.conditional_format("B2:B4", {"type": "data_bar", "data_bar_2010": True})
        first.insert_image("I2", "anh.png", {"image_data": picture()})
        first.write_comment("A3", "Ghi chú của đơn vị", {"author": "Đơn vị"})
        first.autofilter("A1:C4")
        first.set_header("&C&G", {"image_center": "anh.png", "image_data_center": picture()})
        first.print_area("A1:G9")
        second.add_table("A1:B3", {"data": [["x", 1], ["y", 2]]})
        second.write_url("D1", "internal:'Biểu 1'!A1")
        second.activate()
        chart = book.add_chart({"type": "column"})
        chart.add_series({"values": "='Biểu 1'!$B$2:$B$4"})
        second.insert_chart("F2", chart)
        book.define_name("Tong", "='Biểu 1'!$B$5")
        book.define_name("Nháp!Rieng", "='Kế hoạch ''25'!$B$2")
    return written.getvalue()


def parts(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert package.testzip() is None
        names = package.namelist()
        assert len(names) == len(set(map(str.casefold, names)))
        return {name: package.read(name) for name in names}


def rewritten(content: bytes, change) -> bytes:
    """The package with `change(name, bytes)` in place of each part."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for name, part in parts(content).items():
            target.writestr(name, change(name, part))
    return made.getvalue()


def values(content: bytes, sheet: str) -> list[list[object]]:
    return CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_name(sheet).to_python()


def marked(content: bytes, text: str, **options) -> bytes:
    return annotate(content, drawn_issues(text), about(**options))


THREE = """
    sheet  | cell | severity | rule         | message
    -------+------+----------+--------------+----------------
    Biểu 1 | B3   | error    | not_integer  | Hãy sửa thành số.
    Biểu 1 | C2   | query    | not_date     | Hãy xem lại.
    Biểu 1 | A7   | error    | required     | Hãy điền.
    """


def test_cells_are_coloured_by_severity_and_say_what_is_wrong(rich):
    book = openpyxl.load_workbook(io.BytesIO(marked(rich, THREE)))

    sheet = book["Biểu 1"]
    colours = {cell: sheet[cell].fill.fgColor.rgb for cell in ("B3", "C2", "A7")}
    assert colours == {"B3": RED, "C2": AMBER, "A7": RED}
    assert sheet["B2"].fill.fill_type is None
    assert "Hãy sửa thành số." in sheet["B3"].comment.text
    assert sheet["B3"].comment.text.startswith("PHẢI SỬA: Không phải số nguyên.")
    assert sheet["C2"].comment.text.startswith("SỬA HOẶC GIẢI TRÌNH")


def test_a_coloured_cell_keeps_its_format_font_and_border(rich):
    cell = openpyxl.load_workbook(io.BytesIO(marked(rich, THREE)))["Biểu 1"]["C2"]

    assert cell.number_format == "dd/mm/yyyy"
    assert (cell.font.name, cell.font.bold, cell.border.left.style) == ("Times New Roman", True, "thin")
    assert cell.value.isoformat() == "2024-02-29T00:00:00"


def test_white_letters_on_a_dark_ground_stay_readable_on_the_colour(rich):
    text = "sheet | cell | severity | rule\n--+--+--+--\nBiểu 1 | A1 | query | heading_missing"
    cell = openpyxl.load_workbook(io.BytesIO(marked(rich, text)))["Biểu 1"]["A1"]

    assert cell.fill.fgColor.rgb == AMBER
    assert cell.font.color.rgb == "FF1F1F1F"


def test_every_part_that_needs_no_mark_comes_back_byte_for_byte(rich):
    before, after = parts(rich), parts(marked(rich, THREE))

    changed = {name for name in before if after.get(name) != before[name]}
    assert {name for name in changed if "rels" not in name and not name.startswith("docProps")} == {
        "[Content_Types].xml",
        "xl/workbook.xml",
        "xl/styles.xml",
        "xl/worksheets/sheet1.xml",
        "xl/worksheets/sheet2.xml",  # it was the selected one
        "xl/comments1.xml",
        "xl/drawings/vmlDrawing1.vml",
    }
    assert {"xl/media/image1.png", "xl/charts/chart1.xml", "xl/tables/table1.xml"} <= set(after)


def test_of_a_marked_sheet_only_formats_of_cells_change(rich):
    def bare(part):
        """The sheet without styles of cells and rows that were put in."""
        root = etree.fromstring(part)
        for view in root.iter(f"{{{MAIN}}}sheetView"):
            view.attrib.pop("tabSelected", None)
        for row in list(root.iter(f"{{{MAIN}}}row")):
            row.attrib.pop("spans", None)
            for cell in list(row):
                cell.attrib.pop("s", None)
                if len(cell) == 0:
                    row.remove(cell)
            if len(row) == 0:
                row.getparent().remove(row)
        for drawing in root.findall(f"{{{MAIN}}}legacyDrawing"):
            root.remove(drawing)
        return etree.tostring(root, method="c14n2")

    before, after = (parts(book)["xl/worksheets/sheet1.xml"] for book in (rich, marked(rich, THREE)))
    assert bare(after) == bare(before)
    assert b"<f>SUM(B2:B4)</f><v>6</v>" in after


def test_a_comment_that_stands_there_is_continued_not_replaced(rich):
    text = "sheet | cell | severity | rule\n--+--+--+--\nBiểu 1 | A3 | error | pattern"
    sheet = openpyxl.load_workbook(io.BytesIO(marked(rich, text)))["Biểu 1"]

    assert "Ghi chú của đơn vị" in sheet["A3"].comment.text
    assert "PHẢI SỬA: Mã sai khuôn" in sheet["A3"].comment.text


def test_each_comment_has_one_shape_with_a_number_of_its_own(rich):
    after = parts(marked(rich, THREE))

    drawings = {name: part.decode() for name, part in after.items() if name.endswith(".vml")}
    for part in drawings.values():
        numbers = re.findall(r'id="_x0000_s(\d+)"', part)
        assert len(numbers) == len(set(numbers))
        clusters = {int(one) for one in re.search(r'data="([\d,]*)"', part)[1].split(",")}
        assert {int(one) // 1024 for one in re.findall(r'id="_x0000_s(\d+)"', part)} <= clusters
    told = etree.fromstring(after["xl/comments1.xml"])
    assert len(told.findall(f".//{{{MAIN}}}comment")) == drawings["xl/drawings/vmlDrawing1.vml"].count("<x:Row>") == 4


def test_names_views_and_printing_follow_the_sheet_that_was_put_in_first(rich):
    workbook = etree.fromstring(parts(marked(rich, THREE))["xl/workbook.xml"])

    names = {
        (defined.get("name"), defined.get("localSheetId")): defined.text
        for defined in workbook.iter(f"{{{MAIN}}}definedName")
    }
    assert names["Tong", None] == "'Biểu 1'!$B$5"
    assert names["Rieng", "3"] == "'Kế hoạch ''25'!$B$2"
    assert names["_xlnm.Print_Area", "1"] == "'Biểu 1'!$A$1:$G$9"
    assert names["_xlnm._FilterDatabase", "1"] == "'Biểu 1'!$A$1:$C$4"
    assert names["_xlnm.Print_Titles", "0"].startswith("'LOI_CAN_SUA'!")
    assert [view.get("activeTab") for view in workbook.iter(f"{{{MAIN}}}workbookView")] == ["0"]
    sheets = list(workbook.iter(f"{{{MAIN}}}sheet"))
    assert [sheet.get("name") for sheet in sheets] == ["LOI_CAN_SUA", "Biểu 1", "Kế hoạch '25", "Nháp", "_thucchat"]
    assert sheets[-1].get("state") == "veryHidden"
    assert len({sheet.get("sheetId") for sheet in sheets}) == len(sheets)


def test_only_the_list_is_selected_so_that_typing_goes_into_one_sheet(rich):
    after = parts(marked(rich, THREE))

    assert sum(b'tabSelected="1"' in part for name, part in after.items() if "worksheets/sheet" in name) == 1


def test_every_part_is_declared_and_every_relationship_leads_somewhere(rich):
    after = parts(marked(rich, THREE))

    declared = [
        override.get("PartName").lstrip("/")
        for override in etree.fromstring(after["[Content_Types].xml"])
        if override.get("PartName")
    ]
    assert len(declared) == len(set(declared))
    assert set(declared) <= set(after)
    for name in (name for name in after if name.endswith(".rels")):
        links = etree.fromstring(after[name])
        assert len({link.get("Id") for link in links}) == len(links)
        for link in links:
            if link.get("Target").startswith("/"):
                assert link.get("Target")[1:] in after


def test_five_thousand_issues_are_five_thousand_rows_links_and_colours(rich):
    lines = "\n".join(f"Nháp | {'ABCDE'[n % 5]}{n // 5 + 1} | error | required" for n in range(5_000))
    after = marked(rich, f"sheet | cell | severity | rule\n--+--+--+--\n{lines}")

    listed = values(after, "LOI_CAN_SUA")
    heading = next(number for number, row in enumerate(listed) if row[0] == "STT")
    assert [row[0] for row in listed[heading + 1 :]] == list(range(1, 5_001))
    book = openpyxl.load_workbook(io.BytesIO(after))
    assert book["LOI_CAN_SUA"].cell(heading + 5_001, 5).hyperlink.location == "'Nháp'!E1000"
    assert sum(cell.comment is not None for row in book["Nháp"].iter_rows() for cell in row) == 5_000


def test_the_list_links_to_sheets_with_quotes_in_their_names(rich):
    text = "sheet | cell | severity | rule\n--+--+--+--\nKế hoạch '25 | B2 | error | required"
    sheet = openpyxl.load_workbook(io.BytesIO(marked(rich, text)))["LOI_CAN_SUA"]

    links = [cell.hyperlink.location for row in sheet.iter_rows() for cell in row if cell.hyperlink]
    assert links == ["'Kế hoạch ''25'!B2"]


def test_what_units_typed_stays_text_without_formulas_and_control_characters(rich):
    issues = drawn_issues(THREE)
    issues["value"] = ['=HYPERLINK("http://x","y")', "a\x07\x0bb <&>", "_x0041_" + "d" * 40_000]
    after = annotate(rich, issues, about(file_name="=cmd|' /C calc'!A0.xlsx"))

    listed = parts(after)["xl/worksheets/sheet4.xml"]
    assert b"<f>" not in listed
    told = {row[4]: row[7] for row in values(after, "LOI_CAN_SUA") if len(row) > 7}
    assert told["B3"] == '=HYPERLINK("http://x","y")'
    assert told["C2"] == "a  b <&>"
    assert told["A7"].startswith("_x0041_d")
    assert max(len(cell) for row in values(after, "LOI_CAN_SUA") for cell in row if isinstance(cell, str)) <= 32_767


def test_the_same_sending_and_issues_give_the_same_bytes(rich):
    assert marked(rich, THREE) == marked(rich, THREE)


def prefixed(name, part):
    """The sheet as some programs write it, every element with a prefix."""
    if not name.startswith("xl/worksheets/sheet"):
        return part
    text = re.sub(r"<(/?)(?=[a-zA-Z])(?![\w]+:)", r"<\1x:", part.decode())
    return text.replace(f'xmlns="{MAIN}"', f'xmlns:x="{MAIN}"').encode()


def unplaced(name, part):
    """Rows and cells that do not say where they stand, but follow each other."""
    if name != "xl/worksheets/sheet3.xml":
        return part
    rows = b"<row><c><v>1</v></c><c><v>2</v></c></row><row/><row><c t='n'><v>3</v></c></row>"
    return re.sub(rb"<sheetData>.*</sheetData>", b"<sheetData>" + rows + b"</sheetData>", part)


def strict(name, part):
    """ISO/IEC 29500 Strict: other names for the same things."""
    part = part.replace(MAIN.encode(), b"http://purl.oclc.org/ooxml/spreadsheetml/main")
    return part.replace(OFFICE.encode(), b"http://purl.oclc.org/ooxml/officeDocument/relationships")


def odd_xml(name, part):
    """Comments, CDATA and tags that only look like rows."""
    if name != "xl/worksheets/sheet3.xml":
        return part
    cell = b'<c r="A1" t="inlineStr"><is><t><![CDATA[<row r="1"><c r="A1">]]></t></is></c>'
    return re.sub(rb"<c .*?</c>", b"<!-- <row r='1'/> -->" + cell, part, count=1)


def utf16(name, part):
    if name != "xl/worksheets/sheet3.xml":
        return part
    return part.decode().replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")


@pytest.mark.parametrize(
    ("change", "first"),
    [(prefixed, "nháp"), (unplaced, 1), (strict, "nháp"), (odd_xml, '<row r="1"><c r="A1">'), (utf16, "nháp")],
)
def test_the_ways_in_which_programs_write_the_same_sheet(rich, change, first):
    sent = rewritten(rich, change)
    text = """
        sheet | cell | severity | rule
        ------+------+----------+---------
        Nháp  | A1   | error    | required
        Nháp  | B1   | query    | required
        Nháp  | B2   | error    | required
        Nháp  | A9   | error    | required
        """
    after = marked(sent, text)

    sheet = etree.fromstring(parts(after)["xl/worksheets/sheet3.xml"])
    main = etree.QName(sheet).namespace
    styled = {cell.get("r"): int(cell.get("s")) for cell in sheet.iter(f"{{{main}}}c") if cell.get("s")}
    assert len(styled) >= (2 if change is unplaced else 4)
    assert styled["B2"] == styled["A9"]
    assert values(after, "Nháp")[0][0] == first
    assert values(after, "Biểu 1") == values(sent, "Biểu 1")
    order = [etree.QName(child).localname for child in sheet]
    assert order.index("pageMargins") < order.index("legacyDrawing")


def test_a_signature_that_would_no_longer_hold_is_left_out(rich):
    signed = io.BytesIO()
    with zipfile.ZipFile(signed, "w") as target:
        for name, part in parts(rich).items():
            link = b'<Relationship Id="rIdS" Type="http://schemas.openxmlformats.org/package/2006/relationships/'
            link += b'digital-signature/origin" Target="_xmlsignatures/origin.sigs"/></Relationships>'
            target.writestr(name, part.replace(b"</Relationships>", link) if name == "_rels/.rels" else part)
        target.writestr("_xmlsignatures/origin.sigs", b"")

    after = parts(marked(signed.getvalue(), THREE))

    assert not [name for name in after if name.startswith("_xmlsignatures")]
    assert b"digital-signature" not in after["_rels/.rels"]


def test_a_list_that_was_copied_into_the_workbook_does_not_take_the_new_ones_place(rich):
    once = marked(rich, THREE)
    twice = marked(once, THREE)

    names = openpyxl.load_workbook(io.BytesIO(twice)).sheetnames
    assert names == ["LOI_CAN_SUA (2)", "LOI_CAN_SUA", "Biểu 1", "Kế hoạch '25", "Nháp", "_thucchat", "_thucchat (2)"]


@pytest.mark.parametrize(
    ("found", "put"),
    [
        (b"?>", b"?><!DOCTYPE worksheet>"),
        (b'<c r="B3"', b'<c s="x" r="B3"'),
        (b"</sheetData>", b""),
        (b"<sheetData>", b"<sheetData/><x>"),
    ],
)
def test_a_package_that_cannot_be_patched_comes_back_as_a_copy_and_says_so(rich, found, put):
    def broken(name, part):
        return part.replace(found, put, 1) if name == "xl/worksheets/sheet1.xml" else part

    rows = {"Biểu 1": [["Mã", "Số"], ["B1", 1.0], ["=1+1", "001"]]}
    source = Source("xlsx", (SheetInfo("Biểu 1", True, 3, 2),), (), rows.__getitem__)
    after = annotate(rewritten(rich, broken), drawn_issues(THREE), about(), source)

    assert any("bản chép các ô" in str(cell) for row in values(after, "LOI_CAN_SUA") for cell in row)
    book = openpyxl.load_workbook(io.BytesIO(after))
    assert [[cell.value for cell in row] for row in book["Biểu 1"]["A1:B3"]] == rows["Biểu 1"]
    assert book["Biểu 1"]["A3"].data_type == "s"
    assert book["Biểu 1"]["B3"].fill.fgColor.rgb == RED


def test_a_copy_carries_any_sheet_name_and_any_cell(tmp_path):
    names = ("Biểu 3 [cũ]: đảng viên/đảng bộ " + "dài" * 10, "biểu 3 [CŨ]: ĐẢNG VIÊN/ĐẢNG BỘ " + "DÀI" * 10)
    cells = [["x" * 40_000, 1e20, float("nan"), True, "\x00"], []]
    infos = tuple(SheetInfo(name, name == names[0], 2, 5) for name in names)
    source = Source("csv_zip", infos, (), lambda sheet: cells)
    text = f"sheet | cell | severity | rule\n--+--+--+--\n{names[1]} | B1 | error | required"
    after = annotate(b"PK", drawn_issues(text), about(), source)

    book = openpyxl.load_workbook(io.BytesIO(after))
    assert len({name.casefold() for name in book.sheetnames}) == 4
    assert book.worksheets[2]["B1"].fill.fgColor.rgb == RED
    assert book.worksheets[2].sheet_state == "hidden"
    assert len(book.worksheets[1]["A1"].value) <= 32_767


def test_libreoffice_opens_recalculates_and_saves_it_with_all_marks(rich, office, tmp_path):  # noqa: F811
    path = tmp_path / "tra lai.xlsx"
    path.write_bytes(marked(rich, THREE))

    saved = office.save(path)

    book = openpyxl.load_workbook(saved)
    sheet = book["Biểu 1"]
    assert sheet["B5"].value == "=SUM(B2:B4)"
    assert openpyxl.load_workbook(saved, data_only=True)["Biểu 1"]["B5"].value == 6
    assert {cell: sheet[cell].fill.fgColor.rgb for cell in ("B3", "C2", "A7")} == {"B3": RED, "C2": AMBER, "A7": RED}
    assert {cell for cell in ("A3", "B3", "C2", "A7") if sheet[cell].comment} == {"A3", "B3", "C2", "A7"}
    assert len(sheet._images) == 1
    assert "E1:G1" in sheet.merged_cells
    links = [cell.hyperlink.location for row in book["LOI_CAN_SUA"].iter_rows() for cell in row if cell.hyperlink]
    assert links == ["'Biểu 1'!B3", "'Biểu 1'!A7", "'Biểu 1'!C2"]
    assert book["Nháp"].sheet_state == "hidden"
    assert book.defined_names["Tong"].attr_text.replace("$'", "'") == "'Biểu 1'!$B$5"


@pytest.mark.parametrize("kind", ["xlsx", "ods", "xls"])
def test_it_is_recognised_after_libreoffice_saved_it(rich, office, tmp_path, kind):  # noqa: F811
    path = tmp_path / "tra lai.xlsx"
    path.write_bytes(marked(rich, THREE))
    saved = office.convert(path, kind)

    mark = recognise(open_source(saved.read_bytes(), saved.name))

    assert mark is not None
    assert (mark.unit_code, mark.year, mark.sent_no, mark.source_hash) == ("67.001", 2024, 1, "ab" * 32)
