"""``dbt build`` alone: a checkout and a store are enough, findings or not."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from orchestration.statements import Places
from orchestration.warehouse import logical_hash
from ratings.outcomes import FINDING, RESULT
from ratings.review import BUDGET, LISTED, SIGNAL
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
    result = dbt_build(store.root, folder / "no" / "such" / "folder", folder / "warehouse.duckdb")
    return result, folder / "warehouse.duckdb"


def dbt_build(store: Path, findings: Path, warehouse: Path, *selection: str) -> subprocess.CompletedProcess:
    """Build (a selection of) the project as a user of dbt does."""
    environment = {
        **os.environ,
        "THUCCHAT_STORE": str(store),
        "THUCCHAT_FINDINGS": str(findings),
        "THUCCHAT_WAREHOUSE": str(warehouse),
        "DBT_TARGET_PATH": str(warehouse.parent / "target"),
        "DBT_LOG_PATH": str(warehouse.parent / "logs"),
        "DO_NOT_TRACK": "1",
    }
    command = [Path(sys.executable).with_name("dbt"), "build", "--exclude-resource-type", "unit_test", *selection]
    command += ["--project-dir", PROJECT, "--profiles-dir", PROJECT]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


LANDED = {path.stem for path in (PROJECT / "models" / "marts" / "findings").glob("*.sql")}
"""Tables of what Python has landed, or made of it alone."""


def test_dbt_builds_everything_from_a_store_without_findings(built):
    result, _ = built

    assert result.returncode == 0, result.stdout
    assert "ERROR=0 SKIP=0" in result.stdout


def test_the_tables_of_findings_are_there_and_empty(built):
    _, path = built
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("select count(*) from marts.fct_member").fetchone() == (1,)
        for table in sorted(LANDED):
            assert connection.execute(f"select count(*) from marts.{table}").fetchone() == (0,)


def listed(level: str, code: str) -> dict[str, object]:
    """An organisation of the review list."""
    told = dict.fromkeys(("first_reason", "second_reason", "ask_for", "innocent_explanation"), "đề nghị thẩm định lại.")
    figures = dict.fromkeys(("q", "certainty", "p", "t", "first_p", "second_p"), 0.05)
    about = {"organisation_level": level, "year": 2024, "unit_code": "67.001", "org_code": code, "rank": 1, "band": "A"}
    about["organisation_key"] = code if level == "unit" else f"67.001/{code}"
    named = {"first_signal": "COPY", "second_signal": "LADDER", "families": 2, "held_back": 0, "last_year": "no_report"}
    return about | told | figures | named


def test_contradictions_of_an_organisation_and_of_all_below_it_stand_beside_its_reasons(built, tmp_path):
    _, path = built
    landed = tmp_path / "findings"
    landed.mkdir()
    found = {"year": 2024, "severity": "error", "subject_kind": "organisation", "unit_code": "67.001"}
    findings = [
        found | {"finding_id": "f1", "rule_id": "R10", "org_code": "67.001.002.000.000", "found_last_year": True},
        found | {"finding_id": "f2", "rule_id": "R10", "org_code": "67.001.002.000.000"},
        found | {"finding_id": "f3", "rule_id": "R30", "org_code": None, "subject_kind": "unit"},
    ]
    rows = {
        "findings": (findings, FINDING),
        "rule_results": ([], RESULT),
        "signals": ([], SIGNAL),
        "review_list": ([listed("grassroots", "67.001.002.000.000"), listed("unit", "67.001")], LISTED),
        "review_budgets": ([], BUDGET),
    }
    for name, (drawn, columns) in rows.items():
        frame = pd.DataFrame(drawn, columns=list(columns)).astype(columns)
        frame.to_parquet(landed / f"{name}.parquet", index=False)
    shutil.copy(path, tmp_path / path.name)

    result = dbt_build(path.parent / "store", landed, tmp_path / path.name, "--select", "tag:findings")

    assert result.returncode == 0, result.stdout
    with duckdb.connect(str(tmp_path / path.name), read_only=True) as connection:
        beside = "select organisation_level, contradictions, contradiction_rules from marts.mart_review_list order by 1"
        assert connection.execute(beside).fetchall() == [("grassroots", 2, "R10"), ("unit", 3, "R10, R30")]
        again = "select finding_id, found_last_year from marts.fct_finding order by 1"
        assert connection.execute(again).fetchall() == [("f1", True), ("f2", None), ("f3", None)]


def test_dbt_needs_no_variable_and_no_folder_beside_the_store():
    profile = (PROJECT / "profiles.yml").read_text(encoding="utf-8")

    assert "'../data/warehouse.duckdb'" in profile


def test_the_statements_that_dbt_ran_for_another_province_make_the_tables_that_it_makes_here(built, whole, tmp_path):
    _, path = built
    kept = kept_of(whole)
    late = {node.unique_id for node in kept.nodes if LANDED & set(node.unique_id.split("."))}
    late |= {node.unique_id for node in kept.nodes if late & set(node.parents)}  # here nobody has looked for findings
    places = Places(tmp_path / "again.duckdb", path.parent / "store", tmp_path)

    ran = kept.run(places, lambda node: node.unique_id not in late)

    assert {one.status for one in ran} <= {"success", "pass", "warn"}
    alone, again = logical_hash(path), logical_hash(places.database)
    assert again == {name: told for name, told in alone.items() if name in again}
    assert {name.split(".")[-1] for name in alone.keys() - again.keys()} == LANDED
