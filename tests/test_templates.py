import stat

import openpyxl
import pytest
import yaml

from submissions.files.source import RefusedError, open_source
from submissions.form_set import FOLDER, load_form_sets
from submissions.intake import take_in
from submissions.issues import find_issues
from submissions.judging import judge
from submissions.store import Store
from submissions.templates import (
    TemplateError,
    TemplateMark,
    choose_form_set,
    is_untouched,
    previous_rows,
    read_mark,
    refuse_untouched,
    write_template,
)
from submissions.values import shown
from submissions.workbook import read_workbook
from tests.workbooks import UNIT, changed, write_unit


@pytest.fixture
def send(tmp_path):
    """Take a workbook of the unit in; the store it is in."""

    def send(forms=None, **options):
        path = tmp_path / f"gui {len(list(tmp_path.iterdir()))}.xlsx"
        write_unit(path, forms, **options)
        take_in([path], data=tmp_path / "data", workers=1)
        return Store(tmp_path / "data" / "store")

    return send


@pytest.fixture
def write(tmp_path):
    """Write a template of 2026, or of another year; its path."""

    def write(previous=None, year=2026, form_sets=None, unit_name="Huyện Thử Nghiệm"):
        path = tmp_path / "mau.xlsx"
        write_template(path, choose_form_set(form_sets or load_form_sets(), year), UNIT, unit_name, year, previous)
        return path

    return write


@pytest.fixture(scope="module")
def prefilled(tmp_path_factory):
    """The template of 2026 after the lawful report of 2025; for reading only."""
    folder = tmp_path_factory.mktemp("prefilled")
    take_in([write_unit(folder / "gui.xlsx", year=2025).path], data=folder / "data", workers=1)
    previous = previous_rows(Store(folder / "data" / "store"), UNIT, 2026)
    write_template(folder / "mau.xlsx", load_form_sets()["B12-2025"], UNIT, "Huyện Thử Nghiệm", 2026, previous)
    return folder / "mau.xlsx"


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """The template of 2026 of a unit that never reported; for reading only."""
    path = tmp_path_factory.mktemp("empty") / "mau.xlsx"
    write_template(path, load_form_sets()["B12-2025"], UNIT, "Huyện Thử Nghiệm", 2026)
    return path


def read(path, form_sets=None):
    source = open_source(path.read_bytes(), path.name)
    return source, read_workbook(source, form_sets or load_form_sets())


def rows_of(path, table, *keys):
    """Some columns of a form as the template has them."""
    found = read(path)[1].tables[table]
    return [tuple(shown(found.cells[key][row]) for key in keys) for row in range(len(found.rows))]


def rule_of(path, sheet, heading):
    """The validation of a column."""
    book = openpyxl.load_workbook(path)[sheet]
    (cell,) = [cell for cell in book[7] if cell.value == heading]
    first = f"{cell.column_letter}9"
    (rule,) = [rule for rule in book.data_validations.dataValidation if first in rule.sqref]
    return rule


def test_the_form_set_of_the_year_is_written():
    form_sets = load_form_sets()

    assert choose_form_set(form_sets, 2024).form_set == "B12-2021"
    assert choose_form_set(form_sets, 2025).form_set == "B12-2025"
    with pytest.raises(TemplateError, match="1999"):
        choose_form_set({"B12-2025": form_sets["B12-2025"]}, 1999)


def test_the_cover_says_which_report_it_is_and_waits_for_its_date(empty):
    cover = read(empty)[1].cover

    assert {key: shown(place.value) for key, place in cover.items()} == {
        "form_version": "B12-2025",
        "unit_code": UNIT,
        "unit_name": "Huyện Thử Nghiệm",
        "year": "Năm 2026",
        "sent_no": "1",
        "prepared_on": "",
        "prepared_by": "",
        "approved_by": "",
    }


def test_the_row_that_numbers_the_columns_is_no_record(empty):
    assert openpyxl.load_workbook(empty)["Biểu 5"]["B8"].value == "(2)"
    told = {table: len(found.rows) for table, found in read(empty)[1].tables.items()}
    assert told.pop("membership_movements") == 12
    assert set(told.values()) == {0}


def test_an_empty_template_is_known_as_untouched_until_something_is_reported(write):
    path = write()
    source, workbook = read(path)

    assert read_mark(source) == TemplateMark("1", "B12-2025", UNIT, 2026, read_mark(source).prefilled)
    assert is_untouched(workbook, read_mark(source))

    book = openpyxl.load_workbook(path)
    book["Thông tin chung"]["B12"] = "15/01/2027"
    book.save(path)
    assert is_untouched(read(path)[1], read_mark(source))
    book["Biểu 1"]["D9"] = 12
    book.save(path)
    assert not is_untouched(read(path)[1], read_mark(source))


