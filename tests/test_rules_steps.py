"""Rules of the steps of the rating: R18 who is rated, R22 the ladder, R23 order and last day, R24 who decides."""

import pandas as pd
import pytest

from tests.honest import CELLS, COMMITTEE, UNIT, YEARS, changed, honest, member
from tests.test_contradictions import judge

KEY = member(CELLS[0], 3)
SEVERITIES = {2022: "error", 2024: "error", 2025: "error"}


def counts(results, year=2025):
    return results.loc[(year, UNIT), ["tested", "found", "not_checked"]].tolist()


def own(marts, code, year=2025, **values):
    """The rating of an organisation with other values."""
    return changed(marts, "fct_organisation_assessment", {"year": year, "org_code": code}, **values)


def of_member(marts, key, year=2025, **values):
    """The rating of a member with other values."""
    return changed(marts, "fct_member_assessment", {"year": year, "member_key": key}, **values)


def on_roll(marts, key, year=2025, **values):
    """A member's row on the roll with other values."""
    return changed(marts, "fct_member", {"year": year, "member_key": key}, **values)


def without(marts, mart, **wanted):
    """The marts without one row."""
    frame = marts[mart]
    rows = pd.concat([frame[column] == value for column, value in wanted.items()], axis=1).all(axis=1)
    assert rows.any()
    return {**marts, mart: frame[~rows]}


@pytest.mark.parametrize("rule_id", ["R18", "R22", "R23", "R24"])
def test_an_honest_province_has_no_finding_and_everything_is_tested(rule_id):
    findings, results = judge(rule_id, **honest())

    assert findings.empty
    assert set(results["status"]) == {"passed"}
    assert set(results["not_checked"]) == {0}


@pytest.mark.parametrize("rule_id", ["R18", "R22", "R23", "R24"])
def test_a_province_that_sent_nothing_is_not_checked(rule_id):
    findings, results = judge(rule_id, received=[])

    assert findings.empty
    assert set(results["status"]) == {"not_checked"}


class TestRatedOrExcluded:
    """R18."""

    @pytest.mark.parametrize("year", YEARS)
    @pytest.mark.parametrize("status", ["Miễn sinh hoạt", "Đình chỉ sinh hoạt"])
    def test_an_excluded_member_with_a_level_is_found_in_every_year(self, year, status):
        findings, _ = judge("R18", **on_roll(honest(), KEY, year, status=status))

        assert findings[["year", "severity", "member_key", "org_code"]].to_numpy().tolist() == [
            [year, SEVERITIES[year], KEY, CELLS[0]]
        ]
        assert findings.loc[0, ["record_id_1", "record_id_2"]].tolist() == [
            f"{year}/rating/{KEY}",
            f"{year}/roll/{KEY}",
        ]

    @pytest.mark.parametrize(("day", "count"), [("2025-06-30", 0), ("2025-07-01", 1), ("2025-12-31", 1)])
    def test_six_months_are_counted_to_the_last_day_of_the_year(self, day, count):
        findings, _ = judge("R18", **on_roll(honest(), KEY, admitted_on=pd.Timestamp(day)))

        assert len(findings) == count

    def test_a_probationary_member_of_more_than_six_months_is_rated(self):
        findings, _ = judge("R18", **on_roll(honest(), KEY, status="Dự bị", admitted_on=pd.Timestamp(2025, 2, 3)))

        assert findings.empty

    def test_a_member_present_with_neither_level_nor_reason_is_found_with_or_without_a_row(self):
        blank, _ = judge("R18", **of_member(honest(), KEY, final_level=None))
        absent, _ = judge("R18", **without(honest(), "fct_member_assessment", year=2025, member_key=KEY))

        assert blank["severity"].tolist() == absent["severity"].tolist() == ["error"]
        assert absent["finding_id"].tolist() == blank["finding_id"].tolist()
        assert "không có mức xếp loại và không có lý do" in absent.at[0, "reported"]

    @pytest.mark.parametrize("held", [KEY, None])
    def test_a_row_held_back_is_not_checked(self, held):
        held_back = pd.DataFrame(
            [{"record_id": "x", "year": 2025, "unit_code": UNIT, "subject_kind": "member", "member_key": held}]
        )
        drawn = without(honest(), "fct_member_assessment", year=2025, member_key=KEY)
        findings, results = judge("R18", held_back_assessment=held_back, **drawn)

        assert findings.empty
        assert counts(results)[1:] == [0, 1]

    def test_one_who_has_left_needs_no_level(self):
        drawn = without(honest(), "fct_member_assessment", year=2025, member_key=KEY)
        whole, gone = judge("R18", **honest())[1], judge("R18", **on_roll(drawn, KEY, is_present=False))[1]

        assert counts(gone) == [counts(whole)[0] - 1, 0, 0]

    def test_an_excluded_member_needs_no_row(self):
        excluded = member(CELLS[0], 5)
        findings, _ = judge("R18", **without(honest(), "fct_member_assessment", year=2025, member_key=excluded))

        assert findings.empty

    @pytest.mark.parametrize(
        ("reason", "count"),
        [
            ("Miễn công tác và sinh hoạt đảng", 1),
            ("Đình chỉ sinh hoạt đảng", 1),
            ("Kết nạp dưới 6 tháng", 1),
            ("Khác", 0),
        ],
    )
    def test_a_reason_that_the_roll_does_not_bear_out_is_a_warning(self, reason, count):
        findings, _ = judge("R18", **of_member(honest(), KEY, final_level=None, not_rated_reason=reason))

        assert findings["severity"].tolist() == ["warning"] * count
        assert findings["exception"].notna().tolist() == [True] * count

    @pytest.mark.parametrize("lacking", [{"admitted_on": None}, {"status": None}])
    def test_what_the_roll_does_not_say_is_not_checked(self, lacking):
        findings, results = judge("R18", **on_roll(honest(), KEY, **lacking))

        assert findings.empty
        assert counts(results)[1:] == [0, 1]

    def test_a_rating_of_someone_not_on_the_roll_is_not_checked(self):
        findings, results = judge("R18", **without(honest(), "fct_member", year=2025, member_key=KEY))

        assert findings.empty
        assert counts(results)[1:] == [0, 1]


