"""The generator of histories is honest: its truth agrees with itself and with what it reports."""

from collections import Counter
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

import pandas as pd
import pytest
from drawing import table
from histories import OPEN, PROVINCE, Province, drawn, every_event, first_of, key_of, last_of, reorganised
from workbooks import Written

PROVINCES = {
    "every event": every_event,
    **{f"seed {seed}": lambda seed=seed: drawn(seed, units=3) for seed in range(1, 5)},
    "reorganised": reorganised,
}


@pytest.fixture(scope="module", params=PROVINCES)
def province(request):
    return PROVINCES[request.param]()


def versions_of(province, code: str) -> pd.DataFrame:
    found = province.organisation_versions.query("org_code == @code")
    return found[["unit_code", "org_name", "org_kind", "parent_code", "valid_from", "valid_to"]].astype(str)


def expect(found: pd.DataFrame, text: str) -> None:
    """The drawn columns of `found` are what is drawn."""
    wanted = table(text).astype("str").fillna("None")
    assert found[list(wanted)].astype("str").fillna("None").values.tolist() == wanted.values.tolist()


def test_each_thing_that_happens_to_an_organisation_leaves_the_versions_it_should():
    province = every_event()
    expect(
        versions_of(province, "67.001.001.000.000"),
        """
        org_name                   | valid_from | valid_to
        -----------------------------------------------------
        Tổ chức 67.001.001.000.000 | 2021-01-01 | 2022-01-01
        Đảng bộ tên mới            | 2022-01-01 |
        """,
    )
    expect(
        versions_of(province, "67.001.001.000.001"),
        """
        parent_code        | valid_from | valid_to
        --------------------------------------------
        67.001.001.000.000 | 2021-01-01 | 2023-07-01
        67.001.002.000.000 | 2023-07-01 |
        """,
    )
    # Of another one no succession tells the day.
    expect(
        versions_of(province, "67.001.001.000.002"),
        """
        parent_code        | valid_from | valid_to
        --------------------------------------------
        67.001.001.000.000 | 2021-01-01 | 2024-01-01
        67.001.002.000.000 | 2024-01-01 |
        """,
    )
    # To another unit, with all below.
    expect(
        versions_of(province, "67.002.002.000.001"),
        """
        unit_code | parent_code        | valid_from | valid_to
        ------------------------------------------------------
        67.002    | 67.002.002.000.000 | 2021-01-01 | 2024-01-01
        67.001    | 67.002.002.000.000 | 2024-01-01 |
        """,
    )
    # Founded in the middle of a year; founded long before it was first listed; closed on a day.
    expect(versions_of(province, "67.001.001.000.009"), "valid_from | valid_to\n---\n2023-05-10 | ")
    expect(versions_of(province, "67.002.001.000.003"), "valid_from | valid_to\n---\n1999-09-09 | ")
    expect(versions_of(province, "67.002.001.000.001"), "valid_from | valid_to\n---\n2021-01-01 | 2023-10-01")
    # No longer listed, and back again.
    expect(
        versions_of(province, "67.002.001.000.002"),
        """
        valid_from | valid_to
        -----------------------
        2021-01-01 | 2022-01-01
        2024-01-01 |
        """,
    )
    # A year without a report is no evidence: the change is seen in the next report.
    expect(
        versions_of(province, "67.003.001.000.001"),
        """
        org_name                            | valid_from | valid_to
        -----------------------------------------------------------
        Tổ chức 67.003.001.000.001          | 2021-01-01 | 2024-01-01
        Chi bộ đổi tên lúc đơn vị không gửi | 2024-01-01 |
        """,
    )
    # An empty cell is no change.
    expect(versions_of(province, "67.001.002.000.002"), "valid_from | valid_to\n---\n2021-01-01 | ")


