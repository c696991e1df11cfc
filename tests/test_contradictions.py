import pandas as pd
import pytest
import yaml
from drawing import table

from ratings.contradictions import RULES, find_contradictions
from ratings.marts import INPUTS, MissingInput
from ratings.outcomes import FINDING, RESULT
from ratings.rules import CATALOGUE, CatalogueError, catalogue, load_rules

YEARS = (2022, 2024, 2025)
UNIT = "67.001"


def marts(received=((UNIT, YEARS),), register=YEARS, held_back=None, **drawn):
    """Marts of one unit that reported in each year, unless drawn otherwise; what is not drawn is empty."""
    sent = [("unit", unit, year) for unit, years in received for year in years] + [
        ("register", None, y) for y in register
    ]
    submissions = pd.DataFrame(sent, columns=["source_kind", "unit_code", "year"]).assign(is_in_force=True)
    submissions["source_hash"] = [f"h{place}" for place in range(len(submissions))]
    forms = [
        (
            submissions.loc[(submissions["unit_code"] == unit) & (submissions["year"] == year), "source_hash"].item(),
            form,
            n,
        )
        for unit, year, form, n in held_back or ()
    ]
    given = {
        "dim_unit": pd.DataFrame({"unit_code": [UNIT], "unit_name": ["Huyện Đắk Mẫu"]}),
        "fct_submission": submissions,
        "fct_submission_form": pd.DataFrame(forms, columns=["source_hash", "form", "held_back"]),
        **drawn,
    }
    return {
        name: given.get(name, pd.DataFrame()).pipe(lambda frame, columns=columns: frame.reindex(columns=list(columns)))
        for name, columns in INPUTS.items()
    }


def judge(rule_id, rules=None, **drawn):
    """Findings and results of one rule; R26 leaves to R01 what that finds, R17 asks R16 who may have a higher cap."""
    rules = rules or load_rules()
    alone = [rule for rule in rules.rules if rule.id in {rule_id, {"R26": "R01", "R17": "R16"}.get(rule_id)}]
    outcome = find_contradictions(marts(**drawn), rules.model_copy(update={"rules": alone}))
    findings = outcome.findings[outcome.findings["rule_id"] == rule_id].reset_index(drop=True)
    return findings, outcome.results[outcome.results["rule_id"] == rule_id].set_index(["year", "unit_code"])


def case(year, *, key="MEMBERKEY-01", duty="true", self_reported="false", form="Khiển trách", number="12-QĐ/UBKT"):
    """One case against a member, in both books."""
    return table(f"""
        case_id | year | unit_code | subject | subject_member_key | org_code | form | duty_related | self_reported | decided_on | decision_no | in_report | in_register | record_id | register_record_id
        --------+
        c{number} | {year} | 67.001 | Đảng viên | {key} | 67.001.001.000.001 | {form} | {duty} | {self_reported} | {year}-03-05 | {number} | true | true | d{number} | r{number}
    """)  # noqa: E501


def rating(year, level, *, key="MEMBERKEY-01", unit=UNIT, reason=""):
    """One decided level of a member."""
    return table(f"""
        record_id | year | unit_code | member_key | cell_code | final_level | not_rated_reason
        ----------+
        a{year}{unit} | {year} | {unit} | {key} | {unit}.001.000.001 | {level} | {reason}
    """)


