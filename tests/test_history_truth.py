"""The warehouse of generated provinces against their truth, property by property."""

from collections import defaultdict
from datetime import date
from fractions import Fraction
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from histories import PROVINCE, Province, drawn, every_event, hash_of_sending, last_of, reorganised, together
from hypothesis import HealthCheck, given, settings
from rebuilding import CROSSWALK, DIMENSIONS, Rebuilt
from reorganisations import provinces
from store_builder import FIRST_ROW, build_warehouse

FACTS = {
    "members": "fct_member",
    "member_assessments": "fct_member_assessment",
    "organisation_assessments": "fct_organisation_assessment",
    "cell_meetings": "fct_cell_meeting",
    "inspections": "fct_inspection",
    "disciplines": "fct_discipline",
    "admissions": "fct_admission",
    "hamlets": "fct_hamlet",
    "trainings": "fct_training",
    "programme_uptakes": "fct_programme_uptake",
}
OF_MEMBERS = ("members", "member_assessments", "inspections", "disciplines", "admissions")
VERSION = [
    *("organisation_key", "unit_code", "org_code", "org_name", "org_kind", "org_sector", "parent_code", "commune"),
    *("valid_from", "valid_to"),
]
DAYS = (date(2021, 7, 1), date(2022, 12, 31), date(2023, 1, 1), date(2024, 6, 30), date(2025, 12, 31), date(2026, 6, 1))


@pytest.fixture(scope="module")
def province() -> Province:
    """One of each event, and some of each kind by seeds; no code of one stands in another, so one build tries all."""
    return together(
        every_event(),
        *(drawn(seed, units=3, events=0.4, prefix=str(prefix)) for seed, prefix in ((11, 70), (12, 71), (13, 72))),
        *(reorganised(seed, prefix=str(50 + seed), after=str(60 + seed)) for seed in (1, 2)),
    )


@pytest.fixture(scope="module")
def database(province, tmp_path_factory) -> Path:
    """The warehouse of that province."""
    folder = tmp_path_factory.mktemp("histories")
    province.write_store(folder / "store")
    build_warehouse(folder / "store", folder / "histories.duckdb", tested=False).close()
    return folder / "histories.duckdb"


@pytest.fixture(scope="module")
def warehouse(database) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(database), read_only=True)


def rows(warehouse: duckdb.DuckDBPyConnection, query: str) -> list[tuple]:
    return warehouse.execute(query).fetchall()


def told_and_true(warehouse: duckdb.DuckDBPyConnection, query: str, truth: pd.DataFrame) -> None:
    """The rows of the query are those of the frame."""
    true = {tuple(None if cell is None or cell != cell else cell for cell in row) for row in truth.values.tolist()}
    told = rows(warehouse, query)
    assert len(told) == len(set(told))
    assert not [*(set(told) - true)][:5]
    assert not [*(true - set(told))][:5]


def organisations_told_and_true(warehouse: duckdb.DuckDBPyConnection, province: Province) -> None:
    told_and_true(
        warehouse,
        f"select {', '.join(VERSION)}, valid_from_basis from marts.dim_organisation "
        "where organisation_level not in ('unit', 'province')",
        province.organisation_versions[[*VERSION, "basis"]],
    )


def hierarchy_told_and_true(warehouse: duckdb.DuckDBPyConnection, province: Province, day: date) -> None:
    told = defaultdict(list)
    query = f"""
        select org_code, ancestor_code from marts.bridge_organisation_hierarchy
        where distance > 0 and valid_from <= date '{day}' and coalesce(valid_to, date '9999-12-31') > date '{day}'
        order by org_code, distance
    """
    for code, ancestor in rows(warehouse, query):
        told[code].append(PROVINCE if ancestor == "ALL" else ancestor)
    found = {code: above for code, above in told.items() if code not in province.units}
    assert not differences(found, province.structure(day))


def test_every_version_of_an_organisation_is_there_with_its_days(province, warehouse):
    organisations_told_and_true(warehouse, province)
    levels = "select distinct org_kind, organisation_level from marts.dim_organisation where org_kind is not null"
    assert set(rows(warehouse, levels)) == {
        ("Đảng bộ cơ sở", "grassroots"),
        ("Chi bộ cơ sở", "grassroots"),
        ("Chi bộ trực thuộc", "cell"),
    }