def test_each_thing_that_happens_to_a_member_leaves_the_versions_it_should():
    province = every_event()
    cell = "67.003.001.000.00"
    names = {person.posts.at(2025).status if person.posts.at(2025) else "gone": person for person in province.people}
    assert set(names) == {"Chính thức", "gone"}
    found = province.member_versions.set_index("member_key")

    def of(test) -> pd.DataFrame:
        (person,) = [person for person in province.people if test(person)]
        return found.loc[[key_of(person.card)]]

    expect(
        of(lambda one: one.expelled_on),
        """
        status     | valid_from | valid_to
        ------------------------------------
        Chính thức | 2021-01-01 | 2022-06-10
        Khai trừ   | 2022-06-10 | 2024-01-01
        """,
    )
    expect(
        of(lambda one: any(post and post.status == "Từ trần" for post in one.posts.changes.values())),
        """
        status     | valid_from | valid_to
        ------------------------------------
        Chính thức | 2021-01-01 | 2024-12-31
        Từ trần    | 2024-12-31 | 2025-01-01
        """,
    )
    expect(
        of(lambda one: one.left),
        """
        unit_code | cell_code          | valid_from | valid_to
        ------------------------------------------------------
        67.003    | 67.003.002.000.001 | 2021-01-01 | 2025-01-01
        67.001    | 67.001.001.000.002 | 2025-01-01 |
        """,
    )
    expect(
        of(lambda one: one.admitted_on == date(2021, 11, 3)),
        """
        status     | valid_from | valid_to
        ------------------------------------
        Dự bị      | 2021-11-03 | 2022-01-01
        Chính thức | 2022-01-01 |
        """,
    )
    typed = next(person for person in province.people if person.mistyped)
    expect(
        found.loc[[key_of(typed.card), key_of(typed.mistyped[2022])]],
        f"""
        cell_code | valid_from | valid_to
        ------------------------------------
        {cell}2   | 2021-01-01 | 2022-01-01
        {cell}2   | 2024-01-01 |
        {cell}2   | 2022-01-01 | 2024-01-01
        """,
    )


def test_the_same_seed_gives_the_same_province_and_another_seed_another():
    once, again, other = drawn(7), drawn(7), drawn(8)
    assert once.facts.equals(again.facts)
    assert once.reports_sent == again.reports_sent
    assert once.reports_sent != other.reports_sent


def test_everything_that_can_happen_does_within_a_few_seeds():
    happened = Counter()
    for province in (drawn(seed, units=3, events=0.4) for seed in range(1, 7)):
        organisations, people = province.organisations.values(), province.people
        changed = province.organisation_versions.groupby("org_code").nunique().gt(1).sum()
        names = ["org_name", "parent_code", "unit_code", "org_kind", "org_sector"]
        happened.update({name: int(changed[name]) for name in names})
        happened["founded"] += sum(one.founded_on is not None and one.founded_on.year > 2021 for one in organisations)
        happened["closed"] += sum(one.closed_on is not None for one in organisations)
        ended = [sorted(one.listings.changes.items()) for one in organisations if not one.closed_on]
        happened["silently ended"] += sum(changes[-1][1] is None for changes in ended)
        happened["back"] += sum(None in [listing for _, listing in changes[:-1]] for changes in ended)
        happened["nameless"] += sum(bool(one.nameless) for one in organisations)
        happened["not sent"] += len(province.silent)
        for name in ("left", "mistyped"):
            happened[name] += sum(len(getattr(person, name)) for person in people)
        happened["renewed"] += sum(bool(person.cards.changes) for person in people)
        happened["admitted"] += sum(person.admitted_on.year > 2021 for person in people)
        happened["expelled"] += sum(person.expelled_on is not None for person in people)
        statuses = [post.status if post else None for person in people for post in person.posts.changes.values()]
        happened.update({name: statuses.count(name) for name in ("Dự bị", "Từ trần", "Chuyển đi", None)})
        members = province.member_versions.groupby("member_key").nunique().gt(1).sum()
        happened.update({name: int(members[name]) for name in ("cell_code", "qualification", "theory", "status")})
    assert all(happened.values()), happened


@pytest.mark.parametrize(("frame", "key"), [("organisation_versions", "org_code"), ("member_versions", "member_key")])
def test_versions_neither_overlap_nor_are_empty_and_neighbours_differ(province, frame, key):
    versions = getattr(province, frame).sort_values([key, "valid_from"])
    for _, mine in versions.groupby(key):
        rows = mine.to_dict("records")
        for before, after in pairwise(rows):
            assert isinstance(before["valid_to"], date)
            assert before["valid_to"] <= after["valid_from"]
            told = [
                {name: row[name] for name in row if not name.startswith(("valid", "basis"))} for row in (before, after)
            ]
            assert before["valid_to"] < after["valid_from"] or told[0] != told[1]
        assert all(row["valid_from"] < (row["valid_to"] or OPEN) for row in rows)


