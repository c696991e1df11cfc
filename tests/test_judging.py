"""What is lawful, what an unlawful cell does to its row, and that one mistake is one issue."""

import pandas as pd
import pytest

from tests.drawing import table
from tests.workbooks import REGISTER, UNIT, Layout, changed, unit_forms, write_register, write_unit

CELL, OTHER_CELL, PARTY = "67.001.001.000.001", "67.001.001.000.002", "67.001.001.000.000"


@pytest.fixture
def write(tmp_path):
    return lambda forms=None, **options: write_unit(tmp_path / "don vi.xlsx", forms, **options)


@pytest.mark.parametrize("year", [2022, 2024, 2025, 2026])
def test_a_lawful_unit_has_no_issues_and_nothing_is_held_back(write, year):
    written = write(unit_forms(year), year=year)

    assert written.issues().empty
    assert not any(form.held_back().any() for form in written.judge().forms.values())


UNLAWFUL = [
    ("membership_movements", 1, "count", "hai", "not_integer", True),
    ("membership_movements", 1, "count", -2, "out_of_range", True),
    ("membership_movements", 0, "label", None, "required", False),
    ("membership_movements", 3, "count_previous", "?", "not_integer", False),
    ("organisations", 1, "org_kind", "Chi bộ", "not_in_list", False),
    ("organisations", 1, "org_sector", None, "required", False),
    ("organisations", 1, "parent_code", "67.001.009.000.000", "unknown_code", True),
    ("organisations", 1, "parent_code", 67.001, "code_as_number", True),
    ("organisations", 1, "founded_on", "31/02/2005", "not_date", False),
    ("organisations", 1, "closed_on", "01/01/2001", "closed_before_founded", False),
    ("organisations", 1, "member_count", "", "required", True),
    ("members", 4, "card_no", "67000000005", "pattern", True),
    ("members", 4, "card_no", 67000000005, "code_as_number", True),
    ("members", 1, "gender", "Nam/Nữ", "not_in_list", False),
    ("members", 1, "born_on", "19/05/85", "not_date", False),
    ("members", 1, "born_on", "19/13/1985", "not_date", False),
    ("members", 1, "born_on", "19/05/2085", "outside_period", False),
    ("members", 1, "cell_code", PARTY, "unknown_code", True),
    ("members", 1, "cell_code", None, "required", True),
    ("members", 4, "status", "Nghỉ", "not_in_list", True),
    ("members", 1, "theory", "Khá", "not_in_list", False),
    ("members", 1, "official_on", "01/01/2009", "official_before_admitted", False),
    ("members", 1, "is_head", "có", "not_mark", False),
    ("organisation_assessments", 1, "final_level", "Tốt", "not_in_list", True),
    ("organisation_assessments", 1, "final_level", None, "level_missing", True),
    ("organisation_assessments", 2, "final_level", "Hoàn thành nhiệm vụ", "level_with_reason", True),
    ("organisation_assessments", 1, "self_on", "05/12/2022", "outside_period", False),
    ("organisation_assessments", 1, "decided_on", "01/04/2025", "outside_period", True),
    ("organisation_assessments", 1, "decided_by_code", "67.002", "unknown_code", True),
    ("organisation_assessments", 1, "tasks_done", 13, "exceeds_assigned", True),
    ("organisation_assessments", 1, "tasks_late", 11, "late_exceeds_done", True),
    ("member_assessments", 1, "cell_code", "67.001.001.000.009", "unknown_code", True),
    ("member_assessments", 1, "final_level", None, "level_missing", True),
    ("member_assessments", 2, "final_level", "HTNV", "level_with_reason", True),
    ("member_assessments", 1, "state_level", "A", "not_in_list", True),
    ("member_assessments", 2, "not_rated_reason", "Bận", "not_in_list", False),
    ("cell_meetings", 2, "month", 13, "out_of_range", True),
    ("cell_meetings", 2, "month", 0, "out_of_range", True),
    ("cell_meetings", 0, "held_on", "05/01/2023", "outside_period", True),
    ("cell_meetings", 0, "attended", 3, "exceeds_expected", True),
    ("cell_meetings", 0, "held_on", None, "held_on_missing", True),
    ("cell_meetings", 0, "points", 100.5, "out_of_range", True),
    ("cell_meetings", 0, "band", "Xuất sắc", "not_in_list", False),
    ("cell_meetings", 0, "thematic", 1, "not_mark", False),
    ("inspections", 0, "article", 31, "not_in_list", True),
    ("inspections", 0, "conductor", "Bí thư", "not_in_list", True),
    ("inspections", 0, "conductor_code", "67.002", "unknown_code", True),
    ("inspections", 0, "subject_code", "67.001.009.000.000", "unknown_code", True),
    ("inspections", 1, "subject_code", "670000000099", "unknown_code", True),
    ("inspections", 1, "subject_code", "67000000009", "pattern", True),
    ("inspections", 0, "concluded_on", "01/01/2025", "outside_period", True),
    ("disciplines", 0, "decided_on", "31/12/2023", "outside_period", True),
    ("disciplines", 0, "form", "Nhắc nhở", "not_in_list", True),
    ("disciplines", 0, "org_code", "67.001.009.000.000", "unknown_code", True),
    ("disciplines", 0, "decision_no", " ", "required", True),
    ("disciplines", 0, "violated_on", "02/07/2024", "decided_before_violated", False),
    ("admissions", 0, "card_no", "670000000099", "unknown_code", True),
    ("admissions", 1, "admitted_on", "20/12/2023", "outside_period", True),
    ("admissions", 1, "group", "Công nhân", "not_in_list", False),
    ("hamlets", 0, "cell_code", PARTY, "unknown_code", True),
    ("hamlets", 0, "local_members", 3, "local_exceeds_members", True),
    ("hamlets", 0, "commune", None, "required", False),
    ("trainings", 0, "held_on", "20/06/2023", "outside_period", True),
    ("trainings", 0, "attended", 10, "exceeds_invited", True),
    ("trainings", 0, "invited", 8.5, "not_integer", True),
    ("programme_uptakes", 0, "document", "99-CTr/TU", "not_in_list", True),
    ("programme_uptakes", 0, "plan_on", "15/07/2025", "outside_period", True),
    ("programme_uptakes", 0, "org_code", "67.001.009.000.000", "unknown_code", True),
    ("organisations", 1, "member_count", "#REF!", "error_cell", True),
    ("organisations", 1, "org_name", "#N/A", "error_cell", False),
    ("organisations", 1, "founded_on", "#VALUE!", "error_cell", False),
    ("organisations", 1, "org_code", "#REF!", "error_cell", True),
    ("organisations", 1, "org_name", "Nguy?n Hu?", "legacy_text", False),
    ("members", 1, "gender", "N?m", "legacy_text", False),
    ("organisation_assessments", 1, "tasks_assigned", "1,234", "ambiguous_number", True),
    ("cell_meetings", 0, "points", "1.234", "ambiguous_number", True),
]  # fmt: skip


