"""Sendings as partitions: one for each year and unit, made when something arrives and marked when it counts."""

from collections.abc import Callable, Sequence

import dagster as dg
import duckdb
import pandas as pd

from orchestration.registers import open_register
from orchestration.settings import Folders
from submissions.register.log import Register
from submissions.store import Store

KEY = dg.AssetKey(["submissions", "sendings"])

YEARS = dg.DynamicPartitionsDefinition(name="years")

UNITS = dg.DynamicPartitionsDefinition(name="units")

PARTITIONS = dg.MultiPartitionsDefinition({"year": YEARS, "unit": UNITS})

REGISTER = "UBKT"
"""Stands for the unit in the partition of the Commission's register, which is nobody's report."""

CHECK = "da_sua_va_giai_trinh_het"
"""The check of a partition: no error is left, and no question without an answer."""

SUMMARY = "moi_don_vi_da_sua_va_giai_trinh_het"
"""The check of all partitions together: the page of the asset shows the last check of one partition alone."""

CHECKS = tuple(dg.AssetCheckKey(KEY, name) for name in (CHECK, SUMMARY))
"""Intake reports them by itself; no job runs them."""

NUMBERS = {
    "sent_no": "Lần gửi",
    "loaded": "Dòng được nạp",
    "held_back": "Dòng bị giữ lại",
    "errors": "Lỗi",
    "queries": "Câu hỏi",
    "answered": "Đã giải trình",
}
"""What is shown of a sending, by column of `in_force`; Dagster draws each as a trend of the partition."""

PAGE = 1000

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


def in_force(store: Store, register: Register) -> pd.DataFrame:
    """The sendings in force: year, unit, source_hash, `files` that went back last, and the columns of `NUMBERS`.

    Errors and queries are those still open when the unit was last told; `answered` counts what was explained or waived.
    """
    submissions = store.read_submissions()
    found = submissions[submissions["is_in_force"]]
    counts = store.read_counts().groupby("source_hash")[["loaded", "held_back"]].sum()
    told = {event.source_hash: event.body for event in register.read(["returned"])}
    bodies = [told.get(name, {}) for name in found["source_hash"]]
    found = found.join(counts, on="source_hash").assign(
        unit=found["unit_code"].fillna(REGISTER),
        sent_no=found["sent_no"].fillna(1),
        errors=[body.get("errors", 0) for body in bodies],
        queries=[body.get("queries", 0) for body in bodies],
        answered=[body.get("explained", 0) + body.get("waived", 0) for body in bodies],
        files=[tuple(body.get("files", ())) for body in bodies],
    )
    numbers = ["year", *NUMBERS]
    found[numbers] = found[numbers].fillna(0).astype(int)
    return found[["year", "unit", "source_hash", "files", *NUMBERS]].reset_index(drop=True)


def report(
    instance: dg.DagsterInstance,
    store: Store,
    *,
    log: Callable[[Event], None],
    register: Register | None = None,
) -> int:
    """Report each sending that came into force, and each whose numbers have changed since; returns how many.

    Partitions for new years and units are added. With each report goes the check of its partition. Without a `register`
    that of the data directory is opened.
    """
    folders = Folders(store.root.parent)
    if register is None:
        with open_register(folders) as opened:
            return report(instance, store, log=log, register=opened)
    current = in_force(store, register)
    instance.add_dynamic_partitions(YEARS.name, sorted(current["year"].astype(str).unique()))
    instance.add_dynamic_partitions(UNITS.name, sorted(current["unit"].unique()))
    partitions = [partition(sending.year, sending.unit) for sending in current.itertuples()]
    last = _last_reported(instance, set(partitions))
    reported = 0
    for name, sending in zip(partitions, current.to_dict("records"), strict=True):
        shown = {"source_hash": sending["source_hash"]} | {label: sending[key] for key, label in NUMBERS.items()}
        if last.get(name) == shown:
            continue
        links = _links(folders, sending["files"])
        rows = {"dagster/row_count": sending["loaded"] + sending["held_back"]}
        log(dg.AssetMaterialization(KEY, partition=name, metadata={**shown, **rows, **links}))
        passed, metadata = judgement(sending)
        log(
            dg.AssetCheckEvaluation(
                asset_key=KEY,
                check_name=CHECK,
                passed=passed,
                severity=dg.AssetCheckSeverity.WARN,
                partition=name,
                metadata={**metadata, **links},
            )
        )
        reported += 1
    return reported


