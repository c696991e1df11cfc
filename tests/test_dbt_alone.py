"""``dbt build`` alone: a checkout and a store are enough, findings or not."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from orchestration.statements import Places
from orchestration.warehouse import logical_hash
from tests.store_builder import PROJECT, DrawnStore
from tests.test_statements import kept_of


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A warehouse that dbt alone has built from a drawn store, where no findings were ever made."""
    folder = tmp_path_factory.mktemp("alone")
    store = DrawnStore(folder / "store", received_at=datetime(2025, 1, 10, tzinfo=UTC))
    store.send(
        "67.001",
        2024,
        organisations="""
            org_code           | org_name | org_kind     | org_sector | parent_code | member_count
            -------------------+----------+--------------+------------+-------------+-------------
            67.001.002.000.000 | Chi bộ   | Chi bộ cơ sở | Khác       | 67.001      | 1
        """,
        members="""
            member_key | cell_code          | status
            -----------+--------------------+-----------
            m1         | 67.001.002.000.000 | Chính thức
        """,
    )
    environment = {
        **os.environ,
        "THUCCHAT_STORE": str(store.root),
        "THUCCHAT_FINDINGS": str(folder / "no" / "such" / "folder"),
        "THUCCHAT_WAREHOUSE": str(folder / "warehouse.duckdb"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
        "DO_NOT_TRACK": "1",
    }
    command = [Path(sys.executable).with_name("dbt"), "build", "--exclude-resource-type", "unit_test"]
    command += ["--project-dir", PROJECT, "--profiles-dir", PROJECT]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return result, folder / "warehouse.duckdb"


def test_dbt_builds_everything_from_a_store_without_findings(built):
    result, _ = built

    assert result.returncode == 0, result.stdout
    assert "ERROR=0 SKIP=0" in result.stdout


def test_the_tables_of_findings_are_there_and_empty(built):
    _, path = built
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("select count(*) from marts.fct_member").fetchone() == (1,)
        for table in ("fct_finding", "rule_result"):
            assert connection.execute(f"select count(*) from marts.{table}").fetchone() == (0,)


def test_dbt_needs_no_variable_and_no_folder_beside_the_store():
    profile = (PROJECT / "profiles.yml").read_text(encoding="utf-8")

    assert "'../data/warehouse.duckdb'" in profile


def test_the_statements_that_dbt_ran_for_another_province_make_the_tables_that_it_makes_here(built, whole, tmp_path):
    _, path = built
    kept = kept_of(whole)
    late = {node.unique_id for node in kept.nodes if {"fct_finding", "rule_result"} & set(node.unique_id.split("."))}
    late |= {node.unique_id for node in kept.nodes if late & set(node.parents)}  # here nobody has looked for findings
    places = Places(tmp_path / "again.duckdb", path.parent / "store", tmp_path)

    ran = kept.run(places, lambda node: node.unique_id not in late)

    assert {one.status for one in ran} <= {"success", "pass", "warn"}
    alone, again = logical_hash(path), logical_hash(places.database)
    assert again == {name: told for name, told in alone.items() if name in again}
    assert {name.split(".")[-1] for name in alone.keys() - again.keys()} == {"fct_finding", "rule_result"}
