"""The warehouse's own tests of the regulations: silent on the seeds shipped, loud where those contradict themselves."""

import re

import duckdb
import pytest

from orchestration.settings import PROJECT

TESTS, SEEDS = PROJECT / "dbt_project" / "tests", PROJECT / "dbt_project" / "seeds"


def rows(test, change=None, **tables):
    """What a singular test finds in the shipped seeds after a change; `tables` stand for models."""
    sql = (TESTS / f"{test}.sql").read_text(encoding="utf-8")
    with duckdb.connect() as connection:
        for name in {*re.findall(r"ref\('(\w+)'\)", sql)}:
            made = tables.get(name) or f"select * from read_csv('{SEEDS / name}.csv', header = true)"
            connection.execute(f"create table {name} as {made}")
        if change:
            connection.execute(change)
        return connection.execute(re.sub(r"\{\{ ref\('(\w+)'\) \}\}", r"\1", sql)).fetchall()


YEARS = "select * from (values (2018, 'QD132_16HD'), (2019, 'QD132'), (2025, 'QD366')) as years (year, regime_id)"


@pytest.mark.parametrize(
    ("test", "tables"),
    [
        ("assert_each_year_has_one_regime", {}),
        ("assert_known_years_have_one_regime", {"dim_year": YEARS}),
        ("assert_target_versions_do_not_overlap", {}),
        ("assert_score_bands_cover_the_scale", {}),
    ],
)
def test_the_shipped_seeds_pass(test, tables):
    assert rows(test, **tables) == []


@pytest.mark.parametrize(
    ("test", "change", "found"),
    [
        (
            "assert_each_year_has_one_regime",
            "update regimes set valid_to = '2024-01-01' where regime_id = 'QD132'",
            [("QD132", 2023, "two")],
        ),
        (
            "assert_each_year_has_one_regime",
            "update regimes set valid_to = case regime_id when 'QD124' then date '2025-08-30' else valid_to end, "
            "valid_from = case regime_id when 'QD366' then date '2025-08-30' else valid_from end",
            [("QD124", 2025, "two")],
        ),
        (
            "assert_each_year_has_one_regime",
            "delete from regimes where regime_id = 'QD124'",
            [("QD132", 2023, "none")],
        ),
        (
            "assert_target_versions_do_not_overlap",
            "update targets set valid_to = null where target_id = 'orgs_good' and target_version = 1",
            [("orgs_good", 1, 2)],
        ),
        (
            "assert_score_bands_cover_the_scale",
            "update score_bands set points_from = 75 where band_set = 'rating' and band_code = 'HTT'",
            [("rating", 1, "HTT")],
        ),
        (
            "assert_score_bands_cover_the_scale",
            "delete from score_bands where band_set = 'rating' and band_code = 'XS'",
            [("rating", 1, "HTT")],
        ),
        (
            "assert_score_bands_cover_the_scale",
            "delete from score_bands where band_set = 'rating' and band_code = 'KHT'",
            [("rating", 1, "HT")],
        ),
    ],
)
def test_seeds_that_contradict_themselves_are_found(test, change, found):
    assert rows(test, change) == found


@pytest.mark.parametrize(
    ("years", "found"),
    [("(2019, null)", [(2019,)]), ("(2025, 'QD366'), (2025, 'QD367')", [(2025,)]), ("(2017, null)", [])],
    ids=["none", "two", "before the first"],
)
def test_a_year_without_a_regime_or_with_two_is_found(years, found):
    drawn = f"select * from (values {years}) as years (year, regime_id)"

    assert rows("assert_known_years_have_one_regime", dim_year=drawn) == found
