"""The Dagster instance under the data directory: its settings, and the cure for runs that were killed."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from sqlalchemy import event
from sqlalchemy.engine import Engine

from orchestration import lock
from orchestration.settings import PROJECT, Folders

MAX_RUNTIME_SECONDS = 3600

SETTINGS = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    # A run whose machine lost power stays "started" for ever unless it is watched, and blocks the queue.
    "run_monitoring": {
        "enabled": True,
        "start_timeout_seconds": 180,
        "max_runtime_seconds": MAX_RUNTIME_SECONDS,
        "poll_interval_seconds": 10,
    },
    # A crashed run is tried again; a step that failed would only fail again.
    "run_retries": {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False},
    "concurrency": {
        "runs": {"max_concurrent_runs": 1},
        "pools": {"default_limit": 1, "granularity": "run"},
    },
}
"""``dagster.yaml`` of every installation."""

WORKSPACE = {
    "load_from": [
        {
            "python_module": {
                "module_name": "orchestration.definitions",
                "location_name": "thucchat",
                "working_directory": str(PROJECT),
            }
        }
    ]
}
"""``workspace.yaml``: the one code location, under one name wherever the repository lies."""

SECOND_LOOK_SECONDS = 5.0

GRACE_SECONDS = 2 * lock.WAIT_SECONDS
"""A run takes the build lock within this time of its start, or refuses."""


def prepare_home(folders: Folders) -> Path:
    """Write ``dagster.yaml`` and ``workspace.yaml``; returns the home, closed to others because logs can quote data."""
    folders.dagster.mkdir(parents=True, exist_ok=True)
    folders.dagster.chmod(0o700)
    for name, content in (("dagster.yaml", SETTINGS), ("workspace.yaml", WORKSPACE)):
        written = yaml.safe_dump(content, sort_keys=False)
        path = folders.dagster / name
        if not path.exists() or path.read_text(encoding="utf-8") != written:
            path.write_text(written, encoding="utf-8")
    return folders.dagster


def open_instance(folders: Folders) -> dg.DagsterInstance:
    """The instance of the data directory."""
    return dg.DagsterInstance.from_config(str(prepare_home(folders)))


@contextmanager
def unhurried_log(folders: Folders) -> Iterator[None]:
    """Let Dagster's log of a run reach the disk in its own time; a killed process loses nothing of it.

    Dagster opens a database anew for every line, compiles the same SQL anew with it, and closing the last connection
    waits for the disk three times: a run of a thousand lines waits longer for its log than for dbt. Here one connection
    to each database stays open, what is compiled is kept, and lines are synced when SQLite moves them out of its log: a
    power failure may cost the last lines, never the database.
    """
    with ExitStack() as kept:
        mine: dict[str, sqlite3.Connection] = {}

        def on_connect(connection: object, _: object) -> None:
            if not isinstance(connection, sqlite3.Connection):
                return
            path = connection.execute("pragma database_list").fetchone()[2]
            if not Path(path).is_relative_to(folders.dagster):
                return  # the register waits for the disk
            connection.execute("pragma synchronous = normal")
            if path not in mine:
                mine[path] = kept.enter_context(closing(sqlite3.connect(path, check_same_thread=False)))
            # Only who has read since the database keeps a log beside it counts as having it open.
            mine[path].execute("select count(*) from sqlite_master").fetchall()

        engines: dict[str, Engine] = {}

        def engine_of(url: str, **settings: object) -> Engine:
            if url not in engines:
                engines[url] = create_engine(url, **settings)
            return engines[url]

        create_engine = sqlite_event_log.create_engine
        sqlite_event_log.create_engine = engine_of
        kept.callback(setattr, sqlite_event_log, "create_engine", create_engine)
        event.listen(Engine, "connect", on_connect)
        kept.callback(event.remove, Engine, "connect", on_connect)
        yield


def fail_lost_runs(instance: dg.DagsterInstance, folders: Folders, *, at: float | None = None) -> list[str]:
    """Report runs as failed that are started on paper but hold no build lock; returns their ids.

    Every run holds the lock as long as it works, so one that does not is gone: killed, or its machine lost power. A
    run that has just ended lets go of the lock before its end is on paper, so whoever looks lost is looked at again.
    """
    if not (suspects := _without_lock(instance, folders, at)):
        return []
    time.sleep(SECOND_LOOK_SECONDS)
    lost = [run for run in _without_lock(instance, folders, at) if run.run_id in {run.run_id for run in suspects}]
    for run in lost:
        instance.report_run_failed(run, message="Lần chạy bị ngắt giữa chừng (tiến trình không còn).")
    return [run.run_id for run in lost]


def _without_lock(instance: dg.DagsterInstance, folders: Folders, at: float | None) -> list[dg.DagsterRun]:
    """Runs that have started long enough ago to hold the lock, and do not."""
    holder = lock.holder(folders.lock)
    long_ago = (time.time() if at is None else at) - GRACE_SECONDS
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])
    return [
        record.dagster_run
        for record in instance.get_run_records(started)
        if (record.start_time or record.create_timestamp.timestamp()) < long_ago
        and (holder is None or holder.run_id not in (record.dagster_run.run_id, None))
    ]
