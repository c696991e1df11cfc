"""Figures by the structure of another day: nothing lost, nothing twice, nothing guessed."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import duckdb
import pytest
import store_builder
from histories import Province, reorganised
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_builder import PROJECT, build_warehouse

MODELS = (
    "structures",
    "succession_step",
    "organisation_crosswalk",
    "organisation_succession",
    "bridge_restatement",
    "indicator_restated",
    "indicator_side_by_side",
)
TESTS = (
    "assert_crosswalk_shares_are_whole",
    "assert_restatement_reconciles",
    "assert_restated_units_add_up",
)
ON = date(2025, 7, 1)


@pytest.fixture(scope="module")
def province() -> Province:
    return reorganised(seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, province: Province) -> Path:
    """A province of three districts that four communes took over in the middle of 2025, built and tested by dbt."""
    folder = tmp_path_factory.mktemp("restatement")
    province.write_store(folder / "store")
    build_warehouse(folder / "store", folder / "warehouse.duckdb").close()
    return folder


@pytest.fixture(scope="module")
def warehouse(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        yield connection


@pytest.fixture(scope="module")
def compiled(folder: Path) -> dict[str, str]:
    """The SQL of the models and of the tests, as dbt has run it."""
    told = store_builder.compiled(folder / "warehouse.duckdb")
    return {name: sql for name, sql in told.items() if name in MODELS or name.startswith("assert_")}


@contextmanager
def succeeded(
    warehouse: duckdb.DuckDBPyConnection, compiled: dict[str, str], rows: list[tuple]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse with another list of successions; it is afterwards as it was."""
    warehouse.begin()
    try:
        warehouse.execute("drop table staging.stg_successions")
        warehouse.execute(
            "create table staging.stg_successions (succession_id varchar, effective_on date, kind varchar, "
            "old_code varchar, new_code varchar, share decimal(9, 6), legal_source varchar)"
        )
        for number, row in enumerate(rows, start=1):
            warehouse.execute(
                "insert into staging.stg_successions values (?, ?, ?, ?, ?, ?, 'QĐ')", [f"S{number}", *row]
            )
        for model in MODELS:
            warehouse.execute(f"drop table marts.{model}")
            warehouse.execute(f"create table marts.{model} as {compiled[model]}")
        yield warehouse
    finally:
        warehouse.rollback()


def restated(warehouse: duckdb.DuckDBPyConnection, indicator: str, year: int, day: date) -> dict[str, tuple]:
    """A year's figures by unit, by the structure that a day belongs to."""
    rows = warehouse.execute(
        "select unit_code, numerator, denominator from marts.indicator_restated "
        "inner join marts.structures using (structure_date) "
        "where structure_date <= $day and (valid_to > $day or valid_to is null) "
        "and indicator_id = $indicator and year = $year and organisation_level = 'unit'",
        {"day": day, "indicator": indicator, "year": year},
    ).fetchall()
    return {unit: (Fraction(numerator), Fraction(denominator)) for unit, numerator, denominator in rows}


def crosswalk(warehouse: duckdb.DuckDBPyConnection, code: str, year: int, day: date) -> list[tuple]:
    return warehouse.execute(
        "select to_code, unit_code, share, is_convertible, is_dissolved from marts.organisation_crosswalk "
        "inner join marts.structures using (structure_date) "
        "where structure_date <= $day and (valid_to > $day or valid_to is null) and from_code = $code and year = $year "
        "order by all",
        {"day": day, "code": code, "year": year},
    ).fetchall()


def grassroots(province: Province, year: int = 2024) -> list[str]:
    return [code for code, one in province.listed(year).items() if one.parent_code == one.unit_code]


# --- a province with a history ---------------------------------------------------------------------------------------


def test_every_indicator_of_every_year_is_right_by_every_structure(warehouse, province):
    """The truth is the generator's, told from the events and not by the SQL."""
    days = [day for (day,) in warehouse.execute("select structure_date from marts.structures order by 1").fetchall()]
    assert days == [date(1930, 2, 3), date(2023, 4, 1), ON, date(2025, 10, 1)]
    compared = 0
    for day in days:
        for indicator, year in province.parts:
            truth = {unit: pair for unit, pair in province.restated(indicator, year, day).items() if pair != (0, 0)}
            assert restated(warehouse, indicator, year, day) == truth, (indicator, year, day)
            compared += len(truth)
    assert compared > 1_000


