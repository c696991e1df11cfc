"""What dbt ran, run again: each statement after its parents, every test on what came out, the same tables as dbt's."""

import json
import shutil
import threading
from dataclasses import asdict
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from orchestration import statements
from orchestration.instance import open_instance
from orchestration.manifests import manifest_of
from orchestration.runs import run_job
from orchestration.settings import LARGE_STORE_BYTES, Folders, dbt_environment, nodes_at_a_time
from orchestration.statements import Node, Places, Statements
from orchestration.warehouse import logical_hash, published_build

RELATIONS = {"levels": '"seeds"."levels"', "facts": '"marts"."facts"', "reader": '"marts"."reader"'}

FACTS = """
    create table "then"."marts"."facts" (id integer, level varchar, primary key (id));
    insert into "then"."marts"."facts" select id, level from read_csv('/then/store/rows.csv', header = true)
"""

READER = """
    create table "then"."marts"."reader" as
    select level, count(*) as n from "then"."marts"."facts" join "then"."seeds"."levels" using (level) group by all
"""

UNKNOWN = 'select id, level from "then"."marts"."facts" where level not in (select level from "then"."seeds"."levels")'


def counted(rows: str) -> str:
    """The statement that dbt makes of a test."""
    told = "count(*) as failures, count(*) != 0 as should_warn, count(*) != 0 as should_error"
    return f"select {told} from ({rows}) as f"


def node(name: str, kind: str, statement: str = "", *parents: str, rows: str = "", severity: str = "") -> Node:
    return Node(name, kind, RELATIONS.get(name, ""), statement, rows, severity, parents)


NODES = (
    node("reader", "model", READER, "facts", "levels"),
    node("levels", "seed"),
    node("facts", "model", FACTS),
    node("known", "test", counted(UNKNOWN), "facts", "levels", rows=UNKNOWN, severity="error"),
    node("known_softly", "test", counted(UNKNOWN), "facts", "levels", rows=UNKNOWN, severity="warn"),
)
"""Drawn so that the order in the file is not the order in which they can run."""


@pytest.fixture
def kept(tmp_path) -> Statements:
    path = tmp_path / "statements.duckdb"
    written = Places(Path("then.duckdb"), Path("/then/store"), Path("/then/findings")).written
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table statements (position integer, places varchar, node varchar)")
        for position, one in enumerate(NODES):
            row = [position, json.dumps(written), json.dumps(asdict(one))]
            connection.execute("insert into statements values (?, ?, ?)", row)
        connection.execute("create schema seeds; create table seeds.levels as select 'XS' as level")
    return Statements.read(path)


@pytest.fixture
def places(tmp_path) -> Places:
    store = tmp_path / "it's now" / "store"
    store.mkdir(parents=True)
    return Places(tmp_path / "now.duckdb", store, tmp_path / "findings")


def run(kept: Statements, places: Places, rows: str) -> dict[str, statements.Ran]:
    (places.store / "rows.csv").write_text(f"id,level\n{rows}\n", encoding="utf-8")
    return {one.node.unique_id: one for one in kept.run(places, lambda _: True)}


def test_statements_make_the_tables_of_other_data_in_another_place(kept, places):
    ran = run(kept, places, "1,XS\n2,XS")

    assert {name: one.status for name, one in ran.items()} == {
        **dict.fromkeys(RELATIONS, "success"),
        "known": "pass",
        "known_softly": "pass",
    }
    with duckdb.connect(str(places.database)) as connection:
        assert connection.execute("from marts.reader").fetchall() == [("XS", 2)]
        with pytest.raises(duckdb.ConstraintException):
            connection.execute("insert into marts.facts values (1, 'XS')")


def test_a_row_that_a_test_finds_fault_with_fails_it_or_warns_as_dbt_has_it(kept, places):
    ran = run(kept, places, "1,XS\n2,no such level")

    assert (ran["known"].status, ran["known"].failures) == ("fail", 1)
    assert (ran["known_softly"].status, ran["known_softly"].failures) == ("warn", 1)
    with duckdb.connect(str(places.database), read_only=True) as connection:
        found = kept.at(places, UNKNOWN)
        assert statements.failing_rows(connection, found, ["id"], 20) == (["id"], [(2,)])
        assert statements.failing_rows(connection, found, ["no such column"], 20) == (
            ["id", "level"],
            [(2, "no such level")],
        )


