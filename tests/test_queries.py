from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from drawn_sendings import FIRST_ROW, HEADING_ROW, TOP, UNIT, honest_unit, sending

from submissions.copies import CopyFinding
from submissions.queries import find_queries


def asked(forms, previous=None, *, year=2024, issues=(), **options):
    """Queries on a sending of these forms, after a sending of `previous` the year before."""
    before = None if previous is None else sending(previous, year - 1)
    return find_queries(sending(forms, year, issues=issues), before, **options)


def places(queries):
    return set(zip(queries["form"], queries["cell"], queries["rule"], strict=True))


@pytest.mark.parametrize("year", [2024, 2025])
def test_an_honest_unit_is_asked_nothing(year):
    assert asked(honest_unit(year), honest_unit(year - 1), year=year).empty


def test_the_first_year_of_a_unit_is_asked_nothing_about_last_year():
    assert asked(honest_unit()).empty


def test_a_query_says_what_was_found_what_is_expected_and_what_to_do():
    forms = honest_unit()
    forms["organisations"].loc[2, "member_count"] = 15

    (query,) = asked(forms).to_dict("records")

    assert query == {
        "file": "67.001 2024.xlsx",
        "unit_code": UNIT,
        "year": 2024,
        "form": "Biểu 2",
        "sheet": "Biểu 2",
        "cell": f"I{FIRST_ROW + 2}",
        "key": f"{UNIT}.001.000.002",
        "column": "member_count",
        "rule": "member_count_differs",
        "severity": "query",
        "value": "15",
        "expected": "12, như Biểu 3",
        "message": f"{UNIT}.001.000.002 ghi 15 đảng viên nhưng Biểu 3 có 12; cần 12, như Biểu 3. "
        "Hãy sửa “Số đảng viên” ở Biểu 2 hoặc mã chi bộ ở Biểu 3; nếu cả hai đều đúng, hãy giải trình.",
    }


class TestChangesAgainstLastYear:
    @pytest.mark.parametrize(("size", "is_asked"), [(1100, False), (1101, True), (899, True), (900, False)])
    def test_members_by_more_than_a_tenth(self, size, is_asked):
        then, now = honest_unit(2023, 1, 1000), honest_unit(2024, 1, size)
        now["membership_movements"] = now["membership_movements"].assign(count=None, count_previous=None)

        queries = asked(now, then)

        assert ("change_members" in set(queries["rule"])) == is_asked

    def test_a_small_number_varies_by_chance(self):
        then, now = honest_unit(2023), honest_unit(2024)
        columns = {"cell_code": f"{UNIT}.001.000.001", "decision_no": "1-QĐ", "form": "Khiển trách"}
        then["disciplines"] = pd.DataFrame([columns] * 3)
        now["disciplines"] = pd.DataFrame([columns] * 9)

        assert asked(now, then).empty

    def test_admissions_that_more_than_doubled(self):
        then, now = honest_unit(2023), honest_unit(2024)
        for forms, number in ((then, 40), (now, 100)):
            row = {"cell_code": f"{UNIT}.001.000.001", "ethnicity": "Kinh"}
            forms["admissions"] = pd.DataFrame([row] * number)
            forms["membership_movements"] = forms["membership_movements"].assign(count=None, count_previous=None)

        (query,) = asked(now, then).to_dict("records")

        assert (query["rule"], query["value"]) == ("change_admissions", "100")
        assert "Năm nay có 100 đảng viên kết nạp, năm trước 40 (tăng 150,0%)" in query["message"]
        assert "50,0%" in query["expected"]

    def test_the_level_whose_share_moved_most(self):
        then, now = honest_unit(2023, 10, 30), honest_unit(2024, 10, 30)
        now["member_assessments"].loc[::3, "final_level"] = "Hoàn thành xuất sắc nhiệm vụ"

        (query,) = asked(now, then).to_dict("records")

        assert query["rule"] == "change_member_levels"
        assert query["cell"] == f"F{HEADING_ROW}"
        assert "điểm phần trăm" in query["expected"]

    def test_a_grassroots_organisation_that_lost_most_of_its_members(self):
        then, now = honest_unit(2023, 4, 30), honest_unit(2024, 4, 30)
        gone = now["members"].index[40:]
        now["members"].loc[gone, "status"] = "Chuyển đi"
        now["organisations"]["member_count"] = None
        now["membership_movements"] = now["membership_movements"].assign(count=None, count_previous=None)

        queries = asked(now, then)

        assert places(queries) >= {("Biểu 2", f"I{FIRST_ROW}", "change_in_organisation")}
        assert set(queries["key"]) <= {"", TOP}


