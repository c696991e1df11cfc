"""What is worked out beside a run: the same as the step would make, and nothing rests on the processes that do it."""

import os
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from orchestration import ahead
from orchestration.ahead import Ahead
from orchestration.warehouse import Tables
from tests.works import count, fall, refuse


@pytest.fixture
def database(tmp_path) -> Path:
    path = tmp_path / "builds" / "a.duckdb"
    path.parent.mkdir()
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts; create table marts.facts as from range(7)")
    return path


@pytest.fixture(autouse=True)
def own(monkeypatch):
    """Only what the test announces; at least one process, also where there is one core."""
    monkeypatch.setattr(ahead, "_announced", {})
    monkeypatch.setattr(ahead, "HANDS", ahead.HANDS or 1)
    monkeypatch.setenv("THIS", str(os.getpid()))


def test_work_is_done_in_another_process_and_its_files_are_where_the_step_would_have_put_them(database, tmp_path):
    ahead.announce(count, "facts", needs={"facts"}, imports="orchestration.warehouse", hand=0)
    ahead.warm()
    now = Ahead()
    now.begin(database, {"other"})
    now.begin(database, {"facts"})

    rows, who = now.done(count, Tables(database), tmp_path / "findings", "facts")

    assert rows == 7
    assert who != os.getpid()
    assert (tmp_path / "findings" / "facts.txt").read_text() == "7"


@pytest.mark.parametrize("made", [set(), {"other"}])
def test_what_was_not_begun_is_done_by_the_step_itself(database, tmp_path, made):
    ahead.announce(count, "facts", needs={"facts"}, imports="orchestration.warehouse", hand=0)
    now = Ahead()
    now.begin(database, made)

    assert now.done(count, Tables(database), tmp_path / "findings", "facts") == (7, os.getpid())


def test_work_of_a_process_that_is_gone_is_done_by_the_step_and_the_next_run_has_another(database, tmp_path):
    ahead.announce(fall, imports="orchestration.warehouse", hand=0)
    ahead.announce(count, "facts", imports="orchestration.warehouse", hand=0)
    now = Ahead()
    now.begin(database, ())

    assert now.done(fall, Tables(database), tmp_path / "findings") == os.getpid()
    assert now.done(count, Tables(database), tmp_path / "findings", "facts")[0] == 7
    again = Ahead()
    again.begin(database, ())
    rows, who = again.done(count, Tables(database), tmp_path / "findings", "facts")
    assert rows == 7
    assert who != os.getpid()


def test_work_that_fails_fails_in_the_step_with_its_own_words(database, tmp_path):
    ahead.announce(refuse, imports="orchestration.warehouse", hand=0)
    now = Ahead()
    now.begin(database, ())

    with pytest.raises(LookupError, match="a rule without a function"):
        now.done(refuse, Tables(database), tmp_path / "findings")


def test_nobody_reads_any_more_once_it_is_settled(database):
    ahead.announce(count, "facts", imports="orchestration.warehouse", hand=0)
    now = Ahead()
    now.begin(database, ())
    now.settle()

    with duckdb.connect(str(database)) as connection:
        connection.execute("drop table marts.facts")
        assert connection.execute("select count(*) from duckdb_tables()").fetchone() == (0,)


def test_a_warehouse_too_large_to_be_held_several_times_is_left_to_the_steps(database, tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "LARGEST_BYTES", 0)
    ahead.announce(count, "facts", imports="orchestration.warehouse", hand=0)
    now = Ahead()
    now.begin(database, ())

    assert now.done(count, Tables(database), tmp_path, "facts") == (7, os.getpid())
    assert isinstance(Tables(database)["facts"], pd.DataFrame)