def test_what_was_reported_stands_beside_it(warehouse):
    rows = warehouse.execute(
        "select structure_date, unit_code, reported_numerator, restated_numerator, numerator_difference "
        "from marts.indicator_side_by_side where indicator_id = 'members_good' and year = 2024 "
        "and structure_date in (date '1930-02-03', date '2025-10-01') and organisation_level = 'unit'"
    ).fetchall()
    before = [row[1:] for row in rows if row[0] == date(1930, 2, 3)]
    assert {unit for unit, *_ in before} == {"67.001", "67.002", "67.003"}
    assert all(reported == now and difference == 0 for _, reported, now, difference in before)
    after = {unit: pair for day, unit, *pair in rows if day == date(2025, 10, 1)}
    assert after["67.003"][1:] == [None, None]  # the district went whole into a commune
    assert after["68.001"][0] is None


def test_the_bridge_says_what_moved_and_why(warehouse):
    moved = warehouse.execute(
        "select from_unit_code, to_unit_code, successions from marts.bridge_restatement "
        "where has_moved and indicator_id = 'members_good' and year = 2024 and structure_date = date '2025-07-01'"
    ).fetchall()
    assert moved
    assert all(successions for *_, successions in moved)


def test_every_indicator_has_its_definition_and_every_definition_its_figures(warehouse):
    defined = {name for (name,) in warehouse.execute("select indicator_id from seeds.indicators").fetchall()}
    shown = {name for (name,) in warehouse.execute("select distinct indicator_id from marts.indicator_part").fetchall()}
    # None of the named hamlets lies in this province: no row, not a nought.
    assert defined - shown == {"named_hamlets"}
    assert not warehouse.execute(
        "select indicator_id from seeds.indicators where definition is null or numerator_says is null "
        "or denominator_says is null or grain is null or legal_source is null or name_en is null"
    ).fetchall()


def test_targets_are_the_scoreboards_numbers(warehouse):
    rows = warehouse.execute(
        "select distinct figures.indicator_id, figures.year, figures.numerator, scoreboard.numerator, "
        "figures.denominator, scoreboard.denominator "
        "from marts.indicator_year as figures inner join seeds.indicators using (indicator_id) "
        "inner join marts.target_scoreboard as scoreboard using (target_id, year) "
        "where figures.organisation_level = 'province'"
    ).fetchall()
    assert {indicator for indicator, *_ in rows} >= {"orgs_good", "members_good", "admission_rate", "orgs_admitting"}
    for indicator, year, numerator, told, denominator, told_of in rows:
        assert (numerator, denominator) == (Decimal(told), Decimal(told_of)), (indicator, year)


# --- lists of one or two rows ----------------------------------------------------------------------------------------


def test_shares_are_multiplied_along_a_chain(warehouse, compiled, province):
    old, *_ = grassroots(province)
    rows = [
        (date(2023, 1, 1), "renamed", old, "N.1", 1),
        (date(2024, 1, 1), "split", "N.1", "N.2", Decimal("0.6")),
        (date(2024, 1, 1), "split", "N.1", "68.004", Decimal("0.4")),
        (date(2025, 1, 1), "split", "68.004", "68.001", Decimal("0.5")),
        (date(2025, 1, 1), "split", "68.004", "68.002", Decimal("0.5")),
    ]
    with succeeded(warehouse, compiled, rows) as changed:
        unit = province.listed(2022)[old].unit_code
        assert crosswalk(changed, old, 2022, date(2022, 12, 31)) == []
        assert [row[:3] for row in crosswalk(changed, old, 2022, date(2023, 6, 1))] == [("N.1", unit, 1)]
        assert [row[::2][:2] for row in crosswalk(changed, old, 2022, date(2024, 6, 1))] == [
            ("68.004", Decimal("0.4")),
            ("N.2", Decimal("0.6")),
        ]
        assert [row[::2][:2] for row in crosswalk(changed, old, 2022, date(2026, 6, 1))] == [
            ("68.001", Decimal("0.2")),
            ("68.002", Decimal("0.2")),
            ("N.2", Decimal("0.6")),
        ]


