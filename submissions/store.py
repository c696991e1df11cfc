"""The store: originals by hash, one Parquet a form and sending, what was read and what was found. Only written here."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from submissions.coded import Values
from submissions.form_set import FormSet, form_sets_of, load_form_sets
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
        ("file_kind", pa.string()),
        ("claimed_unit", pa.string()),
        ("hazards", pa.string()),
        ("draw_id", pa.string()),
    ]
)
"""One row a file that was received. `state` says whether it could be read (``accepted`` or ``refused``); whether it
counts is for the register to say. `hazards` is a JSON list; `claimed_unit` is the unit whose folder it lay in;
`draw_id` names the draw of which a field check tells."""

COUNTS = pa.schema(
    [
        ("source_hash", pa.string()),
        ("form", pa.string()),
        ("form_title", pa.string()),
        ("sheet", pa.string()),
        ("rows_in", pa.int64()),
        ("loaded", pa.int64()),
        ("held_back", pa.int64()),
        ("heading_row", pa.int64()),
        ("letters", pa.string()),
    ]
)
"""One row a form and sending; `letters` is JSON: the letter of each column by its key."""
ISSUES = pa.schema(
    [("source_hash", pa.string())]
    + [(column, pa.int64() if column == "year" else pa.string()) for column in ISSUE_COLUMNS]
)
UNITS = pa.schema(
    [
        ("unit_code", pa.string()),
        ("unit_name", pa.string()),
        ("from_year", pa.int64()),
        ("to_year", pa.int64()),
        ("level", pa.string()),
    ]
)
EXPLANATIONS = pa.schema(
    [
        ("unit_code", pa.string()),
        ("year", pa.int64()),
        ("issue_id", pa.string()),
        ("numbers", pa.string()),
        ("code", pa.string()),
        ("text", pa.string()),
    ]
)
"""What a unit explained in a file; the text may name persons, and goes into the register alone."""
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
SUCCESSIONS = pa.schema(
    [
        ("succession_id", pa.string()),
        ("effective_on", pa.date32()),
        ("kind", pa.string()),
        ("old_code", pa.string()),
        ("new_code", pa.string()),
        ("share", pa.decimal128(9, 6)),
        ("legal_source", pa.string()),
    ]
)
MEMBER_IDENTITIES = pa.schema([("member_key", pa.string()), ("canonical_key", pa.string())])
"""One row a key that is read as another one's, because a person said that both are one member."""
FIELD_CHECK_DRAWS = pa.schema(
    [
        ("draw_id", pa.string()),
        ("year", pa.int64()),
        ("seed", pa.int64()),
        ("difference", pa.float64()),
        ("base_rate", pa.float64()),
        ("correlation", pa.float64()),
        ("power", pa.float64()),
        ("per_arm", pa.int64()),
        ("per_organisation", pa.int64()),
        ("population", pa.int64()),
        ("number", pa.int64()),
        ("unit_code", pa.string()),
        ("org_code", pa.string()),
        ("cell_code", pa.string()),
        ("member_key", pa.string()),
        ("record_id", pa.string()),
        ("level_code", pa.string()),
        ("arm", pa.string()),
        ("t", pa.float64()),
        ("rated", pa.int64()),
        ("drawn", pa.int64()),
        ("risk_probability", pa.float64()),
        ("random_probability", pa.float64()),
        ("probability", pa.float64()),
    ]
)
"""One row a member drawn for a second appraisal on the spot, with the chances of the organisation."""


def form_schemas(form_sets: Mapping[str, FormSet] | None = None) -> dict[str, pa.Schema]:
    """What the store keeps of each form, by table: the columns of every version together, without names."""
    fields: dict[str, dict[str, pa.DataType]] = {}
    for form_set in (form_sets or load_form_sets()).values():
        for form in form_set.forms:
            columns = fields.setdefault(form.table, {})
            for column in form.columns:
                columns |= {name: _TYPES[kind] for name, kind in column.stored_columns}
    return {table: pa.schema([*RECORD, *columns.items()]) for table, columns in fields.items()}


