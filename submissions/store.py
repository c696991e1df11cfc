"""The store: originals by hash, one Parquet a form and sending, what was read and what was found. Only written here."""

import hashlib
import os
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from submissions.form_set import FormSet, load_form_sets
from submissions.issues import COLUMNS as ISSUE_COLUMNS

_TYPES = {
    "text": pa.string(),
    "code": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "date": pa.date32(),
    "mark": pa.bool_(),
}
RECORD = pa.schema(
    [("source_hash", pa.string()), ("sheet", pa.string()), ("row", pa.int32()), ("is_held_back", pa.bool_())]
)
"""What every record of a form carries: the file it came from, its place there, and whether it loads."""

SUBMISSION = pa.schema(
    [
        ("source_hash", pa.string()),
        ("file_name", pa.string()),
        ("source_kind", pa.string()),
        ("form_version", pa.string()),
        ("unit_code", pa.string()),
        ("unit_name", pa.string()),
        ("year", pa.int64()),
        ("sent_no", pa.int64()),
        ("prepared_on", pa.date32()),
        ("received_at", pa.timestamp("us", tz="UTC")),
        ("size_bytes", pa.int64()),
        ("state", pa.string()),
        ("refusal_code", pa.string()),
        ("refusal_message", pa.string()),
        ("reading_context", pa.string()),
    ]
)
"""One row a file that was received, whatever became of it."""

COUNTS = pa.schema(
    [
        ("source_hash", pa.string()),
        ("form", pa.string()),
        ("form_title", pa.string()),
        ("sheet", pa.string()),
        ("rows_in", pa.int64()),
        ("loaded", pa.int64()),
        ("held_back", pa.int64()),
    ]
)
ISSUES = pa.schema(
    [("source_hash", pa.string())]
    + [(column, pa.int64() if column == "year" else pa.string()) for column in ISSUE_COLUMNS]
)
UNITS = pa.schema(
    [("unit_code", pa.string()), ("unit_name", pa.string()), ("from_year", pa.int64()), ("to_year", pa.int64())]
)
CAP_EXCEPTIONS = pa.schema(
    [
        ("unit_code", pa.string()),
        ("group_code", pa.string()),
        ("year", pa.int64()),
        ("cap_pct", pa.float64()),
        ("decision_no", pa.string()),
        ("decided_on", pa.date32()),
    ]
)


@cache
def form_schemas() -> dict[str, pa.Schema]:
    """What the store keeps of each form, by table: the columns of every version together, without names."""
    fields: dict[str, dict[str, pa.DataType]] = {}
    for form_set in load_form_sets().values():
        for form in form_set.forms:
            columns = fields.setdefault(form.table, {})
            for column in form.columns:
                columns |= {name: _TYPES[kind] for name, kind in column.stored_columns}
    return {table: pa.schema([*RECORD, *columns.items()]) for table, columns in fields.items()}


class Store:
    """The folder `root` and its files; nothing that was sent is ever overwritten."""

    def __init__(self, root: Path) -> None:
        """Name the folders; none is made before something is written."""
        self.root = root
        self.originals = root / "originals"
        self.submissions = root / "submissions"
        self.counts = root / "counts"
        self.issues = root / "issues"
        self.forms = root / "forms"

    def form(self, table: str) -> Path:
        """The folder of a form."""
        return self.forms / table

    def prepare(self) -> None:
        """Make the folders, with an empty file of each schema: readers find every column before anything was sent."""
        self.root.mkdir(parents=True, exist_ok=True)
        os.chmod(self.root, 0o700)
        self.originals.mkdir(exist_ok=True)
        schemas = {self.submissions: SUBMISSION, self.counts: COUNTS, self.issues: ISSUES}
        schemas |= {self.form(table): schema for table, schema in form_schemas().items()}
        for folder, schema in schemas.items():
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "_schema.parquet"
            if not path.exists() or pq.read_schema(path) != schema:
                write_table(schema.empty_table(), path)
        for folder in (self.root, self.originals, *schemas):
            _sweep(folder)

    def keep_original(self, content: bytes, source_hash: str, suffix: str) -> None:
        """Keep the bytes as they came."""
        path = self.originals / f"{source_hash}{suffix}"
        if not path.exists():
            _write_aside(path, content)
            os.chmod(path, 0o400)

    def submission(self, source_hash: str) -> dict[str, object] | None:
        """What is known of a file, None where it was never taken in whole."""
        path = self.submissions / f"{source_hash}.parquet"
        return pq.read_table(path).to_pylist()[0] if path.exists() else None

    def read_submissions(self) -> pd.DataFrame:
        """Every file received, columns of `SUBMISSION` and `is_in_force`, in the order of unit, year and sending."""
        frame = _read_all(self.submissions, SUBMISSION)
        order = ["source_kind", "unit_code", "year", "sent_no", "prepared_on", "received_at", "source_hash"]
        frame = frame.sort_values(order, na_position="first", ignore_index=True, kind="stable")
        accepted = frame[frame["state"] == "accepted"]
        latest = accepted.groupby(["source_kind", "unit_code", "year"], dropna=False).tail(1).index
        return frame.assign(is_in_force=frame.index.isin(latest))

    def read_counts(self) -> pd.DataFrame:
        """Rows in, loaded and held back, by form and sending."""
        return _read_all(self.counts, COUNTS)

    def read_issues(self) -> pd.DataFrame:
        """Every issue of every sending. Keys and values may be card numbers: for the unit, not for the warehouse."""
        return _read_all(self.issues, ISSUES)


def _read_all(folder: Path, schema: pa.Schema) -> pd.DataFrame:
    if not folder.exists():
        return schema.empty_table().to_pandas(date_as_object=True)
    tables = [pq.read_table(path, schema=schema) for path in sorted(folder.glob("*.parquet"))]
    return pa.concat_tables([schema.empty_table(), *tables]).to_pandas(date_as_object=True)


def write_table(table: pa.Table, path: Path) -> None:
    """Write Parquet aside and rename it: a file that has its name is whole."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    _write_aside(path, sink.getvalue())


def _write_aside(path: Path, content: bytes | pa.Buffer) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _sweep(folder: Path) -> None:
    """Remove what killed writers left: drafts whose process is gone."""
    for draft in folder.glob(".*"):
        pid = draft.suffix.removeprefix(".")
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            draft.unlink(missing_ok=True)


def frame_table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """A frame as a table of `schema`, absent columns empty."""
    arrays = [
        pa.array(frame[name.name], type=name.type, from_pandas=True)
        if name.name in frame
        else pa.nulls(len(frame), type=name.type)
        for name in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def row_table(row: Mapping[str, object], schema: pa.Schema) -> pa.Table:
    """One row as a table of `schema`."""
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names}], schema=schema)


def hash_bytes(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def reading_context(form_sets: Mapping[str, FormSet], units: pd.DataFrame) -> str:
    """What a refusal depended on beside the file: a refused file is read again when this has changed."""
    described = "\n".join(form_set.model_dump_json() for form_set in form_sets.values())
    return hash_bytes(f"{described}\n{units.to_csv(index=False)}".encode())[:16]


def birth_years(days: pd.Series) -> pd.Series:
    """The year of birth dates (missing stays missing)."""
    return days.map(lambda day: day.year if isinstance(day, date) else None)
