"""What names a row of a mart: enforced in small tables, tested in large ones, known to readers in both."""

import json
import re
from collections.abc import Iterator

import duckdb
import numpy as np
import pandas as pd
import pytest

from orchestration.warehouse import primary_keys
from tests.store_builder import built_by_dbt


@pytest.fixture
def built() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        place = str(built_by_dbt().database).replace("'", "''")
        connection.execute(f"attach '{place}' as build (read_only)")
        yield connection


def marts() -> dict[str, list[str]]:
    """The key of each mart as its contract has it."""
    return {
        node["name"]: [name for one in node["constraints"] if one["type"] == "primary_key" for name in one["columns"]]
        for node in built_by_dbt().nodes.values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
    }


def looked_after(mart: str) -> list[list[str]]:
    """The columns in which no two rows of a mart agree, as tests have it."""
    return [
        node["test_metadata"]["kwargs"]["combination"]
        for node in built_by_dbt().nodes.values()
        if node["resource_type"] == "test"
        and (node.get("attached_node") or "").endswith(f".{mart}")
        and node["test_metadata"]["name"] == "unique_combination"
    ]


def enforced(built) -> set[str]:
    return {
        name
        for (name,) in built.execute(
            "select table_name from duckdb_constraints() where constraint_type = 'PRIMARY KEY'"
        ).fetchall()
    }


def test_readers_know_the_key_of_every_mart(built):
    assert primary_keys(built, "build") == {f"marts.{mart}": key for mart, key in marts().items()}
    assert all(marts().values())


def test_a_key_is_enforced_or_tested_and_an_index_is_kept_for_none_that_is_tested(built):
    has_index = enforced(built)
    both = {mart: (mart in has_index, sorted(key) in map(sorted, looked_after(mart))) for mart, key in marts().items()}

    assert {mart: how for mart, how in both.items() if sum(how) != 1} == {}
    assert not both["fct_cell_meeting"][0], "a row for each cell and month"
    assert both["dim_unit"][0]


def test_no_column_of_a_key_is_ever_empty(built):
    may_be = built.execute(
        "select table_name, column_name from duckdb_columns() where schema_name = 'marts' and is_nullable"
    ).fetchall()
    assert [(mart, name) for mart, name in may_be if name in marts()[mart]] == []


@pytest.fixture
def meetings() -> Iterator[duckdb.DuckDBPyConnection]:
    """The table of meetings, empty, under the name that the tests of the project know it by."""
    name = built_by_dbt().database.stem
    with duckdb.connect(str(built_by_dbt().database), read_only=True) as built:
        (made,) = built.execute("select sql from duckdb_tables() where table_name = 'fct_cell_meeting'").fetchone()
    with duckdb.connect() as connection:
        connection.execute(f'attach \':memory:\' as "{name}"; use "{name}"; create schema marts; {made}')
        yield connection


def test_rows_that_share_their_key_are_found_each_key_once(meetings):
    drawn = np.random.default_rng(20260301)
    rows = pd.DataFrame({"record_id": drawn.integers(0, 3_000, 4_000).astype(str), "unit_code": None})
    meetings.execute("insert into marts.fct_cell_meeting by name select * from rows")
    test = built_by_dbt().nodes["unique_combination_fct_cell_meeting_record_id"]

    found = [key for (key,) in meetings.execute(test["compiled_code"]).fetchall()]
    assert sorted(found) == sorted(rows.loc[rows.duplicated(), "record_id"].unique())
    meetings.execute("create or replace table marts.fct_cell_meeting as from marts.fct_cell_meeting limit 0")
    assert meetings.execute(test["compiled_code"]).fetchall() == []


def test_rows_that_agree_in_what_is_empty_too_are_found(meetings):
    """Of the other grain of a fact, which may be empty where a row is held back."""
    meetings.execute(
        "insert into marts.fct_cell_meeting by name "
        "select i::varchar as record_id, 2025 as year, '67.001' as unit_code, "
        "case when i > 1 then 'C' end as cell_code, case when i > 3 then 3 end as month from range(6) as r(i)"
    )
    (test,) = (
        node
        for node in built_by_dbt().nodes.values()
        if re.match("unique_combination_fct_cell_meeting_year", node["name"])
    )
    found = meetings.execute(test["compiled_code"]).fetchall()
    assert sorted(found, key=repr) == [
        (2025, "67.001", "C", 3),
        (2025, "67.001", "C", None),
        (2025, "67.001", None, None),
    ]


def test_a_row_without_its_key_is_refused(meetings):
    with pytest.raises(duckdb.ConstraintException, match="NOT NULL"):
        meetings.execute("insert into marts.fct_cell_meeting (record_id) values (null)")


def a_build(connection, **catalogue):
    connection.execute("attach ':memory:' as older; create schema older.marts")
    connection.execute("create table older.marts.small (code varchar primary key, n integer)")
    connection.execute("create table older.marts.large (id varchar, year integer, n integer)")
    if catalogue:
        connection.execute("create table older.marts.trace_catalogue (mart varchar, figure varchar, how varchar)")
        rows = [(mart, "*", json.dumps(told)) for mart, told in catalogue.items()]
        connection.executemany("insert into older.marts.trace_catalogue values (?, ?, ?)", rows)


@pytest.mark.parametrize(
    ("catalogue", "known"),
    [
        ({}, {"marts.small": ["code"]}),
        ({"small": {"sets": {}}, "large": {"key": []}}, {"marts.small": ["code"]}),
        (
            {"small": {"key": ["n"]}, "large": {"key": ["id", "year"]}},
            {"marts.small": ["code"], "marts.large": ["id", "year"]},
        ),
    ],
    ids=["from before there was a catalogue", "whose catalogue tells no key", "what is enforced comes first"],
)
def test_of_an_older_build_what_it_says_of_keys_is_known(catalogue, known):
    with duckdb.connect() as connection:
        a_build(connection, **catalogue)
        assert primary_keys(connection, "older") == known