def test_every_version_of_a_member_is_there_with_its_days(province, warehouse):
    columns = ["member_key", "unit_code", "cell_code", "status", "qualification", "theory", "valid_from", "valid_to"]
    told_and_true(
        warehouse,
        f"select {', '.join(columns)}, valid_from_basis from marts.dim_member",
        province.member_versions[[*columns, "basis"]],
    )


def test_units_and_the_province_are_organisations_without_a_break(province, warehouse):
    told = rows(
        warehouse,
        "select organisation_level, org_code, min(valid_from) <= make_date(2021, 7, 1), count(*) filter (where "
        "valid_to is null) from marts.dim_organisation where organisation_level in ('unit', 'province') group by all",
    )
    assert {code for level, code, *_ in told if level == "unit"} == {*province.units}
    assert [row for row in told if row[0] == "province"] == [("province", "ALL", True, 1)]


@pytest.mark.parametrize("form", FACTS)
def test_each_fact_stands_once_and_joins_the_versions_in_force_on_its_day(province, warehouse, form):
    facts = province.facts[province.facts["form"] == form]
    assert len(facts)
    true = {}
    for fact in facts.to_dict("records"):
        record_id = f"{hash_of_sending(fact['unit_code'], fact['year'])[:16]}/{form}/{FIRST_ROW + fact['place']}"
        of_unit = fact["org_code"] != fact["org_code"]
        member = (fact["member_from"],) if form in OF_MEMBERS and fact["member_key"] == fact["member_key"] else (None,)
        true[record_id] = (None, None) if of_unit else (fact["organisation_from"], fact["is_moved"]), member
    members = "member_versions.valid_from" if form in OF_MEMBERS else "null"
    query = f"""
        select facts.record_id, organisations.valid_from, facts.is_version_clamped, {members}, facts.unit_code,
            organisations.organisation_level
        from marts.{FACTS[form]} as facts
        left join marts.dim_organisation as organisations using (organisation_version_key)
    """
    if form in OF_MEMBERS:
        query += "left join marts.dim_member as member_versions using (member_version_key)"
    told = rows(warehouse, query)
    assert len(told) == len(true)
    found = {
        record: ((None, None) if level == "unit" else (valid_from, is_clamped), (member,))
        for record, valid_from, is_clamped, member, _, level in told
    }
    assert not differences(found, true)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_hierarchy_of_a_day_is_who_was_above_whom(province, warehouse, day):
    hierarchy_told_and_true(warehouse, province, day)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_members_of_any_year_can_be_counted_by_the_structure_of_any_day(province, warehouse, day):
    query = f"""
        select facts.year, hierarchy.ancestor_code, count(*)
        from marts.fct_member as facts
        inner join marts.dim_organisation as organisations using (organisation_version_key)
        left join marts.bridge_organisation_hierarchy as hierarchy
            on organisations.organisation_key = hierarchy.organisation_key
            and hierarchy.valid_from <= date '{day}' and coalesce(hierarchy.valid_to, date '9999-12-31') > date '{day}'
        where facts.is_present
        group by all
    """
    told = defaultdict(dict)
    for year, code, count in rows(warehouse, query):
        told[year][PROVINCE if code == "ALL" else code] = count
    for year in province.years:
        true = {place: pair[1] for place, pair in province.totals("admission_rate", year, day).items() if pair[1]}
        assert not differences(told[year], true)


def without_nothing(pairs: dict) -> dict:
    return {key: pair for key, pair in pairs.items() if any(pair)}


def differences(told: dict, truth: dict) -> dict:
    """What the warehouse tells and what is true, where they differ; a few of them."""
    found = {key: (told.get(key), truth.get(key)) for key in told.keys() | truth.keys()}
    return dict([(key, pair) for key, pair in found.items() if pair[0] != pair[1]][:5])


