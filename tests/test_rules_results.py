"""Rules of levels beside results: R09-R15, R17, R20, R21, R28, R31-R34."""

import pandas as pd
import pytest

from ratings.contradictions import find_contradictions
from ratings.rules import load_rules
from tests.honest import CELLS, COMMITTEE, UNIT, YEARS, changed, honest, member
from tests.test_contradictions import judge, marts

KEY = member(CELLS[0], 3)
EXCELLENT = CELLS[1]


def counts(results, year=2025):
    return results.loc[(year, UNIT), ["tested", "found", "not_checked"]].tolist()


def own(drawn, code, year=2025, **values):
    """The rating of an organisation with other values."""
    drawn = changed(drawn, "fct_organisation_assessment", {"year": year, "org_code": code}, **values)
    of_year = {name: value for name, value in values.items() if name == "final_level"}
    return changed(drawn, "organisation_year", {"year": year, "org_code": code}, **of_year) if of_year else drawn


def of_year(drawn, code, year=2025, **values):
    """What the rows of an organisation come to, with other values."""
    return changed(drawn, "organisation_year", {"year": year, "org_code": code}, **values)


def of_member(drawn, key, year=2025, **values):
    """The rating of a member with other values."""
    return changed(drawn, "fct_member_assessment", {"year": year, "member_key": key}, **values)


def line(drawn, name, count, year=2025):
    """A line of the movement of members with another count."""
    return changed(drawn, "fct_membership_movement", {"year": year, "line": name}, count=count)


def held_back(subject_kind, year=2025, **values):
    """One assessment row held back."""
    row = {"record_id": "held", "year": year, "unit_code": UNIT, "subject_kind": subject_kind, **values}
    return {"held_back_assessment": pd.DataFrame([row])}


def test_an_honest_province_contradicts_no_rule():
    outcome = find_contradictions(marts(**honest()), load_rules())

    tested = outcome.results[(outcome.results["year"] == 2025) & (outcome.results["tested"] > 0)]
    assert outcome.findings.empty
    # of its years none follows on two others, no group is large, and no organisation is disciplined
    assert sorted({rule.id for rule in load_rules().rules} - set(tested["rule_id"])) == [
        *("R02", "R03", "R05", "R08"),
        *("R17", "R26", "R29", "R34"),
    ]


def test_a_province_that_sent_nothing_is_not_checked_by_any_rule():
    outcome = find_contradictions(marts(received=[]), load_rules())

    assert outcome.findings.empty
    assert set(outcome.results["status"]) == {"not_checked"}


class TestLevelAbovePoints:
    """R09."""

    @pytest.mark.parametrize(
        ("level", "score", "count"),
        [
            ("XS", 90.0, 0),
            ("XS", 89.99, 1),
            ("HTT", 70.0, 0),
            ("HTT", 69.5, 1),
            ("HT", 50.0, 0),
            ("HT", 49.99, 1),
            ("KHT", 0.0, 0),
            ("HT", 95.0, 0),  # below the band is lawful
            ("HTT", None, 1),
        ],
    )
    def test_only_a_level_above_the_band_of_its_points_is_found(self, level, score, count):
        findings, _ = judge("R09", **of_member(honest(), KEY, final_level=level, score=score))

        assert findings[["severity", "member_key"]].to_numpy().tolist() == [["error", KEY]] * count

    @pytest.mark.parametrize(
        ("common", "task", "score", "count"),
        [
            (25.0, 60.0, 85.05, 0),
            (25.0, 60.0, 85.06, 1),
            (30.0, 55.0, 85.0, 0),
            (30.5, 54.5, 85.0, 1),
            (14.0, 71.0, 85.0, 1),
            (20.1, 60.2, 80.25, 0),  # apart by more than the tolerance only in binary
        ],
    )
    def test_the_parts_must_make_the_whole_and_keep_to_their_limits(self, common, task, score, count):
        drawn = own(honest(), CELLS[0], common_points=common, task_points=task, score=score)
        findings, _ = judge("R09", **drawn)

        assert findings["org_code"].tolist() == [CELLS[0]] * count

    def test_several_faults_are_one_finding_in_words(self):
        findings, _ = judge("R09", **own(honest(), EXCELLENT, score=88.5))

        assert len(findings) == 1
        assert "tổng điểm 88,5, mức này phải có từ 90 điểm" in findings.at[0, "contradicted_by"]
        assert "28 điểm tiêu chí chung cộng 65 điểm nhiệm vụ" in findings.at[0, "contradicted_by"]

    def test_a_unit_that_writes_no_points_at_all_is_not_checked(self):
        drawn = honest()
        drawn["fct_member_assessment"] = drawn["fct_member_assessment"].assign(score=None)
        findings, results = judge("R09", **drawn)

        assert findings.empty
        assert counts(results) == [3, 0, 10]
        assert results.at[(2024, UNIT), "status"] == "not_checked"

    def test_parts_that_are_missing_are_not_checked(self):
        findings, results = judge("R09", **own(honest(), CELLS[0], task_points=None))

        assert findings.empty
        assert counts(results)[1:] == [0, 1]