class TestDisciplinedMember:
    """R01."""

    @pytest.mark.parametrize(("year", "severity"), [(2022, "error"), (2024, "warning"), (2025, "error")])
    @pytest.mark.parametrize("level", ["XS", "HTT", "HT"])
    def test_any_level_above_the_lowest_contradicts_a_duty_related_discipline(self, year, severity, level):
        findings, results = judge("R01", discipline_case=case(year), fct_member_assessment=rating(year, level))

        assert findings[["year", "severity", "member_key", "unit_code", "org_code"]].to_numpy().tolist() == [
            [year, severity, "MEMBERKEY-01", "67.001", "67.001.001.000.001"]
        ]
        assert results.loc[(year, UNIT), ["tested", "found", "not_checked", "status"]].tolist() == [1, 1, 0, "found"]

    @pytest.mark.parametrize("year", YEARS)
    def test_the_lowest_level_agrees_with_a_discipline(self, year):
        findings, results = judge("R01", discipline_case=case(year), fct_member_assessment=rating(year, "KHT"))

        assert findings.empty
        assert results.loc[(year, UNIT), ["tested", "status"]].tolist() == [1, "passed"]

    @pytest.mark.parametrize(("year", "count"), [(2022, 1), (2024, 1), (2025, 0)])
    def test_a_discipline_not_of_duty_counts_until_2024_only(self, year, count):
        findings, _ = judge("R01", discipline_case=case(year, duty="false"), fct_member_assessment=rating(year, "HTT"))

        assert len(findings) == count

    def test_a_mark_that_could_not_be_read_is_not_taken_for_no(self):
        findings, results = judge("R01", discipline_case=case(2025, duty=""), fct_member_assessment=rating(2025, "HTT"))

        assert findings.empty
        assert results.loc[(2025, UNIT), ["tested", "not_checked", "status"]].tolist() == [0, 1, "not_checked"]
        assert "liên quan nhiệm vụ" in results.loc[(2025, UNIT), "reason"]

    @pytest.mark.parametrize(("year", "severity"), [(2022, "error"), (2024, "warning"), (2025, "warning")])
    def test_a_self_reported_case_is_excused_from_2025(self, year, severity):
        findings, _ = judge(
            "R01", discipline_case=case(year, self_reported="true"), fct_member_assessment=rating(year, "HTT")
        )

        assert findings["severity"].tolist() == [severity]
        assert findings["exception"].notna().tolist() == [year == 2025]

    def test_several_cases_of_a_member_are_one_finding_that_shows_the_gravest_of_duty(self):
        cases = pd.concat(
            [
                case(2025, duty="false", form="Khai trừ", number="1"),
                case(2025, form="Khiển trách", number="2", self_reported="true"),
                case(2025, form="Cảnh cáo", number="3"),
            ]
        )
        findings, _ = judge("R01", discipline_case=cases, fct_member_assessment=rating(2025, "HT"))

        assert len(findings) == 1
        assert "cảnh cáo theo Quyết định số 3 ngày 05/03/2025" in findings.at[0, "contradicted_by"]
        assert "và 1 lần kỷ luật khác" in findings.at[0, "contradicted_by"]
        assert findings.loc[0, ["severity", "record_id_1", "record_id_2"]].tolist() == ["error", "a202567.001", "d3"]

    def test_the_exception_needs_every_duty_related_case_to_be_self_reported(self):
        cases = pd.concat(
            [case(2025, number="1", self_reported="true"), case(2025, number="2", duty="false", self_reported="false")]
        )
        findings, _ = judge("R01", discipline_case=cases, fct_member_assessment=rating(2025, "HT"))

        assert findings["severity"].tolist() == ["warning"]

    def test_a_member_rated_in_another_unit_is_found_there(self):
        findings, results = judge(
            "R01",
            received=[(UNIT, [2022]), ("67.002", [2022])],
            dim_unit=table("""
                unit_code | unit_name
                ----------+----------
                67.001    | Huyện A
                67.002    | Huyện B
            """),
            discipline_case=case(2022),
            fct_member_assessment=rating(2022, "HTT", unit="67.002"),
        )

        assert findings[["unit_code", "org_code"]].to_numpy().tolist() == [["67.002", "67.002.001.000.001"]]
        assert results.loc[2022, "found"].to_dict() == {"67.001": 0, "67.002": 1}

    def test_of_two_ratings_in_one_year_the_contradicting_one_is_found_once(self):
        ratings = pd.concat([rating(2022, "KHT"), rating(2022, "HTT", unit="67.002")])
        findings, _ = judge("R01", discipline_case=case(2022), fct_member_assessment=ratings)

        assert findings["unit_code"].tolist() == ["67.002"]

    def test_a_rating_held_back_is_not_checked(self):
        findings, results = judge(
            "R01",
            discipline_case=case(2022),
            held_back_assessment=table("""
                record_id | year | unit_code | subject_kind | member_key   | org_code
                ----------+------+-----------+--------------+--------------+-------------------
                a1        | 2022 | 67.001    | member       | MEMBERKEY-01 | 67.001.001.000.001
            """),
        )

        assert findings.empty
        assert results.loc[(2022, UNIT), ["tested", "not_checked", "status"]].tolist() == [0, 1, "not_checked"]
        assert "giữ lại" in results.loc[(2022, UNIT), "reason"]

    def test_a_member_who_has_left_or_is_not_rated_for_a_reason_is_outside_the_rule(self):
        roll = table("""
            year | unit_code | member_key   | cell_code          | is_present | is_head
            -----+-----------+--------------+--------------------+------------+--------
            2022 | 67.001    | MEMBERKEY-01 | 67.001.001.000.001 | false      | false
        """)
        gone, results = judge("R01", discipline_case=case(2022), fct_member=roll)
        unrated, _ = judge(
            "R01",
            discipline_case=case(2022),
            fct_member_assessment=rating(2022, "", reason="Đình chỉ sinh hoạt đảng"),
        )

        assert gone.empty
        assert unrated.empty
        assert results.loc[(2022, UNIT), ["tested", "not_checked", "status"]].tolist() == [0, 0, "not_checked"]

    def test_a_unit_that_sent_nothing_is_not_checked(self):
        _, results = judge("R01", received=[], discipline_case=case(2022))

        assert results.loc[(2022, UNIT), ["tested", "not_checked", "status"]].tolist() == [0, 1, "not_checked"]
        assert "chưa gửi báo cáo" in results.loc[(2022, UNIT), "reason"]

    def test_a_discipline_row_held_back_is_not_checked_unless_the_register_explains_it(self):
        matches = table("""
            record_id | year | unit_code | unit_received | is_mentioned | matched_record_id | is_match_held_back
            ----------+------+-----------+---------------+--------------+-------------------+-------------------
            r12       | 2022 | 67.001    | true          | true         | d9                | true
        """)
        held_back = [(UNIT, 2022, "disciplines", 3)]
        _, alone = judge("R01", held_back=held_back)
        _, explained = judge("R01", held_back=held_back, discipline_match=matches)

        assert alone.at[(2022, UNIT), "not_checked"] == 3
        assert explained.at[(2022, UNIT), "not_checked"] == 3 - 1

    def test_without_the_register_of_the_year_the_result_says_so(self):
        _, results = judge("R01", register=[2022, 2025])

        assert "Chưa nhận được Sổ kỷ luật năm 2024" in results.loc[(2024, UNIT), "reason"]
        assert "Chưa nhận được" not in results.loc[(2022, UNIT), "reason"]

    def test_a_finding_is_worded_with_numbers_caution_and_no_name(self):
        findings, _ = judge("R01", discipline_case=case(2022), fct_member_assessment=rating(2022, "HTT"))

        finding = findings.loc[0]
        assert finding["reported"] == (
            "Đảng viên mã MEMBERKE, chi bộ 67.001.001.000.001: cấp có thẩm quyền quyết định xếp loại năm 2022 "
            "là «Hoàn thành tốt nhiệm vụ»."
        )
        assert finding["contradicted_by"] == (
            "Trong năm 2022 bị kỷ luật khiển trách theo Quyết định số 12-QĐ/UBKT ngày 05/03/2022 "
            "(liên quan nhiệm vụ; Biểu 8 và Sổ kỷ luật)."
        )
        assert finding["message"].endswith("có dấu hiệu chưa phù hợp, đề nghị thẩm định lại.")
        assert finding["innocent_explanation"]
        assert finding["ask_for"]
        assert "132-QĐ/TW" in finding["legal_source"]


