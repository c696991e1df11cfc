"""A store drawn in a test, and the warehouse that is built from it."""

import json
import os
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
from drawing import table

from orchestration.settings import QUIET
from orchestration.statements import Places, Statements, note
from submissions.register.log import Event, Register
from submissions.register.snapshots import export
from submissions.store import CAP_EXCEPTIONS, COUNTS, SUBMISSION, UNITS, Store, form_schemas, frame_table, write_table
from tests.odd_province import draw_odd_province
from tests.shared import shared

PROJECT = Path(__file__).resolve().parents[1] / "dbt_project"
FIRST_ROW = 8


class DrawnStore:
    """A store filled with drawn tables instead of workbooks."""

    def __init__(
        self, root: Path, received_at: datetime = datetime(2026, 1, 1, tzinfo=UTC), today: date = date(2026, 3, 1)
    ):
        self.root = root
        self.received_at = received_at
        self.today = today
        self.years: set[int] = set()
        self.store = Store(root)
        self.store.prepare()
        self.register = Register.open(root.with_name(f"{root.name}.register.db"))
        self.list_units("unit_code | unit_name\n---\n")
        write_table(CAP_EXCEPTIONS.empty_table(), root / "cap_exceptions.parquet")

    def list_units(self, drawn: str) -> None:
        self.units = table(drawn).reindex(columns=["unit_code", "unit_name", "level", "from_year", "to_year"])
        write_table(frame_table(self.units, UNITS), self.root / "units.parquet")
        self.tell()

    def tell(self, *events: Event) -> None:
        """Enter events into the register, and give the warehouse the register as it then stands."""
        self.register.append(events)
        export(self.register, self.units, sorted(self.years), self.root, today=self.today)

    def send(self, unit_code: str | None, year: int, sent_no: int = 1, state: str = "accepted", **forms: str) -> str:
        """One sending; a column ``held`` marks rows that are held back. Returns its hash.

        The store tells what could be read: a file that is kept waiting ("held") was.
        """
        source_hash = sha256(f"{unit_code} {year} {sent_no} {state}".encode()).hexdigest()
        submission = {
            "source_hash": source_hash,
            "file_name": f"{self.received_at:%H%M} {unit_code}.xlsx",
            "source_kind": "unit" if unit_code else "register",
            "form_version": "B12-2025" if year > 2024 else "B12-2021",
            "unit_code": unit_code,
            "unit_name": f"Đơn vị {unit_code}" if unit_code else None,
            "year": year,
            "sent_no": sent_no if unit_code else None,
            "prepared_on": date(year + 1, 1, 10),
            "received_at": self.received_at,
            "state": "refused" if state == "refused" else "accepted",
        }
        self._write("submissions", source_hash, pd.DataFrame([submission]), SUBMISSION)
        counts = []
        for name, drawn in forms.items():
            records = self._records(name, drawn, source_hash)
            held_back = int(records["is_held_back"].sum())
            counts.append(
                {
                    "source_hash": source_hash,
                    "form": name,
                    "form_title": name,
                    "rows_in": len(records),
                    "loaded": len(records) - held_back,
                    "held_back": held_back,
                }
            )
            self._write(f"forms/{name}", source_hash, records, form_schemas()[name])
        self._write("counts", source_hash, pd.DataFrame(counts, columns=COUNTS.names), COUNTS)
        self.years.add(year)
        body = {"kind": submission["source_kind"], "prepared_on": submission["prepared_on"].isoformat()}
        body |= {key: submission[key] for key in ("file_name", "form_version", "sent_no")}
        about = {"unit_code": unit_code, "year": year, "source_hash": source_hash, "at": self.received_at}
        self.tell(*(Event(kind, f"{kind}:{source_hash}", body=body, **about) for kind in ("received", state)))
        return source_hash

    def _records(self, name: str, drawn: str, source_hash: str) -> pd.DataFrame:
        frame = table(drawn)
        for field in form_schemas()[name]:
            if field.name in frame and pa.types.is_date(field.type):
                frame[field.name] = pd.to_datetime(frame[field.name]).dt.date
            elif field.name in frame and pa.types.is_string(field.type):
                frame[field.name] = frame[field.name].astype("str")
        held = frame.pop("held") if "held" in frame else False
        return frame.assign(
            source_hash=source_hash,
            sheet=name,
            row=range(FIRST_ROW, FIRST_ROW + len(frame)),
            is_held_back=pd.Series(held, index=frame.index).fillna(False).astype(bool),
        )

    def _write(self, folder: str, source_hash: str, frame: pd.DataFrame, schema: pa.Schema) -> None:
        write_table(frame_table(frame, schema), self.root / folder / f"{source_hash}.parquet")