class TestMembersGone:
    def test_one_who_stands_nowhere_is_asked_for_with_last_years_cell(self):
        now = honest_unit()
        now["members"] = now["members"].drop(index=5)
        now["organisations"]["member_count"] = None
        now["membership_movements"] = now["membership_movements"].assign(count=None)

        (query,) = asked(now, honest_unit(2023)).to_dict("records")

        assert (query["rule"], query["cell"], query["key"]) == (
            "member_gone",
            f"A{HEADING_ROW}",
            f"{UNIT}.001.000.001",
        )
        assert f"báo cáo năm 2023, trang “Biểu 3”, A{FIRST_ROW + 5}" in query["message"]
        assert f"{UNIT}-5" not in " ".join(map(str, query.values()))

    @pytest.mark.parametrize("status", ["Chuyển đi", "Từ trần", "Khai trừ", "Xóa tên", "Xin ra"])
    def test_one_who_left_with_a_reason_is_not(self, status):
        now = honest_unit()
        now["members"].loc[5, "status"] = status
        now["organisations"]["member_count"] = None
        now["membership_movements"] = now["membership_movements"].assign(count=None)

        assert asked(now, honest_unit(2023)).empty

    def test_one_who_stands_with_another_unit_is_not(self):
        now = honest_unit()
        now["members"] = now["members"].drop(index=5)
        now["organisations"]["member_count"] = None
        now["membership_movements"] = now["membership_movements"].assign(count=None)

        assert asked(now, honest_unit(2023), elsewhere=lambda keys: {f"{UNIT}-5"} & set(keys)).empty

    def test_one_whose_card_number_changed_is_not_once_both_are_confirmed_to_be_one_member(self):
        now = honest_unit()
        now["members"].loc[5, "member_key"] = "new"
        same = {f"{UNIT}-5": {"new", "newer"}, "new": {f"{UNIT}-5", "newer"}}

        assert set(asked(now, honest_unit(2023))["rule"]) == {"member_gone"}
        assert asked(now, honest_unit(2023), other_keys=same).empty
        assert set(asked(now, honest_unit(2023), other_keys={f"{UNIT}-5": {"newer"}})["rule"]) == {"member_gone"}

    def test_one_who_stands_with_another_unit_under_his_other_key_is_not(self):
        now = honest_unit()
        now["members"] = now["members"].drop(index=5)
        now["organisations"]["member_count"] = None
        now["membership_movements"] = now["membership_movements"].assign(count=None)
        same = {f"{UNIT}-5": {"new"}}

        assert asked(now, honest_unit(2023), elsewhere=lambda keys: {"new"} & set(keys), other_keys=same).empty
        assert not asked(now, honest_unit(2023), elsewhere=lambda keys: {"new"} & set(keys)).empty

    def test_a_row_with_an_unlawful_card_number_is_somebody(self):
        now = honest_unit()
        now["members"].loc[5, "member_key"] = None

        assert asked(now, honest_unit(2023)).empty

    def test_it_is_somebody_of_whom_little_is_known(self):
        now = honest_unit()
        now["members"].loc[5, ["member_key", "birth_year", "admitted_on", "cell_code"]] = None
        now["members"].loc[6, ["member_key", "admitted_on"]] = None

        assert asked(now, honest_unit(2023)).empty

    def test_many_are_one_query(self):
        now, then = honest_unit(2024, 8), honest_unit(2023, 8)
        now["members"] = now["members"].drop(index=now["members"].index[::12])
        now["organisations"]["member_count"] = None
        now["membership_movements"] = now["membership_movements"].assign(count=None)

        (query,) = asked(now, then).to_dict("records")

        assert "8 đảng viên vắng không lý do" in query["message"]