ORGANISATIONS = table("""
    year | unit_code | org_code | org_name | org_kind | parent_code | record_id | member_count
    -----+
    2025 | 67.001    | 67.001.001.000.000 | Đảng bộ xã A  | Đảng bộ cơ sở     | 67.001             | o1 | 20
    2025 | 67.001    | 67.001.001.000.001 | Chi bộ thôn 1 | Chi bộ trực thuộc | 67.001.001.000.000 | o2 | 12
    2025 | 67.001    | 67.001.001.000.002 | Chi bộ thôn 2 | Chi bộ trực thuộc | 67.001.001.000.000 | o3 | 8
""")


def organisation_ratings(*levels, year=2025):
    """Decided levels of the three organisations."""
    return (
        ORGANISATIONS.assign(year=year, record_id=["b1", "b2", "b3"], final_level=levels)
        .drop(columns="member_count")
        .reset_index(drop=True)
    )


def disciplined_organisation(code, year=2025, duty="false"):
    """One case against an organisation."""
    return table(f"""
        case_id | year | unit_code | subject | subject_org_code | org_code | form | duty_related | self_reported | decided_on | decision_no | in_report | in_register | record_id | register_record_id
        --------+
        c{code} | {year} | 67.001 | Tổ chức đảng | {code} | {code} | Khiển trách | {duty} | false | {year}-03-05 | 7-QĐ | false | true | | r7
    """)  # noqa: E501


