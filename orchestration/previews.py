"""Small tables for Dagster's metadata: counts only, never a row about a person."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import duckdb

MAX_ROWS = 60

PERIOD = {"year": "Năm", "unit_code": "Đơn vị"}


def table_metadata(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str | int | float | None]]
) -> dg.TableMetadataValue:
    """A table of `rows` under `columns` (name and Dagster type), cut to what a page can show."""
    names = [name for name, _ in columns]
    return dg.MetadataValue.table(
        records=[dg.TableRecord(dict(zip(names, row, strict=True))) for row in rows[:MAX_ROWS]],
        schema=dg.TableSchema([dg.TableColumn(name, kind) for name, kind in columns]),
    )


def counts_by_period(connection: duckdb.DuckDBPyConnection, relation: str) -> dg.TableMetadataValue | None:
    """Rows of `relation` by year and unit, by year alone where units would not fit, nothing where it has neither."""
    has = {row[0] for row in connection.execute(f"describe select * from {relation}").fetchall()}
    keys = [key for key in PERIOD if key in has]
    while keys:
        by = ", ".join(keys)
        rows = connection.execute(f"select {by}, count(*) from {relation} group by {by} order by {by}").fetchall()
        if len(rows) <= MAX_ROWS or len(keys) == 1:
            kinds = [(PERIOD[key], "int" if key == "year" else "string") for key in keys]
            return table_metadata([*kinds, ("Số dòng", "int")], rows)
        keys.pop()
    return None


def sendings_by_period(store: Path, table: str) -> tuple[int, int, dg.TableMetadataValue]:
    """Rows and held-back rows of a form's table in the store, and both by year and unit."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            """
            select s.year, coalesce(s.unit_code, 'Sổ UBKT') as unit, count(*), count(*) filter (f.is_held_back)
            from read_parquet(?, union_by_name = true) as f
            join read_parquet(?, union_by_name = true) as s using (source_hash)
            where s.state = 'accepted'
            group by all order by 1, 2
            """,
            [str(store / "forms" / table / "*.parquet"), str(store / "submissions" / "*.parquet")],
        ).fetchall()
    columns = [("Năm", "int"), ("Đơn vị", "string"), ("Số dòng", "int"), ("Giữ lại", "int")]
    return sum(row[2] for row in rows), sum(row[3] for row in rows), table_metadata(columns, rows)


def count_rows(store: Path, table: str) -> int:
    """Rows of one of the store's tables that are not forms."""
    singles = (store / f"{table}.parquet", store / "register" / f"{table}.parquet")
    pattern = next((path for path in singles if path.exists()), store / table / "*.parquet")
    if pattern.name.startswith("*") and not any(pattern.parent.glob("*.parquet")):
        return 0
    with duckdb.connect() as connection:
        relation = connection.read_parquet(str(pattern), union_by_name=True)
        return relation.count("*").fetchall()[0][0]