def test_a_workbook_made_with_no_template_has_no_mark(tmp_path):
    source, workbook = read(write_unit(tmp_path / "gui.xlsx").path)

    assert read_mark(source) is None
    assert not is_untouched(workbook, None)


def test_a_prefilled_template_sent_as_it_is_is_untouched(prefilled):
    source, workbook = read(prefilled)

    assert is_untouched(workbook, read_mark(source))
    with pytest.raises(RefusedError, match="chưa điền số liệu") as refused:
        refuse_untouched(source, workbook)
    assert refused.value.code == "UNTOUCHED_TEMPLATE"


def test_last_years_organisations_and_members_stand_in_the_forms_that_are_about_them(prefilled):
    codes = ["67.001.001.000.000", "67.001.001.000.001", "67.001.001.000.002", "67.001.002.000.000"]
    names = ["Đảng bộ xã Một", "Chi bộ Bon Thử", "Chi bộ Thôn Hai", "Chi bộ Trường Ba"]
    assert rows_of(prefilled, "organisations", "org_code", "org_name") == list(zip(codes, names, strict=True))
    assert rows_of(prefilled, "organisation_assessments", "org_code", "org_name") == list(
        zip(codes, names, strict=True)
    )
    cards = [f"67000000000{number}" for number in range(1, 5)]
    assert [card for (card,) in rows_of(prefilled, "members", "card_no")] == cards
    assert rows_of(prefilled, "members", "full_name", "born_on", "gender", "cell_code", "status", "is_head")[0] == (
        "Nguyễn Văn Thử", "02/09/1970", "Nam", "67.001.001.000.001", "Chính thức", "x",
    )  # fmt: skip
    assert rows_of(prefilled, "member_assessments", "card_no", "full_name", "cell_code", "final_level") == [
        (cards[0], "Nguyễn Văn Thử", "67.001.001.000.001", ""),
        (cards[1], "Trần Thị Mẫu", "67.001.001.000.001", ""),
        (cards[2], "Lê Quý Nháp", "67.001.001.000.002", ""),
        (cards[3], "Điểu Thị Giả", "67.001.002.000.000", ""),
    ]


def test_figures_are_not_carried_over(prefilled):
    assert {row for row in rows_of(prefilled, "organisations", "member_count")} == {("",)}
    assert {row for row in rows_of(prefilled, "hamlets", "members", "local_members")} == {("", "")}


def test_each_cell_has_a_row_for_every_month(prefilled):
    rows = rows_of(prefilled, "cell_meetings", "cell_code", "month", "held_on")
    cells = ("67.001.001.000.001", "67.001.001.000.002", "67.001.002.000.000")
    assert rows == [(cell, str(month), "") for cell in cells for month in range(1, 13)]


def test_the_lines_of_totals_have_their_labels_and_last_years_counts(prefilled):
    rows = rows_of(prefilled, "membership_movements", "line", "label", "count", "count_previous")
    assert rows[0] == ("A", "Cuối kỳ trước chuyển sang", "", "3")
    assert rows[-1] == ("D", "Cuối kỳ", "", "4")


def test_counts_of_an_earlier_year_are_not_called_last_years(send, write):
    path = write(previous_rows(send(year=2024), UNIT, 2026))

    assert {row for row in rows_of(path, "membership_movements", "count_previous")} == {("",)}
    assert len(rows_of(path, "members", "card_no")) == 4


@pytest.mark.parametrize("status", ["Chuyển đi", "Từ trần", "Khai trừ", "Xóa tên", "Xin ra"])
def test_a_member_who_is_gone_is_left_out(send, status):
    previous = previous_rows(send(changed("members", 1, year=2025, status=status), year=2025), UNIT, 2026)

    assert "670000000002" not in [row["card_no"] for row in previous.standing["members"]]


@pytest.mark.parametrize("status", ["Chính thức", "Dự bị", "Miễn sinh hoạt", "Đình chỉ sinh hoạt"])
def test_a_member_who_is_present_is_carried_over(send, status):
    previous = previous_rows(send(changed("members", 1, year=2025, status=status), year=2025), UNIT, 2026)

    assert "670000000002" in [row["card_no"] for row in previous.standing["members"]]


def test_a_closed_organisation_is_left_out_and_nothing_refers_to_it(send, write):
    forms = changed("organisations", 2, year=2025, closed_on="30/06/2025")

    path = write(previous_rows(send(forms, year=2025), UNIT, 2026))

    gone = "67.001.001.000.002"
    for table in ("organisations", "organisation_assessments"):
        assert gone not in [code for (code,) in rows_of(path, table, "org_code")]
    for table in ("members", "member_assessments", "cell_meetings", "hamlets"):
        assert gone not in [code for (code,) in rows_of(path, table, "cell_code")]
    assert rows_of(path, "members", "card_no", "cell_code")[2] == ("670000000003", "")


