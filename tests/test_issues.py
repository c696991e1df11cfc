import pandas as pd
import pytest

from submissions.issues import COLUMNS, identify, issues_frame, number
from tests.workbooks import Layout, changed, unit_forms, write_unit


@pytest.fixture
def find(tmp_path):
    """The issues of one workbook, and the workbook."""

    def find(forms=None, **options):
        written = write_unit(tmp_path / "don vi.xlsx", forms, **options)
        return written.issues(), written

    return find


def the_only(issues):
    assert len(issues) == 1, issues[["cell", "rule"]].to_string()
    return issues.iloc[0]


def test_a_sentence_says_what_was_found_what_is_expected_and_what_to_do(find):
    issues, _ = find(changed("members", 1, gender="Nam/Nữ"))

    issue = the_only(issues)

    assert issue["message"] == (
        "Ô ghi “Nam/Nữ”, không có trong danh mục; cần một trong: Nam · Nữ. "
        "Hãy chọn một giá trị của danh mục cho “Giới tính”."
    )
    assert (issue["expected"], issue["value"], issue["severity"]) == ("Nam · Nữ", "Nam/Nữ", "error")


def test_a_value_out_of_range_is_told_its_limits(find):
    issues, _ = find(changed("cell_meetings", 0, points=101))

    assert "Ô ghi “101”, ngoài giới hạn; cần giá trị từ 0 đến 100." in the_only(issues)["message"]


def test_a_date_outside_the_period_is_told_its_first_and_last_day(find):
    issues, _ = find(changed("trainings", 0, held_on="20/06/2023"))

    assert "cần một ngày từ 01/01/2024 đến 31/12/2024" in the_only(issues)["message"]


def test_a_key_that_stands_twice_names_the_cell_of_the_other_row(find):
    issues, written = find(changed("hamlets", 2, hamlet_code="02A"))

    issue = the_only(issues)

    other = {written.cell("hamlets", row, "hamlet_code") for row in (1, 2)} - {issue["cell"]}
    assert f"trùng với ô {other.pop()};" in issue["message"]


def test_a_key_that_stands_three_times_names_one_cell_and_how_many_more(find):
    forms = changed("hamlets", 2, hamlet_code="01A")
    forms["hamlets"].loc[1, "hamlet_code"] = "01A"

    issues, _ = find(forms)

    assert issues["rule"].tolist() == ["duplicate", "duplicate"]
    assert issues["message"].str.contains(r"trùng với ô [A-Z]+\d+ và 1 dòng khác;").all()


def test_a_relation_between_two_cells_shows_both(find):
    issues, written = find(changed("cell_meetings", 0, attended=5))

    other = written.cell("cell_meetings", 0, "expected")
    assert the_only(issues)["message"].startswith(
        f"Ô ghi “5”, ô {other} ghi “2”; cần số đảng viên dự không lớn hơn số phải dự."
    )


def test_a_total_is_told_what_its_lines_add_up_to(find):
    issues, _ = find(changed("membership_movements", 11, count=7))

    issue = the_only(issues)

    assert issue["expected"] == "D = A + B − C = 4"
    assert "Ô ghi “7”; cần D = A + B − C = 4." in issue["message"]


def test_a_total_without_all_its_lines_is_told_the_formula(find):
    forms = changed("membership_movements", 1, count=9)
    forms["membership_movements"].loc[0, "count"] = "?"

    issues, _ = find(forms)

    assert issues.set_index("rule").at["equation", "expected"] == "B = B1 + B2 + B3 = 2"


def test_a_missing_row_names_the_cell_that_calls_for_it(find):
    forms = unit_forms()
    forms["member_assessments"] = forms["member_assessments"].iloc[:-1]

    issues, written = find(forms)

    issue = the_only(issues)
    assert issue["rule"] == "row_missing"
    assert f"Biểu 3, ô {written.cell('members', 3, 'card_no')}" in issue["message"]


def test_no_sentence_repeats_a_card_number_a_birth_date_or_a_name(find):
    forms = changed("members", 1, card_no="67000000000299", born_on="31/12/2999", cell_code="670000000003")
    forms["inspections"].loc[1, "subject_code"] = "670000009999"
    forms["admissions"].loc[0, "full_name"] = None

    issues, _ = find(forms)

    assert {"pattern", "outside_period", "unknown_code", "required"} <= set(issues["rule"])
    assert not issues["message"].str.contains(r"\d{9}|2999|Điểu").any()
    assert not issues["expected"].str.contains(r"\d{9}").any()


