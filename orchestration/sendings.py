"""Sendings as partitions: one for each year and unit, made when something arrives and marked when it counts."""

from collections.abc import Callable

import dagster as dg
import pandas as pd

from submissions.store import Store

KEY = dg.AssetKey(["submissions", "sendings"])

YEARS = dg.DynamicPartitionsDefinition(name="years")

UNITS = dg.DynamicPartitionsDefinition(name="units")

PARTITIONS = dg.MultiPartitionsDefinition({"year": YEARS, "unit": UNITS})

REGISTER = "UBKT"
"""Stands for the unit in the partition of the Commission's register, which is nobody's report."""


def in_force(store: Store) -> pd.DataFrame:
    """The sendings in force: year, unit, source_hash, sent_no, loaded, held_back."""
    submissions = store.read_submissions()
    counts = store.read_counts().groupby("source_hash")[["loaded", "held_back"]].sum()
    found = submissions[submissions["is_in_force"]].join(counts, on="source_hash")
    found = found.assign(unit=found["unit_code"].fillna(REGISTER), sent_no=found["sent_no"].fillna(1))
    numbers = ["year", "sent_no", "loaded", "held_back"]
    return found[["year", "unit", "source_hash", "sent_no", "loaded", "held_back"]].astype(dict.fromkeys(numbers, int))


def report(instance: dg.DagsterInstance, store: Store, *, log: Callable[[dg.AssetMaterialization], None]) -> int:
    """Add partitions for new years and units and report each sending that came into force; returns how many."""
    current = in_force(store)
    instance.add_dynamic_partitions(YEARS.name, sorted(current["year"].astype(str).unique()))
    instance.add_dynamic_partitions(UNITS.name, sorted(current["unit"].unique()))
    reported = 0
    for sending in current.itertuples():
        partition = dg.MultiPartitionKey({"year": str(sending.year), "unit": sending.unit})
        if _last_reported(instance, partition) != sending.source_hash:
            log(
                dg.AssetMaterialization(
                    KEY,
                    partition=partition,
                    metadata={
                        "source_hash": sending.source_hash,
                        "dagster/row_count": sending.loaded + sending.held_back,
                        "Lần gửi": sending.sent_no,
                        "Dòng được nạp": sending.loaded,
                        "Dòng bị giữ lại": sending.held_back,
                    },
                )
            )
            reported += 1
    return reported


def _last_reported(instance: dg.DagsterInstance, partition: str) -> str | None:
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=KEY, asset_partitions=[partition]), limit=1
    ).records
    if not records or not records[0].asset_materialization:
        return None
    return records[0].asset_materialization.metadata["source_hash"].value