@pytest.mark.parametrize(("form", "row", "key", "cell", "rule", "held"), UNLAWFUL)
def test_an_unlawful_cell_is_one_issue_and_does_what_the_form_set_says(write, form, row, key, cell, rule, held):
    written = write(changed(form, row, **{key: cell}))

    assert written.found() == {(written.cell(form, row, key), rule)}
    judged = written.judge().forms[form]
    assert list(judged.held_back()) == [held and number == row for number in range(len(judged.rules))]
    assert judged.values.isna().loc[row, key]


@pytest.mark.parametrize(
    ("form", "row", "key", "cell", "rule"),
    [
        ("organisation_assessments", 0, "common_points", 30.5, "out_of_range"),
        ("organisation_assessments", 0, "task_points", "70,1", "out_of_range"),
        ("organisation_assessments", 0, "score", 101, "out_of_range"),
        ("organisation_assessments", 0, "tasks_exceeded", 21, "exceeded_exceeds_done"),
        ("organisation_assessments", 0, "shortcomings_fixed", 5, "fixed_exceeds_shortcomings"),
        ("member_assessments", 0, "score", -0.5, "out_of_range"),
        ("member_assessments", 0, "score", "tám mươi", "not_number"),
    ],
)
def test_points_of_2025_have_their_ranges(write, form, row, key, cell, rule):
    written = write(changed(form, row, year=2025, **{key: cell}), year=2025)

    assert written.found() == {(written.cell(form, row, key), rule)}
    assert list(written.judge().forms[form].held_back()).count(True) == 1