class TestBieu1:
    def test_an_opening_line_other_than_last_years_closing_line(self):
        now = honest_unit()
        now["membership_movements"].loc[0, "count"] = 47

        (query,) = asked(now, honest_unit(2023)).to_dict("records")

        assert (query["rule"], query["cell"], query["key"]) == ("opening_differs", f"C{FIRST_ROW}", "A")
        assert query["expected"] == "48, như dòng D của báo cáo năm trước"

    def test_last_years_column_other_than_last_years_report(self):
        now = honest_unit()
        now["membership_movements"].loc[2, "count_previous"] = 5

        assert places(asked(now, honest_unit(2023))) == {("Biểu 1", f"D{FIRST_ROW + 2}", "previous_differs")}

    @pytest.mark.parametrize(
        ("line", "row"), [("B1", 2), ("C1", 6), ("C2", 7), ("C3", 8), ("C4", 9), ("C5", 10), ("D", 11)]
    )
    def test_a_line_other_than_the_list_it_sums_up(self, line, row):
        forms = honest_unit()
        forms["membership_movements"].loc[row, "count"] += 2

        (query,) = asked(forms).to_dict("records")

        assert (query["rule"], query["cell"], query["key"]) == ("total_differs", f"C{FIRST_ROW + row}", line)

    def test_a_row_whose_status_is_unlawful_may_be_anything(self):
        forms = honest_unit()
        forms["members"].loc[3, "status"] = None

        assert asked(forms).empty

    def test_a_total_that_is_an_error_already_is_not_asked_about(self):
        forms = honest_unit()
        forms["membership_movements"].loc[11, "count"] = None

        assert asked(forms).empty


class TestMemberCounts:
    def test_only_where_the_number_is_wrong_not_above_it(self):
        forms = honest_unit()
        forms["organisations"].loc[2, "member_count"] += 5
        forms["organisations"].loc[0, "member_count"] += 5

        assert places(asked(forms)) == {("Biểu 2", f"I{FIRST_ROW + 2}", "member_count_differs")}

    def test_a_member_whose_cell_is_unlawful_may_be_in_any(self):
        forms = honest_unit()
        forms["members"].loc[3, "cell_code"] = None

        assert asked(forms).empty

    def test_an_organisation_whose_code_is_unlawful_leaves_those_above_it_open(self):
        forms = honest_unit()
        forms["organisations"].loc[1, "org_code"] = None

        assert asked(forms).empty

    def test_a_circle_of_superiors_ends(self):
        forms = honest_unit()
        forms["organisations"].loc[0, "parent_code"] = f"{UNIT}.001.000.001"

        assert isinstance(asked(forms), pd.DataFrame)

    def test_many_are_one_query(self):
        forms = honest_unit(cells=8)
        forms["organisations"].loc[1:, "member_count"] -= 1

        (query,) = asked(forms).to_dict("records")

        assert query["value"] == "8 tổ chức khác Biểu 3"


class TestLevelsAlike:
    @pytest.mark.parametrize(("size", "is_asked"), [(29, False), (30, True)])
    def test_everybody_in_a_grassroots_organisation(self, size, is_asked):
        forms = honest_unit(cells=2, size=40)
        other = f"{UNIT}.002.000.000"
        first = forms["members"].index[:size]
        forms["organisations"] = pd.concat(
            [
                forms["organisations"],
                pd.DataFrame([{"org_code": other, "parent_code": UNIT, "founded_on": date(2005, 1, 1)}]),
            ]
        )
        for table in ("members", "member_assessments"):
            forms[table].loc[first, "cell_code"] = other
        forms["organisations"]["member_count"] = None
        forms["member_assessments"].loc[first, "final_level"] = "Hoàn thành tốt nhiệm vụ"

        queries = asked(forms)

        assert places(queries) == ({("Biểu 5", f"F{FIRST_ROW}", "levels_alike")} if is_asked else set())
        assert set(queries["key"]) == ({other} if is_asked else set())

    def test_everybody_in_the_unit_is_one_query(self):
        forms = honest_unit()
        forms["member_assessments"]["final_level"] = "Hoàn thành tốt nhiệm vụ"

        (query,) = asked(forms).to_dict("records")

        assert (query["rule"], query["value"]) == ("levels_alike", "48 x Hoàn thành tốt nhiệm vụ")