class TestLevelAboveTasks:
    """R11, R12, R34."""

    @pytest.mark.parametrize(
        ("level", "tasks", "count"),
        [
            ("HTT", {"tasks_done": 9}, 1),
            ("HTT", {"tasks_late": 1}, 1),
            ("HT", {"tasks_late": 2}, 0),  # exactly 20%
            ("HT", {"tasks_late": 3}, 1),
            ("HT", {"tasks_done": 9}, 0),
            ("XS", {"tasks_done": 9}, 0),  # R10
        ],
    )
    def test_from_2025_a_good_level_needs_all_tasks_on_time_and_the_next_few_late(self, level, tasks, count):
        findings, _ = judge("R11", **own(honest(), CELLS[0], final_level=level, **tasks))

        assert findings[["org_code", "severity"]].to_numpy().tolist() == [[CELLS[0], "error"]] * count

    @pytest.mark.parametrize(("year", "severities"), [(2022, []), (2024, ["warning"]), (2025, ["error"])])
    @pytest.mark.parametrize(("done", "is_found"), [(69, True), (70, False)])
    def test_below_seventy_percent_only_the_lowest_level_is_left(self, year, severities, done, is_found):
        drawn = own(honest(), CELLS[0], year, tasks_assigned=100, tasks_done=done)
        findings, _ = judge("R12", **drawn)
        lowest, _ = judge("R12", **own(drawn, CELLS[0], year, final_level="KHT"))

        assert findings["severity"].tolist() == (severities if is_found else [])
        assert lowest.empty

    @pytest.mark.parametrize(("year", "count"), [(2022, 1), (2024, 1), (2025, 0)])
    @pytest.mark.parametrize("tasks", [{"tasks_done": 9}, {"tasks_late": 3}])
    def test_before_2025_undone_or_many_late_tasks_beside_a_good_level_are_a_warning(self, year, count, tasks):
        findings, _ = judge("R34", **own(honest(), CELLS[0], year, **tasks))

        assert findings["severity"].tolist() == ["warning"] * count

    def test_before_2025_a_few_late_tasks_pass(self):
        findings, _ = judge("R34", **own(honest(), CELLS[0], 2024, tasks_late=2))

        assert findings.empty

    @pytest.mark.parametrize(
        "tasks", [{"tasks_assigned": 0, "tasks_done": 0}, {"tasks_done": 11}, {"tasks_done": None}, {"tasks_late": 11}]
    )
    def test_tasks_that_are_missing_or_make_no_sense_are_not_checked(self, tasks):
        findings, results = judge("R11", **own(honest(), CELLS[0], **tasks))

        assert findings.empty
        assert counts(results) == [1, 0, 1]