@pytest.mark.parametrize(
    ("form", "row", "cells"),
    [
        ("cell_meetings", 1, {"expected": 0, "attended": 0, "points": 0}),
        ("cell_meetings", 1, {"expected": 2, "attended": 2, "points": 100}),
        ("organisation_assessments", 1, {"tasks_assigned": "1.200", "tasks_done": "1.200", "tasks_late": "1.200"}),
        ("organisation_assessments", 1, {"decided_on": "31/03/2025", "decided_by_code": UNIT}),
        ("inspections", 0, {"concluded_on": "1/1/2024", "subject_code": UNIT}),
        ("disciplines", 0, {"decided_on": "31/12/2024", "violated_on": "31/12/2024"}),
        ("members", 1, {"ethnicity": "M'Nông", "qualification": "TIẾN SĨ", "theory": "cao cấp,  cử nhân"}),
        ("programme_uptakes", 1, {"plan_on": "31/12/2024"}),
    ],
)
def test_what_stands_at_the_edge_is_lawful(write, form, row, cells):
    assert write(changed(form, row, **cells)).issues().empty


def test_the_other_columns_of_a_sheet_tell_how_numbers_are_written(write):
    cells = {"tasks_assigned": "1,234", "tasks_done": "1,200", "tasks_late": "0"}
    points = {"common_points": "25.5", "task_points": "60.25", "score": "85.75"}
    vietnamese = {key: point.replace(".", ",") for key, point in points.items()}

    english = write(changed("organisation_assessments", 0, year=2025, **cells, **points), year=2025)

    judged = english.judge().forms["organisation_assessments"]
    assert english.issues().empty
    assert list(judged.values.loc[0, ["tasks_assigned", "tasks_done", "score"]]) == [1234, 1200, 85.75]

    asked = write(changed("organisation_assessments", 0, year=2025, **cells, **vietnamese), year=2025)

    assert {rule for _, rule in asked.found()} == {"ambiguous_number"}


def test_the_dates_of_a_column_that_stands_month_first_are_asked(write):
    forms = unit_forms()
    forms["cell_meetings"]["held_on"] = ["01/25/2024", "02/03/2024", None, "03/28/2024", "02/06/2024", "03/06/2024"]

    written = write(forms)

    asked = {(written.cell("cell_meetings", row, "held_on"), "ambiguous_date") for row in (1, 4, 5)}
    assert written.found() == asked | {(written.cell("cell_meetings", row, "held_on"), "not_date") for row in (0, 3)}


def test_what_stands_outside_the_records_tells_nothing_about_a_column(write):
    below = (("Tổng cộng", *[None] * 11, "1,234.5"), (), ("NGƯỜI LẬP BIỂU",))
    forms = changed("organisation_assessments", 0, tasks_assigned="1.234")

    assert write(forms, layout=Layout(below=below)).issues().empty


def test_short_names_of_levels_are_known(write):
    forms = changed(
        "organisation_assessments", 0, self_level="HTXSNV", appraised_level="Hoàn thành tốt", final_level="HTNV"
    )

    judged = write(forms).judge().forms["organisation_assessments"]

    assert list(judged.values.loc[0, ["self_level", "appraised_level", "final_level"]]) == [
        "Hoàn thành xuất sắc nhiệm vụ", "Hoàn thành tốt nhiệm vụ", "Hoàn thành nhiệm vụ",
    ]  # fmt: skip