def test_who_is_reported_has_a_version_at_the_end_of_the_year_or_ended_in_it(province):
    lives = {key: rows for key, rows in province.organisation_versions.groupby("org_code")}
    for (_, year), forms in province.reports_sent.items():
        for row in forms["organisations"]:
            code, end = row.org_code, last_of(year)
            versions = lives[code].to_dict("records")
            in_force = [one for one in versions if one["valid_from"] <= end < (one["valid_to"] or OPEN)]
            days = {one.effective_on for one in province.successions}
            days |= {day + timedelta(1) for day in {province.organisations[code].closed_on} - {None}}
            ends = {day for day in days if first_of(year) < day <= first_of(year + 1)}
            assert len(in_force) == (0 if versions[-1]["valid_to"] in ends else 1)


def test_a_succession_ends_the_old_and_begins_the_new_with_all_that_is_below():
    province = Province(range(2023, 2027))
    old, new = province.unit("67.001", "Huyện", last=2025), province.unit("68.001", "Xã mới", first=2026)
    for top in ("A", "B", "C"):
        province.found(top, old)
        province.found(f"{top}1", old, top, "Chi bộ trực thuộc", founded_on=date(2001, 1, 1))
    province.found("N", new, year=2026, founded_on=date(1990, 1, 1))
    for cell, since in (("N1", date(1990, 1, 1)), ("N2", date(2026, 4, 4))):
        province.found(cell, new, "N", "Chi bộ trực thuộc", year=2026, founded_on=since)
    day = date(2025, 7, 1)
    province.succeed(day, "renamed", "A", "N")
    province.succeed(day, "merged", "67.001", "68.001")
    province.succeed(day, "new_parent", "B1", "N")
    province.succeed(day, "new_parent", "C", "68.001")
    for code in ("A", "A1", "B"):
        province.drop(code, 2026)
    province.change("B1", 2026, unit_code=new, parent_code="N")
    province.hand_over("C", 2026, new)
    expect(
        province.organisation_versions.sort_values(["org_code", "valid_from"]),
        """
        org_code | unit_code | valid_from | valid_to   | basis
        -----------------------------------------------------------
        A        | 67.001    | 2023-01-01 | 2025-07-01 | first_listed
        A1       | 67.001    | 2001-01-01 | 2025-07-01 | founded_on
        B        | 67.001    | 2023-01-01 | 2025-07-01 | first_listed
        B1       | 67.001    | 2001-01-01 | 2025-07-01 | founded_on
        B1       | 68.001    | 2025-07-01 |            | succession
        C        | 67.001    | 2023-01-01 | 2025-07-01 | first_listed
        C        | 68.001    | 2025-07-01 |            | succession
        C1       | 67.001    | 2001-01-01 | 2025-07-01 | founded_on
        C1       | 68.001    | 2025-07-01 |            | succession
        N        | 68.001    | 2025-07-01 |            | succession
        N1       | 68.001    | 2025-07-01 |            | succession
        N2       | 68.001    | 2026-04-04 |            | founded_on
        """,
    )
    assert province.structure(date(2025, 6, 30))["B1"] == ["B", "67.001", PROVINCE]
    assert province.structure(day)["B1"] == ["N", "68.001", PROVINCE]


def test_every_fact_has_its_versions(province):
    facts = province.facts
    assert facts["on"].map(lambda day: day.year).eq(facts["year"]).all()
    about_organisations = facts[facts["org_code"].notna() & ~facts["org_code"].isin(province.units)]
    assert about_organisations["organisation_from"].notna().all()
    assert facts.loc[facts["member_key"].notna(), "member_from"].notna().all()
    assert len(facts) == sum(len(rows) for forms in province.reports_sent.values() for rows in forms.values())


def both(pairs) -> tuple[Fraction, Fraction]:
    """The sums of numerators and of denominators."""
    pairs = list(pairs)
    return sum((n for n, _ in pairs), Fraction(0)), sum((d for _, d in pairs), Fraction(0))


def test_every_total_is_the_sum_of_its_parts_by_the_structure_of_any_day(province):
    for indicator, year in province.parts:
        everything = both(province.parts[indicator, year].values())
        for day in (last_of(year), last_of(province.years[0]), date(province.years[-1], 6, 30)):
            totals = province.totals(indicator, year, day)
            if all(day.year <= last for _, _, last in province.units.values()):
                units = both(totals[unit] for unit in province.units if unit in totals)
                assert totals.get(PROVINCE, (0, 0)) == units
            assert both(totals[place] for place in (PROVINCE, None) if place in totals) == everything


