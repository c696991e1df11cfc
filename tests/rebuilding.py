"""The structure of a province again from its lists alone, by the SQL that dbt has compiled: no dbt, no store."""

import duckdb
import pandas as pd
from histories import Province
from store_builder import built_by_dbt

LISTS = ("stg_organisations", "stg_submissions", "stg_units", "stg_successions")
WITHOUT_ROWS = (
    "stg_organisation_references",
    "stg_members",
    "stg_member_assessments",
    "stg_organisation_assessments",
    "stg_cell_meetings",
)
DIMENSIONS = (
    "dim_unit",
    "dim_year",
    "stg_organisation_years",
    "bridge_organisation_ancestor",
    "organisation_snapshot",
    "dim_organisation",
    "bridge_organisation_hierarchy",
)
CROSSWALK = ("structures", "succession_step", "organisation_crosswalk", "organisation_succession")


class Rebuilt:
    """Tables of one province at a time, by the SQL that dbt has compiled for the warehouse it has built."""

    def __init__(self) -> None:
        dbt = built_by_dbt()
        self.nodes, database = dbt.nodes, dbt.database
        self.warehouse = duckdb.connect()
        self.warehouse.execute(f'attach \':memory:\' as "{database.stem}"; use "{database.stem}"')
        self.warehouse.execute("create schema seeds; create schema staging; create schema marts")
        with duckdb.connect(str(database), read_only=True) as built:
            for name in (*LISTS, *WITHOUT_ROWS):
                columns = built.execute(f"describe staging.{name}").fetchall()
                typed = ", ".join(f"{column} {kind}" for column, kind, *_ in columns)
                self.warehouse.execute(f"create table staging.{name} ({typed})")
            for name in [name for name, node in self.nodes.items() if node["resource_type"] == "seed"]:
                seed = built.sql(f"select * from seeds.{name}").to_arrow_table()  # noqa: F841  (read by name)
                self.warehouse.execute(f"create table seeds.{name} as select * from seed")

    def __call__(self, province: Province, *models: str) -> duckdb.DuckDBPyConnection:
        """The warehouse with the province's lists and these models, in the order of what they are made of."""
        sent = province.reports_sent
        units = [
            {"unit_code": code, "unit_name": name, "from_year": first, "to_year": last}
            for code, (name, first, last) in province.units.items()
        ]
        submissions = [
            {"unit_code": unit, "year": year, "unit_name": province.units[unit][0], "source_hash": f"{unit} {year}"}
            | {"is_in_force": True, "source_kind": "unit", "state": "accepted"}
            for unit, year in sent
        ]
        organisations = [
            {**row.cells, "unit_code": unit, "year": year, "row": place, "record_id": f"{unit} {year} {place}"}
            | {"is_in_force": True, "is_held_back": False}
            for (unit, year), forms in sent.items()
            for place, row in enumerate(forms["organisations"])
        ]
        successions = province.succession_list().to_dict("records")
        for name, rows in zip(LISTS, (organisations, submissions, units, successions), strict=True):
            self.warehouse.execute(f"delete from staging.{name}")
            if rows:
                frame = pd.DataFrame(rows, dtype=object)  # noqa: F841  (read by name)
                self.warehouse.execute(f"insert into staging.{name} by name select * from frame")
        for name in models:
            node = self.nodes[name]
            relation = f"{node['schema']}.{name}"
            self.warehouse.execute(f"create or replace table {relation} as {node['compiled_code']}")
        return self.warehouse