@pytest.mark.parametrize(("row", "count"), [(1, 3), (5, 2), (11, 5)])
def test_a_wrong_total_is_told_once_at_its_line(write, row, count):
    written = write(changed("membership_movements", row, count=count))

    assert written.found() == {(written.cell("membership_movements", row, "count"), "equation")}


def test_a_missing_part_leaves_totals_unjudged(write):
    written = write(changed("membership_movements", 2, count=None))

    assert written.found() == {(written.cell("membership_movements", 2, "count"), "required")}


@pytest.mark.parametrize(
    ("form", "row", "key", "cell"),
    [
        ("organisations", 1, "org_code", OTHER_CELL),
        ("organisations", 2, "org_code", CELL),
        ("members", 0, "card_no", "670000000002"),
        ("members", 1, "card_no", "670000000001"),
        ("organisation_assessments", 1, "org_code", OTHER_CELL),
        ("organisation_assessments", 2, "org_code", CELL),
        ("member_assessments", 0, "card_no", "670000000002"),
        ("member_assessments", 3, "card_no", "670000000001"),
        ("cell_meetings", 1, "month", 1),
        ("cell_meetings", 3, "month", 2),
        ("programme_uptakes", 3, "org_code", PARTY),
        ("programme_uptakes", 0, "org_code", "67.001.002.000.000"),
        ("hamlets", 2, "hamlet_code", "01A"),
    ],
)
def test_of_two_rows_with_one_key_the_mistyped_one_is_told_and_the_other_loads(write, form, row, key, cell):
    written = write(changed(form, row, **{key: cell}))

    assert written.found() == {(written.cell(form, row, key), "duplicate")}
    assert list(written.judge().forms[form].held_back()).index(True) == row


@pytest.mark.parametrize("form", ["organisations", "members", "member_assessments"])
def test_a_row_pasted_twice_hides_no_other_mistake(write, form):
    alone, pasted = changed("cell_meetings", 0, cell_code="67.001.009.000.009"), unit_forms()
    pasted["cell_meetings"] = alone["cell_meetings"]
    pasted[form] = pd.concat([pasted[form], pasted[form].iloc[[0]]], ignore_index=True)

    mistakes = write(alone).found()

    assert len(mistakes) == 1
    assert mistakes < write(pasted).found()


def test_a_row_pasted_twice_answers_for_no_missing_one(write):
    forms = unit_forms()
    rows = forms["member_assessments"]
    forms["member_assessments"] = rows.drop(index=rows.index[-1])
    lacking = write(forms).issues()["rule"].tolist()
    forms["member_assessments"] = pd.concat([rows.drop(index=rows.index[-1]), rows.iloc[[0]]], ignore_index=True)

    assert lacking == ["row_missing"]
    assert sorted(write(forms).issues()["rule"]) == ["duplicate", "row_missing"]


def test_a_row_pasted_twice_is_told_once(write):
    forms = unit_forms()
    forms["members"] = pd.concat([forms["members"], forms["members"].iloc[[1]]], ignore_index=True)

    written = write(forms)

    assert written.found() == {(written.cell("members", 5, "card_no"), "duplicate")}


@pytest.mark.parametrize("cell", [None, "67000000001", "O70000000001", "6700000000011"])
@pytest.mark.parametrize("row", [0, 1, 3])
def test_a_member_without_a_lawful_card_still_counts_where_others_refer_to_it(write, row, cell):
    written = write(changed("members", row, card_no=cell))

    assert {found for found, _ in written.found()} == {written.cell("members", row, "card_no")}


@pytest.mark.parametrize("cell", [None, "67.001.009.000.009", 67.001])
@pytest.mark.parametrize("row", [0, 1, 2, 3])
def test_an_organisation_without_its_code_still_counts_where_others_refer_to_it(write, row, cell):
    written = write(changed("organisations", row, org_code=cell))

    assert {found for found, _ in written.found()} == {written.cell("organisations", row, "org_code")}


