"""The warehouse as a file: its build id, where it is built, how it is read, compared and published."""

import filecmp
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path

import duckdb
import pandas as pd

from orchestration.problems import ProblemError
from orchestration.settings import PROJECT, Folders

CODE = ("dbt_project", "submissions", "ratings")
"""Folders whose files decide what is in the warehouse."""

GENERATED = {"target", "logs", "dbt_packages", "__pycache__", ".user.yml"}

ENGINES = ("duckdb", "dbt-core", "dbt-duckdb", "pandas", "pyarrow")

KEPT_BUILDS = 12

POOL = "warehouse"
"""Dagster's pool of steps that write: one run at a time, as the build lock has it."""


class NotBuiltError(ProblemError):
    """There is no warehouse where one is asked for; the message says what to do."""


# --- what it is built from ---------------------------------------------------------------------------------------


def build_id(folders: Folders) -> str:
    """Id of the warehouse that this store and this code give: the same id, the same content.

    When a file was received, and under which name, is left out: both differ when a lost run is done again.
    """
    digest = hashlib.sha256()
    for part in (*_store_manifest(folders.store), *_code_manifest(), _member_key_id(folders)):
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def _store_manifest(store: Path) -> Iterator[str]:
    with duckdb.connect() as connection:
        for pattern, left_out in (
            ("submissions/*.parquet", "exclude (received_at, file_name)"),
            ("counts/*.parquet", ""),
            ("queries/*.parquet", ""),
            ("register/sendings.parquet", "exclude (receipt_no, received_at, decided_at)"),
            ("register/obligations.parquet", ""),
            ("units.parquet", ""),
            ("cap_exceptions.parquet", ""),
        ):
            yield pattern
            if any(store.glob(pattern)):
                files = str(store / pattern).replace("'", "''")
                for row in connection.execute(
                    f"select * {left_out} from read_parquet('{files}', union_by_name = true) order by all"
                ).fetchall():
                    yield repr(row)


@cache
def _code_manifest() -> tuple[str, ...]:
    return (
        *(f"{name} {version(name)}" for name in ENGINES),
        *(f"{path.relative_to(PROJECT)} {_file_hash(path)}" for path in source_files(*CODE)),
    )


def source_files(*folders: str) -> Iterator[Path]:
    """Files of code and data under `folders` of the repository, in a fixed order, without what tools generate."""
    for folder in folders:
        for path in sorted((PROJECT / folder).rglob("*")):
            if path.is_file() and GENERATED.isdisjoint(path.relative_to(PROJECT).parts) and path.suffix != ".pyc":
                yield path


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _member_key_id(folders: Folders) -> str:
    """The secret shows in every `member_key`; a hash of it under a label gives nothing away."""
    path = folders.data / "secrets" / "member_key"
    return hashlib.sha256(b"key id|" + path.read_bytes()).hexdigest() if path.exists() else ""


# --- building ----------------------------------------------------------------------------------------------------


@dataclass
class Workshop:
    """What one run, holding the build lock, works with: a warehouse of its own until the gate publishes it."""

    folders: Folders
    province: str
    build_id: str | None = None
    database: Path | None = None
    _tables: "Tables | None" = field(default=None, repr=False)

    def begin(self) -> Path:
        """Start a fresh warehouse, clearing away what killed runs left behind; returns the file to build.

        Each attempt has a folder of its own, so that a dbt process orphaned by a kill writes where nobody looks.
        """
        self.folders.builds.mkdir(parents=True, exist_ok=True)
        self.clear()
        self.build_id = build_id(self.folders)
        place = self.folders.builds / f"{self.build_id}.{uuid.uuid4().hex[:8]}.building"
        place.mkdir()
        self.database = place / f"{self.build_id}.duckdb"
        return self.database

    def clear(self) -> None:
        """Remove unfinished warehouses; only the holder of the lock may."""
        for place in self.folders.builds.glob("*.building"):
            shutil.rmtree(place, ignore_errors=True)
        for link in self.folders.data.glob(f".{self.folders.published.name}.*"):
            link.unlink(missing_ok=True)

    def unfinished(self) -> Path:
        """The warehouse this run has begun."""
        if self.database is None or not self.database.exists():
            raise NotBuiltError(
                "Lần chạy này không dựng kho từ đầu nên bước này không có gì để đọc. "
                "Hãy chạy công việc 'whole' hoặc bấm Materialize all."
            )
        return self.database

    def tables(self) -> "Tables":
        """Marts of the warehouse this run builds."""
        if self._tables is None:
            self._tables = Tables(self.unfinished())
        return self._tables

    def publish(self) -> Path:
        """Publish the finished warehouse; returns the build that is now being served."""
        build = publish(self.unfinished(), self.folders)
        self.database = None
        self.clear()
        return build


