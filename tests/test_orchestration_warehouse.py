"""The warehouse as a file: compared by content, identified by its inputs, published in one step."""

import os
import shutil
import signal
import subprocess
import sys

import duckdb
import pandas as pd
import pytest

from orchestration.settings import Folders
from orchestration.warehouse import (
    KEPT_BUILDS,
    NotBuiltError,
    Tables,
    Workshop,
    build_id,
    land,
    logical_hash,
    publish,
    published_build,
    reading,
)
from submissions.store import Store
from tests.killing import killed_at


def database(path, *statements):
    """A DuckDB file made by statements."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema if not exists marts")
        for statement in statements:
            connection.execute(statement)
    return path


def finished(folders, build, *values):
    """A finished, unpublished warehouse holding `values`."""
    rows = ", ".join(f"({value})" for value in values)
    return database(
        folders.builds / f"{build}.x.building" / f"{build}.duckdb",
        f"create table marts.numbers as select * from (values {rows}) as v(number)",
        "create schema staging",
        "create view staging.stg_numbers as select * from marts.numbers",
    )


@pytest.fixture
def folders(tmp_path):
    return Folders(tmp_path)


def test_the_order_of_rows_does_not_change_the_logical_hash(tmp_path):
    one = database(tmp_path / "1.duckdb", "create table marts.t as select * from (values (1, 'a'), (2, null)) v(n, x)")
    two = database(tmp_path / "2.duckdb", "create table marts.t as select * from (values (2, null), (1, 'a')) v(n, x)")

    assert logical_hash(one) == logical_hash(two)


def test_a_file_that_was_written_and_given_its_old_date_again_is_read_anew(tmp_path):
    path = database(tmp_path / "1.duckdb", "create table marts.t as from range(5)")
    before, dates = logical_hash(path), path.stat()
    database(path, "update marts.t set range = 9 where range = 3")
    os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))

    assert path.stat().st_mtime_ns == dates.st_mtime_ns
    assert logical_hash(path) != before


@pytest.mark.parametrize(
    "other",
    [
        "select * from (values (1, 'a'), (2, 'b')) v(n, x)",
        "select * from (values (1, 'a'), (2, ''), (2, '')) v(n, x)",
        "select * from (values (1, 'a'), (2, null), (2, null)) v(n, x)",
        "select * from (values (1, 'a'), (2, null)) v(n, y)",
        "select * from (values (1::bigint, 'a'), (2, null)) v(n, x)",
        "select * from (values (2, 'a'), (1, null)) v(n, x)",
    ],
)
def test_any_other_value_row_column_or_type_changes_the_logical_hash(tmp_path, other):
    one = database(tmp_path / "1.duckdb", "create table marts.t as select * from (values (1, 'a'), (2, null)) v(n, x)")
    two = database(tmp_path / "2.duckdb", f"create table marts.t as {other}")

    assert logical_hash(one) != logical_hash(two)


def test_the_build_id_ignores_when_and_under_which_name_a_file_came(tmp_path):
    def stored(place, name, received_at, **more):
        data = Folders(tmp_path / place)
        Store(data.store).prepare()
        row = {"source_hash": "abc", "file_name": name, "received_at": pd.Timestamp(received_at, tz="UTC"), **more}
        pd.DataFrame([row]).to_parquet(data.store / "submissions" / "abc.parquet")
        return build_id(data)

    first = stored("1", "a.xlsx", "2026-01-01", sent_no=1)

    assert stored("2", "b.xlsx", "2026-02-02", sent_no=1) == first
    assert stored("3", "a.xlsx", "2026-01-01", sent_no=2) != first


def test_the_build_id_changes_with_the_unit_list_and_with_the_key_of_pseudonyms(folders):
    Store(folders.store).prepare()
    first = build_id(folders)
    pd.DataFrame({"unit_code": ["67.001"]}).to_parquet(folders.store / "units.parquet")
    second = build_id(folders)
    (folders.data / "secrets").mkdir()
    (folders.data / "secrets" / "member_key").write_bytes(b"secret")

    assert len({first, second, build_id(folders)}) == 3


def test_publishing_puts_a_closed_read_only_file_in_the_readers_place(folders):
    build = publish(finished(folders, "b1", 1, 2), folders)

    assert build == folders.builds / "b1.duckdb"
    assert build.samefile(folders.published)
    assert build.stat().st_mode & 0o777 == 0o444
    assert not list(folders.data.rglob("*.wal"))
    assert published_build(folders) == "b1"
    assert Tables(folders.published)["numbers"]["number"].tolist() == [1, 2]


def test_views_into_the_live_store_are_not_published(folders):
    publish(finished(folders, "b1", 1), folders)

    with reading(folders.published) as connection:
        assert connection.execute("select count(*) from duckdb_views() where not internal").fetchone() == (0,)


def test_a_reader_that_holds_the_former_warehouse_keeps_it_and_the_next_one_sees_the_new(folders):
    publish(finished(folders, "b1", 1), folders)
    slow_reader = subprocess.Popen(
        [sys.executable, "-c", READ_TWICE, str(folders.published)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    before = slow_reader.stdout.readline()
    publish(finished(folders, "b2", 2), folders)
    after, _ = slow_reader.communicate("again\n")

    assert (before, after) == ("[(1,)]\n", "[(1,)]\n")
    assert Tables(folders.published)["numbers"]["number"].tolist() == [2]


READ_TWICE = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    for _ in range(2):
        print(connection.execute("select number from marts.numbers").fetchall(), flush=True)
        sys.stdin.readline()
"""