@pytest.mark.parametrize("name", [None, "CB 1"])
@pytest.mark.parametrize(
    "cell", ["67.001.001.000.009", "67.OO1.001.000.001", "67. 001.001.000.001", "67.001.010.000.001"]
)
def test_a_mistyped_code_is_told_at_its_cell_though_nothing_else_names_the_organisation(write, name, cell):
    forms = changed("organisations", 1, org_code=cell)
    forms["organisation_assessments"]["org_name"] = name

    written = write(forms)

    assert written.found() == {(written.cell("organisations", 1, "org_code"), "key_mismatch")}


@pytest.mark.parametrize(("row", "cell"), [(1, OTHER_CELL), (2, CELL)])
def test_of_two_organisations_with_one_code_the_other_forms_tell_which_is_mistyped(write, row, cell):
    forms = changed("organisations", row, org_code=cell)
    forms["organisation_assessments"]["org_name"] = None

    written = write(forms)

    assert written.found() == {(written.cell("organisations", row, "org_code"), "duplicate")}


def test_a_code_that_nothing_lacking_is_like_is_not_told_to_be_mistyped(write):
    forms = changed("organisations", 1, org_code="67.001.777.123.456")
    forms["organisation_assessments"]["org_name"] = None

    rules = set(write(forms).issues()["rule"])

    assert rules == {"unknown_code"}


@pytest.mark.parametrize("form", ["organisation_assessments", "member_assessments"])
@pytest.mark.parametrize("cell", [None, "670000000999"])
def test_an_assessment_without_its_key_still_answers_for_its_subject(write, form, cell):
    key = "org_code" if form == "organisation_assessments" else "card_no"
    written = write(changed(form, 1, **{key: cell}))

    assert {found for found, _ in written.found()} == {written.cell(form, 1, key)}


def test_a_disciplined_member_who_left_and_lost_the_card_is_one_issue(write):
    forms = changed("members", 4, status="Khai trừ", card_no="67000000005")
    forms["disciplines"].loc[0, ["subject_code", "org_code"]] = ["670000000005", "67.001.002.000.000"]

    written = write(forms)

    assert written.found() == {(written.cell("members", 4, "card_no"), "pattern")}


@pytest.mark.parametrize(
    ("form", "caller", "row", "key"),
    [("organisation_assessments", "organisations", 3, "org_code"), ("member_assessments", "members", 2, "card_no")],
)
def test_a_missing_assessment_is_told_in_the_form_that_lacks_it(write, form, caller, row, key):
    forms = unit_forms()
    forms[form] = forms[form].drop(index=row)

    written = write(forms)

    issues = written.issues()
    assert list(issues["rule"]) == ["row_missing"]
    assert list(issues["column"]) == [key]
    assert list(issues["key"]) == [forms[caller].loc[row, key]]
    assert written.cell(caller, row, key) in issues["message"][0]


def test_a_member_who_left_needs_no_assessment_and_one_whose_status_is_unlawful_is_not_asked_for(write):
    forms = changed("members", 0, status="Chuyển đi")
    forms["member_assessments"] = forms["member_assessments"].drop(index=0)
    assert write(forms).issues().empty

    forms["members"].loc[0, "status"] = "Đi"
    assert set(write(forms).issues()["rule"]) == {"not_in_list"}


def test_keys_of_several_columns_are_joined_and_shown_as_sent(write):
    issues = write(changed("cell_meetings", 1, attended=7)).issues()

    assert list(issues["key"]) == [f"{CELL}/2"]


def test_every_issue_says_where_what_was_found_what_is_expected_and_how_to_mend_it(write):
    written = write(changed("members", 1, gender="Nam/Nữ"))

    issue = written.issues().iloc[0]

    assert dict(issue.drop(["expected", "message"])) == {
        "file": "don vi.xlsx", "unit_code": UNIT, "year": 2024, "form": "Biểu 3", "sheet": "Biểu 3",
        "cell": written.cell("members", 1, "gender"), "key": "670000000002", "column": "gender",
        "rule": "not_in_list", "severity": "error", "value": "Nam/Nữ",
    }  # fmt: skip
    assert issue["expected"] == "Nam · Nữ"
    assert "“Giới tính”" in issue["message"]


