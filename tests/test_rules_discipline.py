"""Rules of discipline beside levels, and of where a case is booked: R02, R03, R05, R08, R25, R26 and R29 backwards."""

import pandas as pd
import pytest

from tests.honest import CELLS, COMMITTEE, UNIT, YEARS, changed, honest, member
from tests.test_contradictions import judge

HEAD, DISCIPLINED = member(CELLS[0], 1), member(CELLS[0], 2)
RULES = ("R01", "R02", "R03", "R04", "R05", "R08", "R25", "R26", "R29")


def case_of(marts, year, **values):
    """The case of a year with other values, in the report and in the books alike."""
    marts = changed(marts, "discipline_case", {"year": year}, **values)
    told = {name: value for name, value in values.items() if name in marts["fct_discipline"]}
    return changed(marts, "fct_discipline", {"year": year}, **told) if told else marts


def rated(marts, year, key, level):
    return changed(
        marts, "fct_member_assessment", {"year": year, "member_key": key}, final_level=level, proposed_level=level
    )


def counts(results, year):
    return results.loc[(year, UNIT), ["tested", "found", "not_checked"]].tolist()


@pytest.mark.parametrize("rule_id", RULES)
def test_an_honest_province_has_no_finding(rule_id):
    findings, _ = judge(rule_id, **honest())

    assert findings.empty


@pytest.mark.parametrize("rule_id", RULES)
def test_a_province_that_sent_nothing_is_not_checked(rule_id):
    findings, results = judge(rule_id, received=[])

    assert findings.empty
    assert set(results["status"]) == {"not_checked"}


class TestDisciplinedHead:
    """R02."""

    @pytest.mark.parametrize(("year", "severity"), [(2022, "error"), (2024, "warning"), (2025, "error")])
    def test_a_head_disciplined_and_rated_above_the_lowest_is_found(self, year, severity):
        findings, _ = judge("R02", **case_of(honest(), year, subject_member_key=HEAD))

        assert findings[["year", "severity", "member_key", "org_code"]].to_numpy().tolist() == [
            [year, severity, HEAD, CELLS[0]]
        ]
        assert findings.loc[0, ["record_id_1", "record_id_2"]].tolist() == [f"{year}/rating/{HEAD}", f"{year}/d"]
        assert "bí thư chi bộ" in findings.at[0, "reported"]

    def test_the_lowest_level_agrees(self):
        drawn = rated(case_of(honest(), 2025, subject_member_key=HEAD), 2025, HEAD, "KHT")
        _, results = judge("R02", **drawn)

        assert counts(results, 2025) == [1, 0, 0]

    @pytest.mark.parametrize(("year", "count"), [(2022, 1), (2025, 0)])
    def test_a_discipline_not_of_duty_counts_until_2024_only(self, year, count):
        findings, _ = judge("R02", **case_of(honest(), year, subject_member_key=HEAD, duty_related=False))

        assert len(findings) == count

    def test_what_the_head_reported_is_a_warning_from_2025(self):
        drawn = case_of(honest(), 2025, subject_member_key=HEAD, self_reported=True)
        findings, _ = judge("R02", **drawn)

        assert findings["severity"].tolist() == ["warning"]
        assert findings["exception"].notna().all()

    def test_a_member_who_is_no_head_is_not_its_business(self):
        _, results = judge("R02", **rated(honest(), 2025, DISCIPLINED, "HTT"))

        assert counts(results, 2025) == [0, 0, 0]

    def test_a_mark_of_head_that_could_not_be_read_is_not_checked(self):
        drawn = changed(honest(), "fct_member", {"year": 2025, "member_key": DISCIPLINED}, is_head=None)
        findings, results = judge("R02", **drawn)

        assert findings.empty
        assert counts(results, 2025) == [0, 0, 1]


