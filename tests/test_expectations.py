import subprocess
import sys

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
import pytest
from drawing import table

from expectations import custom
from expectations.suites import SUITES, suite
from expectations.tables import TABLES
from expectations.validation import SuiteError, validate
from ratings.rules import load_rules

DISTRIBUTION = table("""
    year | unit_code | subject_kind | level_code | n  | share | rated | not_rated | total
    -----+-----------+--------------+------------+----+-------+-------+-----------+------
    2025 | 67.001    | member       | XS         | 10 | 0.1   | 100   | 5         | 105
    2025 | 67.001    | member       | HTT        | 80 | 0.8   | 100   | 5         | 105
    2025 | 67.001    | member       | HT         | 7  | 0.07  | 100   | 5         | 105
    2025 | 67.001    | member       | KHT        | 3  | 0.03  | 100   | 5         | 105
""")

RULE_IDS = [rule.id for rule in load_rules().rules]

RESULTS = pd.DataFrame(
    {
        "rule_id": RULE_IDS,
        "year": 2025,
        "unit_code": "67.001",
        "tested": [10, 0, *[10 for _ in RULE_IDS[2:]]],
        "found": [2, *[0 for _ in RULE_IDS[1:]]],
        "not_checked": 0,
        "status": ["found", "not_checked", *["passed" for _ in RULE_IDS[2:]]],
        "reason": [None, "Không có gì để kiểm tra.", *[None for _ in RULE_IDS[2:]]],
    }
)


def one(expectation):
    """A suite of one expectation."""
    return gx.ExpectationSuite(name="one", expectations=[expectation])


def outcomes(frame, name, **wanted):
    """Status of the expectations of a suite, by name and columns."""
    found = validate(frame, suite(name)).outcomes
    return {
        (outcome.expectation, outcome.columns): outcome.status
        for outcome in found
        if all(getattr(outcome, key) == value for key, value in wanted.items())
    }


class TestValidate:
    def test_an_expectation_that_holds_is_passed(self):
        frame = table("""
            a
            --
            1
            2
        """)
        result = validate(
            frame, one(gxe.ExpectColumnValuesToBeUnique(column="a", severity="critical", description="Khóa."))
        )

        assert (result.status, result.is_blocking) == ("passed", False)
        assert result.outcomes[0].description == "Khóa."

    @pytest.mark.parametrize(("severity", "blocks"), [("critical", True), ("warning", False)])
    def test_only_a_critical_failure_blocks(self, severity, blocks):
        frame = pd.DataFrame({"a": [1, 1]})
        result = validate(
            frame, one(gxe.ExpectColumnValuesToBeUnique(column="a", severity=severity, description="Khóa."))
        )

        assert (result.status, result.is_blocking) == ("failed", blocks)

    @pytest.mark.parametrize(("severity", "blocks"), [("critical", True), ("warning", False)])
    def test_a_check_on_a_missing_column_is_not_checked_and_blocks_where_critical(self, severity, blocks):
        result = validate(
            pd.DataFrame({"a": [1]}),
            one(gxe.ExpectColumnValuesToBeUnique(column="b", severity=severity, description="Khóa.")),
        )

        assert (result.status, result.is_blocking) == ("not_checked", blocks)
        assert result.outcomes[0].reason == "Không chạy được: bảng thiếu cột b."

    def test_a_check_that_crashes_is_not_checked_and_tells_no_value(self):
        frame = pd.DataFrame({"a": ["670001945856", "NGUYỄN VĂN A"]})
        result = validate(
            frame,
            one(gxe.ExpectColumnValuesToBeBetween(column="a", min_value=0, severity="critical", description="Số.")),
        )

        assert (result.status, result.is_blocking) == ("not_checked", True)
        assert result.outcomes[0].reason.startswith("Không chạy được")
        assert "670001945856" not in repr(result)
        assert "NGUYỄN" not in repr(result)

    def test_a_failure_tells_no_value_either(self):
        frame = pd.DataFrame({"a": ["670001945856", "670001945856"]})
        result = validate(
            frame, one(gxe.ExpectColumnValuesToBeUnique(column="a", severity="warning", description="Khóa."))
        )

        assert (result.status, result.outcomes[0].reason) == ("failed", "2 dòng.")
        assert "670001945856" not in repr(result)

    @pytest.mark.parametrize("values", [[], [None, None]])
    def test_nothing_to_check_is_not_passed_and_does_not_block(self, values):
        frame = pd.DataFrame({"a": pd.Series(values, dtype="float64")})
        result = validate(
            frame,
            one(gxe.ExpectColumnValuesToBeBetween(column="a", min_value=0, severity="critical", description="Số.")),
        )

        assert (result.status, result.is_blocking) == ("not_checked", False)
        assert result.outcomes[0].reason

    def test_an_empty_column_fails_where_it_should_be_filled(self):
        frame = pd.DataFrame({"a": pd.Series([None, None], dtype="str")})
        result = validate(
            frame, one(gxe.ExpectColumnValuesToNotBeNull(column="a", severity="critical", description="Có."))
        )

        assert result.status == "failed"

    def test_one_passed_check_does_not_hide_one_that_could_not_run(self):
        checks = gx.ExpectationSuite(
            name="two",
            expectations=[
                gxe.ExpectColumnValuesToBeUnique(column="a", severity="warning", description="Khóa."),
                gxe.ExpectColumnValuesToBeUnique(column="b", severity="warning", description="Khóa."),
            ],
        )

        assert validate(pd.DataFrame({"a": [1]}), checks).status == "not_checked"

    def test_an_expectation_without_description_is_refused(self):
        with pytest.raises(SuiteError, match="needs a severity and a description"):
            validate(pd.DataFrame({"a": [1]}), one(gxe.ExpectColumnValuesToBeUnique(column="a", severity="warning")))