class TestThoseBelow:
    """R13, R14, R15."""

    @pytest.mark.parametrize(("year", "severity"), [(2022, "error"), (2024, "warning"), (2025, "information")])
    @pytest.mark.parametrize(
        ("rated", "good", "lowest", "count"), [(5, 4, 0, 0), (10, 7, 0, 1), (10, 9, 1, 1), (100, 79, 0, 1)]
    )
    def test_an_excellent_cell_needs_four_fifths_good_and_none_of_the_lowest(
        self, year, severity, rated, good, lowest, count
    ):
        drawn = of_year(
            honest(), EXCELLENT, year, members_rated=rated, members_htt=good, members_xs=0, members_kht=lowest
        )
        findings, _ = judge("R13", **drawn)

        assert findings[["org_code", "severity"]].to_numpy().tolist() == [[EXCELLENT, severity]] * count

    def test_the_lowest_below_is_shown_with_its_row(self):
        drawn = of_member(honest(), member(EXCELLENT, 4), final_level="KHT")
        findings, _ = judge("R13", **of_year(drawn, EXCELLENT, members_htt=4, members_kht=1))

        assert findings.loc[0, ["record_id_1", "record_id_2"]].tolist() == [
            f"2025/own/{EXCELLENT}",
            f"2025/rating/{member(EXCELLENT, 4)}",
        ]

    @pytest.mark.parametrize(("level", "count"), [("HT", 1), ("HTT", 0)])
    def test_an_excellent_committee_is_judged_by_the_organisations_directly_below(self, level, count):
        drawn = own(own(honest(), COMMITTEE, final_level="XS"), CELLS[0], final_level=level)
        findings, _ = judge("R13", **drawn)

        assert findings["org_code"].tolist() == [COMMITTEE] * count

    @pytest.mark.parametrize(("good", "count"), [(5, 0), (4, 1)])
    def test_a_good_cell_needs_half_of_them_good(self, good, count):
        findings, _ = judge("R14", **of_year(honest(), CELLS[0], 2022, members_rated=10, members_htt=good))

        assert findings["severity"].tolist() == ["error"] * count

    @pytest.mark.parametrize(("level", "lowest", "count"), [("HT", 2, 0), ("HT", 3, 1), ("KHT", 3, 0)])
    def test_above_a_fifth_of_the_lowest_only_the_lowest_level_is_left(self, level, lowest, count):
        drawn = own(honest(), CELLS[0], 2022, final_level=level)
        findings, _ = judge("R15", **of_year(drawn, CELLS[0], 2022, members_rated=10, members_kht=lowest))

        assert findings.loc[findings["org_code"] == CELLS[0], "severity"].tolist() == ["error"] * count

    @pytest.mark.parametrize("cell", [CELLS[0], None])
    @pytest.mark.parametrize(
        ("rated", "good", "found", "not_checked"), [(10, 6, 0, 0), (10, 5, 0, 1), (9, 4, 0, 1), (10, 4, 1, 0)]
    )
    def test_a_row_held_back_leaves_unchecked_only_what_it_could_change(self, cell, rated, good, found, not_checked):
        drawn = of_year(honest(), CELLS[0], 2022, members_rated=rated, members_htt=good)
        _, results = judge("R14", **held_back("member", 2022, org_code=cell), **drawn)

        assert counts(results, 2022)[1:] == [found, not_checked]

    def test_an_organisation_with_nobody_rated_below_is_not_checked(self):
        drawn = of_year(honest(), EXCELLENT, members_rated=0, members_htt=0)
        findings, results = judge("R13", **drawn)

        assert findings.empty
        assert counts(results) == [0, 0, 1]