def dbt_build(store: Path, findings: Path, warehouse: Path) -> subprocess.CompletedProcess:
    """Build the project as a user of dbt does, with its data and unit tests."""
    environment = {
        **os.environ,
        **QUIET,
        "THUCCHAT_STORE": str(store),
        "THUCCHAT_FINDINGS": str(findings),
        "THUCCHAT_WAREHOUSE": str(warehouse),
        "DBT_TARGET_PATH": str(warehouse.parent / "target"),
        "DBT_LOG_PATH": str(warehouse.parent / "logs"),
        "DBT_LOG_LEVEL_FILE": "info",  # as in a run
    }
    command = [Path(sys.executable).with_name("dbt"), "build"]
    command += ["--project-dir", PROJECT, "--profiles-dir", PROJECT]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class BuiltByDbt:
    """What dbt made of the odd province, and the statements that it ran."""

    folder: Path

    @property
    def store(self) -> Path:
        """The store that it read."""
        return self.folder / "store 'lẻ'"

    @property
    def database(self) -> Path:
        """The warehouse that it made."""
        return self.folder / "odd.duckdb"

    @property
    def log(self) -> Path:
        """What it said."""
        return self.folder / "log.txt"

    @property
    def places(self) -> Places:
        """Where it read and wrote."""
        return Places(self.database, self.store, self.store / "no-findings")

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The project as dbt has read it."""
        return json.loads((self.folder / "target" / "manifest.json").read_text(encoding="utf-8"))

    @cached_property
    def nodes(self) -> dict[str, dict[str, Any]]:
        """Seeds, models and tests by name as dbt has parsed and compiled them."""
        return {node["name"]: node for node in self.manifest["nodes"].values()}

    @cached_property
    def statements(self) -> Statements:
        """The statements, in the order in which it ran them."""
        return Statements.read(self.folder / "statements.duckdb")

    def make(self) -> None:
        """Build, where nobody has looked for findings yet; what dbt finds fault with is an error."""
        draw_odd_province(DrawnStore(self.store))
        result = dbt_build(self.store, self.places.findings, self.database)
        assert result.returncode == 0, result.stdout
        self.log.write_text(result.stdout, encoding="utf-8")
        assert note(self.folder / "statements.duckdb", self.folder / "target", self.places)


@cache
def built_by_dbt() -> BuiltByDbt:
    """The one warehouse of a session that dbt itself has built; for reading only."""
    return BuiltByDbt(shared.once("built-by-dbt", lambda folder: BuiltByDbt(folder).make()))


def compiled(database: Path) -> dict[str, str]:
    """The SQL of every model and test by name, for a warehouse that `build_warehouse` has built."""
    dbt = built_by_dbt()
    places = Places(database, dbt.store, dbt.store)
    return {
        name: dbt.statements.at(places, node["compiled_code"])
        for name, node in dbt.nodes.items()
        if node.get("compiled_code")
    }


def build_warehouse(
    store: Path, database: Path, *, tested: bool = True, only: Collection[str] = ()
) -> duckdb.DuckDBPyConnection:
    """Build the warehouse of a store, without the findings, and open it for reading.

    By the statements that dbt ran for the odd province; that they make what dbt makes is proven in
    ``test_dbt_alone.py``. `tested` says whether the data tests are run as well; `only` names models (each with what it
    is made of) and tests.
    """
    dbt = built_by_dbt()
    named = {node["unique_id"]: name for name, node in dbt.nodes.items()}
    late = {unique_id for unique_id, name in named.items() if "findings" in dbt.nodes[name]["tags"]}
    wanted = {node.unique_id: node for node in dbt.statements.nodes if not late & {node.unique_id, *node.parents}}
    if only:
        chosen = [node for node in wanted.values() if named[node.unique_id] in only]
        assert {named[node.unique_id] for node in chosen} == set(only)
        for node in chosen:  # grows as it goes
            chosen += [wanted[name] for name in node.parents if not node.is_test and name in wanted]
        wanted = {node.unique_id: node for node in chosen}
    places = Places(database, store, store / "no-findings")
    ran = dbt.statements.run(places, lambda node: node.unique_id in wanted and (tested or not node.is_test))
    failed = [f"FAIL {one.failures} {named[one.node.unique_id]}" for one in ran if one.status == "fail"]
    assert not failed, failed
    return duckdb.connect(str(database), read_only=True)


def contents(warehouse: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    """Rows and a hash sum of every table and view, whatever the order of the rows."""
    relations = warehouse.execute(
        "select table_schema || '.' || table_name from information_schema.tables where table_schema in "
        "('seeds', 'staging', 'marts')"
    ).fetchall()
    return {
        name: warehouse.execute(f"select count(*), sum(hash(rows)) from (select * from {name}) as rows").fetchone()
        for (name,) in relations
    }
