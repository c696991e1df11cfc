"""The warehouse, built by dbt into a fresh file: first everything the findings rest on, then what rests on findings."""

from collections.abc import Iterator

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from orchestration import models, releases
from orchestration.warehouse import POOL, Workshop


@dbt_assets(
    manifest=models.manifest(),
    exclude=models.FINDINGS,
    name="marts",
    pool=POOL,
    dagster_dbt_translator=models.Described(),
)
def marts(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, workshop: dg.ResourceParam[Workshop]
) -> Iterator[models.Event]:
    """Staging tables, dimensions, facts and readers' marts, in a new DuckDB file named by the id of its inputs.

    Where nothing is new nothing is built, and the steps after this one are left out with it.
    """
    if standing := releases.nothing_to_build(workshop.folders, tell=context.log.warning):
        (context.log.info if standing.is_published else context.log.warning)(standing.message)
        return
    yield from models.build(context, dbt, workshop, workshop.begin())


@dbt_assets(
    manifest=models.manifest(),
    select=models.FINDINGS,
    name="findings_marts",
    pool=POOL,
    dagster_dbt_translator=models.Described(),
)
def findings_marts(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, workshop: dg.ResourceParam[Workshop]
) -> Iterator[models.Event]:
    """Findings and rule results as tables of the same warehouse."""
    yield from models.build(context, dbt, workshop, workshop.unfinished())