def test_every_indicator_is_counted_at_the_organisation_it_belongs_to(province, warehouse):
    told = defaultdict(dict)
    query = "select indicator_id, year, unit_code, org_code, numerator, denominator from marts.indicator_part"
    for indicator, year, unit, code, numerator, denominator in rows(warehouse, query):
        told[indicator, year][unit, code] = Fraction(numerator), Fraction(denominator)
    for key, parts in province.parts.items():
        assert not differences(without_nothing(told[key]), without_nothing(parts)), key


def test_nothing_is_asked_of_an_organisation_that_has_ended_and_only_a_late_case_speaks_of(warehouse):
    spoken_of = (
        "select year, unit_code, org_code from marts.organisation_snapshot "
        "where not is_listed and (is_cell or is_grassroots)"
    )
    assert rows(warehouse, spoken_of)
    asked = rows(
        warehouse,
        "select distinct indicator_id from marts.indicator_part "
        f"semi join ({spoken_of}) using (year, unit_code, org_code)",
    )
    assert asked == [("days_violation_to_decision",)]


def test_an_indicator_as_reported_is_the_sum_by_the_structure_of_its_year(province, warehouse):
    told = defaultdict(dict)
    query = "select indicator_id, year, organisation_level, unit_code, numerator, denominator from marts.indicator_year"
    for indicator, year, level, unit, numerator, denominator in rows(warehouse, query):
        if level == "unit":
            told[indicator, year][unit] = Fraction(numerator), Fraction(denominator)
    for key, parts in province.parts.items():
        sums = defaultdict(lambda: (Fraction(0), Fraction(0)))
        for (unit, _), (numerator, denominator) in parts.items():
            sums[unit] = sums[unit][0] + numerator, sums[unit][1] + denominator
        assert not differences(without_nothing(told[key]), without_nothing(sums)), key


def structures(warehouse: duckdb.DuckDBPyConnection) -> list[date]:
    return [day for (day,) in rows(warehouse, "select structure_date from marts.structures order by all")]


def test_an_indicator_restated_to_any_structure_is_what_the_successions_make_of_it(province, warehouse):
    told = defaultdict(dict)
    query = (
        "select structure_date, indicator_id, year, organisation_level, unit_code, numerator, denominator "
        "from marts.indicator_restated where organisation_level = 'unit'"
    )
    for day, indicator, year, _, unit, numerator, denominator in rows(warehouse, query):
        told[day, indicator, year][unit] = Fraction(numerator), Fraction(denominator)
    assert len(structures(warehouse)) > 3
    for day in structures(warehouse):
        for indicator, year in province.parts:
            truth = province.restated(indicator, year, day)
            found = differences(without_nothing(told[day, indicator, year]), without_nothing(truth))
            assert not found, (day, indicator, year)


def test_the_province_is_the_same_by_every_structure_to_the_last_digit(warehouse):
    query = """
        select indicator_id, year, structure_date, organisation_level, sum(numerator), sum(denominator)
        from marts.indicator_restated group by all
    """
    told = defaultdict(set)
    for indicator, year, _, _, numerator, denominator in rows(warehouse, query):
        told[indicator, year].add((numerator, denominator))
    assert told
    assert all(len(sums) == 1 for sums in told.values())


def test_the_bridge_leads_from_every_reported_number_to_every_restated_one(warehouse):
    for side, mart, unit in (
        ("from_unit_code", "indicator_year", "reported.unit_code"),
        ("to_unit_code", "indicator_restated", "reported.unit_code"),
    ):
        own_day = "structure_date" if mart == "indicator_restated" else "null"
        query = f"""
            with bridge as (
                select structure_date, indicator_id, year, {side} as unit_code,
                    sum(numerator) as n, sum(denominator) as d
                from marts.bridge_restatement group by all
            ),
            reported as (
                select {own_day} as structure_date, indicator_id, year, unit_code, sum(numerator) as n,
                    sum(denominator) as d
                from marts.{mart} where organisation_level = 'unit' group by all
            )
            select count(*), count(*) filter (where bridge.n is distinct from reported.n
                or bridge.d is distinct from reported.d)
            from bridge left join reported on bridge.indicator_id = reported.indicator_id
                and bridge.year = reported.year and bridge.unit_code = {unit}
                and (reported.structure_date is null or bridge.structure_date = reported.structure_date)
        """
        ((compared, differing),) = rows(warehouse, query)
        assert compared > 0
        assert differing == 0