def test_a_name_is_never_an_issues_value(write):
    forms = changed("members", 1, full_name=None)
    forms["admissions"].loc[0, "full_name"] = None

    issues = write(forms).issues()

    assert set(issues["column"]) == {"full_name"}
    assert set(issues["value"]) == {""}


def test_all_issues_are_told_at_once(write):
    forms = unit_forms()
    expected = set()
    across = {"exceeds_expected", "held_on_missing", "exceeds_invited", "decided_before_violated"}
    for form, row, key, cell, rule, _ in UNLAWFUL:
        if form in {"cell_meetings", "inspections", "trainings"} and rule not in across | {"unknown_code"}:
            forms[form].loc[row, key] = cell
            expected.add((form, row, key))

    written = write(forms)

    assert {cell for cell, _ in written.found()} == {written.cell(*place) for place in expected}


def test_an_old_form_sent_for_a_new_year_is_a_query(write):
    issues = write(unit_forms(2024), cover={"year": "Năm 2026"}).issues()

    assert "version_out_of_years" in set(issues.loc[issues["severity"] == "query", "rule"])


def test_codes_in_the_register_are_judged_by_shape_alone(tmp_path):
    written = write_register(tmp_path / "so.xlsx")
    assert written.issues(None).empty


@pytest.mark.parametrize(
    ("key", "cell", "rule"),
    [
        ("decided_on", "01/07/2023", "outside_period"),
        ("subject_code", "67000000000", "pattern"),
        ("form", "Phê bình", "not_in_list"),
        ("decision_no", None, "required"),
        ("subject", "Quần chúng", "not_in_list"),
    ],
)
def test_an_unlawful_cell_of_the_register_holds_the_case_back(tmp_path, key, cell, rule):
    register = table(REGISTER)
    register.loc[0, key] = cell
    written = write_register(tmp_path / "so.xlsx", register)

    assert written.found() == {(written.cell("discipline_register", 0, key), rule)}
    assert list(written.judge(None).forms["discipline_register"].held_back()) == [True, False]


FORMER = [
    ("organisation_assessments", "Trong sạch, vững mạnh", "Hoàn thành xuất sắc nhiệm vụ"),
    ("organisation_assessments", "TRONG SẠCH, VỮNG MẠNH tiêu biểu", "Hoàn thành xuất sắc nhiệm vụ"),
    ("organisation_assessments", "Yếu kém", "Không hoàn thành nhiệm vụ"),
    ("member_assessments", "Đủ tư cách, hoàn thành xuất sắc nhiệm vụ", "Hoàn thành xuất sắc nhiệm vụ"),
    ("member_assessments", "Đủ tư cách, hoàn thành nhiệm vụ", "Hoàn thành nhiệm vụ"),
    (
        "member_assessments",
        "Đảng viên vi phạm tư cách hoặc không hoàn thành nhiệm vụ",
        "Không hoàn thành nhiệm vụ",
    ),
]


def former_names(issues):
    return issues[issues["rule"] == "former_name"].reset_index(drop=True)


@pytest.mark.parametrize(("form", "name", "value"), FORMER)
def test_a_level_called_as_it_was_until_2017_is_read_and_asked_about_at_its_cell(write, form, name, value):
    written = write(changed(form, 0, year=2017, final_level=name), year=2017)
    judged, asked = written.judge().forms[form], former_names(written.issues())

    assert judged.values.loc[0, "final_level"] == value
    assert not judged.held_back()[0]
    assert asked[["cell", "severity"]].values.tolist() == [[written.cell(form, 0, "final_level"), "query"]]
    assert f"“{value}”" in asked.at[0, "message"]


@pytest.mark.parametrize("year", [2007, 2018, 2022, 2024, 2025])
@pytest.mark.parametrize(("form", "name", "value"), FORMER)
def test_a_former_name_in_another_year_is_an_error_and_holds_the_row_back(write, form, name, value, year):
    written = write(changed(form, 0, year=year, final_level=name), year=year)
    judged, issues = written.judge().forms[form], written.issues()

    assert judged.rules.loc[0, "final_level"] == "not_in_list"
    assert judged.values.isna().loc[0, "final_level"]
    assert judged.held_back()[0]
    assert former_names(issues).empty