class TestBunched:
    """R17."""

    @pytest.fixture
    def at_the_cap(self):
        """A grassroots organisation with as many excellent members as its cap of two in two years running."""
        return changed(honest(), "grassroots_excellence", {}, rated=20, xs=2, htt=12, ht=5, kht=1)

    def test_the_cap_filled_in_two_years_running_is_information(self, at_the_cap):
        findings, _ = judge("R17", **at_the_cap)

        assert findings[["year", "severity", "org_code"]].to_numpy().tolist() == [[2025, "information", COMMITTEE]]

    @pytest.mark.parametrize("values", [{"xs": 1}, {"xs": 3}, {"htt": 9}, {"htt": 15}])
    def test_one_year_off_the_cap_or_a_cap_of_one_passes(self, at_the_cap, values):
        findings, _ = judge("R17", **changed(at_the_cap, "grassroots_excellence", {"year": 2024}, **values))

        assert findings.empty

    def test_a_row_held_back_or_no_year_before_is_not_checked(self, at_the_cap):
        findings, results = judge("R17", **changed(at_the_cap, "grassroots_excellence", {"year": 2025}, held_back=1))

        assert findings.empty
        assert counts(results) == [0, 0, 1]
        assert counts(results, 2024) == [0, 0, 1]

    @pytest.mark.parametrize(("rated", "ht", "count"), [(200, 0, 2), (199, 0, 0), (200, 1, 0)])
    def test_a_large_body_with_nobody_below_good_is_information_of_itself_and_of_its_unit(self, rated, ht, count):
        drawn = changed(
            honest(), "grassroots_excellence", {"year": 2025}, rated=rated, xs=0, htt=rated - ht, ht=ht, kht=0
        )
        findings, _ = judge("R17", **drawn)

        assert sorted(findings["subject_kind"]) == ["group", "unit"][:count]


class TestAboveTheState:
    """R20."""

    @pytest.mark.parametrize(
        ("level", "state", "severities"),
        [
            ("XS", "HTT", ["error", "warning", "warning"]),
            ("HTT", "HT", ["warning", "warning", "information"]),
            ("HTT", "HTT", [None, None, None]),
            ("HT", "XS", [None, None, None]),
            ("XS", None, [None, None, None]),
        ],
    )
    def test_a_member_rated_above_the_state_rating_is_found(self, level, state, severities):
        drawn = honest()
        for year in YEARS:
            drawn = of_member(drawn, KEY, year, final_level=level, state_level=state)
        findings, _ = judge("R20", **drawn)

        assert (
            findings.set_index("year")["severity"]
            .reindex(YEARS)
            .astype(object)
            .where(lambda found: found.notna(), None)
            .tolist()
            == severities
        )


class TestHeadsAboveTheirCell:
    """R21."""

    HEAD = member(CELLS[0], 1)

    @pytest.mark.parametrize(("cell", "count"), [("HT", 1), ("HTT", 0), ("XS", 0)])
    def test_a_head_rated_above_the_cell_is_a_warning_with_both_rows(self, cell, count):
        findings, _ = judge("R21", **own(honest(), CELLS[0], final_level=cell))

        assert (
            findings[["severity", "member_key", "record_id_1", "record_id_2"]].to_numpy().tolist()
            == [["warning", self.HEAD, f"2025/rating/{self.HEAD}", f"2025/own/{CELLS[0]}"]] * count
        )

    def test_a_cell_without_a_readable_level_is_not_checked(self):
        findings, results = judge("R21", **own(honest(), CELLS[0], final_level=None))

        assert findings.empty
        assert counts(results) == [1, 0, 1]


