# ruff: noqa: E501 - drawn tables are as wide as the forms
import unicodedata
from datetime import datetime

import openpyxl
import pytest

from submissions.drift import DriftError
from submissions.files.source import ErrorCell, RefusedError, Uncalculated
from submissions.form_set import load_form_sets
from submissions.text import strip_marks
from submissions.workbook import column_letter, read_workbook
from tests.sheets import drawn_cells, sheets_of, source_of
from tests.workbooks import Layout, unit_forms, write_register, write_unit


@pytest.fixture
def path(tmp_path):
    return tmp_path / "don vi.xlsx"


def rows_of(written):
    return {name: len(found.rows) for name, found in written.read().tables.items()}


TIDY = {name: len(form) for name, form in unit_forms().items()}
DRIFTED = {
    "headings in capitals": Layout(headings={"Mã tổ chức": "MÃ TỔ CHỨC", "Họ và tên": "HỌ VÀ TÊN"}),
    "headings in decomposed letters": Layout(
        headings={heading: unicodedata.normalize("NFD", heading) for heading in ("Mã chi bộ", "Số thẻ đảng viên")}
    ),
    "headings with line breaks and spaces": Layout(
        headings={"Tự xếp loại": "Tự xếp\nloại ", "Mã chi bộ": "Mã  chi\u00a0bộ", "Dân tộc": "Dân tộc "}
    ),
    "other words for a heading": Layout(
        headings={
            "Mã tổ chức": "Mã TCĐ",
            "Ngày quyết định": "Ngày QĐ",
            "Số đảng viên": "Số ĐV",
            "Ngày sinh": "Ngày, tháng, năm sinh",
        }
    ),
    "drifted sheet names": Layout(
        sheets={"Biểu 1": "Bieu 1", "Biểu 2": "BIỂU 2", "Biểu 3": "Biểu số 3", "Biểu 10": " Biểu 10 "}
    ),
    "another order of columns": Layout(
        order={"members": ["status", "full_name"], "cell_meetings": ["attended", "month"]}
    ),
    "a column of remarks": Layout(extra="Ghi chú"),
    "a table at the top": Layout(above=0),
    "a table far down": Layout(above=40),
    "no numbers under the headings": Layout(numbered=False),
    "a total": Layout(below=(("Tổng cộng", None, 12),)),
    "a total in another spelling": Layout(below=((None, "TỔNG CỘNG:", 12, 3, 4),)),
    "a total beside numbers that could be a code": Layout(below=(("Tổng số", 7, None, 12, 3, 4),)),
    "a blank row, then the signatures": Layout(
        below=(
            (None, " "),
            (None, None, None, "Gia Mẫu, ngày 5 tháng 1 năm 2025"),
            (None, "NGƯỜI LẬP BIỂU", None, "TRƯỞNG BAN"),
            (None, "(Ký, ghi rõ họ tên)"),
            (),
            (None, "Nguyễn Văn Lập", None, "Trần Thị Duyệt"),
        )
    ),
    "signatures of another kind": Layout(below=((None, None, "T/M BAN THƯỜNG VỤ"), (None, None, "PHÓ BÍ THƯ"))),
    "a remark under the table": Layout(below=((None, "Ghi chú: số liệu đến hết tháng 12"),)),
}


@pytest.mark.parametrize("drift", DRIFTED)
def test_a_table_is_found_by_its_headings_whatever_stands_around_it(path, drift):
    written = write_unit(path, layout=DRIFTED[drift])

    assert rows_of(written) == TIDY
    assert written.issues().empty


def test_a_heading_that_stands_again_on_a_second_page_is_no_record(path):
    forms = unit_forms()
    headings = {column.key: column.heading for column in load_form_sets()["B12-2021"].by_table["members"].columns}
    forms["members"].loc[1.5] = headings
    forms["members"] = forms["members"].sort_index()

    assert rows_of(write_unit(path, forms)) == TIDY


