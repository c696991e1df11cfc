"""The demonstration's reorganisation: made up by a rule, whole, and exact on the demonstration's own reports."""

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
    return build_warehouse(folder / "store", folder / "warehouse.duckdb")


def generated(folder: Path) -> str:
    """The list that the rule gives for a folder's workbooks of the year."""
    return crosswalk.write(crosswalk.successions(crosswalk.grassroots(folder.glob("*2025*"))))


def test_the_rule_gives_the_committed_list():
    assert generated(DEMO) == (DEMO / "successions.csv").read_text(encoding="utf-8")


def named_in(path: Path) -> pd.DataFrame:
    """The grassroots organisations that a list of the rule's speaks of; of a unit that went whole, one for all."""
    sectors = {committee: sector for sector, committee in crosswalk.COMMITTEES.items()}
    rows = []
    for row in read_successions(path).to_dict("records"):
        unit = row["old_code"][:6]
        if row["kind"] == "new_parent":
            rows.append((unit, row["old_code"], sectors.get(row["new_code"], "Cơ quan chính quyền")))
        elif row["old_code"] != unit:
            rows.append((unit, row["old_code"], "Xã"))
        elif row["kind"] != "dissolved":
            rows.append((unit, f"{unit}.001.000.000", sectors[row["new_code"]]))
    return pd.DataFrame(rows, columns=["unit_code", "org_code", "org_sector"]).drop_duplicates()


@pytest.mark.parametrize("path", [PROVINCE, DEMO / "successions.csv"], ids=["province", "demonstration"])
def test_the_committed_list_is_what_the_rule_makes_of_the_organisations_it_names(path):
    named = named_in(path)

    for order in (named, named.sample(frac=1, random_state=1)):
        assert crosswalk.write(crosswalk.successions(order)) == path.read_text(encoding="utf-8")


@st.composite
def provinces(draw: st.DrawFn) -> pd.DataFrame:
    """Grassroots organisations of a few units: communes and others, or nothing but police or army."""
    rows = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        unit = f"67.{number:03}"
        whole = draw(st.sampled_from([None, None, None, "Công an", "Quân đội"]))
        others = st.lists(st.sampled_from(["Xã", "Phường", "Trường học", "Công an", *crosswalk.COMMITTEES]), max_size=4)
        # A district has communes enough for one new commune.
        sectors = [whole] * 3 if whole else ["Xã"] * draw(st.integers(2, 14)) + draw(others)
        rows += [(unit, f"{unit}.{place:03}.000.000", sector) for place, sector in enumerate(sectors, start=1)]
    return pd.DataFrame(rows, columns=["unit_code", "org_code", "org_sector"])


@settings(max_examples=40, deadline=None)
@given(provinces())
def test_of_any_province_the_rule_makes_a_lawful_list_that_covers_everybody(organisations):
    rows = crosswalk.successions(organisations)
    with TemporaryDirectory() as folder:
        (Path(folder) / "successions.csv").write_text(crosswalk.write(rows), encoding="utf-8")
        listed = read_successions(Path(folder) / "successions.csv")

    went_whole = set(listed.loc[listed["kind"].isin(["renamed"]) | listed["new_code"].eq(crosswalk.ARMY), "old_code"])
    alone = organisations.loc[~organisations["unit_code"].isin(went_whole), "org_code"]
    assert set(alone) <= set(listed["old_code"])
    assert set(organisations["unit_code"]) <= set(listed["old_code"])
    # A part of the province gives its part of the list.
    first = organisations[organisations["unit_code"] == organisations["unit_code"].iloc[0]]
    assert crosswalk.successions(first) == [row for row in rows if row["old_code"].startswith("67.001")]


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
    # Inspections that a district's own committees conducted, and what Biểu 1 counts by unit alone; nothing of the
    # organisations below it.
    assert {unit for unit, _ in units} <= {"67.003", "67.008"}
    names = {name for _, names in units for name in names.split()}
    assert {name for name in names if not name.startswith("inspections_")} <= {"members_growth"}
