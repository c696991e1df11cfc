"""The warehouse as a file: its build id, where it is built, how it is read, compared and published."""

import filecmp
import hashlib
import io
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from pathlib import Path

import duckdb
import pandas as pd

from orchestration import manifests
from orchestration.ahead import Ahead, Work
from orchestration.manifests import Manifest, touched
from orchestration.problems import ProblemError
from orchestration.settings import Folders
from ratings.rules import check_tables
from submissions.lists import check_codes
from submissions.store import Store, write_aside

KEPT_BUILDS = 12
"""Files of builds that are kept; their manifests are kept for ever."""

INPUTS = "inputs"
"""Folder of the copies of what builds were made of and what is written anew in the course of time."""

PACKS_OF_BUILDS = "packs"
"""Folder, beside the builds, of the packs of builds that are not served."""

PACK_FILE = re.compile(r"^(?P<of>.+-\d{4})-(?P<build>[0-9a-f]{16})\.(pdf|nguon\.html)$")
"""A file of a pack: of which pack and year, and of which build."""

CATALOGUE, SHARED = "trace_catalogue", "*"
"""The mart that says how figures are found again, and its entry of a mart for what all figures of it share."""

POOL = "warehouse"
"""Dagster's pool of steps that write: one run at a time, as the build lock has it."""


class NotBuiltError(ProblemError):
    """There is no warehouse where one is asked for; the message says what to do."""


# --- what it is built from ---------------------------------------------------------------------------------------


def build_id(folders: Folders) -> str:
    """Id of the warehouse that this store and this code give: the same id, the same content."""
    return manifests.id_of(manifests.gather(folders, folders.store))


# --- building ----------------------------------------------------------------------------------------------------


@dataclass
class Workshop:
    """What one run, holding the build lock, works with: a warehouse of its own until the gate publishes it."""

    folders: Folders
    province: str
    manifest: Manifest | None = None
    database: Path | None = None
    ahead: Ahead = field(default_factory=Ahead, repr=False)
    """What is worked out beside the run from its warehouse."""
    _tables: "Tables | None" = field(default=None, repr=False)

    @property
    def build_id(self) -> str | None:
        """Id of the warehouse that was begun."""
        return self.manifest.build_id if self.manifest else None

    def begin(self, store: Path | None = None, *, as_known: date | None = None) -> Path:
        """Start a fresh warehouse of `store`, clearing away what killed runs left behind; returns the file to build.

        Each attempt has a folder of its own, so that a dbt process orphaned by a kill writes where nobody looks.
        Raises `TableError` for tables of regulations that contradict themselves, `ListError` for a list of successions
        that speaks of codes nobody knows.
        """
        check_tables()
        if store is None:
            check_codes(self.folders.data, Store(self.folders.store))
        self.folders.builds.mkdir(parents=True, exist_ok=True)
        self.clear(but=store)
        store = store or self.folders.store
        drawn_up = manifests.draw_up(self.folders, store, as_known=as_known)
        place = self.folders.builds / f"{drawn_up.build_id}.{uuid.uuid4().hex[:8]}.building"
        place.mkdir()
        self.manifest = replace(drawn_up, archive=manifests.archive_into(place / INPUTS, store, self.folders.data))
        self.database = place / f"{drawn_up.build_id}.duckdb"
        self._tables, self.ahead = None, Ahead()
        return self.database

    def clear(self, *, but: Path | None = None) -> None:
        """Remove unfinished warehouses; only the holder of the lock may. The one in which `but` lies is spared."""
        for place in self.folders.builds.glob("*.building"):
            if but is None or not but.is_relative_to(place):
                shutil.rmtree(place, ignore_errors=True)
        for draft in self.folders.builds.glob(".*"):
            if draft.is_file():
                draft.unlink(missing_ok=True)
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

    def judged(self, work: Work, *arguments: object) -> object:
        """What `work` gives for the marts of the warehouse this run builds; its files are put with the findings."""
        return self.ahead.done(work, self.tables(), self.folders.findings, *arguments)

    def tables(self) -> "Tables":
        """Marts of the warehouse this run builds."""
        if self._tables is None:
            self._tables = Tables(self.unfinished())
        return self._tables


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
                try:
                    found = connection.execute(f'select * from marts."{name}" order by all')
                except duckdb.CatalogException as error:
                    raise KeyError(name) from error
                self._frames[name] = found.df()
        return self._frames[name]

    def only(self, columns: Mapping[str, Iterable[str]]) -> dict[str, pd.DataFrame]:
        """Of the marts named those that are there, with those of the columns named that are; nothing of it is kept."""
        found = {}
        with reading(self._path) as connection:
            has = connection.execute("select table_name, column_name from duckdb_columns() where schema_name = 'marts'")
            there = set(has.fetchall())
            for mart, names in columns.items():
                if chosen := ", ".join(f'"{name}"' for name in names if (mart, name) in there):
                    rows = connection.sql(f'select {chosen} from marts."{mart}" order by all')
                    found[mart] = rows.to_arrow_table().to_pandas()
        return found

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


def primary_keys(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, list[str]]:
    """The columns that name a row, by table (``schema.name``) of an attached build.

    Small tables enforce their key; that of a large one is tested, and told by the catalogue that the build carries.
    """
    enforced = connection.execute(
        "select schema_name || '.' || table_name, constraint_column_names from duckdb_constraints() "
        "where database_name = ? and constraint_type = 'PRIMARY KEY'",
        [database],
    ).fetchall()
    try:
        told = connection.execute(
            f'select mart, how from "{database}".marts.{CATALOGUE} where figure = ?', [SHARED]
        ).fetchall()
    except duckdb.CatalogException:  # a build of the time before there was one: it enforces all keys
        told = []
    return {f"marts.{mart}": key for mart, how in told if (key := json.loads(how).get("key"))} | dict(enforced)


