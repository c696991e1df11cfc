"""Entry point of the code location; everything under ``defs`` is loaded by name."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Load ``orchestration/defs`` and run it in one process: DuckDB has one writer, and checks import slowly."""
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
        dg.Definitions(executor=dg.in_process_executor),
    )