MAY_BE_EMPTY = {"dim_organisation", "discipline_match", "fct_finding", "fct_signal", "mart_review_list"}
"""Tables that a province which sent nothing, or in which nothing stands out, leaves without rows."""


class TestSuites:
    def test_there_is_a_suite_for_each_guarded_table(self):
        assert list(SUITES) == list(TABLES)

    @pytest.mark.parametrize("name", TABLES)
    def test_every_expectation_says_in_vietnamese_what_it_asks_and_how_grave_it_is(self, name):
        for expectation in suite(name).expectations:
            assert expectation.severity in ("critical", "warning")
            assert not expectation.description.isascii()

    @pytest.mark.parametrize("name", SUITES)
    def test_nothing_is_asked_twice(self, name):
        asked = [(type(one), str(one.configuration.kwargs)) for one in suite(name).expectations]
        assert len(asked) == len(set(asked))

    def test_the_names_of_the_tables_do_not_cost_the_import_of_great_expectations(self):
        code = "import sys, expectations.tables; sys.exit('great_expectations' in sys.modules)"

        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    @pytest.mark.parametrize("name", TABLES)
    def test_a_table_without_its_columns_blocks(self, name):
        assert validate(pd.DataFrame({"other": [1]}), suite(name)).is_blocking

    @pytest.mark.parametrize("name", sorted(set(TABLES) - MAY_BE_EMPTY))
    def test_an_empty_table_blocks_where_it_must_have_rows(self, name):
        columns = {column for outcome in validate(pd.DataFrame(), suite(name)).outcomes for column in outcome.columns}

        assert validate(pd.DataFrame(columns=sorted(columns)), suite(name)).is_blocking

    def test_no_findings_at_all_do_not_block(self):
        columns = {c for outcome in validate(pd.DataFrame(), suite("fct_finding")).outcomes for c in outcome.columns}
        result = validate(pd.DataFrame(columns=sorted(columns)), suite("fct_finding"))

        assert (result.status, result.is_blocking) == ("not_checked", False)


class TestRatingDistribution:
    def test_a_sound_distribution_passes(self):
        result = validate(DISTRIBUTION, suite("rating_distribution"))

        assert (result.status, result.is_blocking) == ("passed", False)

    @pytest.mark.parametrize(
        ("changed", "broken"),
        [
            ({"n": [11, 80, 7, 3]}, "ExpectGroupToAddUp"),
            ({"share": [0.11, 0.8, 0.07, 0.03]}, "ExpectSharesToMakeWhole"),
            ({"total": 106}, "ExpectPartsToEqualTotal"),
            ({"level_code": ["XS", "HTT", "HT", "HT"]}, "ExpectGroupToHaveAll"),
            ({"level_code": ["XS", "HTT", "HT", "Tốt"]}, "ExpectColumnValuesToBeInSet"),
        ],
    )
    def test_parts_that_do_not_make_the_whole_block(self, changed, broken):
        result = validate(DISTRIBUTION.assign(**changed), suite("rating_distribution"))

        assert result.is_blocking
        assert broken in {outcome.expectation for outcome in result.having("failed")}

    def test_a_unit_with_nobody_rated_has_no_shares_and_passes(self):
        frame = pd.concat([DISTRIBUTION, DISTRIBUTION.assign(unit_code="67.002", n=0, share=None, rated=0, total=5)])

        assert validate(frame, suite("rating_distribution")).status == "passed"


class TestRuleResult:
    def test_each_rule_is_an_outcome_of_its_own(self):
        found = {
            outcome.description[:3]: (outcome.status, outcome.severity)
            for outcome in validate(RESULTS, suite("rule_result")).outcomes
            if outcome.expectation == "ExpectNoContradiction"
        }

        assert found == {
            RULE_IDS[0]: ("failed", "warning"),
            RULE_IDS[1]: ("not_checked", "warning"),
            **{rule_id: ("passed", "warning") for rule_id in RULE_IDS[2:]},
        }

    def test_contradictions_do_not_block(self):
        assert not validate(RESULTS, suite("rule_result")).is_blocking

    @pytest.mark.parametrize(
        ("place", "changed"),
        [
            (1, {"status": "passed"}),  # nothing tested, shown as passed
            (0, {"status": "passed"}),  # two found, shown as passed
            (1, {"reason": None}),
            (2, {"found": 11, "status": "found"}),  # more found than tested
        ],
    )
    def test_a_result_that_says_more_than_was_tested_blocks(self, place, changed):
        frame = RESULTS.copy()
        for column, value in changed.items():
            frame.loc[place, column] = value

        assert validate(frame, suite("rule_result")).is_blocking

    def test_a_rule_without_results_blocks(self):
        assert validate(RESULTS[RESULTS["rule_id"] != "R16"], suite("rule_result")).is_blocking