def test_nodes_do_not_wait_for_whoever_takes_what_came_of_those_before(kept, places):
    (places.store / "rows.csv").write_text("id,level\n1,XS\n", encoding="utf-8")
    all_looked_at, seen = threading.Event(), []

    def look(ran: statements.Ran, connection: duckdb.DuckDBPyConnection) -> tuple[str, int]:
        seen.append(ran.node.unique_id)
        if len(seen) == len(NODES):
            all_looked_at.set()
        relation = ran.node.relation or RELATIONS["facts"]
        return ran.node.unique_id, connection.execute(f"select count(*) from {relation}").fetchone()[0]

    taken = kept.run(places, lambda _: True, look=look)
    first = next(taken)

    assert all_looked_at.wait(60)
    assert dict([first, *taken]) == dict.fromkeys([*RELATIONS, "known", "known_softly"], 1)


def test_whoever_takes_no_more_leaves_nothing_running(kept, places):
    (places.store / "rows.csv").write_text("id,level\n1,XS\n", encoding="utf-8")
    before = threading.active_count()

    taken = kept.run(places, lambda _: True)
    next(taken)
    taken.close()

    assert threading.active_count() == before
    with duckdb.connect(str(places.database)) as connection:  # nobody else has it open
        connection.execute("create table marts.mine as select 1 as one")


def test_a_key_that_comes_twice_is_refused(kept, places):
    with pytest.raises(duckdb.ConstraintException):
        run(kept, places, "1,XS\n1,XS")


def test_other_code_has_other_statements_and_other_data_the_same():
    inputs = {"code": {"dbt_project": "1"}, "engines": {"duckdb": "1"}, "schemas": {}, "sendings": {}, "lists": {}}
    same = statements.key(inputs, "p")

    assert same == statements.key(inputs | {"sendings": {"aaaa": 1}, "lists": {"units": "2"}}, "p")
    for other in ({"code": {"dbt_project": "2"}}, {"engines": {"duckdb": "2"}}, {"schemas": {"members": "x"}}):
        assert same != statements.key(inputs | other, "p")
    assert same != statements.key(inputs, "another project")


def test_only_the_statements_of_the_last_states_of_the_code_are_kept(tmp_path):
    for number in range(statements.KEPT + 2):
        noted = tmp_path / "noted"
        noted.write_bytes(b"")
        statements.keep(noted, tmp_path / "kept" / f"{number}.duckdb")

    assert len(list((tmp_path / "kept").iterdir())) == statements.KEPT


def test_a_second_build_by_the_same_code_runs_no_dbt_and_reports_every_check_anew(own):
    before = manifest_of(published_build(own), own)
    with open_instance(own) as instance:
        first = _checks(instance, instance.get_runs()[-1].run_id)
    own.published.unlink()
    shutil.rmtree(own.builds)  # there is something to build
    former = set((own.dagster / "dbt").iterdir())

    outcome = run_job("build", own)

    assert outcome.succeeded, outcome
    assert set((own.dagster / "dbt").iterdir()) == former
    with open_instance(own) as instance:
        assert _checks(instance, outcome.run_id) == first
    # The first build was dbt's.
    assert before.with_tables(logical_hash(own.published)).tables == before.tables


def _checks(instance: dg.DagsterInstance, run_id: str) -> dict[dg.AssetCheckKey, bool]:
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [entry.dagster_event.asset_check_evaluation_data for entry in entries]
    return {one.asset_check_key: one.passed for one in evaluations if one.partition is None}


def kept_of(folders: Folders) -> Statements:
    """The statements that the run in `folders` kept."""
    (path,) = (folders.dagster / "statements").iterdir()
    return Statements.read(path)


@pytest.mark.parametrize(("more", "at_a_time"), [(0, 4), (1, 1)])
def test_nodes_of_a_large_store_run_one_after_the_other(tmp_path, more, at_a_time):
    """Four side by side spill what each alone has room for."""
    folders = Folders(tmp_path)
    form = folders.store / "forms" / "members" / "all.parquet"
    form.parent.mkdir(parents=True)
    with form.open("wb") as file:
        file.truncate(LARGE_STORE_BYTES + more)

    assert nodes_at_a_time(folders.store) == at_a_time
    assert dbt_environment(folders, tmp_path / "warehouse.duckdb")["THUCCHAT_DBT_THREADS"] == str(at_a_time)