class TestExcellentWithoutWork:
    """R28."""

    def missed(self, drawn, months=(7,), held=11):
        """The excellent cell without a meeting in some months."""
        for month in months:
            wanted = {"year": 2025, "cell_code": EXCELLENT, "month": month}
            drawn = changed(drawn, "fct_cell_meeting", wanted, is_held=False, band=None)
        return changed(drawn, "cell_year", {"year": 2025, "org_code": EXCELLENT}, months_held=held)

    def test_a_month_without_a_meeting_is_found_with_its_row(self):
        findings, _ = judge("R28", **self.missed(honest()))

        assert findings[["org_code", "severity", "record_id_2"]].to_numpy().tolist() == [
            [EXCELLENT, "warning", f"2025/meeting/{EXCELLENT}/7"]
        ]
        assert "1 tháng không sinh hoạt" in findings.at[0, "contradicted_by"]

    def test_a_month_in_which_the_cell_was_not_yet_there_is_not_owed(self):
        drawn = self.missed(honest(), months=(1,))
        findings, _ = judge("R28", **changed(drawn, "cell_year", {"year": 2025, "org_code": EXCELLENT}, months_due=11))

        assert findings.empty

    def test_a_month_without_a_row_is_not_checked(self):
        drawn = self.missed(honest(), months=())
        findings, results = judge("R28", **drawn)

        assert findings.empty
        assert counts(results) == [0, 0, 1]

    def test_a_poor_meeting_is_found(self):
        wanted = {"year": 2025, "cell_code": EXCELLENT, "month": 3}
        findings, _ = judge("R28", **changed(honest(), "fct_cell_meeting", wanted, band="Kém"))

        assert findings["record_id_2"].tolist() == [f"2025/meeting/{EXCELLENT}/3"]

    @pytest.mark.parametrize(("unread", "found", "not_checked"), [(0, 1, 0), (2, 0, 1)])
    def test_an_excellent_grassroots_organisation_that_inspected_nothing_is_found(self, unread, found, not_checked):
        drawn = own(honest(), COMMITTEE, final_level="XS")
        elsewhere = {"conductor_code": UNIT, "grassroots_code": None}
        drawn = changed(drawn, "fct_inspection", {"year": 2025}, **elsewhere)
        findings, results = judge("R28", held_back=[(UNIT, 2025, "inspections", unread)], **drawn)

        assert findings["org_code"].tolist() == [COMMITTEE] * found
        assert counts(results) == [1 + found, found, not_checked]


class TestMovementApart:
    """R31."""

    @pytest.mark.parametrize(("name", "count"), [("D", 15), ("B2", 1), ("C3", 1), ("C", 3)])
    def test_lines_that_do_not_add_up_are_an_error(self, name, count):
        findings, _ = judge("R31", **line(honest(), name, count, 2022))

        assert findings[["year", "severity", "subject_kind"]].to_numpy().tolist() == [[2022, "error", "unit"]]

    def test_a_line_that_is_missing_is_not_checked(self):
        findings, results = judge("R31", **line(honest(), "C3", None, 2022))

        assert findings.empty
        assert counts(results, 2022)[1:] == [0, 2]  # nor is the year before known

    def test_a_year_that_does_not_go_on_from_the_last_is_a_warning_with_both_rows(self):
        drawn = line(line(honest(), "A", 13), "C5", 1)
        findings, _ = judge("R31", **changed(line(drawn, "C", 1), "control_totals", {}, movement_d=14))

        assert findings[["severity", "record_id_1", "record_id_2"]].to_numpy().tolist() == [
            ["warning", "2025/A", "2024/D"]
        ]

    @pytest.mark.parametrize(("rows", "unread", "found", "not_checked"), [(2, 0, 0, 0), (1, 0, 1, 0), (1, 1, 0, 1)])
    def test_those_admitted_are_as_many_as_their_list(self, rows, unread, found, not_checked):
        totals = {"admissions_rows": rows, "admissions_held_back": unread}
        findings, results = judge("R31", **changed(honest(), "control_totals", {"year": 2025}, **totals))

        assert findings["severity"].tolist() == ["error"] * found
        assert counts(results)[1:] == [found, not_checked]

    @pytest.mark.parametrize(("late", "of", "count"), [(7, 10, 1), (6, 10, 0), (9, 9, 0)])
    def test_most_of_ten_or_more_admissions_in_the_last_quarter_are_information(self, late, of, count):
        days = [pd.Timestamp(2025, 10, 1)] * late + [pd.Timestamp(2025, 9, 30)] * (of - late)
        drawn = line(line(line(honest(), "B1", of), "B", of), "D", 12 + of)
        drawn = changed(drawn, "control_totals", {"year": 2025}, admissions_rows=of)
        drawn["fct_admission"] = pd.DataFrame(
            {"record_id": [f"a{n}" for n in range(of)], "year": 2025, "unit_code": UNIT, "admitted_on": days}
        )
        findings, _ = judge("R31", **drawn)

        assert findings["severity"].tolist() == ["information"] * count


