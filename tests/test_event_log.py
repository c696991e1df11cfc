"""Dagster's event log of a run, written in lots: nothing is lost or held up by it."""

import sqlite3
import subprocess
import sys
import textwrap

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy import text

from orchestration.instance import open_instance, unhurried_log
from orchestration.settings import PROJECT, Folders


@pytest.fixture
def folders(tmp_path) -> Folders:
    folders = Folders(tmp_path / "data")
    folders.data.mkdir()
    return folders


def report(instance: dg.DagsterInstance, name: str) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(["store", name]))


def reported(instance: dg.DagsterInstance, *names: str) -> list[bool]:
    return [instance.get_latest_materialization_event(dg.AssetKey(["store", name])) is not None for name in names]


def delete_half(instance: dg.DagsterInstance) -> None:
    with instance.event_log_storage.index_connection() as connection:
        connection.execute(text("delete from asset_keys"))
        raise ValueError("half way")


def test_what_was_written_is_read_at_once_and_by_all_afterwards(folders):
    before = dict(vars(SqliteEventLogStorage))
    with unhurried_log(folders), open_instance(folders) as instance:
        report(instance, "a")
        assert reported(instance, "a", "b") == [True, False]
        report(instance, "b")

    assert dict(vars(SqliteEventLogStorage)) == before
    with open_instance(folders) as instance:
        assert reported(instance, "a", "b") == [True, True]


def test_a_lot_is_closed_though_nothing_more_is_written(folders):
    with unhurried_log(folders), open_instance(folders) as instance:
        report(instance, "a")
        # Waits for the lock of the lot, as another process does.
        index = folders.dagster / "history" / "runs" / "index.db"
        with sqlite3.connect(index, timeout=60) as other:
            other.execute("begin immediate")
            assert other.execute("select count(*) from asset_keys").fetchone() == (1,)


def test_two_logs_at_once_wait_for_each_other(folders):
    names = [f"{number}" for number in range(40)]
    with unhurried_log(folders), open_instance(folders) as one, open_instance(folders) as other:
        for number, name in enumerate(names):
            report((one, other)[number % 2], name)

        assert reported(other, *names) == [True] * len(names)


def test_a_use_that_fails_is_undone_and_those_beside_it_stay(folders):
    with unhurried_log(folders), open_instance(folders) as instance:
        report(instance, "a")
        with pytest.raises(ValueError, match="half way"):
            delete_half(instance)
        report(instance, "b")

    with open_instance(folders) as instance:
        assert reported(instance, "a", "b") == [True, True]


def test_a_killed_process_leaves_a_log_that_opens_and_holds_what_was_written_before_the_last_lot(folders):
    program = f"""
        import os, signal, sqlite3
        from pathlib import Path
        import dagster as dg
        from orchestration.instance import open_instance, unhurried_log
        from orchestration.settings import Folders
        folders = Folders(Path({str(folders.data)!r}))
        with unhurried_log(folders), open_instance(folders) as instance:
            instance.report_runless_asset_event(dg.AssetMaterialization(["store", "a"]))
            index = folders.dagster / "history" / "runs" / "index.db"
            with sqlite3.connect(index, timeout=60) as other:
                other.execute("begin immediate")  # the lot is closed
            instance.report_runless_asset_event(dg.AssetMaterialization(["store", "b"]))
            os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], cwd=PROJECT, check=False)

    assert ended.returncode < 0
    with open_instance(folders) as instance:
        assert reported(instance, "a") == [True]
        report(instance, "c")
        assert reported(instance, "c") == [True]