class TestExcellentAboveDiscipline:
    """R04."""

    @pytest.mark.parametrize(("year", "severity"), [(2022, "error"), (2024, "warning"), (2025, "error")])
    def test_an_excellent_organisation_above_a_disciplined_one_is_found_whether_of_duty_or_not(self, year, severity):
        findings, results = judge(
            "R04",
            organisation_snapshot=ORGANISATIONS.assign(year=year),
            fct_organisation_assessment=organisation_ratings("XS", "HT", "XS", year=year),
            discipline_case=disciplined_organisation("67.001.001.000.001", year),
        )

        assert findings[["org_code", "severity", "subject_kind", "record_id_1", "record_id_2"]].to_numpy().tolist() == [
            ["67.001.001.000.000", severity, "organisation", "b1", "r7"]
        ]
        assert "Chi bộ thôn 1 (67.001.001.000.001) bị kỷ luật khiển trách" in findings.at[0, "contradicted_by"]
        assert results.loc[(year, UNIT), ["tested", "found", "status"]].tolist() == [2, 1, "found"]

    def test_the_disciplined_organisation_itself_is_not_this_rules_business(self):
        findings, _ = judge(
            "R04",
            organisation_snapshot=ORGANISATIONS,
            fct_organisation_assessment=organisation_ratings("HTT", "XS", "XS"),
            discipline_case=disciplined_organisation("67.001.001.000.001"),
        )

        assert findings.empty

    def test_the_superior_is_found_by_the_parents_code_and_not_by_the_codes_shape(self):
        moved = ORGANISATIONS.assign(parent_code=["67.001", "67.001.009.000.000", "67.001.001.000.000"])
        findings, _ = judge(
            "R04",
            organisation_snapshot=moved,
            fct_organisation_assessment=organisation_ratings("XS", "HTT", "HTT"),
            discipline_case=disciplined_organisation("67.001.001.000.001"),
        )

        assert findings.empty

    def test_a_cycle_in_the_hierarchy_ends_and_never_makes_an_organisation_its_own_superior(self):
        circular = ORGANISATIONS.assign(parent_code=["67.001.001.000.001", "67.001.001.000.000", "67.001.001.000.000"])
        findings, _ = judge(
            "R04",
            organisation_snapshot=circular,
            fct_organisation_assessment=organisation_ratings("XS", "XS", "HTT"),
            discipline_case=disciplined_organisation("67.001.001.000.001"),
        )

        assert findings["org_code"].tolist() == ["67.001.001.000.000"]

    def test_two_levels_up_is_still_above(self):
        deep = ORGANISATIONS.assign(parent_code=["67.001", "67.001.001.000.000", "67.001.001.000.001"])
        findings, _ = judge(
            "R04",
            organisation_snapshot=deep,
            fct_organisation_assessment=organisation_ratings("XS", "XS", "XS"),
            discipline_case=disciplined_organisation("67.001.001.000.002"),
        )

        assert findings["org_code"].tolist() == ["67.001.001.000.000", "67.001.001.000.001"]

    @pytest.mark.parametrize(
        ("is_head", "is_present", "count"), [("true", "true", 1), ("true", "false", 1), ("false", "true", 0)]
    )
    def test_an_excellent_cell_whose_secretary_was_disciplined_is_found(self, is_head, is_present, count):
        findings, results = judge(
            "R04",
            organisation_snapshot=ORGANISATIONS,
            fct_organisation_assessment=organisation_ratings("HTT", "XS", "XS"),
            discipline_case=case(2025, duty="false"),
            fct_member=table(f"""
                year | unit_code | member_key   | cell_code          | is_present   | is_head
                -----+-----------+--------------+--------------------+--------------+--------
                2025 | 67.001    | MEMBERKEY-01 | 67.001.001.000.002 | {is_present} | {is_head}
            """),
        )

        assert findings["org_code"].tolist() == ["67.001.001.000.002"] * count
        assert results.loc[(2025, UNIT), ["tested", "found", "not_checked"]].tolist() == [2, count, 0]

    def test_above_the_cell_of_a_disciplined_secretary_an_excellent_organisation_is_shown_as_a_warning(self):
        findings, _ = judge(
            "R04",
            organisation_snapshot=ORGANISATIONS,
            fct_organisation_assessment=organisation_ratings("XS", "XS", "XS"),
            discipline_case=case(2025),
            fct_member=table("""
                year | unit_code | member_key   | cell_code          | is_present | is_head
                -----+-----------+--------------+--------------------+------------+--------
                2025 | 67.001    | MEMBERKEY-01 | 67.001.001.000.002 | true       | true
            """),
        )

        found = findings.set_index("org_code")
        assert found["severity"].to_dict() == {"67.001.001.000.000": "warning", "67.001.001.000.002": "error"}
        assert "bí thư của Chi bộ thôn 2" in found.at["67.001.001.000.000", "contradicted_by"]
        assert "không cho biết" in found.at["67.001.001.000.000", "exception"]
        assert found["exception"].isna().to_dict()["67.001.001.000.002"]

    def test_a_disciplined_member_not_on_the_roll_leaves_the_cell_unchecked(self):
        findings, results = judge(
            "R04",
            organisation_snapshot=ORGANISATIONS,
            fct_organisation_assessment=organisation_ratings("XS", "XS", "XS"),
            discipline_case=case(2025),
        )

        assert findings.empty
        assert results.loc[(2025, UNIT), ["tested", "not_checked"]].tolist() == [2, 1]

    def test_discipline_below_an_organisation_without_a_readable_rating_is_not_checked(self):
        findings, results = judge(
            "R04",
            organisation_snapshot=ORGANISATIONS,
            fct_organisation_assessment=organisation_ratings("XS", "XS", "XS").iloc[1:],
            discipline_case=disciplined_organisation("67.001.001.000.001"),
        )

        assert findings.empty
        assert results.loc[(2025, UNIT), ["tested", "not_checked", "status"]].tolist() == [2, 1, "passed"]


def excellent(**changed):
    """One excellent organisation that meets every condition, but for what is changed."""
    tasks = {
        "tasks_assigned": 10,
        "tasks_done": 10,
        "tasks_late": 0,
        "tasks_exceeded": 3,
        "shortcomings": 2,
        "shortcomings_fixed": 2,
    }
    return organisation_ratings("XS", "HTT", "HTT").iloc[:1].assign(**{**tasks, **changed})


