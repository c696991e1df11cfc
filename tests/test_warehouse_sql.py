"""The dbt project on a small province in which everything that can be odd is odd."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from store_builder import DrawnStore, build_warehouse, built_by_dbt, contents

from tests.odd_province import draw_odd_province


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kho dữ liệu 'thử'")


@pytest.fixture(scope="module")
def warehouse() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(built_by_dbt().database), read_only=True)


def rows(warehouse: duckdb.DuckDBPyConnection, query: str) -> list[tuple]:
    return warehouse.execute(query).fetchall()


def test_a_withdrawn_sending_leaves_nothing_behind(warehouse):
    keys = rows(warehouse, "select member_key from marts.fct_member where year = 2024 order by all")
    assert ("withdrawn",) not in keys
    assert rows(warehouse, "select count(*) from marts.fct_submission where is_in_force") == [(4,)]


def test_the_grassroots_organisation_is_found_by_parents_not_by_codes(warehouse):
    found = rows(
        warehouse,
        "select org_code, grassroots_code, depth, is_inferred from marts.organisation_snapshot "
        "where year = 2024 and unit_code = '67.001' order by all",
    )
    assert found == [
        ("C1", "G1", 3, False),
        ("C2", "G2", 2, False),
        ("G1", "G1", 1, False),
        ("G2", "G2", 1, True),
        ("P1", "G1", 2, False),
        ("U9", None, None, True),
        ("X1", None, None, False),
        ("X2", None, None, False),
    ]


def test_a_held_back_organisation_keeps_what_another_year_says(warehouse):
    found = rows(warehouse, "select org_name, is_inferred, last_year from marts.dim_organisation where org_code = 'G2'")
    assert found == [("Đảng bộ 2", False, 2024)]
    assert rows(
        warehouse,
        "select org_name, is_inferred from marts.dim_organisation where org_code = 'U9'",
    ) == [(None, True)]


def test_a_transferred_member_stands_on_two_rolls_and_is_one_person(warehouse):
    rolls = rows(
        warehouse,
        "select unit_code, is_present from marts.fct_member where member_key = 'm3' and year = 2024 order by all",
    )
    assert rolls == [("67.001", False), ("67.002", True)]
    assert rows(warehouse, "select count(*) from marts.dim_member where member_key = 'm3'") == [(1,)]


def test_an_unlawful_attribute_does_not_wipe_out_what_was_known(warehouse):
    found = rows(warehouse, "select gender, education from marts.dim_member where member_key = 'm2'")
    assert found == [("Nữ", "THPT")]


def test_members_only_referred_to_are_inferred(warehouse):
    assert rows(warehouse, "select member_key from marts.dim_member where is_inferred") == [("m9",)]


def test_the_summary_counts_everything_below(warehouse):
    found = rows(
        warehouse,
        "select org_code, members, cells, meetings_expected, meetings_held, meetings_thematic, meeting_points_mean, "
        "attendance_rate, disciplined_below, held_back_assessments, is_assessment_held_back, is_head_disciplined "
        "from marts.organisation_year where year = 2024 and org_code in ('C1', 'G1', 'P1') order by all",
    )
    assert found == [
        ("C1", 1, 1, 12, 1, 1, 90.5, 0.9, 0, 1, False, True),
        ("G1", 1, 1, 12, 1, 1, 90.5, 0.9, 1, 1, False, False),
        ("P1", 1, 1, 12, 1, 1, 90.5, 0.9, 0, 1, True, False),
    ]


def test_columns_of_a_later_form_version_are_empty_not_zero(warehouse):
    found = rows(warehouse, "select tasks_assigned, tasks_exceeded, score from marts.fct_organisation_assessment")
    assert found == [(10, None, None)]


def test_held_back_rows_are_unknown_in_the_control_totals(warehouse):
    found = rows(
        warehouse,
        "select movement_d, members_present, members_unknown, assessments_rows, assessments_held_back "
        "from marts.control_totals where year = 2024 and unit_code = '67.001'",
    )
    assert found == [(5, 4, 1, 2, 1)]


def test_the_register_meets_a_held_back_report(warehouse):
    found = rows(
        warehouse,
        "select decision_no, unit_code, unit_received, is_mentioned, is_match_held_back from marts.discipline_match "
        "order by all",
    )
    assert found == [
        ("1-QĐ", "67.001", True, True, True),
        ("3-QĐ", "67.001", True, True, False),
        ("9-QĐ", "67.003", False, False, False),
    ]


def test_a_disciplined_member_says_why_no_level_is_known(warehouse):
    found = rows(
        warehouse,
        "select member_key, unit_code, gravest_form, duty_related, self_reported, final_level, assessment_state "
        "from marts.disciplined_member order by all",
    )
    assert found == [
        ("m1", "67.001", "Cảnh cáo", True, True, None, "held_back"),
        ("m2", "67.001", "Khiển trách", False, False, "HT", "rated"),
        ("m9", "67.003", "Khai trừ", None, False, None, "absent"),
    ]


def test_missing_units_are_named(warehouse):
    found = rows(warehouse, "select * from marts.coverage order by year")
    assert found == [(2023, 3, 1, "Huyện Hai, Huyện Ba"), (2024, 3, 2, "Huyện Ba")]


def test_a_ladder_compares_the_same_members(warehouse):
    found = rows(
        warehouse,
        "select step, level_code, compared from marts.rating_ladder "
        "where year = 2024 and subject_kind = 'member' and n > 0 order by all",
    )
    assert found == [("appraised", "HTT", 1), ("decided", "HT", 1), ("self", "HTT", 1)]


def test_nothing_in_the_warehouse_names_a_person_or_a_moment(warehouse):
    forbidden = ("file_name", "received_at", "card_no", "full_name", "born_on", "key", "value_found")
    found = rows(warehouse, "select distinct column_name from information_schema.columns")
    assert not {name for (name,) in found} & set(forbidden)


def test_the_same_submissions_give_the_same_warehouse(warehouse, folder):
    draw_odd_province(DrawnStore(folder / "again", received_at=datetime(2026, 1, 1, 7, 7, 7, tzinfo=UTC)))
    again = build_warehouse(folder / "again", folder / "again.duckdb", tested=False)
    made = contents(again)
    assert made == {name: told for name, told in contents(warehouse).items() if name in made}
    assert {"marts.organisation_year", "marts.rating_distribution", "staging.stg_members"} <= made.keys()


def test_a_province_that_sent_nothing_has_a_warehouse(folder):
    DrawnStore(folder / "empty")
    empty = build_warehouse(folder / "empty", folder / "empty.duckdb", tested=False)
    assert rows(empty, "select count(*) from marts.organisation_year") == [(0,)]
