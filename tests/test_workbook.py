import unicodedata
from datetime import datetime

import pytest

from submissions.form_set import load_form_sets
from submissions.workbook import WorkbookError, column_letter, read_workbook
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
    with pytest.raises(WorkbookError, match="Biểu 5 đang bị ẩn") as caught:
        write_unit(path, layout=Layout(hidden=("Biểu 5",))).read()
    assert caught.value.code == "MISSING_SHEET"


@pytest.mark.parametrize(
    ("cover", "code", "told"),
    [
        ({"form_version": "B12-1999"}, "UNKNOWN_FORM_VERSION", "“B12-1999”; cần một trong “B12-2021”, “B12-2025”"),
        ({"form_version": None}, "UNKNOWN_FORM_VERSION", "không thấy hoặc để trống"),
        ({"year": "Năm nay"}, "NO_YEAR", "tìm thấy “Năm nay”"),
        ({"year": "2023 - 2024"}, "NO_YEAR", "cần một năm"),
    ],
)
def test_a_cover_that_does_not_say_what_is_sent_names_what_was_found(path, cover, code, told):
    with pytest.raises(WorkbookError, match=told) as caught:
        write_unit(path, cover=cover).read()
    assert caught.value.code == code


def test_without_a_cover_the_sheets_found_are_named(path):
    with pytest.raises(WorkbookError, match="“Biểu 1”, “Biểu 2”") as caught:
        write_unit(path, layout=Layout(left_out=("Thông tin chung",))).read()
    assert caught.value.code == "NO_COVER"


def test_all_sheets_and_headings_that_are_missing_are_named_at_once(path):
    layout = Layout(left_out=("Biểu 5", "Biểu 9"), headings={"Giới tính": "GT"})

    with pytest.raises(WorkbookError) as caught:
        write_unit(path, layout=layout).read()

    for told in ("“Biểu 5”", "“Biểu 9”", "thiếu cột “Giới tính”", "“GT”"):
        assert told in str(caught.value)


def test_a_heading_that_may_be_missing_is_a_warning(path):
    issues = write_unit(path, layout=Layout(headings={"Dân tộc": "DT"})).issues()

    assert set(issues["column"]) == {"ethnicity"}
    assert set(issues["severity"]) == {"warning"}
    assert issues["message"].str.contains("“DT”").all()


def test_a_heading_that_stands_twice_is_not_guessed(path):
    with pytest.raises(WorkbookError, match="tiêu đề lặp lại “Họ tên” \\(cột C và") as caught:
        write_unit(path, layout=Layout(headings={"Dân tộc": "Họ tên"})).read()
    assert caught.value.code == "DOUBLED_HEADING"


def test_a_form_that_stands_twice_is_not_guessed(path):
    with pytest.raises(WorkbookError, match="Có nhiều trang cùng là Biểu 4") as caught:
        write_unit(path, layout=Layout(sheets={"Biểu 5": "Bieu so 4"})).read()
    assert caught.value.code == "DOUBLED_SHEET"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "EMPTY_FILE"),
        (b"xin chao", "NOT_A_WORKBOOK"),
        (b"<html><table></table></html>", "NOT_A_WORKBOOK"),
        (b"%PDF-1.7", "NOT_A_WORKBOOK"),
        (b"PK", "DAMAGED_WORKBOOK"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4000), "DAMAGED_WORKBOOK"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16le"),
            "PASSWORD_PROTECTED",
        ),
    ],
)
def test_what_is_no_workbook_is_refused_with_its_reason(content, code):
    with pytest.raises(WorkbookError) as caught:
        read_workbook(content, load_form_sets())
    assert caught.value.code == code


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_that_was_copied_in_part_is_refused(path, share):
    content = write_unit(path).path.read_bytes()
    part = content[: int(len(content) * share)]

    for copied in (part, part.ljust(len(content), b"\0")):
        with pytest.raises(WorkbookError) as caught:
            read_workbook(copied, load_form_sets())
        assert caught.value.code == "DAMAGED_WORKBOOK"


def test_the_register_has_no_cover_and_its_year_stands_above_the_table(path):
    register = write_register(path).read()

    assert (register.form_set.form_set, register.year) == ("so-ky-luat", 2024)
    assert len(register.tables["discipline_register"].rows) == 2


def test_a_register_without_a_year_is_refused(path):
    with pytest.raises(WorkbookError, match="không thấy năm"):
        write_register(path, title="Sổ kỷ luật").read()


@pytest.mark.parametrize(("position", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")])
def test_columns_have_excels_letters(position, letters):
    assert column_letter(position) == letters
