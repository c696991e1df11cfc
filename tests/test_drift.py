import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest
import yaml

from submissions.drift import AdoptionError, Alias, DriftError, adopt, likeness, list_aliases, remove
from submissions.files.source import RefusedError
from submissions.form_set import form_sets_of, load_form_sets
from submissions.workbook import read_workbook
from tests.sheets import sheets_of, source_of
from tests.workbooks import unit_forms

AT = datetime(2026, 1, 9, 8, 30, tzinfo=UTC)


def read(sheets, form_sets=None):
    return read_workbook(source_of(sheets), form_sets or load_form_sets())


def stopped(sheets):
    with pytest.raises(DriftError) as caught:
        read(sheets)
    return caught.value


def renamed(sheets, sheet, **headings):
    """The sheets with headings written otherwise, by column position of the agreed heading."""
    row = sheets[sheet][0]
    for agreed, found in headings.items():
        row[row.index(agreed)] = found
    return sheets


def proposed(error):
    return {(proposal.form, one.column): one.found for proposal in error.proposals for one in proposal.renamed}


def many(table, rows, year=2024):
    """The lawful forms, one of them many rows long: its rows again and again with their own keys."""
    forms = unit_forms(year)
    form = forms[table]
    forms[table] = form.iloc[np.arange(rows) % len(form)].reset_index(drop=True)
    return forms


@pytest.mark.parametrize(
    ("sheet", "agreed", "found", "column"),
    [
        ("Biểu 3", "Dân tộc", "DT", "ethnicity"),
        ("Biểu 3", "Giới tính", "Nam/nữ", "gender"),
        ("Biểu 3", "Ngày vào Đảng", "Ngày vào ĐCSVN", "admitted_on"),
        ("Biểu 3", "Trạng thái", "Tình trạng đảng tịch", "status"),
        ("Biểu 5", "Số thẻ đảng viên", "Thẻ số", "card_no"),
        ("Biểu 5", "Mã chi bộ", "Mã chi bô", "cell_code"),
        ("Biểu 5", "Cấp có thẩm quyền quyết định", "Kết quả cuối cùng", "final_level"),
        ("Biểu 6", "Số đảng viên dự", "Số đảng viên có mặt", "attended"),
        ("Biểu 2", "Ngày kết thúc hoạt động", "Ngày giải thể, kết thúc hoạt động", "closed_on"),
    ],
)
def test_a_renamed_heading_is_proposed_by_its_words_and_by_its_cells(sheet, agreed, found, column):
    error = stopped(renamed(sheets_of(), sheet, **{agreed: found}))

    (proposal,) = error.proposals
    assert error.code == "MISSING_HEADING"
    assert (proposal.sheet, proposal.gone, proposal.new) == (sheet, (agreed,), (found,))
    assert proposed(error) == {(proposal.form, column): found}
    assert 0.5 <= proposal.renamed[0].score <= 1
    assert f"Có lẽ “{found}” (ô {proposal.renamed[0].cell}) là “{agreed}”: chữ giống" in str(error)
    assert f"thucchat forms adopt B12-2021 '{sheet}' {column}" in str(error)


def test_headings_renamed_in_several_forms_are_all_proposed_each_for_its_own():
    sheets = renamed(
        sheets_of(), "Biểu 4", **{"Ngày tự đánh giá": "Tự đánh giá ngày", "Ngày thẩm định": "Thẩm định ngày"}
    )
    sheets = renamed(sheets, "Biểu 9", **{"Ngày kết nạp": "Kết nạp ngày", "Đối tượng kết nạp": "Đối tượng"})

    assert proposed(stopped(sheets)) == {
        ("organisation_assessments", "self_on"): "Tự đánh giá ngày",
        ("organisation_assessments", "appraised_on"): "Thẩm định ngày",
        ("admissions", "admitted_on"): "Kết nạp ngày",
        ("admissions", "group"): "Đối tượng",
    }