class TestMeetings:
    def test_all_held_everywhere(self):
        forms = honest_unit(cells=20)
        forms["cell_meetings"].loc[0, ["held_on", "expected", "attended", "points", "band"]] = [
            date(2024, 1, 3), 12, 8, 70.5, "Khá",
        ]  # fmt: skip

        assert places(asked(forms)) == {("Biểu 6", f"C{HEADING_ROW}", "meetings_all_held")}

    def test_everybody_at_every_meeting(self):
        forms = honest_unit()
        forms["cell_meetings"]["attended"] = forms["cell_meetings"]["expected"]

        (query,) = asked(forms).to_dict("records")

        assert (query["rule"], query["key"]) == ("attendance_full", TOP)

    def test_not_in_cells_of_a_few_members(self):
        forms = honest_unit(size=4)
        forms["cell_meetings"]["attended"] = forms["cell_meetings"]["expected"]

        assert asked(forms).empty


class TestBlankColumns:
    @pytest.mark.parametrize(("blank", "is_asked"), [(9, False), (10, True)])
    def test_above_a_fifth_of_the_rows(self, blank, is_asked):
        forms = honest_unit()
        forms["members"].loc[: blank - 1, "theory"] = None

        assert places(asked(forms)) == ({("Biểu 3", f"K{HEADING_ROW}", "column_blank")} if is_asked else set())

    def test_unlawful_cells_are_not_blank(self):
        forms = honest_unit()
        forms["members"].loc[:9, "theory"] = None
        error = {"form": "Biểu 3", "column": "theory", "severity": "error", "rule": "not_in_list"}

        assert asked(forms, issues=[error] * 10).empty

    def test_only_rows_that_call_for_the_column_count(self):
        forms = honest_unit()
        forms["members"].loc[:11, ["status", "official_on"]] = ["Dự bị", None]

        assert asked(forms).empty

    def test_a_form_left_half_blank_is_one_query(self):
        forms = honest_unit()
        forms["members"][["ethnicity", "school", "qualification", "theory"]] = None

        (query,) = asked(forms).to_dict("records")

        assert query["value"] == "4 cột"
        assert "“Học vấn phổ thông”" in query["message"]


class TestCopies:
    def test_a_few_rows_are_asked_at_their_cells(self):
        copy = CopyFinding("rows", "67.002", 2024, ("members",), {"members": (FIRST_ROW + 1, FIRST_ROW + 2)}, 0.04)

        (query,) = asked(honest_unit(), copies=[copy]).to_dict("records")

        assert (query["rule"], query["cell"]) == ("rows_copied", f"A{FIRST_ROW + 1}")
        assert (
            f"2 đảng viên ở A{FIRST_ROW + 1}, A{FIRST_ROW + 2} cũng có trong báo cáo của đơn vị 67.002"
            in query["message"]
        )

    def test_many_rows_are_one_query_with_their_range(self):
        rows = tuple(range(FIRST_ROW, FIRST_ROW + 48))
        copy = CopyFinding("rows", "67.002", 2024, ("members",), {"members": rows}, 1.0)

        (query,) = asked(honest_unit(), copies=[copy]).to_dict("records")

        assert f"48 đảng viên trong vùng A{FIRST_ROW}:A{FIRST_ROW + 47}" in query["message"]

    def test_a_whole_form_is_asked_about_and_a_whole_file_is_not_a_query(self):
        rows = {"cell_meetings": tuple(range(FIRST_ROW, FIRST_ROW + 47))}
        table = CopyFinding("same_tables", UNIT, 2023, ("cell_meetings",), rows, 1.0)
        whole = CopyFinding("last_year", UNIT, 2023, ("cell_meetings",), rows, 0.9)

        (query,) = asked(honest_unit(), copies=[table, whole]).to_dict("records")

        assert (query["rule"], query["form"]) == ("table_copied", "Biểu 6")
        assert "báo cáo năm 2023" in query["message"]


def test_a_form_set_without_some_forms_is_asked_about_the_others():
    whole = sending(honest_unit())
    bare = replace(whole, forms={table: whole.forms[table] for table in ("organisations", "members")})

    assert find_queries(bare, bare).empty


def test_no_query_holds_a_pseudonym():
    now = honest_unit()
    now["members"] = now["members"].iloc[:20]
    now["member_assessments"]["final_level"] = np.nan

    queries = asked(now, honest_unit(2023))

    assert len(queries) > 0
    assert not queries.astype("str").map(lambda text: f"{UNIT}-" in text).to_numpy().any()