class TestExcellentWithTasksUndone:
    """R10."""

    def test_exactly_thirty_percent_exceeded_is_lawful(self):
        findings, results = judge("R10", fct_organisation_assessment=excellent(tasks_assigned=10, tasks_exceeded=3))

        assert findings.empty
        assert results.loc[(2025, UNIT), ["tested", "status"]].tolist() == [1, "passed"]

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            ({"tasks_done": 9}, "hoàn thành 9/10 nhiệm vụ được giao"),
            ({"tasks_late": 1}, "1 nhiệm vụ trễ hạn"),
            ({"tasks_exceeded": 2}, "2/10 nhiệm vụ vượt yêu cầu (cần ít nhất 30%, tức 3 nhiệm vụ)"),
            ({"tasks_assigned": 11, "tasks_done": 11}, "3/11 nhiệm vụ vượt yêu cầu (cần ít nhất 30%, tức 4 nhiệm vụ)"),
            ({"shortcomings_fixed": 1}, "khắc phục 1/2 hạn chế kỳ trước"),
        ],
    )
    def test_each_condition_alone_contradicts(self, changed, told):
        findings, _ = judge("R10", fct_organisation_assessment=excellent(**changed))

        assert findings["contradicted_by"].tolist() == [f"Biểu 4 năm 2025 của chính tổ chức đảng ghi: {told}."]
        assert findings["severity"].tolist() == ["error"]

    def test_several_broken_conditions_are_one_finding(self):
        findings, _ = judge("R10", fct_organisation_assessment=excellent(tasks_done=8, tasks_late=1))

        assert findings["contradicted_by"].str.contains("8/10 nhiệm vụ được giao; 1 nhiệm vụ trễ hạn").tolist() == [
            True
        ]

    @pytest.mark.parametrize(
        "column", ["tasks_assigned", "tasks_late", "tasks_exceeded", "shortcomings", "shortcomings_fixed"]
    )
    def test_a_missing_number_is_not_zero(self, column):
        findings, results = judge("R10", fct_organisation_assessment=excellent(**{column: None}))

        assert findings.empty
        assert results.loc[(2025, UNIT), ["tested", "not_checked", "status"]].tolist() == [0, 1, "not_checked"]

    def test_what_is_known_to_fail_is_found_beside_what_is_missing(self):
        findings, _ = judge("R10", fct_organisation_assessment=excellent(tasks_late=1, shortcomings=None))

        assert len(findings) == 1

    @pytest.mark.parametrize("year", [2022, 2024])
    def test_before_2025_the_rule_does_not_apply(self, year):
        findings, results = judge("R10", fct_organisation_assessment=excellent(tasks_done=1, year=year))

        assert findings.empty
        assert results.loc[(year, UNIT), ["tested", "status", "reason"]].tolist() == [
            0,
            "not_checked",
            "Quy tắc không áp dụng cho năm này.",
        ]

    def test_a_rating_held_back_may_be_excellent_and_is_not_checked(self):
        _, results = judge(
            "R10",
            fct_organisation_assessment=excellent(),
            held_back_assessment=table("""
                record_id | year | unit_code | subject_kind | org_code
                ----------+------+-----------+--------------+-------------------
                b9        | 2025 | 67.001    | organisation | 67.001.001.000.002
            """),
        )

        assert results.loc[(2025, UNIT), ["tested", "not_checked", "status"]].tolist() == [1, 1, "passed"]


def group(xs, htt, rated=None, held_back=0, year=2025):
    """Members of one grassroots organisation by level."""
    return pd.DataFrame(
        {
            "year": [year],
            "unit_code": UNIT,
            "grassroots_code": "67.001.001.000.000",
            "org_name": "Đảng bộ xã A",
            "rated": xs + htt if rated is None else rated,
            "xs": xs,
            "htt": htt,
            "held_back": held_back,
        }
    )


def with_base(base):
    """The catalogue with another base of every cap."""
    rules = load_rules()
    return rules.model_copy(update={"caps": tuple(cap.model_copy(update={"base": base}) for cap in rules.caps)})