# --- successions of any kind -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rebuilt() -> Rebuilt:
    return Rebuilt()


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(province=provinces())
def test_whatever_succeeds_whatever_each_version_and_each_days_hierarchy_are_true(rebuilt, province):
    warehouse = rebuilt(province, *DIMENSIONS)
    organisations_told_and_true(warehouse, province)
    for day in {one.effective_on for one in province.successions}:
        hierarchy_told_and_true(warehouse, province, day)


def test_the_drawn_successions_are_of_every_kind_and_form_chains():
    kinds, chained = set(), False

    @settings(max_examples=60, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(province=provinces())
    def look(province: Province) -> None:
        nonlocal chained
        kinds.update(one.kind for one in province.successions)
        ended = {one.old_code: one.effective_on for one in province.successions if one.kind != "new_parent"}
        chained |= any(ended.get(one.new_code, date.min) > one.effective_on for one in province.successions)

    look()
    assert kinds == {"renamed", "merged", "split", "dissolved", "new_parent"}
    assert chained


def heirs(warehouse: duckdb.DuckDBPyConnection, code: str, year: int, day: date) -> dict[str, Fraction]:
    """The units that have an organisation of a year's report by the structure of a day, with their shares."""
    query = f"""
        select crosswalk.unit_code, sum(crosswalk.share) from marts.organisation_succession as successions
        inner join marts.organisation_crosswalk as crosswalk using (structure_date, year, from_code)
        inner join marts.structures using (structure_date)
        where org_code = '{code}' and year = {year} and structure_date <= date '{day}'
            and coalesce(valid_to, date '9999-12-31') > date '{day}'
        group by all
    """
    return {unit: Fraction(share) for unit, share in rows(warehouse, query)}


def four_groups() -> Province:
    """Two units of two grassroots organisations each, over five years."""
    province = Province(range(2022, 2027))
    for unit in ("67.001", "67.002"):
        province.unit(unit, f"Huyện {unit}")
        for group in ("001", "002"):
            province.found(f"{unit}.{group}.000.000", unit)
    return province


def test_a_unit_that_took_over_one_of_its_own_organisations_is_a_unit_before_that_too(rebuilt):
    province = four_groups()
    unit = province.unit("67.903", "Huyện mới", first=2023)
    province.units["67.001"] = ("Huyện 67.001", 2022, 2022)
    for code in ("67.001.001.000.000", "67.001.002.000.000"):
        province.hand_over(code, 2023, unit)
    province.succeed(date(2023, 4, 1), "renamed", "67.001", unit)
    province.succeed(date(2025, 7, 1), "merged", "67.001.002.000.000", unit)
    province.drop("67.001.002.000.000", 2025)
    warehouse = rebuilt(province, *DIMENSIONS, *CROSSWALK)
    assert heirs(warehouse, "67.001.001.000.000", 2022, date(2024, 7, 1)) == {unit: 1}
    assert (
        rows(warehouse, "select distinct unit_code from marts.organisation_crosswalk where unit_code like '%.000'")
        == []
    )


def test_who_was_split_and_then_renamed_is_not_split_again_on_the_way_back(rebuilt):
    province = four_groups()
    old, part, name = "67.001.002.000.000", "67.002.802.000.000", "67.001.804.000.000"
    province.found(part, "67.002", year=2023)
    province.succeed(date(2023, 4, 1), "split", old, (old, "0.6"), (part, "0.4"))
    province.found(name, "67.001", year=2024)
    province.drop(old, 2024)
    province.succeed(date(2024, 7, 1), "renamed", old, name)
    warehouse = rebuilt(province, *DIMENSIONS, *CROSSWALK)
    # What is reported in 2024 is what was left after the split.
    assert heirs(warehouse, name, 2024, date(2023, 4, 1)) == {"67.001": 1}
    assert heirs(warehouse, old, 2022, date(2023, 4, 1)) == {"67.001": Fraction(3, 5), "67.002": Fraction(2, 5)}
    assert heirs(warehouse, old, 2022, last_of(2024)) == {"67.001": Fraction(3, 5), "67.002": Fraction(2, 5)}