def test_a_column_whose_cells_are_something_else_is_not_proposed_for_its_name():
    sheets = renamed(sheets_of(), "Biểu 3", **{"Ngày vào Đảng": "Ngày vào Đảng bộ"})
    place = sheets["Biểu 3"][0].index("Ngày vào Đảng bộ")
    for row in sheets["Biểu 3"][1:]:
        row[place] = "đã xem"

    error = stopped(sheets)

    assert proposed(error) == {}
    assert error.proposals[0].gone == ("Ngày vào Đảng",)
    assert error.proposals[0].new == ("Ngày vào Đảng bộ",)


def test_a_column_that_is_gone_without_another_is_named_and_nothing_is_proposed():
    sheets = sheets_of()
    place = sheets["Biểu 6"][0].index("Tháng")
    for row in sheets["Biểu 6"]:
        del row[place]

    error = stopped(sheets)

    assert "thiếu cột “Tháng”; các tiêu đề không nhận ra: không có" in str(error)
    assert error.proposals[0].renamed == ()


def test_a_form_most_of_whose_headings_changed_is_still_compared_with_the_agreed_ones():
    sheets = sheets_of()
    sheets["Biểu 12"][0] = ["Mã số TCĐ", "Tên văn bản", "Ngày ban hành KH", "Đưa vào CT kiểm tra, giám sát"]

    assert proposed(stopped(sheets)) == {
        ("programme_uptakes", "org_code"): "Mã số TCĐ",
        ("programme_uptakes", "document"): "Tên văn bản",
        ("programme_uptakes", "plan_on"): "Ngày ban hành KH",
        ("programme_uptakes", "in_inspection_programme"): "Đưa vào CT kiểm tra, giám sát",
    }


def test_a_table_without_headings_names_the_agreed_ones_and_no_person():
    sheets = sheets_of()
    names = [row[1] for row in sheets["Biểu 3"][1:]]
    del sheets["Biểu 3"][0]

    with pytest.raises(
        RefusedError, match="không tìm thấy dòng tiêu đề của bảng; cần các cột “Số thẻ đảng viên”"
    ) as caught:
        read(sheets)
    assert not any(name in str(caught.value) for name in names)


def test_a_heading_as_long_as_a_cell_can_be_is_no_heading():
    error = stopped(renamed(sheets_of(), "Biểu 3", **{"Dân tộc": "." * 32_000 + "x" + "( " * 300}))

    assert error.proposals[0].gone == ("Dân tộc",)
    assert len(str(error)) < 1000


def test_headings_of_another_version_say_which_version_that_is():
    sheets = renamed(
        sheets_of(),
        "Biểu 5",
        **{
            "Tự xếp loại": "Mức tự xếp loại",
            "Chi bộ đề xuất": "Mức chi bộ đề xuất",
            "Cấp có thẩm quyền quyết định": "Mức xếp loại được quyết định",
        },
    )

    assert "Các tiêu đề lạ là của mẫu B12-2025: hãy kiểm tra nhãn “Mẫu biểu”" in str(stopped(sheets))


def test_a_doubled_heading_stops_the_form():
    error = stopped(renamed(sheets_of(), "Biểu 3", **{"Ngày vào Đảng": "Ngày sinh"}))

    assert error.code == "DOUBLED_HEADING"
    assert "tiêu đề lặp lại “Ngày sinh” (cột C và G)" in str(error)


@pytest.mark.parametrize(
    ("sheet", "one", "other"),
    [
        ("Biểu 3", "Số thẻ đảng viên", "Mã chi bộ"),
        ("Biểu 3", "Số thẻ đảng viên", "Họ và tên"),
        ("Biểu 3", "Giới tính", "Ngày sinh"),
        ("Biểu 3", "Giới tính", "Dân tộc"),
        ("Biểu 5", "Tự xếp loại", "Mã chi bộ"),
        ("Biểu 3", "Trạng thái", "Nghề nghiệp"),
        ("Biểu 2", "Mã tổ chức", "Loại tổ chức"),
    ],
)
def test_headings_over_each_others_cells_stop_the_form(sheet, one, other):
    sheets = sheets_of(many("member_assessments", 30))
    row = sheets[sheet][0]
    left, right = row.index(one), row.index(other)
    row[left], row[right] = row[right], row[left]

    error = stopped(sheets)

    assert error.code == "HEADINGS_SWAPPED"
    assert set(error.proposals[0].moved) == {(one, other), (other, one)}
    assert f"có tiêu đề “{one}” nhưng nội dung là của cột “{other}”" in str(error)
    assert f"có tiêu đề “{other}” nhưng nội dung là của cột “{one}”" in str(error)