class Store:
    """The folder `root` and its files; nothing that was sent is ever overwritten.

    With a `base`, what is not found here is looked for there: a check before sending reads the province's store so,
    and writes into one of its own.
    """

    def __init__(self, root: Path, base: "Store | None" = None) -> None:
        """Name the folders; none is made before something is written."""
        self.root = root
        self.base = base
        self.originals = root / "originals"
        self.submissions = root / "submissions"
        self.counts = root / "counts"
        self.issues = root / "issues"
        self.queries = root / "queries"
        self.fingerprints = root / "fingerprints"
        self.explanations = root / "explanations"
        self.forms = root / "forms"
        self.register = root / "register"

    @property
    def form_sets(self) -> dict[str, FormSet]:
        """The form sets of the data directory that the store lies in: the agreed ones, its own, adopted headings."""
        return form_sets_of(self.root.parent)

    @cached_property
    def schemas(self) -> dict[str, pa.Schema]:
        """What is kept of each form, by table."""
        return form_schemas(self.form_sets)

    def form(self, table: str) -> Path:
        """The folder of a form."""
        return self.forms / table

    def prepare(self) -> None:
        """Make the folders, with an empty file of each schema: readers find every column before anything was sent."""
        self.root.mkdir(parents=True, exist_ok=True)
        os.chmod(self.root, 0o700)
        self.originals.mkdir(exist_ok=True)
        schemas = {self.submissions: SUBMISSION, self.counts: COUNTS, self.issues: ISSUES, self.queries: ISSUES}
        schemas |= {self.form(table): schema for table, schema in self.schemas.items()}
        for folder, schema in schemas.items():
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "_schema.parquet"
            # The store of a check is read by nobody else.
            if self.base is None and (not path.exists() or pq.read_schema(path) != schema):
                write_table(schema.empty_table(), path)
        successions = self.root / "successions.parquet"
        if self.base is None and not successions.exists():  # a list that older stores do not have
            write_table(SUCCESSIONS.empty_table(), successions)
        for folder in (self.fingerprints, self.explanations, self.register):
            folder.mkdir(exist_ok=True)
        told = {"member_identities": MEMBER_IDENTITIES, "field_check_draws": FIELD_CHECK_DRAWS}
        for name, schema in told.items():  # tables that older stores do not have
            path = self.register / f"{name}.parquet"
            if self.base is None and not path.exists():
                write_table(schema.empty_table(), path)
        for folder in (self.root, self.originals, self.fingerprints, self.explanations, self.register, *schemas):
            _sweep(folder)

    def keep_original(self, content: bytes, source_hash: str, suffix: str) -> None:
        """Keep the bytes as they came."""
        path = self.originals / f"{source_hash}{suffix}"
        if not path.exists():
            write_aside(path, content)
            os.chmod(path, 0o400)

    def find(self, folder: Path, source_hash: str) -> Path | None:
        """The file of a sending in one of this store's folders, or in the same folder of the base."""
        path = folder / f"{source_hash}.parquet"
        if path.exists():
            return path
        return self.base.find(self.base.root / folder.relative_to(self.root), source_hash) if self.base else None

    def original(self, source_hash: str) -> Path | None:
        """The bytes of a sending as they came."""
        own = next(self.originals.glob(f"{source_hash}.*"), None) or next(self.originals.glob(source_hash), None)
        return own or (self.base.original(source_hash) if self.base else None)

    def submission(self, source_hash: str) -> dict[str, object] | None:
        """What is known of a file, None where it was never taken in whole."""
        path = self.find(self.submissions, source_hash)
        return _read_table(path, SUBMISSION).to_pylist()[0] if path else None

    def submissions_of(self, hashes: Iterable[str]) -> pd.DataFrame:
        """What is known of some files, columns of `SUBMISSION`, in their order."""
        return self._frame(self.submissions, SUBMISSION, hashes)

    def form_frame(self, table: str, source_hash: str) -> pd.DataFrame:
        """The records of a form in a sending."""
        return self._frame(self.form(table), self.schemas[table], [source_hash])

    def counts_of(self, source_hash: str) -> pd.DataFrame:
        """Rows in, loaded and held back of a sending, by form."""
        return self._frame(self.counts, COUNTS, [source_hash])

    def issues_of(self, source_hash: str) -> pd.DataFrame:
        """What was found in a sending's cells, then what is asked about its numbers."""
        parts = [self._frame(folder, ISSUES, [source_hash]) for folder in (self.issues, self.queries)]
        return pd.concat(parts, ignore_index=True)

    def received(self) -> set[str]:
        """Hashes of the files that were read into this store itself."""
        return {path.stem for path in self.submissions.glob("*.parquet")} - {"_schema"}

    def _frame(self, folder: Path, schema: pa.Schema, hashes: Iterable[str]) -> pd.DataFrame:
        paths = [path for source_hash in hashes if (path := self.find(folder, source_hash))]
        tables = [_read_table(path, schema) for path in paths]
        return pa.concat_tables([schema.empty_table(), *tables]).to_pandas(date_as_object=True)

    def read_submissions(self) -> pd.DataFrame:
        """Every file received, columns of `SUBMISSION` and `is_in_force`, in the order of unit, year and sending.

        `state` and `is_in_force` are what the register says; what it has not been told of counts for nothing.
        """
        frame = _read_all(self.submissions, SUBMISSION)
        order = ["source_kind", "unit_code", "year", "sent_no", "prepared_on", "received_at", "source_hash"]
        frame = frame.sort_values(order, na_position="first", ignore_index=True, kind="stable")
        snapshot = self.register / "sendings.parquet"
        if not snapshot.exists():
            return frame.assign(is_in_force=False)
        columns = ["source_hash", "state", "is_in_force"]
        told = pd.read_parquet(snapshot, columns=columns)
        told = told[told["state"] != "duplicate"].drop_duplicates("source_hash", keep="last").set_index("source_hash")
        found = told.reindex(frame["source_hash"]).set_axis(frame.index)
        # A sending that a later one replaced was accepted all the same.
        found["state"] = found["state"].replace("replaced", "accepted").fillna("received")
        return frame.assign(**{**found, "is_in_force": found["is_in_force"].fillna(False).astype(bool)})

    def read_counts(self) -> pd.DataFrame:
        """Rows in, loaded and held back, by form and sending."""
        return _read_all(self.counts, COUNTS)

    def read_issues(self) -> pd.DataFrame:
        """Every issue of every sending. Keys and values may be card numbers: for the unit, not for the warehouse."""
        return pd.concat([_read_all(self.issues, ISSUES), _read_all(self.queries, ISSUES)], ignore_index=True)


