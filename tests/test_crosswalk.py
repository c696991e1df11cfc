"""The demonstration's reorganisation: made up by a rule, whole, and exact on the demonstration's own reports."""

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from store_builder import build_warehouse

from benchmarks import crosswalk
from submissions.intake import take_in
from submissions.successions import read_successions

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "demo"
PROVINCE = ROOT / "benchmarks" / "successions.csv"
SAMPLE = ROOT.parent / "shared" / "samples" / "dak-mau"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """The demonstration with its list; dbt's own tests of restatement have passed."""
    folder = tmp_path_factory.mktemp("crosswalk")
    for name in ("units.csv", "successions.csv"):
        (folder / name).write_bytes((DEMO / name).read_bytes())
    take_in(sorted(DEMO.glob("*.xlsx")), data=folder)
    return build_warehouse(folder / "store", folder / "warehouse.duckdb", "resource_type:unit_test")


def generated(folder: Path) -> str:
    """The list that the rule gives for a folder's workbooks of the year."""
    return crosswalk.write(crosswalk.successions(crosswalk.grassroots(folder.glob("*2025*"))))


def test_the_rule_gives_the_committed_list():
    assert generated(DEMO) == (DEMO / "successions.csv").read_text(encoding="utf-8")


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample province is not here")
def test_the_rule_gives_the_committed_list_of_the_whole_province():
    assert generated(SAMPLE) == PROVINCE.read_text(encoding="utf-8")


def test_twelve_units_become_twenty_eight_communes_and_four_committees():
    read = read_successions(PROVINCE)
    assert set(read["effective_on"]) == {date(2025, 7, 1)}
    assert len({code[:6] for code in read["old_code"]}) == 12
    new = set(read["new_code"].dropna())
    committees = {crosswalk.PARTY, crosswalk.GOVERNMENT, crosswalk.POLICE, crosswalk.ARMY}
    assert len(new) == 32
    assert committees < new
    assert Counter(read["kind"]).keys() == {"dissolved", "merged", "new_parent", "renamed", "split"}
    split = read[read["kind"] == "split"]
    assert split.groupby("old_code")["share"].agg(lambda shares: sum(shares)).eq(Decimal(1)).all()
    assert split["old_code"].nunique() > 1


def test_the_demonstration_has_its_part_of_the_provinces_list():
    heading, *lines = PROVINCE.read_text(encoding="utf-8").splitlines()
    part = [line for line in lines if line.split(",")[3].startswith(("67.003", "67.008", "67.012"))]
    assert [heading, *part] == (DEMO / "successions.csv").read_text(encoding="utf-8").splitlines()


def test_it_says_that_it_is_made_up():
    assert all("không có thật" in source for source in read_successions(PROVINCE)["legal_source"])


def test_every_grassroots_organisation_is_covered(warehouse):
    left = warehouse.execute(
        "select organisations.org_code from marts.organisation_snapshot as organisations "
        "left join marts.organisation_succession as successions on organisations.year = successions.year "
        "and organisations.unit_code = successions.unit_code and organisations.org_code = successions.org_code "
        "and successions.structure_date = date '2025-07-01' "
        "left join marts.organisation_crosswalk as crosswalk on successions.structure_date = crosswalk.structure_date "
        "and successions.year = crosswalk.year and successions.from_code = crosswalk.from_code "
        "where crosswalk.unit_code is null or crosswalk.unit_code not like '68.%'"
    ).fetchall()
    assert left == []


def test_every_yearly_indicator_of_the_province_is_the_same_number(warehouse):
    totals = warehouse.execute(
        "select indicator_id, year, reported_numerator, restated_numerator, reported_denominator, "
        "restated_denominator from marts.indicator_side_by_side "
        "where organisation_level = 'province' and structure_date = date '2025-07-01'"
    ).fetchall()
    assert {year for _, year, *_ in totals} == {2022, 2023, 2024, 2025}
    assert len({indicator for indicator, *_ in totals}) > 30
    for indicator, year, reported, restated, reported_of, restated_of in totals:
        assert (reported, reported_of) == (restated, restated_of), (indicator, year)


def test_what_stays_with_a_dissolved_district_is_only_its_own(warehouse):
    units = warehouse.execute(
        "select unit_code, string_agg(distinct indicator_id, ' ' order by indicator_id) "
        "from marts.indicator_restated where is_dissolved group by unit_code order by unit_code"
    ).fetchall()
    # Inspections that a district's own committees conducted, and nothing of the organisations below it.
    assert {unit for unit, _ in units} <= {"67.003", "67.008"}
    assert all(name.startswith("inspections_") for _, names in units for name in names.split())