def test_cells_that_were_unlawful_are_left_for_the_unit_to_fill(send, write):
    forms = changed("members", 1, year=2025, gender="?", cell_code="67.9")

    path = write(previous_rows(send(forms, year=2025), UNIT, 2026))

    assert rows_of(path, "members", "card_no", "gender", "cell_code")[1] == ("670000000002", "", "")


def test_what_is_prefilled_breaks_no_rule_but_that_figures_and_levels_are_wanting(prefilled):
    _, workbook = read(prefilled)

    issues = find_issues(workbook, judge(workbook, UNIT), "mau.xlsx", UNIT)

    assert set(issues["rule"]) == {"required", "level_missing"}
    wanting = set(zip(issues["form"], issues["column"], strict=True))
    assert wanting == {
        ("Biểu 1", "count"),
        ("Biểu 2", "member_count"),
        ("Biểu 4", "final_level"),
        ("Biểu 5", "final_level"),
        ("Biểu 10", "members"),
        ("Biểu 10", "local_members"),
    }


def test_the_sending_in_force_is_what_is_carried_over(send):
    send(year=2025)
    forms = changed("organisations", 1, year=2025, org_name="Chi bộ Bon Mới")
    forms["organisation_assessments"].loc[1, "org_name"] = "Chi bộ Bon Mới"
    store = send(forms, year=2025, cover={"sent_no": 2})

    previous = previous_rows(store, UNIT, 2026)

    assert previous.standing["organisations"][1]["org_name"] == "Chi bộ Bon Mới"


def test_a_unit_that_never_reported_has_nothing_to_carry_over(send):
    store = send(year=2025)

    assert previous_rows(store, "67.999", 2026) is None
    assert previous_rows(store, UNIT, 2025) is None


def test_a_store_that_lost_the_original_says_so(send):
    store = send(year=2025)
    for original in store.originals.glob("*.xlsx"):
        original.unlink()

    with pytest.raises(TemplateError, match="Kho không còn tệp gốc"):
        previous_rows(store, UNIT, 2026)


def test_a_later_form_version_takes_over_what_an_earlier_one_held(send, write):
    path = write(previous_rows(send(year=2024), UNIT, 2025), year=2025)

    assert read(path)[1].form_set.form_set == "B12-2025"
    assert len(rows_of(path, "members", "card_no")) == 4


def test_a_prefilled_template_is_for_its_owner_alone(prefilled):
    assert stat.S_IMODE(prefilled.stat().st_mode) == 0o600


def test_names_are_not_shown_when_a_program_prints_what_is_carried_over(send):
    assert "Nguyễn Văn Thử" not in repr(previous_rows(send(year=2025), UNIT, 2026))


def test_a_template_that_may_have_been_filled_in_is_never_written_over(write):
    path = write()
    path.write_bytes(b"filled in")

    with pytest.raises(FileExistsError):
        write()

    assert path.read_bytes() == b"filled in"


def test_the_same_template_is_the_same_file(write, tmp_path):
    first = write().read_bytes()
    (tmp_path / "mau.xlsx").unlink()

    assert write().read_bytes() == first


def test_text_that_looks_like_a_formula_stays_text(write):
    path = write(unit_name="=cmd|'/C calc'!A0")

    cell = openpyxl.load_workbook(path)["Thông tin chung"]["B9"]
    assert (cell.value, cell.data_type) == ("=cmd|'/C calc'!A0", "s")


def test_a_list_is_a_drop_down_of_its_values(empty):
    rule = rule_of(empty, "Biểu 3", "Nghề nghiệp")

    book = openpyxl.load_workbook(empty)
    sheet, place = book.defined_names[rule.formula1].attr_text.split("!")
    assert book[sheet].sheet_state == "hidden"
    assert [cell.value for (cell,) in book[sheet][place.replace("$", "")]] == [
        item.value for item in load_form_sets()["B12-2025"].lists["occupation"]
    ]


@pytest.mark.parametrize(
    ("sheet", "heading", "style"),
    [
        ("Biểu 3", "Trạng thái", "stop"),  # intake holds the row back
        ("Biểu 3", "Giới tính", "warning"),  # intake leaves the cell empty
        ("Biểu 5", "Tổng điểm", "stop"),
        ("Biểu 3", "Mã chi bộ", "stop"),
        ("Biểu 2", "Mã cấp trên trực tiếp", "warning"),  # the code may be that of a row still to come
    ],
)
def test_what_intake_would_hold_back_is_stopped_and_the_rest_is_warned_of(empty, sheet, heading, style):
    rule = rule_of(empty, sheet, heading)

    assert (rule.errorStyle or "stop") == style
    assert rule.showErrorMessage
    assert rule.error


