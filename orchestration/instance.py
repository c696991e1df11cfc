"""The Dagster instance under the data directory: its settings, and the cure for runs that were killed."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Self

import dagster as dg
import yaml
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

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


LOT_SECONDS = 0.2
"""For so long lines of the log are gathered before they are written together."""


@contextmanager
def unhurried_log(folders: Folders) -> Iterator[None]:
    """Let Dagster's log of a run reach the disk in its own time; a killed process loses the last `LOT_SECONDS` of it.

    Dagster opens a database anew for every line, compiles the same SQL anew with it, and closing the last connection
    waits for the disk three times: a run of a thousand lines waits longer for its log than for dbt. Here one connection
    to each database stays open, what is compiled is kept, lines of the event log are written in lots, and lots are
    synced when SQLite moves them out of its log: a power failure may cost the last lines, never the database.
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

        event.listen(Engine, "connect", on_connect)
        kept.callback(event.remove, Engine, "connect", on_connect)
        if not isinstance(SqliteEventLogStorage.__dict__["_connect"], _InLots):
            kept.enter_context(_asked_once("has_table"))
            kept.enter_context(_asked_once("_has_asset_key_col_on_connection"))
            kept.enter_context(_InLots())
        yield


@contextmanager
def _replaced(name: str, by: object) -> Iterator[None]:
    """Put something in the place of a method of Dagster's event log."""
    of_class = vars(SqliteEventLogStorage).get(name)
    setattr(SqliteEventLogStorage, name, by)
    try:
        yield
    finally:
        if of_class is None:
            delattr(SqliteEventLogStorage, name)
        else:
            setattr(SqliteEventLogStorage, name, of_class)


@contextmanager
def _asked_once(name: str) -> Iterator[None]:
    """Ask the database once for what of its schema is there, and not before each line."""
    ask = getattr(SqliteEventLogStorage, name)
    there: set[tuple[SqliteEventLogStorage, str]] = set()

    def is_there(storage: SqliteEventLogStorage, *about: object) -> bool:
        if (storage, about[-1]) not in there and ask(storage, *about):
            there.add((storage, about[-1]))
        return (storage, about[-1]) in there

    with _replaced(name, is_there):
        yield


class _InLots:
    """In the place of the event log's own way to a database: what is written within `LOT_SECONDS` is one transaction.

    Each use is a savepoint in it, and reads what the former ones wrote; others see it when the lot is closed.
    """

    def __init__(self) -> None:
        self._alone = SqliteEventLogStorage._connect
        self._open: dict[tuple[SqliteEventLogStorage, str], tuple[Engine, Connection]] = {}
        self._until: dict[Connection, float] = {}
        self._over = threading.Event()
        self._failed: SQLAlchemyError | None = None
        self._closer = threading.Thread(target=self._close_lots, daemon=True)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(_replaced("_connect", self))
        self._closer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._over.set()
        self._closer.join()
        self._close(wait=True)
        for engine, connection in self._open.values():
            connection.close()
            engine.dispose()
        if self._failed:
            raise self._failed

    def __get__(self, storage: SqliteEventLogStorage | None, _: type) -> Callable[..., object]:
        return self if storage is None else partial(self._connect, storage)

    @contextmanager
    def _connect(self, storage: SqliteEventLogStorage, shard: str) -> Iterator[Connection]:
        if self._failed:
            raise self._failed
        if (storage, shard) not in self._open:
            with self._alone(storage, shard):
                pass  # it is there, with its tables
        with storage._db_lock:
            connection = self._connection(storage, shard)
            if time.monotonic() > self._until.get(connection, 0):
                connection.commit()
                connection.begin()
                self._until[connection] = time.monotonic() + LOT_SECONDS
            database = connection.connection.driver_connection
            database.execute("savepoint line")
            try:
                yield connection
            except BaseException:
                database.execute("rollback to line")
                raise
            finally:
                database.execute("release line")

    def _connection(self, storage: SqliteEventLogStorage, shard: str) -> Connection:
        if (storage, shard) not in self._open:
            settings = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False, "isolation_level": None}
            engine = create_engine(storage.conn_string_for_shard(shard), poolclass=StaticPool, connect_args=settings)
            # A transaction that reads before it writes would not wait for another process that has written meanwhile.
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("begin immediate"))
            self._open[storage, shard] = engine, engine.connect()
        return self._open[storage, shard][1]

    def _close_lots(self) -> None:
        while not self._over.wait(LOT_SECONDS):
            self._close()

    def _close(self, *, wait: bool = False) -> None:
        """Close the lots; without `wait` not those of a log in use just now, which may be waiting for another's."""
        for (storage, _), (_, connection) in list(self._open.items()):
            if storage._db_lock.acquire(blocking=wait):
                try:
                    connection.commit()
                except SQLAlchemyError as error:
                    self._failed = error  # told to whoever writes next
                finally:
                    self._until.pop(connection, None)
                    storage._db_lock.release()


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
