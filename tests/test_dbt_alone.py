"""``dbt build`` alone: a checkout and a store are enough, findings or not."""

import shutil

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from orchestration.statements import Places
from orchestration.warehouse import logical_hash
from ratings.outcomes import FINDING, RESULT
from ratings.review import BUDGET, LISTED, SIGNAL
from tests.store_builder import PROJECT, BuiltByDbt, built_by_dbt
from tests.test_statements import kept_of


@pytest.fixture(scope="module")
def built() -> BuiltByDbt:
    """What dbt alone has built from a drawn store, where no findings were ever made."""
    return built_by_dbt()


LANDED = {path.stem for path in (PROJECT / "models" / "marts" / "findings").glob("*.sql")}
"""Tables of what Python has landed, or made of it alone."""


def test_dbt_builds_everything_from_a_store_without_findings(built):
    assert "ERROR=0 SKIP=0" in built.log.read_text(encoding="utf-8")
    assert not built.places.findings.exists()


def test_the_tables_of_findings_are_there_and_empty(built):
    with duckdb.connect(str(built.database), read_only=True) as connection:
        assert connection.execute("select count(*) from marts.fct_member").fetchone() != (0,)
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


def test_contradictions_of_an_organisation_and_of_all_below_it_stand_beside_its_reasons(built, whole, tmp_path):
    landed = tmp_path / "findings"
    landed.mkdir()
    for path in whole.findings.glob("*.parquet"):  # of all else nothing was found
        pq.write_table(pq.read_schema(path).empty_table(), landed / path.name)
    found = {"year": 2024, "severity": "error", "subject_kind": "organisation", "unit_code": "67.001"}
    findings = [
        found | {"finding_id": "f1", "rule_id": "R10", "org_code": "G1", "found_last_year": True},
        found | {"finding_id": "f2", "rule_id": "R10", "org_code": "G1"},
        found | {"finding_id": "f3", "rule_id": "R30", "org_code": None, "subject_kind": "unit"},
    ]
    rows = {
        "findings": (findings, FINDING),
        "rule_results": ([], RESULT),
        "signals": ([], SIGNAL),
        "review_list": ([listed("grassroots", "G1"), listed("unit", "67.001")], LISTED),
        "review_budgets": ([], BUDGET),
    }
    for name, (drawn, columns) in rows.items():
        frame = pd.DataFrame(drawn, columns=list(columns)).astype(columns)
        frame.to_parquet(landed / f"{name}.parquet", index=False)
    shutil.copy(built.database, tmp_path)
    late = {node["unique_id"] for node in built.nodes.values() if "findings" in node["tags"]}
    kept = kept_of(whole)
    with duckdb.connect(str(tmp_path / built.database.name)) as connection:
        for node in kept.nodes:
            if node.unique_id in late:
                connection.execute(f"drop table {node.relation}")

    # By the statements that dbt ran for another province, where findings had landed: of this one they make what dbt
    # makes (`test_the_statements_that_dbt_ran_for_another_province_make_the_tables_that_it_makes_here`).
    places = Places(tmp_path / built.database.name, built.store, landed)
    ran = list(kept.run(places, lambda node: late & {node.unique_id, *node.parents}))

    assert {one.status for one in ran} == {"success", "pass"}
    with duckdb.connect(str(tmp_path / built.database.name), read_only=True) as connection:
        beside = "select organisation_level, contradictions, contradiction_rules from marts.mart_review_list order by 1"
        assert connection.execute(beside).fetchall() == [("grassroots", 2, "R10"), ("unit", 3, "R10, R30")]
        again = "select finding_id, found_last_year from marts.fct_finding order by 1"
        assert connection.execute(again).fetchall() == [("f1", True), ("f2", None), ("f3", None)]


def test_dbt_needs_no_variable_and_no_folder_beside_the_store():
    profile = (PROJECT / "profiles.yml").read_text(encoding="utf-8")

    assert "'../data/warehouse.duckdb'" in profile


def test_the_statements_that_dbt_ran_for_another_province_make_the_tables_that_it_makes_here(built, whole, tmp_path):
    kept = kept_of(whole)
    late = {node.unique_id for node in kept.nodes if LANDED & set(node.unique_id.split("."))}
    late |= {node.unique_id for node in kept.nodes if late & set(node.parents)}  # here nobody has looked for findings
    places = Places(tmp_path / "again.duckdb", built.store, tmp_path)

    ran = kept.run(places, lambda node: node.unique_id not in late)

    assert {one.status for one in ran} <= {"success", "pass", "warn"}
    alone, again = logical_hash(built.database), logical_hash(places.database)
    assert again == {name: told for name, told in alone.items() if name in again}
    assert {name.split(".")[-1] for name in alone.keys() - again.keys()} == LANDED