def test_the_deepest_succession_wins_and_what_is_below_inherits(warehouse, compiled, province):
    old, *_ = grassroots(province)
    unit = province.listed(2024)[old].unit_code
    own, *others = list(province.below(old, 2024))
    rows = [(ON, "merged", unit, "68.001", 1), (ON, "merged", old, "68.002", 1), (ON, "merged", own, "68.003", 1)]
    with succeeded(warehouse, compiled, rows) as changed:
        found = dict(
            changed.execute(
                "select org_code, from_code from marts.organisation_succession where year = 2024 and unit_code = ? "
                "and structure_date = ?",
                [unit, ON],
            ).fetchall()
        )
        assert found[own] == own
        assert {found[code] for code in (old, *others)} == {old}
        assert {found[code] for code in found if code not in (own, old, *others)} == {unit}


def test_an_organisation_that_kept_its_code_is_not_split_again(warehouse, compiled, province):
    old, *_ = grassroots(province)
    on = date(2023, 7, 1)
    rows = [(on, "split", old, old, Decimal("0.7")), (on, "split", old, "68.001", Decimal("0.3"))]
    with succeeded(warehouse, compiled, rows) as changed:
        unit = province.listed(2024)[old].unit_code
        assert [row[:3] for row in crosswalk(changed, old, 2022, on)] == [
            (old, unit, Decimal("0.7")),
            ("68.001", "68.001", Decimal("0.3")),
        ] or [row[:3] for row in crosswalk(changed, old, 2022, on)] == [
            ("68.001", "68.001", Decimal("0.3")),
            (old, unit, Decimal("0.7")),
        ]
        assert [row[:3] for row in crosswalk(changed, old, 2024, on)] == [(old, unit, 1)]


def test_what_was_dissolved_stays_with_its_unit_and_a_dissolved_unit_with_itself(warehouse, compiled, province):
    old, *_ = grassroots(province)
    unit = province.listed(2024)[old].unit_code
    with succeeded(warehouse, compiled, [(ON, "dissolved", old, None, 1)]) as changed:
        assert crosswalk(changed, old, 2024, ON) == [(old, unit, 1, True, False)]
    with succeeded(warehouse, compiled, [(ON, "dissolved", unit, None, 1)]) as changed:
        assert crosswalk(changed, unit, 2024, ON) == [(unit, unit, 1, True, True)]
        # Those below it that have no successor of their own are a gap, and stop the build.
        gaps = {code for _, code, _ in changed.execute(compiled["assert_dissolved_units_leave_no_gap"]).fetchall()}
        assert gaps == {code for code, one in province.listed(2025).items() if one.unit_code == unit}


def test_back_to_an_older_structure_only_where_there_is_one_answer(warehouse, compiled, province):
    one, two, *_ = [code for code in grassroots(province) if province.listed(2024)[code].unit_code == "67.001"]
    other = next(code for code in grassroots(province) if province.listed(2024)[code].unit_code == "67.002")
    before = ON - timedelta(days=1)
    renamed = [(ON, "renamed", one, "68.001", 1)]
    with succeeded(warehouse, compiled, renamed) as changed:
        assert crosswalk(changed, "68.001", 2026, before) == [(one, "67.001", 1, True, False)]
    within = [(ON, "merged", one, "68.001", 1), (ON, "merged", two, "68.001", 1)]
    with succeeded(warehouse, compiled, within) as changed:  # whichever it was, it was in this unit
        ((_, unit, share, is_convertible, _),) = crosswalk(changed, "68.001", 2026, before)
        assert (unit, share, is_convertible) == ("67.001", 1, True)
    across = [(ON, "merged", one, "68.001", 1), (ON, "merged", other, "68.001", 1)]
    with succeeded(warehouse, compiled, across) as changed:
        assert crosswalk(changed, "68.001", 2026, before) == [("68.001", "68.001", 1, False, False)]
        notes = changed.execute(
            "select distinct note from marts.indicator_restated where structure_date = date '1930-02-03' "
            "and unit_code = '68.001'"
        ).fetchall()
        assert {note.split("; ")[0] for (note,) in notes} == {"Không quy đổi được về cơ cấu này, số liệu để nguyên"}


def test_an_organisation_moved_under_another_unit_goes_back_to_its_former_parent(warehouse, compiled, province):
    old, *_ = grassroots(province)
    unit = province.listed(2024)[old].unit_code
    with succeeded(warehouse, compiled, [(ON, "new_parent", old, "68.002", 1)]) as changed:
        assert crosswalk(changed, old, 2024, ON) == [(old, "68.002", 1, True, False)]
        assert crosswalk(changed, old, 2026, ON - timedelta(days=1)) == [(old, unit, 1, True, False)]