@pytest.mark.parametrize(
    ("sheet", "heading", "told"),
    [
        ("Biểu 5", "Tổng điểm", ("decimal", "0.0", "100.0", "Số từ 0 đến 100, ví dụ 82,5.")),
        ("Biểu 6", "Tháng", ("whole", "1.0", "12.0", "Bắt buộc. Số nguyên từ 1 đến 12.")),
        ("Biểu 6", "Ngày sinh hoạt", ("date", "46023", "46387", "Ngày dạng dd/mm/yyyy từ 01/01/2026 đến 31/12/2026.")),
        ("Biểu 6", "Sinh hoạt chuyên đề", ("list", '"x"', None, "Gõ x nếu có; để trống nếu không.")),
        ("Biểu 7", "Điều", ("list", '"30,32"', None, "Bắt buộc. Chọn một trong: 30 · 32.")),
    ],
)
def test_limits_are_those_of_the_form_set(empty, sheet, heading, told):
    rule = rule_of(empty, sheet, heading)

    assert (rule.type, rule.formula1, rule.formula2, rule.prompt) == told


def test_every_column_has_room_for_two_thousand_rows(empty):
    for sheet in openpyxl.load_workbook(empty):
        if sheet.title.startswith("Biểu"):
            assert {place.max_row for rule in sheet.data_validations.dataValidation for place in rule.sqref} == {2008}


def test_only_what_is_to_be_filled_in_is_unlocked(empty):
    sheet = openpyxl.load_workbook(empty)["Biểu 3"]

    assert sheet.protection.sheet
    # In the file these say what stays forbidden.
    forbidden = ("sort", "autoFilter", "formatColumns", "insertRows", "deleteRows")
    assert not any(getattr(sheet.protection, name) for name in forbidden)
    assert sheet["B7"].protection.locked
    assert not any(column.protection.locked for column in sheet.column_dimensions.values())


def test_codes_are_text_and_dates_have_the_form_of_the_country(empty):
    columns = openpyxl.load_workbook(empty)["Biểu 3"].column_dimensions

    assert columns["B"].number_format == "@"
    assert columns["D"].number_format == "dd/mm/yyyy"


def test_a_heading_tells_what_its_column_means(empty):
    sheet = openpyxl.load_workbook(empty)["Biểu 6"]
    (cell,) = [cell for cell in sheet[7] if cell.value == "Số đảng viên dự"]

    assert cell.comment.text.splitlines() == [
        "Số đảng viên dự",
        "Không bắt buộc.",
        "Số nguyên từ 0.",
        "Cần số đảng viên dự không lớn hơn số phải dự.",
    ]


def test_another_provinces_forms_are_written_from_their_data_alone(tmp_path, write):
    folder = tmp_path / "form_sets"
    folder.mkdir()
    (folder / "T1.yaml").write_text(yaml.safe_dump(ANOTHER, allow_unicode=True), encoding="utf-8")
    form_sets = load_form_sets(folder)

    path = write(form_sets=form_sets)

    source, workbook = read(path, form_sets)
    assert read_mark(source).form_set == "T1"
    assert list(workbook.tables["teams"].letters) == ["team", "size", "kind"]
    rule = rule_of(path, "Đội & nhóm", "Loại")
    assert openpyxl.load_workbook(path).defined_names[rule.formula1].attr_text == "_DANH_MUC!$A$2:$A$3"


ANOTHER = {
    "form_set": "T1",
    "title": "Bộ biểu thử",
    "kind": "unit",
    "cover": yaml.safe_load((FOLDER / "B12-2021.yaml").read_text(encoding="utf-8"))["cover"],
    "lists": {"kind": [{"value": "Một, hai"}, {"value": "Ba"}]},
    "total_rows": ["Tổng"],
    "end_of_table": ["KÝ TÊN"],
    "forms": [
        {
            "table": "teams",
            "title": "Đội & nhóm",
            "name": "Danh sách đội",
            "sheet": "Đội & nhóm",
            "row_key": ["team"],
            "unique": ["team"],
            "columns": [
                {"key": "team", "heading": "Mã đội", "type": "code", "required": True},
                {"key": "size", "heading": "Số người", "type": "integer", "max": 40},
                {"key": "kind", "heading": "Loại", "type": "text", "list": "kind"},
            ],
        }
    ],
}