class TestExcellentOverCap:
    """R16."""

    @pytest.mark.parametrize(("xs", "count"), [(2, 0), (3, 1)])
    def test_the_cap_is_the_floor_of_a_fifth_of_the_good(self, xs, count):
        findings, _ = judge("R16", grassroots_excellence=group(xs=xs, htt=14))

        assert len(findings) == count

    @pytest.mark.parametrize(
        ("base", "xs", "count"),
        [("A", 12, 0), ("A", 13, 1), ("B", 15, 0), ("B", 16, 1), ("C", 17, 0), ("C", 18, 1)],
    )
    def test_only_the_configured_base_judges(self, base, xs, count):
        findings, _ = judge("R16", with_base(base), grassroots_excellence=group(xs=xs, htt=63, rated=85))

        assert len(findings) == count

    def test_all_three_bases_are_shown(self):
        findings, _ = judge("R16", grassroots_excellence=group(xs=16, htt=63, rated=85))

        assert findings.at[0, "reported"] == (
            "Đảng viên của Đảng bộ xã A (67.001.001.000.000), năm 2025: 16 được xếp loại xuất sắc, 63 hoàn thành tốt, "
            "trong 85 được xếp loại."
        )
        assert findings.at[0, "contradicted_by"] == (
            "Trần 20% trên số hoàn thành tốt (63): trần 12, tỷ lệ 25,4%; vượt 4. "
            "Cách tính khác: số hoàn thành tốt trở lên (79): trần 15, tỷ lệ 20,3%; "
            "tổng số được xếp loại (85): trần 17, tỷ lệ 18,8%."
        )
        assert findings["subject_kind"].tolist() == ["group"]

    @pytest.mark.parametrize(("rated", "status"), [(4, "not_checked"), (5, "found")])
    def test_a_group_of_fewer_than_five_is_not_testable(self, rated, status):
        _, results = judge("R16", grassroots_excellence=group(xs=rated, htt=0))

        assert results.at[(2025, UNIT), "status"] == status

    @pytest.mark.parametrize(
        ("xs", "held_back", "status"),
        [
            (2, 0, "passed"),  # cap of 14 is 2
            (2, 1, "not_checked"),  # the row may be the third excellent one
            (3, 1, "not_checked"),  # the row may be the fifteenth good one: the cap would be 3
            (4, 1, "found"),  # over the cap even then
            (1, 1, "passed"),
        ],
    )
    def test_held_back_rows_leave_only_what_is_certain(self, xs, held_back, status):
        _, results = judge("R16", grassroots_excellence=group(xs=xs, htt=14, held_back=held_back))

        assert results.at[(2025, UNIT), "status"] == status

    @pytest.mark.parametrize(
        ("year", "xs", "number", "count"),
        [
            (2025, 5, "9-QĐ/TU", 0),  # a quarter of 20
            (2025, 6, "9-QĐ/TU", 1),
            (2025, 5, "", 1),  # no decision, no exception
            (2024, 5, "9-QĐ/TU", 1),  # only 366 knows it
        ],
    )
    def test_a_numbered_decision_raises_the_cap_to_a_quarter(self, year, xs, number, count):
        findings, _ = judge(
            "R16",
            grassroots_excellence=group(xs=xs, htt=20, year=year),
            cap_exception=table(f"""
                unit_code | group_code         | year   | cap_pct | decision_no | decided_on
                ----------+--------------------+--------+---------+-------------+-----------
                67.001    | 67.001.001.000.000 | {year} | 30      | {number}    | {year}-11-20
            """),
        )

        assert len(findings) == count
        assert findings["exception"].notna().tolist() == [True] * count if xs == 6 else True

    def test_each_year_has_the_cap_of_its_own_regime(self):
        years = pd.concat([group(xs=5, htt=20, year=year) for year in YEARS])
        decided = pd.DataFrame(
            {
                "unit_code": UNIT,
                "group_code": "67.001.001.000.000",
                "year": YEARS,
                "cap_pct": 25,
                "decision_no": "9-QĐ/TU",
                "decided_on": pd.Timestamp(2025, 11, 20),
            }
        )
        findings, _ = judge("R16", grassroots_excellence=years, cap_exception=decided)

        assert findings["year"].tolist() == [2022, 2024]
        assert findings["contradicted_by"].str.startswith("Trần 20% trên số hoàn thành tốt (20): trần 4").all()

    def test_caps_of_two_regimes_may_rest_on_different_bases(self):
        rules = load_rules()
        bases = {"QD132": "A", "QD124": "B", "QD366": "C"}
        caps = tuple(cap.model_copy(update={"base": bases[cap.regime_id]}) for cap in rules.caps)
        years = pd.concat([group(xs=16, htt=63, rated=85, year=year) for year in YEARS])
        findings, _ = judge("R16", rules.model_copy(update={"caps": caps}), grassroots_excellence=years)

        assert findings["year"].tolist() == [2022, 2024]
        assert [text.split("; vượt")[0] for text in findings["contradicted_by"]] == [
            "Trần 20% trên số hoàn thành tốt (63): trần 12, tỷ lệ 25,4%",
            "Trần 20% trên số hoàn thành tốt trở lên (79): trần 15, tỷ lệ 20,3%",
        ]
        assert "số hoàn thành tốt (63): trần 12, tỷ lệ 25,4%; tổng số" in findings.at[1, "contradicted_by"]

    def test_organisations_are_grouped_by_superior_and_kind(self):
        cells = pd.DataFrame(
            {
                "record_id": [f"b{n}" for n in range(12)],
                "year": 2022,
                "unit_code": UNIT,
                "org_code": [f"67.001.001.000.{n:03d}" for n in range(12)],
                "org_kind": ["Chi bộ cơ sở"] * 6 + ["Đảng bộ cơ sở"] * 6,
                "parent_code": UNIT,
                "final_level": ["XS", "XS", *["HTT"] * 4, "XS", *["HTT"] * 5],
            }
        )
        findings, results = judge("R16", fct_organisation_assessment=cells)

        assert results.loc[(2022, UNIT), ["tested", "found"]].tolist() == [2, 1]
        assert findings["org_code"].isna().all()
        assert findings.at[0, "reported"].startswith("Chi bộ cơ sở trực thuộc Huyện Đắk Mẫu (67.001), năm 2022: 2 ")

    def test_an_organisation_held_back_without_a_place_may_belong_to_any_group_of_its_unit(self):
        cells = pd.DataFrame(
            {
                "record_id": [f"b{n}" for n in range(6)],
                "year": 2022,
                "unit_code": UNIT,
                "org_code": [f"67.001.001.000.{n:03d}" for n in range(6)],
                "org_kind": "Chi bộ cơ sở",
                "parent_code": UNIT,
                "final_level": ["XS", "HTT", "HTT", "HTT", "HTT", "HT"],
            }
        )
        held_back = table("""
            record_id | year | unit_code | subject_kind | org_code
            ----------+------+-----------+--------------+---------
            b9        | 2022 | 67.001    | organisation |
        """)
        certain, _ = judge("R16", fct_organisation_assessment=cells)
        uncertain, results = judge("R16", fct_organisation_assessment=cells, held_back_assessment=held_back)

        assert len(certain) == 1  # one excellent, a fifth of four is none
        assert uncertain.empty
        assert results.at[(2022, UNIT), "not_checked"] == 1


class TestUnmentionedCase:
    """R29."""

    @pytest.mark.parametrize(
        ("received", "mentioned", "status"),
        [("true", "false", "found"), ("true", "true", "passed"), ("false", "false", "not_checked")],
    )
    def test_a_case_of_the_register_must_stand_in_a_report_that_was_received(self, received, mentioned, status):
        findings, results = judge(
            "R29",
            discipline_case=case(2024),
            discipline_match=table(f"""
                record_id    | year | unit_code | unit_received | is_mentioned
                -------------+------+-----------+---------------+-------------
                r12-QĐ/UBKT  | 2024 | 67.001    | {received}    | {mentioned}
            """),
        )

        assert results.at[(2024, UNIT), "status"] == status
        assert len(findings) == (status == "found")
        if status == "found":
            assert findings.loc[0, ["member_key", "org_code", "severity", "record_id_1"]].tolist() == [
                "MEMBERKEY-01",
                "67.001.001.000.001",
                "error",
                "r12-QĐ/UBKT",
            ]
            assert "khiển trách theo Quyết định số 12-QĐ/UBKT" in findings.at[0, "contradicted_by"]

    def test_a_year_without_register_is_not_checked(self):
        _, results = judge("R29", register=[2025])

        assert results.at[(2022, UNIT), "status"] == "not_checked"
        assert "Chưa nhận được Sổ kỷ luật năm 2022" in results.at[(2022, UNIT), "reason"]