class TestExcellentWithoutAdmissions:
    """R32."""

    def drawn(self, admitted, local=3):
        """The honest province in three years running, with what the excellent cell admitted in each."""
        drawn = honest()
        drawn["organisation_year"] = pd.concat(
            [drawn["organisation_year"].query("year == 2024").assign(year=year) for year in (2023, 2024, 2025)]
        )
        for year, n in zip((2023, 2024, 2025), admitted, strict=True):
            drawn = of_year(drawn, EXCELLENT, year, admissions=n)
        return changed(drawn, "fct_hamlet", {"cell_code": EXCELLENT}, local_members=local)

    @pytest.mark.parametrize(("admitted", "count"), [((0, 0, 0), 1), ((1, 0, 0), 0), ((0, 0, 1), 0)])
    def test_an_excellent_cell_of_a_hamlet_without_admissions_in_three_years_is_information(self, admitted, count):
        findings, _ = judge("R32", received=[(UNIT, (2023, 2024, 2025))], **self.drawn(admitted))

        assert (
            findings[["year", "org_code", "severity"]].to_numpy().tolist() == [[2025, EXCELLENT, "information"]] * count
        )

    def test_three_years_of_reports_are_needed(self):
        findings, results = judge("R32", received=[(UNIT, (2024, 2025))], **self.drawn((0, 0, 0)))

        assert findings.empty
        assert counts(results) == [0, 0, 1]

    def test_a_hamlet_without_a_local_member_is_information(self):
        findings, _ = judge("R32", received=[(UNIT, (2025,))], **self.drawn((1, 1, 1), local=0))

        assert set(findings["org_code"]) == {EXCELLENT}
        assert "không có đảng viên là người tại chỗ" in findings.at[0, "contradicted_by"]

    def test_a_cell_that_is_not_of_a_hamlet_is_outside_the_rule(self):
        drawn = self.drawn((0, 0, 0))
        drawn["fct_hamlet"] = drawn["fct_hamlet"].iloc[:0]
        _, results = judge("R32", received=[(UNIT, (2023, 2024, 2025))], **drawn)

        assert counts(results) == [0, 0, 0]


class TestInspectionsUnderAnotherArticle:
    """R33."""

    @pytest.mark.parametrize(
        ("article", "conductor", "kind", "count"),
        [
            (30, "Đảng ủy", "Kiểm tra chấp hành", 0),
            (32, "Đảng ủy", "Kiểm tra chấp hành", 1),
            (32, "Ủy ban kiểm tra", "Giải quyết tố cáo", 0),
            (30, "Ủy ban kiểm tra", "Giải quyết tố cáo", 1),
            (32, "Ủy ban kiểm tra", "Kiểm tra chấp hành", 1),
        ],
    )
    def test_a_kind_that_its_conductor_does_not_conduct_by_the_article_is_information(
        self, article, conductor, kind, count
    ):
        values = {"article": article, "conductor": conductor, "kind": kind}
        findings, _ = judge("R33", **changed(honest(), "fct_inspection", {"year": 2025}, **values))

        assert (
            findings[["org_code", "severity", "record_id_1"]].to_numpy().tolist()
            == [[COMMITTEE, "information", "2025/inspection"]] * count
        )

    def test_an_inspection_without_its_article_is_not_checked(self):
        findings, results = judge("R33", **changed(honest(), "fct_inspection", {"year": 2025}, article=None))

        assert findings.empty
        assert counts(results) == [0, 0, 1]

    def test_rows_held_back_are_not_checked(self):
        _, results = judge("R33", held_back=[(UNIT, 2025, "inspections", 3)], **honest())

        assert counts(results) == [1, 0, 3]