class TestLedByTheDisciplined:
    """R03."""

    @pytest.mark.parametrize(
        ("year", "form", "count"),
        [(2022, "Khiển trách", 0), (2022, "Cảnh cáo", 1), (2024, "Cách chức", 1), (2025, "Khiển trách", 1)],
    )
    def test_the_least_form_that_counts_is_milder_from_2025(self, year, form, count):
        findings, _ = judge("R03", **case_of(honest(), year, subject_member_key=HEAD, form=form))

        assert findings["org_code"].tolist() == [CELLS[0]] * count
        assert set(findings["severity"]) <= {"warning"}

    @pytest.mark.parametrize("values", [{"org_code": CELLS[1]}, {"duty_related": False}])
    def test_from_2025_a_former_cell_or_no_bearing_on_duty_does_not_count(self, values):
        counting, _ = judge("R03", **case_of(honest(), 2022, subject_member_key=HEAD, form="Cảnh cáo", **values))
        findings, results = judge("R03", **case_of(honest(), 2025, subject_member_key=HEAD, form="Cảnh cáo", **values))

        assert len(counting) == 1
        assert findings.empty
        assert counts(results, 2025) == [1, 0, 0]

    @pytest.mark.parametrize(("level", "tested"), [("KHT", 1), ("XS", 0)])
    def test_the_lowest_agrees_and_the_excellent_are_left_to_another_rule(self, level, tested):
        drawn = case_of(honest(), 2025, subject_member_key=HEAD)
        drawn = changed(drawn, "fct_organisation_assessment", {"year": 2025, "org_code": CELLS[0]}, final_level=level)
        _, results = judge("R03", **drawn)
        findings, _ = judge("R04", **drawn)

        assert counts(results, 2025) == [tested, 0, 0]
        assert (findings["org_code"].tolist() == [CELLS[0]]) is (level == "XS")

    def test_a_form_that_could_not_be_read_is_not_checked_where_it_decides(self):
        _, before = judge("R03", **case_of(honest(), 2022, subject_member_key=HEAD, form=None))
        _, since = judge("R03", **case_of(honest(), 2025, subject_member_key=HEAD, form=None))

        assert counts(before, 2022) == [0, 0, 1]
        assert counts(since, 2025) == [1, 1, 0]

    def test_what_was_reported_and_made_good_is_information_from_2025(self):
        findings, _ = judge("R03", **case_of(honest(), 2025, subject_member_key=HEAD, self_reported=True))

        assert findings["severity"].tolist() == ["information"]


class TestDisciplinedOrganisation:
    """R05."""

    def of(self, year, level, form="Khiển trách", code=COMMITTEE):
        drawn = case_of(
            honest(),
            year,
            subject="Tổ chức đảng",
            subject_member_key=None,
            org_code=code,
            form=form,
        )
        drawn["discipline_case"]["subject_org_code"] = drawn["discipline_case"]["org_code"].where(
            drawn["discipline_case"]["subject"] == "Tổ chức đảng"
        )
        return changed(drawn, "fct_organisation_assessment", {"year": year, "org_code": COMMITTEE}, final_level=level)

    @pytest.mark.parametrize(
        ("year", "level", "severities"),
        [
            (2022, "XS", ["warning"]),
            (2024, "HTT", ["warning"]),
            (2025, "XS", ["error"]),
            (2025, "HTT", ["warning"]),
            (2025, "HT", []),
            (2025, "KHT", []),
        ],
    )
    def test_good_and_excellent_contradict_a_discipline_of_the_organisation(self, year, level, severities):
        findings, results = judge("R05", **self.of(year, level))

        assert findings["severity"].tolist() == severities
        assert counts(results, year) == [1, len(severities), 0]

    @pytest.mark.parametrize(("form", "counted"), [("Giải tán", [1, 0, 0]), ("Cảnh cáo", [0, 0, 1])])
    def test_a_dissolved_organisation_needs_no_level(self, form, counted):
        _, results = judge("R05", **self.of(2025, None, form))

        assert counts(results, 2025) == counted

    def test_the_forms_do_not_rate_the_reporting_unit_itself(self):
        _, results = judge("R05", **self.of(2025, "HTT", code=UNIT))

        assert counts(results, 2025) == [0, 0, 1]
        assert "chính đơn vị báo cáo" in results.loc[(2025, UNIT), "reason"]


class TestHeadAboveCorruption:
    """R08."""

    @pytest.mark.parametrize(("year", "severity"), [(2022, "warning"), (2024, "warning"), (2025, "error")])
    def test_the_head_of_the_cell_where_it_happened_is_found_not_the_one_disciplined(self, year, severity):
        findings, _ = judge("R08", **case_of(honest(), year, corruption=True))

        assert findings[["member_key", "org_code", "severity"]].to_numpy().tolist() == [[HEAD, CELLS[0], severity]]
        assert DISCIPLINED not in findings.at[0, "reported"]

    def test_the_head_alone_disciplined_is_another_rules(self):
        _, results = judge("R08", **case_of(honest(), 2025, corruption=True, subject_member_key=HEAD))

        assert counts(results, 2025) == [0, 0, 0]

    def test_a_head_rated_the_lowest_passes(self):
        _, results = judge("R08", **rated(case_of(honest(), 2025, corruption=True), 2025, HEAD, "KHT"))

        assert counts(results, 2025) == [1, 0, 0]

    def test_a_case_brought_up_by_themselves_is_a_warning_from_2025(self):
        findings, _ = judge("R08", **case_of(honest(), 2025, corruption=True, self_reported=True))

        assert findings["severity"].tolist() == ["warning"]

    @pytest.mark.parametrize("values", [{"corruption": None}, {"corruption": True}])
    def test_an_unread_mark_or_a_cell_without_known_head_is_not_checked(self, values):
        drawn = case_of(honest(), 2025, **values)
        if values["corruption"]:
            drawn = changed(drawn, "fct_member", {"year": 2025, "member_key": HEAD}, is_head=False)
        findings, results = judge("R08", **drawn)

        assert findings.empty
        assert counts(results, 2025) == [0, 0, 1]