def totals(**changed):
    """Control totals of a unit and year that agree, but for what is changed."""
    agreed = {
        "movement_d": 100,
        "members_present": 100,
        "members_unknown": 0,
        "assessments_rows": 100,
        "assessments_held_back": 0,
        "assessments_rated": 95,
        "assessments_not_rated": 5,
    }
    return pd.DataFrame([{"year": 2022, "unit_code": UNIT, **agreed, **changed}])


class TestTotalsApart:
    """R30."""

    def test_totals_that_agree_pass(self):
        findings, results = judge("R30", control_totals=totals())

        assert findings.empty
        assert results.loc[(2022, UNIT), ["tested", "status"]].tolist() == [3, "passed"]

    @pytest.mark.parametrize(
        "changed",
        [
            {"movement_d": 101},
            {"movement_d": 99},
            {"assessments_rows": 99, "assessments_rated": 94},
            {"assessments_rated": 94},
        ],
    )
    def test_one_apart_is_one_finding(self, changed):
        findings, _ = judge("R30", control_totals=totals(**changed))

        assert findings["subject_kind"].tolist() == ["unit"]
        assert "chênh lệch 1" in findings.at[0, "contradicted_by"]

    def test_rows_held_back_count_as_present_or_unknown(self):
        within = totals(
            members_present=97, members_unknown=3, assessments_rows=98, assessments_held_back=2, assessments_rated=93
        )
        beyond = totals(
            members_present=96, members_unknown=3, assessments_rows=95, assessments_held_back=2, assessments_rated=90
        )
        inside, results = judge("R30", control_totals=within)
        outside, _ = judge("R30", control_totals=beyond)

        assert inside.empty
        assert results.loc[(2022, UNIT), ["tested", "not_checked"]].tolist() == [1, 2]
        assert outside["reported"].str.contains("Biểu 1").tolist() == [True]

    def test_a_missing_total_is_not_checked(self):
        findings, results = judge("R30", control_totals=totals(movement_d=None))

        assert findings.empty
        assert results.loc[(2022, UNIT), ["tested", "not_checked", "status"]].tolist() == [2, 1, "passed"]

    @pytest.mark.parametrize(
        ("members", "rows_held_back", "found", "not_checked"),
        [([20, 12, 8], 0, 0, 0), ([20, 11, 8], 0, 1, 0), ([20, 13, 8], 5, 1, 0), ([20, 11, 8], 1, 0, 1)],
    )
    def test_an_organisations_count_is_compared_with_its_list(self, members, rows_held_back, found, not_checked):
        findings, results = judge(
            "R30",
            organisation_snapshot=ORGANISATIONS,
            organisation_year=ORGANISATIONS[["year", "unit_code", "org_code"]].assign(members=members),
            held_back=[(UNIT, 2025, "members", rows_held_back)],
        )

        assert results.loc[(2025, UNIT), ["found", "not_checked"]].tolist() == [found, not_checked]
        assert findings["org_code"].tolist() == ["67.001.001.000.001"] * found


@pytest.fixture(scope="module")
def nothing():
    """What all rules say where one unit has sent reports without a row, and another nothing."""
    units = table("""
        unit_code | unit_name
        ----------+----------
        67.001    | Huyện A
        67.002    | Huyện B
    """)
    return find_contradictions(marts(dim_unit=units), load_rules())


DISCIPLINED = {
    "discipline_case": pd.concat([case(2025), *(case(2022, key=f"KEY{n}", number=str(n)) for n in range(5))]),
    "fct_member_assessment": pd.concat([rating(2025, "HTT"), *(rating(2022, "HTT", key=f"KEY{n}") for n in range(5))]),
}
"""Members who were disciplined and rated well: five in 2022, one in 2025."""


@pytest.fixture(scope="module")
def disciplined():
    """What all rules say of them."""
    return find_contradictions(marts(**DISCIPLINED), load_rules())