# --- reading -----------------------------------------------------------------------------------------------------


@contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a warehouse to read; nobody but dbt and the gate ever opens one to write."""
    if not path.exists():
        raise NotBuiltError(f"Chưa có kho dữ liệu ({path.name}). Hãy chạy: thucchat build")
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


class Tables(Mapping[str, pd.DataFrame]):
    """Marts by name as frames, each read when it is first asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._frames:
            with reading(self._path) as connection:
                if name not in _mart_names(connection):
                    raise KeyError(name)
                self._frames[name] = connection.execute(f'select * from marts."{name}" order by all').df()
        return self._frames[name]

    def __iter__(self) -> Iterator[str]:
        with reading(self._path) as connection:
            return iter(_mart_names(connection))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _mart_names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [name for schema, name in base_tables(connection) if schema == "marts"]


def base_tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Schema and name of every table (not view) of the open warehouse."""
    return connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = current_database() order by all"
    ).fetchall()


def logical_hash(path: Path) -> dict[str, str]:
    """Per table its rows, columns and contents as one short text, whatever the order of rows or bytes on disk."""
    with reading(path) as connection:
        return {f"{schema}.{name}": _table_hash(connection, schema, name) for schema, name in base_tables(connection)}


def _table_hash(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> str:
    columns = connection.execute(
        "select string_agg(column_name || ' ' || data_type, ',' order by column_name) from duckdb_columns() "
        "where database_name = current_database() and schema_name = ? and table_name = ?",
        [schema, name],
    ).fetchone()
    content = connection.execute(
        f'select count(*), sum(hash(t)::hugeint)::varchar, bit_xor(hash(t)) from "{schema}"."{name}" as t'
    ).fetchone()
    return hashlib.sha256(repr((columns, content)).encode()).hexdigest()[:16] + f" ({content[0]})"


def published_build(folders: Folders) -> str:
    """Id of the build that is published: whose file it is or, in a copy of the data folder, whose bytes it has."""
    if not folders.published.exists():
        raise NotBuiltError("Chưa có kho dữ liệu nào được công bố. Hãy chạy: thucchat build")
    builds = sorted(folders.builds.glob("*.duckdb"))
    for is_published in (os.path.samefile, _has_the_bytes_of):
        for build in builds:
            if is_published(build, folders.published):
                return build.stem
    raise NotBuiltError(
        f"Không rõ {folders.published.name} là bản dựng nào: trong {folders.builds.name}/ không có tệp cùng nội dung. "
        "Hãy chạy: thucchat build"
    )


def _has_the_bytes_of(build: Path, published: Path) -> bool:
    return filecmp.cmp(build, published, shallow=False)  # sizes are compared first


# --- publishing --------------------------------------------------------------------------------------------------


def publish(database: Path, folders: Folders) -> Path:
    """Close, make durable and name a finished warehouse, then put it in the readers' place in one step.

    Readers that hold the former one keep it. Staging views look into the live store, so they stay behind:
    what is published holds tables only.
    """
    with duckdb.connect(str(database)) as connection:
        connection.execute("drop schema if exists staging cascade")
        connection.execute("checkpoint")
    log = database.with_name(database.name + ".wal")
    if log.exists():
        raise RuntimeError(f"{log.name} is left beside the finished warehouse: it cannot be published")
    _make_durable(database)
    database.chmod(0o444)
    build = folders.builds / database.name
    os.replace(database, build)
    _make_durable(folders.builds)

    link = folders.published.with_name(f".{folders.published.name}.{uuid.uuid4().hex[:8]}")
    os.link(build, link)
    os.replace(link, folders.published)
    _make_durable(folders.data)
    _forget(sorted(folders.builds.glob("*.duckdb"), key=lambda path: path.stat().st_mtime), keep=build)
    return build


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _forget(builds: Iterable[Path], *, keep: Path) -> None:
    for old in list(builds)[:-KEPT_BUILDS]:
        if old != keep:
            old.unlink()


def land(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as Parquet for dbt to read: aside, made durable, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    frame.to_parquet(aside, index=False)
    _make_durable(aside)
    os.replace(aside, path)