class TestTargetScoreboard:
    @pytest.mark.parametrize(
        ("comparison", "numerator", "status", "blocks"),
        [
            ("gt", 90, "not_met", False),  # "trên 90%" is strict
            ("gt", 90, "met", True),
            ("gt", 91, "met", False),
            ("ge", 90, "met", False),
            ("ge", 90, "not_met", True),
        ],
    )
    def test_the_status_is_what_the_numbers_say(self, comparison, numerator, status, blocks):
        frame = table(f"""
            year | target_id | target_version | target_name | is_in_force | comparison | target_value | unit_of_measure | numerator | denominator | value | status
            -----+
            2025 | orgs_good | 2 | Tổ chức đảng | true | {comparison} | 90 | % | {numerator} | 100 | {numerator} | {status}
        """)  # noqa: E501

        assert validate(frame, suite("target_scoreboard")).is_blocking == blocks

    def test_a_missing_target_is_not_a_target_missed(self):
        frame = table("""
            year | target_id     | target_version | target_name | is_in_force | comparison | target_value | unit_of_measure | numerator | denominator | value | status
            -----+
            2025 | named_hamlets | 2              | Thôn        | true        | ge         | 1            | thôn            |           |             |       | missing
        """)  # noqa: E501
        result = validate(frame, suite("target_scoreboard"))

        assert not result.is_blocking
        assert [outcome.severity for outcome in result.having("failed")] == ["warning"]


class TestFinding:
    FINDING = table("""
        finding_id | rule_id | year | regime_id | severity | subject_kind | unit_code | org_code | member_key | reported | contradicted_by | message | innocent_explanation | ask_for | legal_source
        -----------+
        f1 | R01 | 2025 | QD366 | error | member | 67.001 | 67.001.001.000.001 | abcdefgh1234 | Đảng viên mã abcdefgh: xuất sắc. | Bị kỷ luật. | Có dấu hiệu chưa phù hợp, đề nghị thẩm định lại. | Có thể | Hồ sơ | 366-QĐ/TW
    """)  # noqa: E501

    def test_a_sound_finding_passes(self):
        assert validate(self.FINDING, suite("fct_finding")).status == "passed"

    @pytest.mark.parametrize(
        "changed",
        [
            {"message": "Xếp loại gian dối."},
            {"reported": "Đảng viên số thẻ 670001945856: xuất sắc."},
            {"member_key": None},
            {"subject_kind": "unit"},
            {"rule_id": "R99"},
            {"ask_for": None},
        ],
    )
    def test_a_finding_that_accuses_or_names_or_lacks_a_part_blocks(self, changed):
        assert validate(self.FINDING.assign(**changed), suite("fct_finding")).is_blocking


class TestMemberAssessment:
    RATED = table("""
        record_id | year | unit_code | member_key | grassroots_code | self_level | proposed_level | final_level | state_level | score | not_rated_reason | is_rated
        ----------+
        r1 | 2025 | 67.001 | k1 | 67.001.001 | XS | XS | HTT | HTT | 85 | | true
        r2 | 2025 | 67.001 | k2 | 67.001.001 | | | | | | Miễn công tác và sinh hoạt đảng | false
    """)  # noqa: E501

    def test_the_rated_and_the_not_rated_pass(self):
        assert validate(self.RATED, suite("fct_member_assessment")).status == "passed"

    @pytest.mark.parametrize(
        "changed",
        [
            {"final_level": ["HTT", "HT"]},
            {"not_rated_reason": None},
            {"final_level": ["Tốt", None]},
            {"score": [101, None]},
            {"member_key": "k1"},
        ],
    )
    def test_a_rating_that_cannot_be_blocks(self, changed):
        assert validate(self.RATED.assign(**changed), suite("fct_member_assessment")).is_blocking

    def test_a_member_rated_in_two_units_is_a_warning(self):
        moved = self.RATED.assign(unit_code=["67.001", "67.002"], member_key="k1")
        failed = validate(moved, suite("fct_member_assessment")).having("failed")

        assert [outcome.severity for outcome in failed] == ["warning"]


def test_coverage_that_is_not_whole_is_a_warning():
    frame = pd.DataFrame({"year": [2025], "units_expected": [12], "units_received": [11]})
    result = validate(frame, suite("coverage"))

    assert not result.is_blocking
    assert [outcome.expectation for outcome in result.having("failed")] == ["ExpectColumnPairValuesToBeEqual"]


def test_an_expectation_on_a_rule_takes_its_words_from_the_catalogue():
    asked = [each for each in suite("rule_result").expectations if isinstance(each, custom.ExpectNoContradiction)]

    assert [each.description.startswith(f"{each.rule_id}. ") for each in asked] == [True] * len(load_rules().rules)