class TestResults:
    """What every rule says of every unit and year."""

    def test_every_rule_year_and_unit_has_a_result_even_where_nothing_was_sent(self, nothing):
        outcome = nothing

        assert len(outcome.results) == len(RULES) * len(YEARS) * 2
        assert not outcome.results.duplicated(["rule_id", "year", "unit_code"]).any()
        assert (outcome.results["status"] == "not_checked").all()
        assert outcome.results["reason"].str.len().gt(0).all()
        silent = outcome.results.query("unit_code == '67.002' and rule_id == 'R16'")
        assert silent["reason"].tolist() == ["Đơn vị chưa gửi báo cáo năm này."] * 3

    def test_nothing_found_still_has_the_columns_and_their_types(self, nothing):
        assert nothing.findings.empty
        assert nothing.findings.dtypes.astype("str").to_dict() == FINDING
        assert nothing.results.dtypes.astype("str").to_dict() == RESULT

    def test_ids_and_order_do_not_depend_on_the_order_of_rows(self, disciplined):
        turned = {name: frame[::-1] for name, frame in DISCIPLINED.items()}
        backwards = find_contradictions(marts(**turned), load_rules())

        assert len(disciplined.findings) == 6
        assert disciplined.findings["finding_id"].is_unique
        pd.testing.assert_frame_equal(disciplined.findings, backwards.findings)
        pd.testing.assert_frame_equal(disciplined.results, backwards.results)

    def test_a_finding_keeps_its_id_when_the_year_before_is_corrected(self):
        year = {"discipline_case": case(2025), "fct_member_assessment": rating(2025, "HTT")}
        more = {
            "discipline_case": pd.concat([case(2022, key="OTHER", number="9"), case(2025)]),
            "fct_member_assessment": pd.concat([rating(2022, "HTT", key="OTHER"), rating(2025, "XS")]),
        }
        before, _ = judge("R01", **year)
        after, _ = judge("R01", **more)

        assert set(before["finding_id"]) < set(after["finding_id"])

    def test_a_mart_or_column_that_is_missing_is_named(self):
        given = marts()
        with pytest.raises(MissingInput, match="control_totals"):
            find_contradictions({name: given[name] for name in given if name != "control_totals"}, load_rules())
        with pytest.raises(MissingInput, match="movement_d"):
            find_contradictions(
                {**given, "control_totals": given["control_totals"].drop(columns="movement_d")}, load_rules()
            )

    def test_a_rule_without_a_function_stops_the_run(self):
        content = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
        content["rules"].append({**content["rules"][0], "id": "R99"})

        with pytest.raises(CatalogueError, match="R99"):
            find_contradictions(marts(), catalogue(content))


class TestJudgedAgain:
    """Years judged by another regime than their own."""

    def judge(self, regime, *rule_ids, **drawn):
        """Findings and results of these rules; without any, of all."""
        rules = load_rules()
        chosen = [rule for rule in rules.rules if not rule_ids or rule.id in rule_ids]
        return find_contradictions(marts(**drawn), rules.model_copy(update={"rules": chosen}), regime=regime)

    def test_a_year_judged_again_by_its_own_regime_comes_to_the_same(self, disciplined):
        again = self.judge("QD366", **DISCIPLINED)
        own, once_more = (
            [frame[frame["year"] == 2025].reset_index(drop=True) for frame in (one.findings, one.results)]
            for one in (disciplined, again)
        )

        assert len(own[0]) == 1
        pd.testing.assert_frame_equal(own[0].drop(columns="finding_id"), once_more[0].drop(columns="finding_id"))
        pd.testing.assert_frame_equal(own[1], once_more[1])

    @pytest.mark.parametrize(("regime", "severities"), [(None, []), ("QD366", []), ("QD132", ["error"])])
    def test_discipline_without_bearing_on_duty_counts_in_2025_by_the_regulation_of_2019_alone(
        self, regime, severities
    ):
        found = self.judge(
            regime, "R01", discipline_case=case(2025, duty="false"), fct_member_assessment=rating(2025, "HTT")
        ).findings

        assert found["severity"].tolist() == severities
        assert found["regime_id"].tolist() == ["QD132"] * len(severities)
        assert found["legal_source"].str.startswith("132-QĐ/TW").all()

    def test_by_a_regulation_that_is_not_confirmed_a_contradiction_is_a_warning(self):
        drawn = {"discipline_case": case(2022), "fct_member_assessment": rating(2022, "HTT")}

        assert self.judge(None, "R01", **drawn).findings["severity"].tolist() == ["error"]
        assert self.judge("QD124", "R01", **drawn).findings["severity"].tolist() == ["warning"]

    def test_what_the_forms_of_a_year_do_not_carry_is_not_checked_by_a_later_regulation(self):
        excellent = pd.DataFrame(
            {"record_id": ["b1"], "year": 2022, "unit_code": UNIT, "org_code": "67.001.001", "final_level": "XS"}
        )
        again = self.judge("QD366", "R10", fct_organisation_assessment=excellent)
        result = again.results.set_index(["rule_id", "year"]).loc[("R10", 2022)]

        assert (result["found"], result["not_checked"]) == (0, 1)

    def test_the_cap_of_the_other_regulation_holds_with_its_exception(self):
        drawn = {
            "grassroots_excellence": group(xs=5, htt=20, year=2022),
            "cap_exception": table("""
                unit_code | group_code         | year | cap_pct | decision_no | decided_on
                ----------+--------------------+------+---------+-------------+-----------
                67.001    | 67.001.001.000.000 | 2022 | 25      | 9-QĐ/TU     | 2022-11-20
            """),
        }

        assert self.judge(None, "R16", **drawn).findings["rule_id"].tolist() == ["R16"]
        assert self.judge("QD366", "R16", **drawn).findings.empty

    def test_a_finding_of_a_judgement_again_has_another_id(self):
        drawn = {"discipline_case": case(2025), "fct_member_assessment": rating(2025, "HTT")}
        ids = [self.judge(regime, "R01", **drawn).findings.at[0, "finding_id"] for regime in (None, "QD366", "QD132")]

        assert len({*ids}) == 3