def test_restated_numbers_add_up_to_what_was_reported(province):
    for indicator, year in province.parts:
        everything = both(province.parts[indicator, year].values())
        for day in (last_of(2022), date(2025, 7, 1), last_of(2026)):
            assert both(province.restated(indicator, year, day).values()) == everything


def test_every_number_of_the_rows_is_counted():
    province = every_event()
    rows = [row for forms in province.reports_sent.values() for rows in forms.values() for row in rows]
    members = [row for row in rows if row.form == "members" and row.cells["status"] in {"Chính thức", "Dự bị"}]
    everything = {
        name: both(pairs for of, parts in province.parts.items() if of[0] == name for pairs in parts.values())
        for name, _ in province.parts
    }
    assert everything["admission_rate"] == (sum(row.form == "admissions" for row in rows), len(members))
    held = [row.cells for row in rows if row.form == "cell_meetings" and row.cells["held_on"]]
    assert everything["meetings_held"][0] == len(held) == everything["meetings_tot"][1]
    assert sum(everything[f"meetings_{band}"][0] for band in ("tot", "kha", "trung_binh", "kem")) == len(held)
    assert 0 < everything["meetings_band_differs"][0] < len(held) / 5
    assert everything["inspections_30"][0] + everything["inspections_32"][0] == everything["inspections_30"][1]
    took = [(row.cells["decided_on"] - row.cells["violated_on"]).days for row in rows if row.form == "disciplines"]
    assert {200, 900} == set(took)
    assert everything["days_violation_to_decision"] == (sum(took), len(took))
    assert all(d for _, d in everything.values())


def test_nothing_is_restated_before_anything_changed_and_all_of_it_after():
    province = reorganised()
    before = province.restated("admission_rate", 2022, last_of(2022))
    assert set(before) == {"67.001", "67.002", "67.003"}
    after = province.restated("admission_rate", 2022, last_of(2025))
    # What was dissolved stays in its district.
    assert set(after) == {"68.001", "68.002", "68.003", "68.004", "67.002"}
    (dissolved,) = {one.old_code for one in province.successions if one.kind == "dissolved"}
    assert province.unit_of(dissolved, 2022) == "67.002"
    # What came out of one district goes back to it; what came out of several stays.
    back = province.restated("admission_rate", 2026, last_of(2024))
    assert set(back) & {"67.001", "67.002", "67.003"}
    assert set(back) & {"68.001", "68.002", "68.003", "68.004"}


def test_shares_are_multiplied_along_a_chain_and_the_deepest_succession_wins():
    province = reorganised()
    rows = {(one.kind, one.old_code): one for one in province.successions}

    def shares(code, year=2022, day=date(2025, 7, 1)):
        return sorted(province._successors(code, "67.001", year, day).values())

    # The first organisation went to the second, and that was split.
    first = next(one for one in province.successions if one.effective_on.year == 2023)
    assert shares(first.old_code) == [Fraction(1, 5), Fraction(3, 10), Fraction(1, 2)]
    assert province._successors(first.old_code, "67.001", 2022, date(2023, 4, 1)) == {"67.001": 1}
    # A cell that goes another way than the organisation it is in.
    cell = next(code for kind, code in rows if kind == "merged" and not code.endswith("000") and code.count(".") > 1)
    assert province._successors(cell, "67.001", 2022, date(2025, 7, 1)) == {rows["merged", cell].new_code: 1}
    # Who keeps a part stays where he is, and goes with it later.
    kept = next(one for one in province.successions if one.kind == "split" and one.new_code == one.old_code)
    other = next(one for one in province.successions if one.old_code == kept.old_code and one.new_code != one.old_code)
    unit = kept.old_code[:6]
    assert province._successors(kept.old_code, unit, 2024, date(2025, 7, 1)) == {
        unit: Fraction(1, 4),
        other.new_code: Fraction(3, 4),
    }
    later = rows["new_parent", kept.old_code].new_code
    assert province._successors(kept.old_code, unit, 2024, last_of(2025))[later] >= Fraction(1, 4)


def test_the_workbooks_of_a_province_are_lawful(tmp_path):
    province = drawn(3, units=1)
    province.leave_name_blank("67.001.001.000.000", 2023)
    paths = province.write_workbooks(tmp_path)
    assert paths.keys() == province.reports_sent.keys()
    for (unit, year), path in paths.items():
        written = Written(path, {})
        judged = written.issues(unit)
        blank = len([row for row in province.reports_sent[unit, year]["organisations"] if not row.cells["org_name"]])
        assert judged["rule"].value_counts().to_dict() == ({"required": blank} if blank else {})