class TestRaisedOrUnappraised:
    """R22."""

    @pytest.mark.parametrize(
        ("appraised", "final", "count"),
        [("HTT", "XS", 1), ("HT", "HTT", 1), ("HTT", "HTT", 0), ("XS", "HTT", 0), (None, "HTT", 1)],
    )
    def test_an_organisation_decided_above_its_appraisal_or_without_one_is_found(self, appraised, final, count):
        findings, _ = judge("R22", **own(honest(), CELLS[0], appraised_level=appraised, final_level=final))

        assert findings["severity"].tolist() == ["warning"] * count
        assert findings["org_code"].tolist() == [CELLS[0]] * count

    def test_members_raised_are_one_finding_of_their_cell_that_counts_them(self):
        drawn = of_member(honest(), KEY, proposed_level="HT")
        drawn = of_member(drawn, member(CELLS[0], 4), proposed_level="HT")
        drawn = of_member(drawn, member(CELLS[0], 1), proposed_level=None)
        findings, _ = judge("R22", **drawn)

        assert findings[["subject_kind", "org_code"]].to_numpy().tolist() == [["group", CELLS[0]]]
        assert findings["member_key"].isna().all()
        assert "2 người được quyết định cao hơn" in findings.at[0, "contradicted_by"]
        assert "1 người không có mức đề xuất" in findings.at[0, "contradicted_by"]

    def test_members_lowered_pass(self):
        findings, _ = judge("R22", **of_member(honest(), KEY, proposed_level="XS"))

        assert findings.empty

    def test_a_unit_that_fills_in_no_proposal_at_all_is_not_checked(self):
        drawn = honest()
        drawn["fct_member_assessment"] = drawn["fct_member_assessment"].assign(proposed_level=None)
        findings, results = judge("R22", **drawn)

        assert findings.empty
        assert counts(results)[1:] == [0, len(CELLS)]

    @pytest.mark.parametrize(("n", "count"), [(9, 0), (10, 1)])
    def test_all_excellent_in_every_step_is_found_from_ten_members(self, n, count):
        drawn = honest()
        people = pd.DataFrame(
            {
                "record_id": [f"a{place}" for place in range(n)],
                "year": 2025,
                "unit_code": UNIT,
                "member_key": [f"KEY{place}" for place in range(n)],
                "cell_code": CELLS[0],
                "grassroots_code": COMMITTEE,
                "self_level": "XS",
                "proposed_level": "XS",
                "final_level": "XS",
            }
        )
        findings, _ = judge("R22", **{**drawn, "fct_member_assessment": people})
        one_claims_less, _ = judge(
            "R22", **{**drawn, "fct_member_assessment": people.assign(self_level=["HTT", *["XS"] * (n - 1)])}
        )

        assert findings["org_code"].tolist() == [COMMITTEE] * count
        assert one_claims_less.empty

    def test_a_row_held_back_leaves_its_organisation_or_cell_unchecked(self):
        held_back = pd.DataFrame(
            {
                "record_id": ["x", "y"],
                "year": 2025,
                "unit_code": UNIT,
                "subject_kind": ["organisation", "member"],
                "org_code": [CELLS[0], CELLS[1]],
            }
        )
        findings, results = judge("R22", held_back_assessment=held_back, **honest())

        assert findings.empty
        assert counts(results)[2] == 2


