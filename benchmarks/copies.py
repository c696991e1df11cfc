"""A store that is n times as large as another: the same units, members and organisations n times under other codes.

Usage: ``python benchmarks/copies.py STORE TARGET N``; n = 0 gives a store of the same columns that holds nothing.
"""

import sys
from pathlib import Path

import duckdb

HASHES = {"source_hash", "replaced_by"}
"""Hashed again as a whole: ids of records are made of their first 16 signs."""

KEYS = {
    "member_key", "subject_member_key", "old_key", "new_key", "unit_code", "org_code", "parent_code", "cell_code",
    "conductor_code", "subject_org_code", "hamlet_code", "decided_by_code", "group_code", "decision_no",
    "old_code", "new_code", "succession_id", "claimed_unit",
}  # fmt: skip
"""What names a person, an organisation or a decision; a copy's names end in its number."""

NUMBERED = {"receipt_no"}

ONCE = "source_kind = 'register'"
"""The Commission's register: one a year, however many units there are."""


def copy_store(store: Path, target: Path, n: int) -> None:
    """Write the warehouse's inputs of `store` n times over into `target`, one Parquet file a table."""
    with duckdb.connect(config={"threads": 4, "memory_limit": "8GB", "preserve_insertion_order": False}) as connection:
        folders = [*store.glob("forms/*"), *(store / name for name in ("submissions", "counts", "issues", "queries"))]
        for folder in sorted(folders):
            if any(folder.glob("*.parquet")):
                _copy(connection, store, folder / "*.parquet", target / folder.relative_to(store) / "all.parquet", n)
        for path in sorted([*store.glob("*.parquet"), *store.glob("register/*.parquet")]):
            _copy(connection, store, path, target / path.relative_to(store), n)


def _copy(connection: duckdb.DuckDBPyConnection, store: Path, source: Path, target: Path, n: int) -> None:
    relation = f"read_parquet('{source}', union_by_name = true)"
    columns = [row[0] for row in connection.execute(f"describe select * from {relation}").fetchall()]
    once = f"select source_hash from read_parquet('{store}/submissions/*.parquet', union_by_name = true) where {ONCE}"
    condition = f"where copy = 0 or source_hash not in ({once})" if "source_hash" in columns else ""
    target.parent.mkdir(parents=True, exist_ok=True)
    connection.execute(
        f"copy (select {', '.join(map(_of_copy, columns))} from {relation}, range({n}) as copies(copy) {condition}) "
        f"to '{target}' (format parquet)"
    )


def _of_copy(column: str) -> str:
    if column in HASHES:
        return f'md5("{column}" || copy) || md5(copy || "{column}") as "{column}"'
    if column in KEYS:
        return f'"{column}" || \'-\' || copy as "{column}"'
    if column in NUMBERED:
        return f'"{column}" + copy * 1000000 as "{column}"'
    return f'"{column}"'


if __name__ == "__main__":
    copy_store(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
