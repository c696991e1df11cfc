"""A store drawn in a test, and the warehouse that dbt builds from it."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
from drawing import table

from submissions.register.log import Event, Register
from submissions.register.snapshots import export
from submissions.store import CAP_EXCEPTIONS, COUNTS, SUBMISSION, UNITS, Store, form_schemas, frame_table, write_table

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


def build_warehouse(store: Path, database: Path, *excluded: str) -> duckdb.DuckDBPyConnection:
    """Build the warehouse of a store, without the findings, and open it for reading."""
    environment = {
        **os.environ,
        "THUCCHAT_STORE": str(store),
        "THUCCHAT_FINDINGS": str(store / "no-findings"),
        "THUCCHAT_WAREHOUSE": str(database),
        "DBT_TARGET_PATH": str(database.parent / "target"),
        "DBT_LOG_PATH": str(database.parent / "logs"),
        "DO_NOT_TRACK": "1",
    }
    folders = ["--project-dir", PROJECT, "--profiles-dir", PROJECT]
    command = [Path(sys.executable).with_name("dbt"), "build", *folders, "--exclude", "tag:findings", *excluded]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
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