def test_blank_rows_inside_a_table_are_passed_over_and_rows_keep_their_numbers(path):
    forms = unit_forms()
    forms["members"] = forms["members"].reindex([0, 1, 9, 2, 3, 4])

    written = write_unit(path, forms)

    assert rows_of(written) == TIDY
    assert [f"B{row}" for row in written.read().tables["members"].rows] == [
        written.cell("members", row, "card_no") for row in (0, 1, 3, 4, 5)
    ]


def test_a_row_that_lost_its_key_is_still_a_record(path):
    forms = unit_forms()
    for name, key in (
        ("membership_movements", "line"), ("organisations", "org_code"), ("members", "card_no"),
        ("cell_meetings", "cell_code"), ("hamlets", "hamlet_code"), ("programme_uptakes", "org_code"),
    ):  # fmt: skip
        forms[name].loc[forms[name].index[-1], key] = None

    assert rows_of(write_unit(path, forms)) == TIDY


def test_a_form_without_rows_is_read_as_empty(path):
    forms = unit_forms()
    forms["hamlets"] = forms["hamlets"].iloc[:0]

    layout = Layout(below=(("Tổng cộng", None, 0),))

    assert rows_of(write_unit(path, forms, layout=layout)) == TIDY | {"hamlets": 0}


def test_dates_may_be_excel_dates(path):
    forms = unit_forms()
    forms["members"].loc[0, "born_on"] = datetime(1970, 9, 2)

    written = write_unit(path, forms)

    assert written.issues().empty
    assert written.judge().forms["members"].values.loc[0, "born_on"].year == 1970


@pytest.mark.parametrize("name", ["nháp", "Bieu 5"])
def test_hidden_sheets_of_scrap_are_not_looked_at(path, name):
    assert rows_of(write_unit(path, layout=Layout(scrap=name))) == TIDY


def test_a_form_whose_sheet_is_hidden_is_asked_for(path):
    with pytest.raises(RefusedError, match="Biểu 5 đang bị ẩn") as caught:
        write_unit(path, layout=Layout(hidden=("Biểu 5",))).read()
    assert caught.value.code == "MISSING_SHEET"


@pytest.mark.parametrize(
    ("cover", "code", "told"),
    [
        ({"form_version": "B12-1999"}, "UNKNOWN_FORM_VERSION", "“B12-1999”; cần một trong “B12-2021”, “B12-2025”"),
        ({"form_version": None}, "UNKNOWN_FORM_VERSION", "không thấy hoặc để trống"),
        ({"year": "Năm nay"}, "NO_YEAR", "tìm thấy “…”"),
        ({"year": "2023 - 2024"}, "NO_YEAR", "cần một năm"),
    ],
)
def test_a_cover_that_does_not_say_what_is_sent_names_what_was_found(path, cover, code, told):
    with pytest.raises(RefusedError, match=told) as caught:
        write_unit(path, cover=cover).read()
    assert caught.value.code == code


def test_without_a_cover_the_sheets_found_are_named(path):
    with pytest.raises(RefusedError, match="“Biểu 1”, “Biểu 2”") as caught:
        write_unit(path, layout=Layout(left_out=("Thông tin chung",))).read()
    assert caught.value.code == "NO_COVER"


def test_all_sheets_and_headings_that_are_missing_are_named_at_once(path):
    layout = Layout(left_out=("Biểu 5", "Biểu 9"), headings={"Giới tính": "GT"})

    with pytest.raises(RefusedError) as caught:
        write_unit(path, layout=layout).read()

    for told in ("“Biểu 5”", "“Biểu 9”", "thiếu cột “Giới tính”", "“GT”"):
        assert told in str(caught.value)


@pytest.mark.parametrize("heading", ["Dân tộc", "Tự xếp loại", "Theo kế hoạch"])
def test_a_column_whose_heading_is_gone_stops_the_form_though_it_may_be_blank(path, heading):
    with pytest.raises(DriftError, match=f"thiếu cột “{heading}”") as caught:
        write_unit(path, layout=Layout(headings={heading: "Cột lạ"})).read()
    assert caught.value.code == "MISSING_HEADING"