def test_organisations_were_not_called_as_members_were(write):
    judged = write(changed("member_assessments", 0, year=2016, final_level="Trong sạch, vững mạnh"), year=2016).judge()

    assert judged.forms["member_assessments"].rules.loc[0, "final_level"] == "not_in_list"


def test_many_former_names_are_asked_about_once_and_no_query_on_members_bears_a_card(write):
    forms = unit_forms(2017)
    for form, name in (("member_assessments", FORMER[3][1]), ("organisation_assessments", FORMER[0][1])):
        forms[form].loc[[0, 1], ["self_level", "final_level"]] = name

    asked = former_names(write(forms, year=2017).issues())
    by_form = asked.groupby("form", sort=False)

    assert by_form.size().to_dict() == {"Biểu 4": 4, "Biểu 5": 2}
    assert set(asked.loc[asked["form"] == "Biểu 4", "key"]) == {PARTY, CELL}
    assert set(asked.loc[asked["form"] == "Biểu 5", "key"]) == {FORMER[3][1]}
    assert set(asked.loc[asked["form"] == "Biểu 5", "value"]) == {f"{FORMER[3][1]} (2 ô)"}
    assert not asked.map(str).apply(lambda column: column.str.contains("67000000000")).any(axis=None)
    assert not asked.duplicated(["form", "key", "column"]).any()


def test_a_former_name_beside_a_reason_not_to_rate_is_one_mistake(write):
    written = write(changed("organisation_assessments", 2, year=2017, final_level=FORMER[0][1]), year=2017)
    told = written.issues()
    told = told[told["cell"] == written.cell("organisation_assessments", 2, "final_level")]

    assert told["rule"].tolist() == ["level_with_reason"]


def with_parents(**parents):
    """The lawful organisations with other superiors in some rows: ``r1=...`` is that of row 1."""
    forms = unit_forms()
    for row, parent in parents.items():
        forms["organisations"].loc[int(row[1:]), "parent_code"] = parent
    return forms


SCHOOL = "67.001.002.000.000"


@pytest.mark.parametrize(
    ("parents", "circle"),
    [
        ({"r1": CELL}, {1: f"{CELL} → {CELL}"}),
        ({"r0": CELL}, {0: f"{PARTY} → {CELL} → {PARTY}", 1: f"{CELL} → {PARTY} → {CELL}"}),
        (
            {"r0": SCHOOL, "r3": CELL},
            {
                0: f"{PARTY} → {SCHOOL} → {CELL} → {PARTY}",
                1: f"{CELL} → {PARTY} → {SCHOOL} → {CELL}",
                3: f"{SCHOOL} → {CELL} → {PARTY} → {SCHOOL}",
            },
        ),
    ],
)
def test_superiors_that_lead_back_to_an_organisation_hold_each_row_of_the_circle_and_no_row_below_it(
    write, parents, circle
):
    written = write(with_parents(**parents))
    issues, judged = written.issues(), written.judge().forms["organisations"]

    assert written.found() == {(written.cell("organisations", row, "parent_code"), "parent_circle") for row in circle}
    assert set(issues["severity"]) == {"error"}
    assert [way in message for way, message in zip(circle.values(), issues["message"], strict=True)] == [True] * len(
        circle
    )
    assert [row for row, held in enumerate(judged.held_back()) if held] == list(circle)


def test_two_circles_are_told_apart(write):
    issues = write(with_parents(r1=CELL, r3=SCHOOL)).issues()

    assert issues["key"].tolist() == [CELL, SCHOOL]
    assert set(issues["rule"]) == {"parent_circle"}


def test_an_organisation_under_an_unknown_superior_is_in_no_circle(write):
    written = write(with_parents(r0="67.001.009.000.000"))

    assert written.found() == {(written.cell("organisations", 0, "parent_code"), "unknown_code")}
