"""What a unit writes into the list that came back, and how it is read."""

import io

import openpyxl
import pytest
import xlsxwriter

from submissions.files.source import open_source
from submissions.returned.explanations import is_ours, read_explanations, recognise
from submissions.returned.returns import annotate
from tests.libreoffice import office  # noqa: F401
from tests.returns import about, drawn_issues

ISSUES = """
    sheet  | cell | severity | rule          | key          | column   | issue_id         | numbers_id       | status      | explanation_code | explanation
    -------+------+----------+---------------+--------------+----------+------------------+------------------+-------------+------------------+-------------
    Biểu 3 | B2   | error    | not_in_list   | 670000000001 | gender   | 000000000000000a | 00000000000000a0 | open        |                  |
    Biểu 3 | C2   | query    | share_blank   |              |          | 000000000000000b | 00000000000000b0 | open        |                  |
    Biểu 3 | D2   | query    | members_moved | 67.001       | status   | 000000000000000c | 00000000000000c0 | open        |                  |
    Biểu 3 | E2   | query    | levels_alike  | 67.002       | level    | 000000000000000d | 00000000000000d0 | explained   | GT02             | Sáp nhập hai chi bộ
    Biểu 3 | F2   | query    | levels_alike  | 67.003       | level    | 000000000000000e | 00000000000000e0 | asked_again | GT04             | Năm trước nhầm
    """  # noqa: E501
CODE, TEXT = "Mã giải trình", "Giải trình"


def issues():
    return drawn_issues(ISSUES).assign(numbers=lambda frame: frame["numbers_id"])


@pytest.fixture
def sent() -> bytes:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written, {"in_memory": True}) as book:
        book.add_worksheet("Biểu 3").write_row("A2", ["1", "?", "", "", "", ""])
    return written.getvalue()


@pytest.fixture
def returned(sent) -> bytes:
    return annotate(sent, issues(), about())


def list_of(book):
    """The list's sheet, the row of its headings, and the columns by heading."""
    sheet = next(sheet for sheet in book.worksheets if sheet.title.startswith("LOI_CAN_SUA"))
    top = next(row for row in range(1, 40) if sheet.cell(row, 1).value == "STT")
    return sheet, top, {cell.value: cell.column for cell in sheet[top]}