class TestStepsOutOfOrder:
    """R23."""

    @pytest.mark.parametrize(("year", "severity"), [(2022, "warning"), (2024, "warning"), (2025, "error")])
    @pytest.mark.parametrize(
        "days",
        [
            {"self_on": "12-13"},  # after the appraisal of 12 December
            {"appraised_on": "12-16"},  # after the decision of 15 December
            {"decided_on": "12-09"},  # before the members of 10 December
        ],
    )
    def test_a_step_before_the_one_that_comes_first_is_found(self, year, severity, days):
        values = {name: pd.Timestamp(f"{year}-{day}") for name, day in days.items()}
        findings, _ = judge("R23", **own(honest(), CELLS[0], year, **values))

        assert findings[["org_code", "severity"]].to_numpy().tolist() == [[CELLS[0], severity]]

    def test_steps_of_one_day_are_in_order_whatever_the_hour(self):
        drawn = own(
            honest(),
            CELLS[0],
            self_on=pd.Timestamp(2025, 12, 15, 9),
            appraised_on=pd.Timestamp(2025, 12, 15, 8),
            decided_on=pd.Timestamp(2025, 12, 15),
        )
        findings, _ = judge("R23", **drawn)

        assert findings.empty

    def test_the_superior_decided_first_is_found_with_the_row_that_came_later(self):
        findings, _ = judge("R23", **own(honest(), CELLS[1], decided_on=pd.Timestamp(2025, 12, 21)))

        assert findings[["org_code", "record_id_1", "record_id_2"]].to_numpy().tolist() == [
            [COMMITTEE, f"2025/own/{COMMITTEE}", f"2025/own/{CELLS[1]}"]
        ]
        assert "20/12/2025" in findings.at[0, "contradicted_by"]
        assert "21/12/2025" in findings.at[0, "contradicted_by"]

    @pytest.mark.parametrize(("day", "count"), [("2025-12-30", 0), ("2025-12-31", 1), ("2026-01-10", 1)])
    def test_a_decision_not_before_the_last_day_is_a_warning_where_nothing_else_is_wrong(self, day, count):
        findings, _ = judge("R23", **own(honest(), COMMITTEE, decided_on=pd.Timestamp(day)))

        assert findings["severity"].tolist() == ["warning"] * count
        assert findings["exception"].notna().tolist() == [True] * count

    def test_a_unit_with_an_extension_is_not_late_but_still_in_order(self):
        extended = pd.DataFrame({"unit_code": [UNIT], "year": [2025], "extended_until": [pd.Timestamp(2026, 3, 1)]})
        late, _ = judge(
            "R23", reporting_obligation=extended, **own(honest(), COMMITTEE, decided_on=pd.Timestamp(2026, 1, 10))
        )
        wrong, _ = judge(
            "R23", reporting_obligation=extended, **own(honest(), COMMITTEE, self_on=pd.Timestamp(2025, 12, 13))
        )

        assert late.empty
        assert wrong["severity"].tolist() == ["error"]

    @pytest.mark.parametrize("lacking", ["self_on", "appraised_on", "decided_on"])
    def test_a_day_that_is_missing_is_not_checked(self, lacking):
        findings, results = judge("R23", **own(honest(), COMMITTEE, **{lacking: None}))

        assert findings.empty
        assert counts(results)[1:] == [0, 1]

    def test_a_decision_before_the_claim_is_found_though_the_appraisal_has_no_day(self):
        findings, _ = judge("R23", **own(honest(), COMMITTEE, appraised_on=None, self_on=pd.Timestamp(2025, 12, 22)))

        assert findings["org_code"].tolist() == [COMMITTEE]


class TestDecidedByOthers:
    """R24."""

    @pytest.mark.parametrize(
        ("by", "severities"),
        [
            (COMMITTEE, []),  # directly above
            (UNIT, []),  # above that
            ("67", []),  # the province
            (CELLS[0], ["error"]),  # itself
            (CELLS[1], ["warning"]),  # beside it
            ("67.0", ["warning"]),  # no code of anything above, though its code begins so
        ],
    )
    def test_only_those_above_decide(self, by, severities):
        findings, _ = judge("R24", **own(honest(), CELLS[0], decided_by_code=by))

        assert findings["severity"].tolist() == severities
        assert findings["org_code"].tolist() == [CELLS[0]] * len(severities)

    @pytest.mark.parametrize("year", YEARS)
    def test_deciding_for_oneself_is_an_error_in_every_year(self, year):
        findings, _ = judge("R24", **own(honest(), COMMITTEE, year, decided_by_code=COMMITTEE))

        assert findings[["year", "severity"]].to_numpy().tolist() == [[year, "error"]]
        assert "chính là tổ chức được xếp loại" in findings.at[0, "contradicted_by"]

    def test_a_sectional_committee_only_proposes(self):
        drawn = changed(
            honest(), "organisation_snapshot", {"year": 2025, "org_code": COMMITTEE}, org_kind="Đảng bộ bộ phận"
        )
        findings, _ = judge("R24", **drawn)

        assert findings["org_code"].tolist() == list(CELLS)
        assert set(findings["severity"]) == {"error"}

    @pytest.mark.parametrize(
        "values", [{"decided_by_code": None}, {"parent_code": None, "decided_by_code": "67.001.009.000.000"}]
    )
    def test_without_a_decider_or_a_known_superior_it_is_not_checked(self, values):
        findings, results = judge("R24", **own(honest(), CELLS[0], **values))

        assert findings.empty
        assert counts(results) == [2, 0, 1]