def partition(year: int, unit: str) -> dg.MultiPartitionKey:
    """The partition of a unit's year."""
    return dg.MultiPartitionKey({"year": str(year), "unit": unit})


def judgement(sending: dict[str, object]) -> tuple[bool, dict[str, int]]:
    """Whether nothing is left to mend or to explain in a sending (a row of `in_force`), and the numbers that say so."""
    still_open = {"Lỗi": sending["errors"], "Câu hỏi chưa trả lời": sending["queries"]}
    return not any(still_open.values()), still_open


def summary(current: pd.DataFrame) -> dg.AssetCheckEvaluation:
    """The check of all sendings in force (`in_force`) together: open errors, open queries, how many units have any."""
    errors, queries = current["errors"], current["queries"]
    still_open = current[(errors > 0) | (queries > 0)]
    return dg.AssetCheckEvaluation(
        asset_key=KEY,
        check_name=SUMMARY,
        passed=still_open.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "Lỗi": int(errors.sum()),
            "Câu hỏi chưa trả lời": int(queries.sum()),
            "Đơn vị còn lỗi": int(current.loc[errors > 0, "unit"].nunique()),
            "Đơn vị còn việc": int(still_open["unit"].nunique()),
            "Lần gửi đang có hiệu lực": len(current),
        },
    )


def unbalanced(store: Store) -> pd.DataFrame:
    """Forms of sendings whose counts are not those of the rows that the store holds: `source_hash`, `form`.

    Counted are the rows of each form's own file, read again: rows in = rows there, held back = those marked so.
    """
    told = store.read_counts()[["source_hash", "form", "rows_in", "loaded", "held_back"]]
    parts = [told.iloc[:0].loc[:, ["source_hash", "form"]].assign(rows=0, marked=0)]
    with duckdb.connect() as connection:
        for table in store.schemas:
            relation = connection.read_parquet(str(store.form(table) / "*.parquet"), union_by_name=True)
            grouped = "source_hash, count(*) as rows, count(*) filter (is_held_back) as marked"
            parts.append(relation.aggregate(grouped, "source_hash").df().assign(form=table))
    kept = pd.concat(parts, ignore_index=True)
    # A killed reading leaves rows without counts; it is done again, and nobody reads them.
    kept = kept[kept["source_hash"].isin(told["source_hash"])]
    both = told.merge(kept, on=["source_hash", "form"], how="outer")
    numbers = both[["rows_in", "loaded", "held_back"]].fillna(-1)
    rows, marked = both["rows"].fillna(0), both["marked"].fillna(0)
    equal = (numbers["rows_in"] == rows) & (numbers["held_back"] == marked) & (numbers["loaded"] == rows - marked)
    return both.loc[~equal, ["source_hash", "form"]].reset_index(drop=True)


def _links(folders: Folders, names: Sequence[str]) -> dict[str, dg.MetadataValue]:
    """Where the files that went back lie. Their names are made of codes; names that senders chose are in none."""
    return {
        f"Tệp trả lại {number}": dg.MetadataValue.path(str(folders.returned / name))
        for number, name in enumerate(names, start=1)
    }


def _last_reported(instance: dg.DagsterInstance, wanted: set[str]) -> dict[str, dict[str, object]]:
    """What was last told of each partition. Pages of all reports: a query a partition would take a second a hundred."""
    found: dict[str, dict[str, object]] = {}
    cursor = None
    while wanted - found.keys():
        page = instance.fetch_materializations(KEY, limit=PAGE, cursor=cursor)
        for record in page.records:
            told = record.asset_materialization
            if told is not None and record.partition_key is not None and record.partition_key not in found:
                names = ("source_hash", *NUMBERS.values())
                found[record.partition_key] = {
                    name: told.metadata[name].value for name in names if name in told.metadata
                }
        if not page.has_more:
            break
        cursor = page.cursor
    return found