def logical_hash(path: Path) -> dict[str, str]:
    """Per table its rows, columns and contents as one short text, whatever the order of rows or bytes on disk.

    A process does not read a file again that nobody has touched since: the kernel keeps the time of the last change.
    """
    return dict(_logical_hash(path, touched(path), touched(path.with_name(f"{path.name}.wal"))))


@lru_cache(maxsize=4)
def _logical_hash(path: Path, *_: tuple[int, ...] | None) -> dict[str, str]:
    with reading(path) as connection:
        tables = base_tables(connection)
        with ThreadPoolExecutor(4) as pool:
            hashes = pool.map(lambda table: _table_hash(connection.cursor(), *table), tables)
            return {f"{schema}.{name}": told for (schema, name), told in zip(tables, hashes, strict=True)}


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


def altered(build: Path, manifest: Manifest) -> list[str]:
    """Tables of a finished warehouse that are not what they were when it was built, came or went."""
    try:
        now = manifest.with_tables(logical_hash(build)).tables
    except duckdb.Error:
        return ["tệp không mở được"]
    return sorted(name for name in {*now, *manifest.tables} if now.get(name) != manifest.tables.get(name))


def published_build(folders: Folders) -> str:
    """Id of the build that is published: whose file it is or, in a copy of the data folder, whose bytes it has."""
    if not folders.published.exists():
        raise NotBuiltError("Chưa có kho dữ liệu nào được công bố. Hãy chạy: thucchat build")
    builds = sorted(folders.builds.glob("*.duckdb"))
    for build in builds:
        if build.samefile(folders.published):
            return build.stem
    found = [build.stem for build in builds if _has_the_bytes_of(build, folders.published)]
    # Of builds that are alike to the last byte, it is one that was published.
    if found:
        return min(found, key=lambda name: _state(name, folders) != "published")
    raise NotBuiltError(
        f"Không rõ {folders.published.name} là bản dựng nào: trong {folders.builds.name}/ không có tệp cùng nội dung. "
        "Hãy chạy: thucchat build"
    )


def _state(name: str, folders: Folders) -> str | None:
    manifest = manifests.readable(name, folders)
    return manifest.state if manifest else None


def _has_the_bytes_of(build: Path, published: Path) -> bool:
    return filecmp.cmp(build, published, shallow=False)  # sizes are compared first


# --- publishing --------------------------------------------------------------------------------------------------


def finish(database: Path) -> dict[str, str]:
    """Close a finished warehouse and make it durable; returns its `logical_hash`.

    Staging tables repeat the store row by row, so they stay behind: what is published are seeds and marts.
    """
    with duckdb.connect(str(database)) as connection:
        connection.execute("drop schema if exists staging cascade")
        connection.execute("checkpoint")
    log = database.with_name(database.name + ".wal")
    if log.exists():
        raise RuntimeError(f"{log.name} is left beside the finished warehouse: it cannot be published")
    _make_durable(database)
    database.chmod(0o444)
    return logical_hash(database)


def keep(database: Path, folders: Folders) -> Path:
    """Name a finished warehouse as a build, with the copies of its inputs that lie beside it; readers see nothing."""
    copies = database.parent / INPUTS
    if copies.exists():
        kept = folders.builds / INPUTS
        kept.mkdir(mode=0o700, exist_ok=True)
        for copy in sorted(copies.iterdir()):
            _make_durable(copy)
            os.replace(copy, kept / copy.name)
        _make_durable(kept)
    build = folders.builds / database.name
    os.replace(database, build)
    _make_durable(folders.builds)
    _forget(folders)
    return build


def serve(build: Path, folders: Folders) -> None:
    """Put a build in the readers' place in one step, then its packs. Readers that hold the former one keep it."""
    link = folders.published.with_name(f".{folders.published.name}.{uuid.uuid4().hex[:8]}")
    os.link(build, link)
    os.replace(link, folders.published)
    _make_durable(folders.data)
    lay_out_packs(folders, build.stem)
    _forget(folders)


def lay_out_packs(folders: Folders, build_id: str) -> None:
    """Leave readers this build's packs alone: those of others are kept beside the builds, and its own come back."""
    kept = folders.builds / PACKS_OF_BUILDS
    for here, there, is_ours in ((folders.packs, kept, False), (kept, folders.packs, True)):
        for path in sorted(here.glob("*/*")):
            told = PACK_FILE.match(path.name)
            if told and (told["build"] == build_id) == is_ours:
                target = there / path.parent.name
                target.mkdir(parents=True, exist_ok=True)
                os.replace(path, target / path.name)


def publish(database: Path, folders: Folders) -> Path:
    """Finish, keep and serve a warehouse, without asking: `releases` does that."""
    finish(database)
    build = keep(database, folders)
    serve(build, folders)
    return build


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _forget(folders: Folders) -> None:
    """Remove the files of builds beyond the last ones; never the one that is served."""
    builds = sorted(folders.builds.glob("*.duckdb"), key=lambda path: path.stat().st_mtime)
    for old in builds[:-KEPT_BUILDS]:
        if not folders.published.exists() or not old.samefile(folders.published):
            old.unlink()


def land(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as Parquet for dbt to read: aside, made durable, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    frame.to_parquet(content, index=False)
    write_aside(path, content.getvalue())