def test_under_the_province_itself_an_organisation_becomes_a_unit(warehouse, compiled, province):
    old, *_ = grassroots(province)
    with succeeded(warehouse, compiled, [(ON, "new_parent", old, "67", 1)]) as changed:
        assert crosswalk(changed, old, 2024, ON) == [(old, old, 1, True, False)]


def test_a_cell_renamed_before_anybody_lists_it_stays_where_it_was(warehouse, compiled, province):
    top, *_ = grassroots(province)
    cell, *_ = list(province.below(top, 2024))
    rows = [(date(2023, 1, 1), "renamed", cell, f"{cell}9", 1), (ON, "merged", top, "68.003", 1)]
    with succeeded(warehouse, compiled, rows) as changed:
        unit = province.listed(2024)[cell].unit_code
        assert [row[:2] for row in crosswalk(changed, cell, 2022, date(2024, 1, 1))] == [(f"{cell}9", unit)]
        assert [row[:2] for row in crosswalk(changed, cell, 2022, ON)] == [(f"{cell}9", "68.003")]


def test_a_code_that_nobody_knows_is_named(warehouse, compiled):
    rows = [(ON, "renamed", "67.001.999", "68.001", 1), (ON, "renamed", "99.001", "68.002", 1)]
    with succeeded(warehouse, compiled, rows) as changed:
        found = changed.execute(compiled["assert_successions_name_known_codes"]).fetchall()
        assert sorted(row[-1] for row in found) == ["67.001.999", "99.001"]


def test_a_parent_that_does_not_exist_is_named(warehouse, compiled, province):
    one, two, three, four, *_ = grassroots(province)
    later = date(max(province.years) + 1, 1, 1)
    rows = [
        (ON, "new_parent", one, "67.001.999", 1),
        (ON, "new_parent", two, "99.001.002", 1),
        (ON, "new_parent", three, "67", 1),
        (ON, "new_parent", three, "98.001", 1),
        (later, "new_parent", four, "99.002.003", 1),
    ]
    with succeeded(warehouse, compiled, rows) as changed:
        found = changed.execute(compiled["assert_successions_name_known_codes"]).fetchall()
        # Of a new unit several organisations tell that are put under it; a single one may be a slip of the pen.
        assert sorted(row[-1] for row in found) == ["67.001.999", "98.001", "99.001.002", "99.002.003"]


def test_no_district_and_no_province_is_written_into_the_models():
    """From 1/7/2025 on a unit may be a commune: neither a level nor a code of today's stands in the SQL."""
    models = list((PROJECT / "models" / "marts" / "indicators").glob("*.sql"))
    assert len(models) >= len(MODELS)
    for path in models:
        words = path.read_text(encoding="utf-8").lower()
        assert not [word for word in ("huyện", "district", "'67", "'68") if word in words], path


# --- any crosswalk at all --------------------------------------------------------------------------------------------


@st.composite
def crosswalks(draw: st.DrawFn, codes: list[str]) -> list[tuple]:
    """A lawful list: codes end once, new ones are never used before; units N.1 to N.6 take over, and may end too."""
    rows: list[tuple] = []
    living = set(codes)
    units = [f"N.{number}" for number in range(1, 7)]
    fresh = iter(range(1, 1_000))
    days = draw(st.lists(st.dates(date(2022, 3, 1), date(2026, 3, 1)), min_size=1, max_size=3, unique=True))
    for day in sorted(days):
        for code in draw(st.lists(st.sampled_from(sorted(living)), unique=True, max_size=6)):
            later = units[units.index(code) + 1 :] if code in units else units
            targets = [unit for unit in later if unit in living or unit not in {row[2] for row in rows}]
            kind = draw(st.sampled_from(["renamed", "merged", "split", "dissolved", "new_parent"]))
            if (kind == "new_parent" and code not in units and targets) or (kind == "merged" and targets):
                rows.append((day, kind, code, draw(st.sampled_from(targets)), Decimal(1)))
            elif kind == "split" and len(targets) > 1:
                heirs = draw(st.lists(st.sampled_from(targets), min_size=2, max_size=4, unique=True))
                cuts = draw(st.sets(st.integers(1, 999_999), min_size=len(heirs) - 1, max_size=len(heirs) - 1))
                edges = [0, *sorted(cuts), 1_000_000]
                for heir, before, after in zip(heirs, edges, edges[1:], strict=False):
                    rows.append((day, kind, code, heir, Decimal(after - before) / 1_000_000))
            elif kind == "renamed" and code not in units:
                rows.append((day, kind, code, f"R.{next(fresh)}", Decimal(1)))
            elif kind == "dissolved":
                rows.append((day, kind, code, None, Decimal(1)))
            else:
                continue
            if kind != "new_parent":
                living.discard(code)
            living |= {row[3] for row in rows if row[2] == code and row[1] != "new_parent" and row[3]}
        # Nothing that ended that day is a successor of that day.
        ended = {row[2] for row in rows if row[0] == day and row[1] != "new_parent"}
        rows = [row for row in rows if row[0] != day or row[3] not in ended or row[2] not in ended]
        gone = {row[2] for row in rows if row[1] != "new_parent"}
        living = (living | set(codes)) - gone
    whole: dict[tuple, Decimal] = defaultdict(Decimal)
    for row in rows:
        whole[row[2], row[0]] += row[4]
    ends = {row[2]: row[0] for row in rows if row[1] != "new_parent"}
    kept = [row for row in rows if whole[row[2], row[0]] == 1 and (row[3] not in ends or ends[row[3]] >= row[0])]
    whole.clear()
    for row in kept:
        whole[row[2], row[0]] += row[4]
    return [row for row in kept if whole[row[2], row[0]] == 1]