def test_a_strange_column_beside_a_whole_table_is_named_and_not_read(path):
    table = write_unit(path, layout=Layout(extra="Số điện thoại")).read().tables["hamlets"]

    assert [(item.heading, item.cell, item.filled) for item in table.unknown] == [("Số điện thoại", "H5", 3)]


@pytest.mark.parametrize(
    "heading", ["Ghi chú", "GHI CHÚ:", "Ghi\nchú", "Ghi chu", unicodedata.normalize("NFD", "Ghi chú")]
)
def test_a_column_of_remarks_is_no_strange_column(path, heading):
    assert write_unit(path, layout=Layout(extra=heading)).read().tables["hamlets"].unknown == ()


def test_a_heading_that_stands_twice_is_not_guessed(path):
    with pytest.raises(RefusedError, match="tiêu đề lặp lại “Họ tên” \\(cột C và") as caught:
        write_unit(path, layout=Layout(headings={"Dân tộc": "Họ tên"})).read()
    assert caught.value.code == "DOUBLED_HEADING"


def test_a_form_that_stands_twice_is_not_guessed(path):
    with pytest.raises(RefusedError, match="Có nhiều trang cùng là Biểu 4") as caught:
        write_unit(path, layout=Layout(sheets={"Biểu 5": "Bieu so 4"})).read()
    assert caught.value.code == "DOUBLED_SHEET"


def with_copy(path, change=lambda sheet: None, *, name="Biểu 3 (2)"):
    """A unit's workbook in which somebody copied Biểu 3 and changed the copy."""
    written = write_unit(path)
    book = openpyxl.load_workbook(path)
    sheet = book.copy_worksheet(book["Biểu 3"])
    sheet.title = name
    change(sheet)
    book.save(path)
    return written


@pytest.mark.parametrize("name", ["Biểu 3 (2)", "Bieu 3 (2)", "Bản sao của Biểu 3", "Trang tính1"])
def test_a_shown_copy_of_a_form_is_not_passed_over_whatever_it_is_called(path, name):
    with pytest.raises(RefusedError) as caught:
        with_copy(path, name=name).read()
    assert caught.value.code == "DOUBLED_SHEET"
    assert f"Có nhiều trang cùng là Biểu 3 (“Biểu 3”, “{name}”): hãy giữ một trang, xóa hoặc ẩn" in str(caught.value)


def test_all_copies_are_named_at_once(path):
    def copy_again(sheet):
        sheet.parent.copy_worksheet(sheet).title = "Biểu 3 (3)"
        sheet.parent.copy_worksheet(sheet.parent["Biểu 6"]).title = "Biểu 6 (2)"

    with pytest.raises(RefusedError) as caught:
        with_copy(path, copy_again).read()
    for told in ("Biểu 3 (“Biểu 3”, “Biểu 3 (2)”, “Biểu 3 (3)”)", "Biểu 6 (“Biểu 6”, “Biểu 6 (2)”)"):
        assert told in str(caught.value)


def test_a_copy_that_is_hidden_or_holds_no_rows_is_no_second_form(path):
    def hide(sheet):
        sheet.sheet_state = "hidden"

    def empty(sheet):
        numbers = next(row for row in range(1, sheet.max_row) if sheet.cell(row, 1).value == "(1)")
        sheet.delete_rows(numbers + 1, sheet.max_row)

    for change in (hide, empty):
        assert rows_of(with_copy(path, change)) == TIDY


def test_a_list_or_a_note_that_names_some_columns_is_no_second_form(path):
    def leave_three_columns(sheet):
        sheet.delete_cols(4, sheet.max_column)

    assert rows_of(with_copy(path, leave_three_columns, name="Danh sách")) == TIDY


def test_a_copied_csv_file_is_told_as_well():
    sheets = sheets_of()
    sheets["Biểu 3 - Copy"] = sheets["Biểu 3"]

    with pytest.raises(RefusedError, match="“Biểu 3”, “Biểu 3 - Copy”") as caught:
        read_workbook(source_of(sheets, kind="csv_zip"), load_form_sets())
    assert caught.value.code == "DOUBLED_SHEET"