def test_a_row_of_headings_that_slipped_by_one_column_stops_the_form():
    sheets = sheets_of()
    for row in sheets["Biểu 3"][1:]:
        row.insert(6, row.pop(10))

    assert stopped(sheets).code == "HEADINGS_SWAPPED"


def test_columns_that_stand_elsewhere_with_their_headings_are_no_drift():
    sheets = {
        name: [row[::-1] for row in cells] if name != "Thông tin chung" else cells
        for name, cells in sheets_of().items()
    }

    assert len(read(sheets).tables["members"].rows) == 5


@pytest.mark.parametrize("seed", range(6))
def test_dirt_in_a_third_of_the_cells_of_every_column_stops_no_form(seed):
    """Cells of one column broken in all the ways that clerks break them, cells of another column among them."""
    random = np.random.default_rng(seed)
    forms = many("members", 60) | {"member_assessments": many("member_assessments", 60)["member_assessments"]}
    sheets = sheets_of(forms)
    for name in ("Biểu 3", "Biểu 5", "Biểu 2", "Biểu 4", "Biểu 6"):
        rows = sheets[name][1:]
        for place in range(len(sheets[name][0])):
            for row in random.permutation(len(rows))[: int(len(rows) * 0.3)]:
                other = rows[row][int(random.integers(len(rows[row])))]
                broken = [None, "???", "31/02/2024", 45000.0, "không rõ", "HTXS", "12a", other, 670000000001.0]
                rows[row][place] = broken[int(random.integers(len(broken)))]

    assert read(sheets).tables.keys() == load_form_sets()["B12-2021"].by_table.keys()


def test_codes_that_excel_made_numbers_in_a_whole_column_stop_no_form():
    sheets = sheets_of()
    place = sheets["Biểu 3"][0].index("Số thẻ đảng viên")
    for row in sheets["Biểu 3"][1:]:
        row[place] = float(row[place])

    assert len(read(sheets).tables["members"].rows) == 5


@pytest.mark.parametrize(
    ("found", "agreed", "alike"),
    [
        ("DT", "Dân tộc", True),
        ("Số thẻ ĐV", "Số thẻ đảng viên", True),
        ("Ngay QD", "Ngày quyết định", True),
        ("Ngày sinh hoat chi bộ", "Ngày sinh hoạt", True),
        ("Số điện thoại", "Số quyết định", False),
        ("Điểm", "Điều", False),
        ("", "Tháng", False),
    ],
)
def test_headings_are_alike_in_letters_words_and_abbreviations(found, agreed, alike):
    assert (likeness(found, agreed) >= 0.6) is alike


def test_a_drift_crosses_processes_whole():
    error = stopped(renamed(sheets_of(), "Biểu 3", **{"Dân tộc": "DT"}))

    copied = pickle.loads(pickle.dumps(error))

    assert (type(copied), copied.code, str(copied), copied.proposals) == (
        DriftError,
        error.code,
        str(error),
        error.proposals,
    )


def test_an_adopted_heading_is_read_from_then_on_in_that_data_folder_alone(tmp_path):
    sheets = renamed(sheets_of(), "Biểu 3", **{"Dân tộc": "DT"})
    assert stopped(sheets)

    assert adopt(tmp_path, "B12-2021", "members", "ethnicity", "DT", by="Trần Thị Duyệt", at=AT)

    assert read(sheets, form_sets_of(tmp_path)).tables["members"].letters["ethnicity"] == "E"
    assert stopped(sheets)
    assert form_sets_of(tmp_path)["B12-2025"].by_table["members"].column_of("DT") is None
    assert list_aliases(tmp_path) == [
        Alias("B12-2021", "members", "ethnicity", "DT", "Trần Thị Duyệt", "2026-01-09T08:30:00+00:00")
    ]