class TestBookedOnTheNewUnit:
    """R25."""

    OLD = "67.002"

    def moved(self, before, after):
        """The case of 2025 of a violation of June 2024, the member on the rolls of 2023 and 2024 in these units."""
        drawn = changed(honest(), "fct_discipline", {"year": 2025}, violated_on=pd.Timestamp(2024, 6, 1))
        roll = drawn["fct_member"]
        earlier = roll[(roll["year"] == 2024) & (roll["member_key"] == DISCIPLINED)].assign(year=2023, unit_code=before)
        drawn["fct_member"] = pd.concat([roll, earlier.dropna(subset="unit_code")], ignore_index=True)
        return changed(drawn, "fct_member", {"year": 2024, "member_key": DISCIPLINED}, unit_code=after)

    def judged(self, drawn, reports=YEARS):
        units = pd.DataFrame({"unit_code": [UNIT, self.OLD], "unit_name": ["Huyện A", "Huyện B"]})
        return judge("R25", received=[(UNIT, YEARS), (self.OLD, reports)], dim_unit=units, **drawn)

    @pytest.mark.parametrize(
        ("before", "after", "counted"),
        [
            (UNIT, UNIT, [1, 0, 0]),
            (OLD, OLD, [1, 1, 0]),
            (OLD, UNIT, [0, 0, 1]),
            (None, OLD, [0, 0, 1]),
        ],
    )
    def test_only_a_member_surely_elsewhere_on_the_day_is_found(self, before, after, counted):
        findings, results = self.judged(self.moved(before, after))

        assert counts(results, 2025) == counted
        assert findings["severity"].tolist() == ["warning"] * counted[1]
        assert findings["record_id_1"].tolist() == ["2025/d"] * counted[1]

    def test_an_old_unit_that_does_not_report_any_more_is_not_checked(self):
        findings, results = self.judged(self.moved(self.OLD, self.OLD), reports=(2022, 2024))

        assert findings.empty
        assert counts(results, 2025) == [0, 0, 1]

    def test_before_2025_nothing_is_asked(self):
        _, results = self.judged(self.moved(self.OLD, self.OLD))

        assert counts(results, 2024) == [0, 0, 0]


class TestEarlierViolation:
    """R26."""

    def of(self, level, day="2024-06-01", **values):
        drawn = case_of(honest(), 2025, duty_related=False, **values)
        drawn = changed(drawn, "fct_discipline", {"year": 2025}, violated_on=pd.Timestamp(day))
        return rated(drawn, 2025, DISCIPLINED, level)

    @pytest.mark.parametrize(("level", "count"), [("XS", 1), ("HTT", 1), ("HT", 0), ("KHT", 0)])
    def test_a_good_level_beside_a_violation_of_an_earlier_year_is_found(self, level, count):
        findings, results = judge("R26", **self.of(level))

        assert findings["severity"].tolist() == ["warning"] * count
        assert counts(results, 2025) == [1, count, 0]

    @pytest.mark.parametrize(("day", "tested"), [("2024-12-31", 1), ("2025-01-01", 0)])
    def test_the_last_day_of_the_year_before_is_earlier(self, day, tested):
        _, results = judge("R26", **self.of("HTT", day))

        assert counts(results, 2025) == [tested, tested, 0]

    def test_what_is_already_found_as_a_discipline_of_the_year_is_not_found_twice(self):
        drawn = changed(self.of("HTT"), "discipline_case", {"year": 2025}, duty_related=True)
        first, _ = judge("R01", **drawn)
        second, results = judge("R26", **drawn)

        assert (len(first), len(second)) == (1, 0)
        assert counts(results, 2025) == [0, 0, 0]

    def test_a_day_of_violation_that_is_not_known_is_not_checked(self):
        _, results = judge("R26", **self.of("HTT", day=None))

        assert counts(results, 2025) == [0, 0, 1]


class TestRegisterLacksACase:
    """R29, from the report to the register."""

    def of(self, **values):
        return case_of(honest(), 2025, in_register=False, register_record_id=None, **values)

    def test_a_reported_case_that_the_register_does_not_have_is_a_warning(self):
        findings, _ = judge("R29", **self.of())

        assert findings[["severity", "member_key", "record_id_1"]].to_numpy().tolist() == [
            ["warning", DISCIPLINED, "2025/d"]
        ]
        assert findings["exception"].notna().all()

    def test_the_register_of_another_year_counts(self):
        drawn = self.of(decision_no="2024-QĐ/UBKT")  # the number of the case of 2024 of the same member
        findings, _ = judge("R29", **drawn)

        assert findings.empty

    def test_without_the_register_of_the_year_it_is_not_checked(self):
        findings, results = judge("R29", register=(2022, 2024), **self.of())

        assert findings.empty
        assert counts(results, 2025) == [0, 0, 1]

    def test_the_finding_keeps_its_id_when_the_report_is_sent_again(self):
        first, _ = judge("R29", **self.of())
        again, _ = judge("R29", **self.of(record_id="2025/second/d"))

        assert first["finding_id"].tolist() == again["finding_id"].tolist()