def test_the_register_has_no_cover_and_its_year_stands_above_the_table(path):
    register = write_register(path).read()

    assert (register.form_set.form_set, register.year) == ("so-ky-luat", 2024)
    assert len(register.tables["discipline_register"].rows) == 2


def test_a_register_without_a_year_is_refused(path):
    with pytest.raises(RefusedError, match="không thấy năm"):
        write_register(path, title="Sổ kỷ luật").read()


@pytest.mark.parametrize(("position", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")])
def test_columns_have_excels_letters(position, letters):
    assert column_letter(position) == letters


MEETINGS = {
    "a group's name above merged cells": """
        Mã chi bộ          | Tháng | Ngày sinh hoạt | Số đảng viên |    | Sinh hoạt chuyên đề | Điểm chất lượng | Xếp loại buổi sinh hoạt | Cấp ủy viên cấp trên dự
                           |       |                | phải dự      | dự |                     |                 |                         |
        (1)                | (2)   | (3)            | (4)          | (5)| (6)                 | (7)             | (8)                     | (9)
        67.001.001.000.001 | 1     | 05/01/2024     | 2            | 1  |                     | 82,5            | Khá                     |
        """,
    "groups of whole headings": """
        Chi bộ    | Buổi sinh hoạt |                | Đảng viên            |                 |                     | Kết quả         |                         | Dự
        Mã chi bộ | Tháng          | Ngày sinh hoạt | Số đảng viên phải dự | Số đảng viên dự | Sinh hoạt chuyên đề | Điểm chất lượng | Xếp loại buổi sinh hoạt | Cấp ủy viên cấp trên dự
        67.001.001.000.001 | 1     | 05/01/2024     | 2                    | 1               |                     | 82,5            | Khá                     |
        """,
    "every heading split over two rows": """
        STT | Mã     | Tháng | Ngày      | Số đảng viên | Số đảng viên | Sinh hoạt | Điểm       | Xếp loại       | Cấp ủy viên
            | chi bộ |       | sinh hoạt | phải dự      | dự           | chuyên đề | chất lượng | buổi sinh hoạt | cấp trên dự
        1   | 67.001.001.000.001 | 1 | 05/01/2024 | 2   | 1            |           | 82,5       | Khá            |
        """,
    "headings over three rows": """
        Mã chi bộ | Tháng | Ngày sinh hoạt | Sự tham gia của đảng viên và cấp trên |    |                         | Nội dung và chất lượng |                 |
                  |       |                | Số đảng viên                          |    | Cấp ủy viên cấp trên dự | Sinh hoạt chuyên đề    | Điểm chất lượng | Xếp loại buổi sinh hoạt
                  |       |                | phải dự                               | dự |                         |                        |                 |
        67.001.001.000.001 | 1 | 05/01/2024 | 2                                    | 1  |                         |                        | 82,5            | Khá
        """,
    "a table that begins in another column, with remarks between": """
         | | Ghi chú | Tháng | Mã chi bộ          | Ngày sinh hoạt | Số đảng viên dự | Số đảng viên phải dự | | Sinh hoạt chuyên đề | Điểm chất lượng | Xếp loại buổi sinh hoạt | Cấp ủy viên cấp trên dự
         | | xem lại | 1     | 67.001.001.000.001 | 05/01/2024     | 1               | 2                    | |                     | 82,5            | Khá                     |
        """,
    "numbers, signs and notes of form at the headings": """
        1. Mã chi bộ* | Tháng: | Ngày sinh hoạt (dd/mm/yyyy) | Số đảng viên phải dự (4) | Số đảng viên dự (5) | Sinh hoạt chuyên đề (x) | Điểm chất lượng (0-100) | Xếp loại buổi sinh hoạt ** | Cấp ủy viên cấp trên dự .
        67.001.001.000.001 | 1 | 05/01/2024                  | 2                        | 1                   |                         | 82,5                    | Khá                        |
        """,
    "typed without marks": """
        MA CHI BO          | THANG | NGAY SINH HOAT | SO DANG VIEN PHAI DU | SO DANG VIEN DU | SINH HOAT CHUYEN DE | DIEM CHAT LUONG | XEP LOAI BUOI SINH HOAT | CAP UY VIEN CAP TREN DU
        67.001.001.000.001 | 1     | 05/01/2024     | 2                    | 1               |                     | 82,5            | Khá                     |
        """,
}  # fmt: skip


@pytest.mark.parametrize("layout", MEETINGS)
def test_headings_over_several_rows_are_read_by_their_words(layout):
    sheets = sheets_of() | {"Biểu 6": [[None, "BIỂU 6: SINH HOẠT CHI BỘ"], *drawn_cells(MEETINGS[layout])]}

    table = read_workbook(source_of(sheets), load_form_sets()).tables["cell_meetings"]

    assert len(table.rows) == 1
    assert {key: cells[0] for key, cells in table.cells.items() if cells[0] is not None} == {
        "cell_code": "67.001.001.000.001",
        "month": "1",
        "held_on": "05/01/2024",
        "expected": "2",
        "attended": "1",
        "points": "82,5",
        "band": "Khá",
    }
    assert table.unknown == ()
    assert table.rows[0] == len(sheets["Biểu 6"])
    assert table.heading_row < table.rows[0]


def test_totals_page_breaks_and_numbers_of_columns_inside_a_table_are_no_records():
    cells = drawn_cells(
        """
        STT       | Mã thôn | Tên thôn  | Xã, phường, thị trấn | Mã chi bộ | Số đảng viên | Trong đó người tại chỗ
        (1)       | (2)     | (3)       | (4)                  | (5)       | (6)          | (7)
        1         | 01      | Bon Thử   | Xã Một               |           | 2            | 2
        Cộng xã Một | | | | | 2 | 2
                  |         |           |                      |           |              |
        STT       | Mã thôn | Tên thôn  | Xã, phường, thị trấn | Mã chi bộ | Số đảng viên | Trong đó người tại chỗ
        1         | 2       | 3         | 4                    | 5         | 6            | 7
        2         | 02      | Thôn Hai  | Xã Hai               |           | 1            | 0
        Tổng cộng: |        |           |                      |           | 3            | 2
                  |         | NGƯỜI LẬP BIỂU |                 |           | TRƯỞNG BAN   |
        """
    )

    table = read_workbook(source_of(sheets_of() | {"Biểu 10": cells}), load_form_sets()).tables["hamlets"]

    assert [table.cells["hamlet_code"][row] for row in range(len(table.rows))] == ["01", "02"]
    assert list(table.rows) == [3, 8]


@pytest.mark.parametrize("number", ["({})", "[{}]", "{}.", "{})", "{}"])
def test_a_row_that_numbers_the_columns_is_no_record_however_it_writes_them(number):
    sheets = sheets_of()
    headings = len(sheets["Biểu 10"][0])
    cells = [sheets["Biểu 10"][0], [number.format(column) for column in range(1, headings + 1)], *sheets["Biểu 10"][1:]]
    tables = {name: read_workbook(source_of(sheets | {"Biểu 10": sheet}), load_form_sets()).tables["hamlets"]
              for name, sheet in (("with", cells), ("without", sheets["Biểu 10"]))}  # fmt: skip
    assert list(tables["with"].rows) == [row + 1 for row in tables["without"].rows]


def test_a_line_of_totals_that_lost_its_label_does_not_number_the_columns():
    sheets = sheets_of()
    heading = next(row for row, cells in enumerate(sheets["Biểu 1"]) if "Mã dòng" in cells)
    place = sheets["Biểu 1"][heading].index("Mã dòng")
    line = next(cells for cells in sheets["Biểu 1"] if cells[place] == "A")
    line[:] = [None] * len(line)
    for title, value in (("Mã dòng", "A"), ("Kỳ này", 34), ("Cùng kỳ năm trước", 41)):
        line[sheets["Biểu 1"][heading].index(title)] = value

    table = read_workbook(source_of(sheets), load_form_sets()).tables["membership_movements"]

    assert table.cells["line"][0] == "A"


def test_a_remark_under_a_group_of_headings_is_still_no_unknown_column():
    sheets = sheets_of()
    group, remark = [None] * (len(sheets["Biểu 10"][0]) - 1), "Ghi chú"
    cells = [[*group, "Trong đó"], [*sheets["Biểu 10"][0], remark]]
    cells += [[*row, "đã rà"] for row in sheets["Biểu 10"][1:]]

    table = read_workbook(source_of(sheets | {"Biểu 10": cells}), load_form_sets()).tables["hamlets"]

    assert table.unknown == ()


@pytest.mark.parametrize(
    "row",
    [
        ["Tổng cộng toàn huyện", None, None, None, 3, 2],
        [None, "Cộng các thôn", None, None, 3, 2],
        [None, None, None, None, 3, 2],
        [None, "Ghi chú: số liệu đến 31/12", None, None, None, None],
        [None, ErrorCell("#N/A"), ErrorCell("#N/A"), None, ErrorCell("#N/A"), ErrorCell("#N/A")],
        [None, Uncalculated("=B9"), None, None, Uncalculated("=E9"), None],
    ],
)
def test_a_sum_a_note_or_formulas_drawn_too_far_are_no_record(row):
    sheets = sheets_of()
    sheets["Biểu 10"].append(row)

    assert len(read_workbook(source_of(sheets), load_form_sets()).tables["hamlets"].rows) == 3


@pytest.mark.parametrize(
    "row",
    [
        [None, "Cộng Hòa", "Xã Một", None, 3, 2],
        ["04", "Tổng Cọt", None, None, 3, None],
        ["04", None, None, None, None, None],
        ["04", None, None, None, 5, 3],
        [ErrorCell("#REF!"), "Thôn Tư", "Xã Một", None, 3, 2],
    ],
)
def test_a_broken_row_of_a_hamlet_is_a_record_whatever_it_is_called(row):
    sheets = sheets_of()
    sheets["Biểu 10"].append(row)

    assert len(read_workbook(source_of(sheets), load_form_sets()).tables["hamlets"].rows) == 4


def test_a_line_of_totals_that_lost_its_code_is_a_record():
    sheets = sheets_of()
    sheets["Biểu 1"][1][:2] = [None, "Tổng số đảng viên kỳ trước"]

    assert len(read_workbook(source_of(sheets), load_form_sets()).tables["membership_movements"].rows) == 12


def test_a_formula_without_a_result_in_a_table_or_on_the_cover_is_asked_for_and_elsewhere_is_no_matter():
    sheets = sheets_of()
    sheets["Biểu 10"] += [["Tổng cộng", None, None, Uncalculated("=SUM(E2:E4)")]]
    assert read_workbook(source_of(sheets), load_form_sets())

    heading, *rows = sheets["Biểu 2"]
    place = heading.index("Số đảng viên")
    rows[0][place] = rows[2][place] = Uncalculated("=1+2")
    with pytest.raises(RefusedError, match=r"2 ô là công thức .*trang “Biểu 2”: I2, I4.* F9") as caught:
        read_workbook(source_of(sheets), load_form_sets())
    assert caught.value.code == "FORMULA_NOT_CALCULATED"

    sheets = sheets_of()
    sheets["Thông tin chung"][3][1] = Uncalculated("=A1")
    with pytest.raises(RefusedError, match=r"“Thông tin chung”: B4"):
        read_workbook(source_of(sheets), load_form_sets())


def test_of_many_formulas_without_a_result_the_first_are_named():
    sheets = sheets_of()
    place = sheets["Biểu 1"][0].index("Kỳ này")
    for row in sheets["Biểu 1"][1:]:
        row[place] = Uncalculated("=1")

    with pytest.raises(RefusedError, match=r"Có 12 ô .*C2, C3, C4, C5, C6, C7, C8, C9, C10, C11 và 2 ô khác"):
        read_workbook(source_of(sheets), load_form_sets())


def test_a_heading_that_is_an_error_is_named_as_one():
    sheets = sheets_of()
    sheets["Biểu 10"][0][2] = ErrorCell("#REF!")

    with pytest.raises(DriftError, match=r"thiếu cột “Xã, phường, thị trấn”; .*“#REF!” \(ô C1, ô bị lỗi công thức"):
        read_workbook(source_of(sheets), load_form_sets())


def test_an_error_in_a_table_is_left_to_be_judged():
    sheets = sheets_of()
    sheets["Biểu 10"][1][1] = ErrorCell("#N/A")

    table = read_workbook(source_of(sheets), load_form_sets()).tables["hamlets"]

    assert isinstance(table.cells["hamlet_name"][0], ErrorCell)


@pytest.mark.parametrize("name", ["{}", "bao cao 2024-{}"])
@pytest.mark.parametrize("write", [lambda text: text, str.upper, lambda text: strip_marks(text).replace(" ", "_")])
def test_sheets_of_a_csv_sending_are_named_by_their_files(name, write):
    sheets = {name.format(write(sheet)): cells for sheet, cells in sheets_of().items()}

    workbook = read_workbook(source_of(sheets, kind="csv_zip"), load_form_sets())

    assert {table: len(found.rows) for table, found in workbook.tables.items()} == TIDY


def test_a_single_csv_is_told_what_a_sending_needs():
    source = source_of({"bieu_5": sheets_of()["Biểu 5"]}, kind="csv")

    with pytest.raises(
        RefusedError, match=r"thiếu trang bìa “Thông tin chung” và Biểu 1, Biểu 2, .*Biểu 4, Biểu 6"
    ) as caught:
        read_workbook(source, load_form_sets())
    assert caught.value.code == "SINGLE_CSV"


def test_a_hidden_cover_is_asked_for():
    with pytest.raises(RefusedError, match="Trang bìa “Thông tin chung” đang bị ẩn"):
        read_workbook(source_of(sheets_of(), hidden=("Thông tin chung",)), load_form_sets())


def test_a_label_that_stands_twice_with_two_values_is_not_guessed():
    sheets = sheets_of()
    sheets["Thông tin chung"].append(["Mã đơn vị báo cáo", "67.002"])

    with pytest.raises(RefusedError, match=r"“Mã đơn vị báo cáo” có hai giá trị khác nhau \(ô B2 và ô B9") as caught:
        read_workbook(source_of(sheets), load_form_sets())
    assert caught.value.code == "DOUBLED_LABEL"


def test_a_value_of_the_cover_may_stand_behind_its_label():
    sheets = sheets_of()
    sheets["Thông tin chung"] = [[f"{label}: {value}"] for label, value in sheets["Thông tin chung"]]

    workbook = read_workbook(source_of(sheets), load_form_sets())

    assert workbook.year == 2024
    assert workbook.cover["unit_code"].value == "67.001"


def test_rows_that_end_early_are_blank_to_their_right():
    sheets = sheets_of()
    sheets["Biểu 10"][1] = sheets["Biểu 10"][1][:3]

    table = read_workbook(source_of(sheets), load_form_sets()).tables["hamlets"]

    assert len(table.rows) == 3
    assert table.cells["members"][0] is None


def test_true_is_not_one():
    sheets = sheets_of()
    place = sheets["Biểu 10"][0].index("Số đảng viên")
    for row, cell in zip(sheets["Biểu 10"][1:], (True, 1.0, 1), strict=True):
        row[place] = cell

    cells = read_workbook(source_of(sheets), load_form_sets()).tables["hamlets"].cells["members"]

    assert [cells[row] for row in range(3)] == ["TRUE", 1.0, 1]


def test_a_refusal_repeats_no_card_number_that_stands_where_a_heading_should():
    sheets = sheets_of()
    heading = sheets["Biểu 3"][0]
    heading[heading.index("Giới tính")] = "670000000001"

    with pytest.raises(DriftError) as caught:
        read_workbook(source_of(sheets), load_form_sets())
    assert "670000000001" not in str(caught.value)
    assert "670000000001" not in repr(caught.value.proposals)