def test_a_long_value_is_quoted_in_part(find):
    issues, _ = find(changed("members", 1, gender="N" * 500))

    issue = the_only(issues)

    assert f"“{'N' * 60}…”" in issue["message"]
    assert issue["value"] == "N" * 500


def test_a_value_with_braces_is_text(find):
    issues, _ = find(changed("members", 1, gender="{heading} {0}"))

    assert "“{heading} {0}”" in the_only(issues)["message"]


def test_columns_that_the_form_does_not_have_are_one_query_a_form(find):
    issues, _ = find(layout=Layout(extra="Điện thoại"))

    assert set(issues["rule"]) == {"heading_unknown"}
    assert set(issues["severity"]) == {"query"}
    assert issues["form"].is_unique
    assert issues["message"].str.contains("“Điện thoại”").all()


def test_a_column_for_remarks_may_be_added(find):
    issues, _ = find(layout=Layout(extra="Ghi chú"))

    assert issues.empty


def test_every_issue_of_thousands_is_listed_once_at_its_cell(find):
    forms = unit_forms()
    one = forms["hamlets"].iloc[[0]]
    forms["hamlets"] = pd.concat([one] * 2_500, ignore_index=True)
    forms["hamlets"]["hamlet_code"] = [f"{number:04}B" for number in range(2_500)]
    forms["hamlets"][["members", "local_members"]] = [["?", "nhiều"]] * 2_500

    issues, _ = find(forms)

    assert len(issues) == 5_000
    assert not issues.duplicated(["form", "cell", "rule"]).any()
    assert list(issues.columns) == list(COLUMNS)


class TestIdentity:
    def issues(self, **changes):
        issue = {
            "unit_code": "67.001", "year": 2024, "rule": "change_members", "form": "Biểu 3", "key": "",
            "column": "card_no", "value": "120", "expected": "không quá 10,0% so với năm trước (100)",
        }  # fmt: skip
        return identify(issues_frame([issue | changes])).iloc[0]

    def test_the_same_issue_has_the_same_id_in_every_sending(self):
        assert self.issues()["issue_id"] == self.issues(value="130", cell="B9", file="b.xlsx")["issue_id"]

    @pytest.mark.parametrize("change", [{"unit_code": "67.002"}, {"year": 2025}, {"rule": "x"}, {"key": "67.001.001"}])
    def test_another_place_has_another_id(self, change):
        assert self.issues()["issue_id"] != self.issues(**change)["issue_id"]

    def test_the_numbers_change_with_the_value_and_with_what_it_is_compared_to(self):
        numbers = self.issues()["numbers"]

        assert numbers != self.issues(value="121")["numbers"]
        assert numbers != self.issues(expected="không quá 10,0% so với năm trước (101)")["numbers"]

    def test_another_wording_asks_nobody_again(self):
        assert self.issues()["numbers"] == self.issues(expected="tối đa 10,0% so với 100")["numbers"]

    def test_a_register_has_no_unit_and_its_year_may_stand_beside_a_missing_one(self):
        register = {"rule": "not_date", "form": "Sổ kỷ luật", "key": "21-QĐ", "column": "decided_on", "expected": ""}
        alone = identify(issues_frame([{**register, "unit_code": None, "year": 2024}]))
        beside = identify(
            pd.DataFrame([{**register, "unit_code": None, "year": 2024}, {**register, "year": None}]).assign(value="")
        )

        assert alone["issue_id"].notna().all()
        assert alone.at[0, "issue_id"] == beside.at[0, "issue_id"] != beside.at[1, "issue_id"]

    def test_a_list_without_issues_has_the_columns_too(self):
        assert {"issue_id", "numbers"} <= set(identify(issues_frame([])).columns)


def test_numbers_are_written_as_in_vietnamese_reports():
    assert [number(1234567), number(1234.56, 1), number(-0.5, 1)] == ["1.234.567", "1.234,6", "-0,5"]