def _read_all(folder: Path, schema: pa.Schema) -> pd.DataFrame:
    if not folder.exists():
        return schema.empty_table().to_pandas(date_as_object=True)
    tables = [_read_table(path, schema) for path in sorted(folder.glob("*.parquet"))]
    return pa.concat_tables([schema.empty_table(), *tables]).to_pandas(date_as_object=True)


def _read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """A table as `schema` has it now; columns that came later are empty in older files."""
    # `read_table` takes twice as long, since it looks for a data set first.
    with pq.ParquetFile(path) as file:
        table = file.read(use_threads=False)
    arrays = [
        table[name.name].cast(name.type) if name.name in table.column_names else pa.nulls(len(table), name.type)
        for name in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def write_table(table: pa.Table, path: Path) -> None:
    """Write Parquet by `write_aside`."""
    write_aside(path, _encoded(table))


@contextmanager
def writing() -> Iterator[Callable[[pa.Table, Path], None]]:
    """What writes tables as `write_table` does, but waits for the disk beside the caller's work.

    When the block is left all of them are written; what went wrong with one is raised there.
    """
    with ThreadPoolExecutor(1) as disk:
        written: list[Future[None]] = []
        yield lambda table, path: written.append(disk.submit(write_aside, path, _encoded(table)))
        for one in written:
            one.result()


def _encoded(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    # Small files: to begin with zstd and to gather statistics takes longer than to write them.
    pq.write_table(table, sink, compression="lz4", write_statistics=False)
    return sink.getvalue()


def write_aside(path: Path, content: bytes | pa.Buffer, mode: int | None = None) -> None:
    """Write a file under another name, make it safe on disk, and give it its own: a file that has its name is whole."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _sweep(folder: Path) -> None:
    """Remove what killed writers left: drafts whose process is gone."""
    for draft in folder.glob(".*"):
        pid = draft.suffix.removeprefix(".")
        if pid.isdigit() and not _is_alive(pid):
            draft.unlink(missing_ok=True)


def _is_alive(pid: str) -> bool:
    """Whether a process runs; one that was killed and that nobody asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def write_explanations(store: "Store", source_hash: str, given: pd.DataFrame) -> None:
    """Keep what was explained in a file (columns of `EXPLANATIONS`) until the register is told."""
    store.explanations.mkdir(parents=True, exist_ok=True)
    write_table(frame_table(given, EXPLANATIONS), store.explanations / f"{source_hash}.parquet")


def frame_table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """A frame as a table of `schema`, absent columns empty."""
    arrays = [
        pa.array(frame[name.name], type=name.type, from_pandas=True)
        if name.name in frame
        else pa.nulls(len(frame), type=name.type)
        for name in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


Records = dict[str, Values | np.ndarray | str]
"""A form's records by column; a text stands in every row, `row` is always there."""


BLANKS = b"blanks"
"""The key under which a form's file tells how many cells of each column are empty, as JSON."""


def records_table(records: Records, schema: pa.Schema) -> pa.Table:
    """Records as a table of `schema`, absent columns empty; how many cells are empty is told with it."""
    size = len(records["row"])
    arrays = []
    for column in schema:
        values = records.get(column.name)
        if isinstance(values, Values):
            arrays.append(values.to_arrow(column.type))
        elif values is None or isinstance(values, str):
            arrays.append(pa.repeat(pa.scalar(values, column.type), size))
        else:
            arrays.append(pa.array(values, type=column.type))
    blanks = {column.name: array.null_count for column, array in zip(schema, arrays, strict=True)}
    return pa.Table.from_arrays(arrays, schema=schema.with_metadata({BLANKS: json.dumps(blanks).encode()}))


def row_table(row: Mapping[str, object], schema: pa.Schema) -> pa.Table:
    """One row as a table of `schema`."""
    return rows_table([row], schema)


def rows_table(rows: Sequence[Mapping[str, object]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of `schema`, absent columns empty."""
    arrays = [pa.array([row.get(column.name) for row in rows], type=column.type) for column in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def hash_bytes(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def reading_context(form_sets: Mapping[str, FormSet], units: pd.DataFrame, draws: Iterable[str] = ()) -> str:
    """What a refusal depended on beside the file: a refused file is read again when this has changed."""
    described = "\n".join(form_set.model_dump_json() for form_set in form_sets.values())
    listed = "".join(f"{draw_id}\n" for draw_id in draws)
    return hash_bytes(f"{described}\n{units.to_csv(index=False)}{listed}".encode())[:16]