def filled(content: bytes, answers: dict[str, tuple[object, object]], change=lambda book: None) -> bytes:
    """The workbook with code and text filled in at the rows of some cells."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet, top, columns = list_of(book)
    for row in range(top + 1, sheet.max_row + 1):
        answer = answers.get(sheet.cell(row, columns["Ô"]).value)
        if answer:
            sheet.cell(row, columns[CODE]).value, sheet.cell(row, columns[TEXT]).value = answer
    change(book)
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()


def read(content: bytes, name: str = "a.xlsx"):
    return read_explanations(open_source(content, name))


def given(content: bytes, name: str = "a.xlsx") -> dict[str, tuple[str, str]]:
    explanations = read(content, name)
    assert explanations.problems.empty
    rows = explanations.given
    return dict(zip(rows["issue_id"], zip(rows["code"], rows["text"], strict=True), strict=True))


B, C, D, E = (f"000000000000000{letter}" for letter in "bcde")


def test_what_was_filled_in_is_read_with_the_issue_and_the_numbers_it_is_about(returned):
    rows = read(filled(returned, {"D2": ("GT03 – Do chuyển sinh hoạt đảng", "Theo QĐ 12")})).given.set_index("issue_id")

    assert rows.loc[C].to_dict() == {
        "numbers": "00000000000000c0",
        "rule": "members_moved",
        "form": "Biểu 3",
        "key": "67.001",
        "column": "status",
        "code": "GT03",
        "text": "Theo QĐ 12",
    }


def test_an_explanation_that_was_taken_stands_there_and_is_read_again_unchanged(returned):
    assert given(returned) == {D: ("GT02", "Sáp nhập hai chi bộ")}


def test_a_query_whose_numbers_changed_is_asked_again_beside_what_was_said(returned):
    sheet, top, columns = list_of(openpyxl.load_workbook(io.BytesIO(returned)))
    row = next(row for row in range(top + 1, sheet.max_row + 1) if sheet.cell(row, columns["Ô"]).value == "F2")

    assert sheet.cell(row, columns[CODE]).value is None
    state = sheet.cell(row, columns["Tình trạng"]).value
    assert state.startswith("Hỏi lại vì số liệu đã đổi. Lần trước: GT04")
    assert "Năm trước nhầm" in state


@pytest.mark.parametrize("typed", ["GT05", "gt05", "GT 5", "GT05 – Quy định thay đổi", " GT.05: "])
def test_a_code_may_be_chosen_or_typed(returned, typed):
    assert given(filled(returned, {"C2": (typed, "Chỉ tiêu giao lại")}))[B] == ("GT05", "Chỉ tiêu giao lại")


def test_sorting_the_rows_and_putting_columns_in_changes_nothing(returned):
    def disturb(book):
        sheet, top, _ = list_of(book)
        for merged in list(sheet.merged_cells):
            sheet.unmerge_cells(str(merged))
        rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=top + 1)]
        for number, row in enumerate(reversed(rows), start=top + 1):
            for column, value in enumerate(row, start=1):
                sheet.cell(number, column).value = value
        sheet.insert_cols(3)
        sheet.insert_rows(1, 2)

    answers = {"C2": ("GT07", None), "D2": ("GT03", "Theo QĐ 12")}
    expected = {B: ("GT07", ""), C: ("GT03", "Theo QĐ 12"), D: ("GT02", "Sáp nhập hai chi bộ")}
    assert given(filled(returned, answers, disturb)) == expected


def test_all_problems_are_told_at_once_with_their_cells(returned):
    content = filled(
        returned,
        {
            "B2": ("GT01", "Đúng rồi"),
            "C2": ("GT88", "Không rõ mã"),
            "D2": (None, "Quên mã"),
            "E2": ("GT99", " . "),
            "F2": ("GT01", "dài " * 600),
        },
    )

    explanations = read(content)

    assert explanations.given.empty
    _, top, _ = list_of(openpyxl.load_workbook(io.BytesIO(content)))
    parts = ["phải sửa, không giải trình", "Không có mã giải trình này", "chưa có mã", "dài quá 2.000", "cần ghi rõ"]
    cells = [f"{column}{top + row}" for row, column in ((1, "K"), (2, "K"), (3, "K"), (4, "L"), (5, "L"))]
    by_cell = dict(zip(explanations.problems["cell"], explanations.problems["message"], strict=True))
    assert set(by_cell) == set(cells)
    for part in parts:
        assert sum(part in message for message in by_cell.values()) == 1
    assert set(explanations.problems["sheet"]) == {"LOI_CAN_SUA"}


def test_a_row_that_no_longer_says_which_issue_it_is_about_is_a_problem(returned):
    def strip(book):
        sheet, _, columns = list_of(book)
        sheet.delete_cols(columns["Mã nhận dạng"])

    explanations = read(filled(returned, {"C2": ("GT01", "Đúng")}, strip))

    assert explanations.given.empty
    assert all("mã nhận dạng" in message for message in explanations.problems["message"])


def test_a_marked_copy_is_recognised_and_the_units_own_workbook_is_not(sent, returned):
    assert recognise(open_source(sent, "a.xlsx")) is None
    mark = recognise(open_source(filled(returned, {}), "a.xlsx"))
    assert (mark.unit_code, mark.year, mark.sent_no, mark.source_hash) == ("67.001", 2024, 1, "ab" * 32)


def test_a_refused_files_answer_is_recognised_too(sent):
    answer = annotate(sent, drawn_issues("sheet | cell\n--+--"), about(state="refused", unit_code=None, year=None))

    mark = recognise(open_source(answer, "a.xlsx"))

    assert (mark.unit_code, mark.year, mark.source_hash) == (None, None, "ab" * 32)


def test_a_list_copied_into_the_corrected_workbook_is_read_but_is_no_mark(returned):
    def only_the_list(book):
        del book["_thucchat"]

    content = filled(returned, {"C2": ("GT07", "Không theo dõi")}, only_the_list)

    assert recognise(open_source(content, "a.xlsx")) is None
    assert given(content)[B] == ("GT07", "Không theo dõi")


def test_of_two_lists_the_later_sheet_holds(returned):
    def copy(book):
        later = book.copy_worksheet(book["LOI_CAN_SUA"])
        later.title = "LOI_CAN_SUA (2)"
        _, top, columns = list_of(book)
        later.cell(top + 2, columns[CODE]).value = "GT01"

    assert given(filled(returned, {"C2": ("GT07", "x")}, copy))[B] == ("GT01", "x")


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("LOI_CAN_SUA", True),
        ("loi_can_sua (2)", True),
        ("_thucchat", True),
        ("_thucchat (3)", True),
        ("Biểu 3", False),
        ("Thực Chất", False),
        ("LOI", False),
    ],
)
def test_our_sheets_are_told_from_the_units_by_name(name, ours):
    assert is_ours(name) is ours


@pytest.mark.parametrize("kind", ["xlsx", "ods", "xls"])
def test_what_was_filled_in_is_read_after_libreoffice_saved_it(returned, office, tmp_path, kind):  # noqa: F811
    path = tmp_path / "giai trinh.xlsx"
    path.write_bytes(filled(returned, {"D2": ("GT03 – Do chuyển sinh hoạt đảng", "Theo QĐ 12")}))

    saved = office.convert(path, kind)

    assert given(saved.read_bytes(), saved.name)[C] == ("GT03", "Theo QĐ 12")
    assert recognise(open_source(saved.read_bytes(), saved.name)) is not None


def test_the_codes_can_be_chosen_from_the_catalogue_where_something_may_be_explained(returned):
    book = openpyxl.load_workbook(io.BytesIO(returned))
    sheet, top, columns = list_of(book)
    (choice,) = sheet.data_validations.dataValidation

    letter = sheet.cell(top, columns[CODE]).column_letter
    # The error comes first and cannot be explained.
    assert str(choice.sqref) == f"{letter}{top + 2}:{letter}{top + 5}"
    first, last = choice.formula1.replace("$D$", "").partition("!")[2].split(":")
    codes = [book["_thucchat"][f"D{row}"].value for row in range(int(first), int(last) + 1)]
    assert codes[0].startswith("GT01 – ")
    assert codes[-1].startswith("GT99 – ")