def test_a_kill_at_any_moment_of_publishing_leaves_a_whole_warehouse_and_a_second_try_succeeds(folders):
    publish(finished(folders, "b0", 0), folders)
    killed = 0
    while True:
        build = f"b{killed + 1}"
        ended = killed_at(killed + 1, publish, finished(folders, build, killed + 1), folders)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        served = Tables(folders.published)["numbers"]["number"].tolist()
        assert served in ([killed], [killed + 1])
        Workshop(folders, "").clear()
        publish(finished(folders, build, killed + 1), folders)
        killed += 1

    assert killed >= 8
    assert Tables(folders.published)["numbers"]["number"].tolist() == [killed + 1]
    Workshop(folders, "").clear()
    assert not list(folders.data.glob(".published*"))
    assert not list(folders.builds.glob("*.building"))


def test_old_builds_are_forgotten_but_never_the_served_one(folders):
    for number in range(KEPT_BUILDS + 3):
        build = publish(finished(folders, f"b{number:02}", number), folders)
        os.utime(build, (number, number))

    kept = sorted(path.stem for path in folders.builds.glob("*.duckdb"))
    assert len(kept) == KEPT_BUILDS
    assert published_build(folders) == kept[-1]


def test_in_a_copy_of_the_data_folder_the_published_build_is_known_and_the_next_one_is_published(folders, tmp_path):
    for number in (1, 2):
        publish(finished(folders, f"b{number}", number), folders)
    copy = Folders(tmp_path / "copy")
    shutil.copytree(folders.data, copy.data, ignore=shutil.ignore_patterns("copy"))

    assert not copy.published.samefile(copy.builds / "b2.duckdb")
    assert published_build(copy) == "b2"
    publish(finished(copy, "b3", 3), copy)
    assert published_build(copy) == "b3"
    assert published_build(folders) == "b2"


def test_a_published_warehouse_without_its_build_is_said_to_be_of_an_unknown_build(folders):
    publish(finished(folders, "b1", 1), folders).unlink()

    with pytest.raises(NotBuiltError, match=r"Không rõ published\.duckdb là bản dựng nào"):
        published_build(folders)


def test_without_a_warehouse_the_reader_is_told_what_to_run(folders):
    with pytest.raises(NotBuiltError, match="thucchat build"):
        Tables(folders.published)["coverage"]
    with pytest.raises(NotBuiltError, match="thucchat build"):
        published_build(folders)


def test_a_step_that_finds_no_warehouse_of_its_run_says_so(folders):
    with pytest.raises(NotBuiltError, match="Materialize all"):
        Workshop(folders, "Đắk Mẫu").tables()


def test_beginning_clears_what_killed_runs_left(folders):
    left = finished(folders, "b1", 1)
    Store(folders.store).prepare()
    begun = Workshop(folders, "Đắk Mẫu").begin()

    assert not left.exists()
    assert begun.parent.parent == folders.builds
    assert begun.stem == build_id(folders)


def test_a_mart_that_is_not_there_is_a_missing_key(folders):
    publish(finished(folders, "b1", 1), folders)
    tables = Tables(folders.published)

    assert list(tables) == ["numbers"]
    with pytest.raises(KeyError, match="nothing"):
        tables["nothing"]


def test_of_marts_only_the_wanted_columns_that_are_there_are_read_in_one_order(folders):
    publish(finished(folders, "b1", 2, 1), folders)
    tables = Tables(folders.published)

    only = tables.only({"numbers": ["number", "no such column"], "nothing": ["number"]})

    assert list(only) == ["numbers"]
    pd.testing.assert_frame_equal(only["numbers"], tables["numbers"][["number"]])
    assert only["numbers"]["number"].tolist() == [1, 2]


def test_landing_replaces_a_parquet_file_and_leaves_nothing_beside_it(tmp_path):
    for value in (1, 2):
        land(pd.DataFrame({"value": [value]}), tmp_path / "findings" / "findings.parquet")

    assert [path.name for path in (tmp_path / "findings").iterdir()] == ["findings.parquet"]
    assert pd.read_parquet(tmp_path / "findings" / "findings.parquet")["value"].tolist() == [2]