def test_adopting_again_changes_nothing(tmp_path):
    assert adopt(tmp_path, "B12-2021", "members", "ethnicity", "DT", by="A", at=AT)
    before = (tmp_path / "form_sets" / "aliases.yaml").read_bytes()

    assert not adopt(tmp_path, "B12-2021", "members", "ethnicity", "dt:", by="B", at=AT)
    assert not adopt(tmp_path, "B12-2021", "members", "ethnicity", "Dân  tộc", by="B", at=AT)
    assert (tmp_path / "form_sets" / "aliases.yaml").read_bytes() == before


def test_form_and_column_may_be_called_as_the_units_call_them(tmp_path):
    assert adopt(tmp_path, "B12-2021", "Biểu 3", "Dân tộc", "DT", by="A", at=AT)

    assert [(alias.form, alias.column) for alias in list_aliases(tmp_path)] == [("members", "ethnicity")]
    assert remove(tmp_path, "B12-2021", "bieu 3", "Dân tộc", "dt", by="A", at=AT)
    assert list_aliases(tmp_path) == []


def test_a_heading_taken_back_is_not_read_any_more_and_the_file_tells_who_did_what(tmp_path):
    adopt(tmp_path, "B12-2021", "members", "ethnicity", "DT", by="A", at=AT)

    assert remove(tmp_path, "B12-2021", "members", "ethnicity", "DT", by="B", at=AT)

    assert list_aliases(tmp_path) == []
    assert form_sets_of(tmp_path)["B12-2021"].by_table["members"].column_of("DT") is None
    assert not remove(tmp_path, "B12-2021", "members", "ethnicity", "DT", by="B", at=AT)
    records = yaml.safe_load((tmp_path / "form_sets" / "aliases.yaml").read_text(encoding="utf-8"))
    assert [(record["action"], record["by"]) for record in records] == [("adopted", "A"), ("removed", "B")]


@pytest.mark.parametrize(
    ("form_set", "form", "column", "heading", "told"),
    [
        ("B12-2021", "members", "ethnicity", "Họ tên", "đã là tiêu đề của cột “Họ và tên”"),
        ("B12-2021", "members", "ethnicity", "Ghi chú", "được phép thêm và không đọc"),
        ("B12-2021", "members", "ethnicity", "  ", "phải là chữ"),
        ("B12-2021", "members", "ethnicity", "(5)", "phải là chữ"),
        ("B12-2021", "members", "ethnicity", "Thẻ 670000000001", "không phải tiêu đề"),
        ("B12-2021", "members", "ethnicity", "x" * 121, "không quá 120"),
        ("B12-2021", "members", "nation", "DT", "không có cột “nation”"),
        ("B12-2021", "people", "ethnicity", "DT", "không có biểu “people”"),
        ("B12-1999", "members", "ethnicity", "DT", "Không có bộ biểu “B12-1999”"),
    ],
)
def test_a_heading_that_cannot_be_adopted_says_why(tmp_path, form_set, form, column, heading, told):
    with pytest.raises(AdoptionError, match=told):
        adopt(tmp_path, form_set, form, column, heading, by="A", at=AT)
    assert not (tmp_path / "form_sets" / "aliases.yaml").exists()


def test_headings_adopted_at_once_are_all_kept(tmp_path):
    headings = [f"Dân tộc kiểu {letter}" for letter in "ABCDEFGHIJKL"]

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda text: adopt(tmp_path, "B12-2021", "members", "ethnicity", text, by="A", at=AT), headings))

    assert {alias.heading for alias in list_aliases(tmp_path)} == set(headings)


def test_a_damaged_file_of_adopted_headings_is_named_and_kept(tmp_path):
    path = tmp_path / "form_sets" / "aliases.yaml"
    path.parent.mkdir()
    path.write_text("- {form_set: [", encoding="utf-8")

    with pytest.raises(AdoptionError, match=r"aliases\.yaml hỏng"):
        list_aliases(tmp_path)
    with pytest.raises(ValueError, match=r"aliases\.yaml"):
        form_sets_of(tmp_path)
    with pytest.raises(AdoptionError):
        adopt(tmp_path, "B12-2021", "members", "ethnicity", "DT", by="A", at=AT)
    assert path.read_text(encoding="utf-8") == "- {form_set: ["