def heirs(
    rows: list[tuple], code: str, parents: dict[str, str], fallback: str | None = None, small: bool | None = None
) -> dict[str, Fraction]:
    """The units of the last structure in which a code ends up: by recursion over the list, nothing else.

    What cells were put into is below where they stood, unless a grassroots organisation or a unit was put there too.
    """
    units = {parent for parent in parents.values() if parent not in parents}
    if small is None:
        small = parents.get(code, code) in parents
    moves = [row for row in sorted(rows, key=lambda row: row[0]) if row[2] == code]
    parent = next((row[3] for row in reversed(moves) if row[1] == "new_parent"), parents.get(code, fallback))
    found: dict[str, Fraction] = defaultdict(Fraction)
    ending = [row for row in moves if row[1] in {"renamed", "merged", "split"}]
    for _, kind, _, new, share in ending:
        given = {row[2] for row in rows if row[3] == new and row[1] != "renamed"}
        is_head = bool(given & units) or any(parents.get(one) in units for one in given)
        below = parent if (kind == "renamed" or small) and not is_head else None
        for unit, part in heirs(rows, new, parents, below, small).items():
            found[unit] += part * Fraction(share)
    if not ending:
        return heirs(rows, parent, parents) if parent else {code: Fraction(1)}
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(data=st.data())
def test_any_lawful_crosswalk_reconciles_exactly(warehouse, compiled, province, data):
    listed = {code: one for code, one in province.listed(2024).items() if one.unit_code.startswith("67.")}
    codes = sorted({*listed, *(one.unit_code for one in listed.values())})
    rows = data.draw(crosswalks(codes))
    with succeeded(warehouse, compiled, rows) as changed:
        for name in TESTS:
            assert changed.execute(compiled[name]).fetchall() == [], name

        parents = {code: one.parent_code for code, one in listed.items()}
        truth: dict[str, list[Fraction]] = defaultdict(lambda: [Fraction(0), Fraction(0)])
        for (_, code), pair in province.parts["members_good", 2024].items():
            for unit, share in heirs(rows, code, parents).items():
                for side in (0, 1):
                    truth[unit][side] += pair[side] * share
        assert restated(changed, "members_good", 2024, date(2027, 1, 1)) == {
            unit: tuple(pair) for unit, pair in truth.items() if any(pair)
        }


def test_the_drawn_crosswalks_are_not_all_empty(province):
    """What the property above is tried on has splits, chains and moves."""
    listed = [code for code, one in province.listed(2024).items() if one.unit_code.startswith("67.")]
    kinds: set[str] = set()
    chained = False

    @settings(max_examples=60, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(rows=crosswalks(sorted(listed)))
    def look(rows: list[tuple]) -> None:
        nonlocal chained
        kinds.update(row[1] for row in rows)
        chained |= bool({row[3] for row in rows} & {row[2] for row in rows if row[1] != "new_parent"})

    look()
    assert kinds == {"renamed", "merged", "split", "dissolved", "new_parent"}
    assert chained
