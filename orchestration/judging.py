"""Judging the marts of a build: what rules and signals say, landed as Parquet for dbt to read back."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from orchestration.warehouse import Tables, land

if TYPE_CHECKING:
    from expectations.outcomes import ValidationResult
    from ratings.contradictions import Findings
    from ratings.review import Review

# What judges is imported late: a run has it done ahead, in another process.


def land_findings(tables: Mapping[str, pd.DataFrame], folder: Path) -> "Findings":
    """Judge the marts by the rule catalogue and land what was found; returns it."""
    from ratings.contradictions import find_contradictions
    from ratings.marts import INPUTS
    from ratings.rules import load_rules

    found = find_contradictions(_narrowed(tables, INPUTS), load_rules())
    land(found.findings, folder / "findings.parquet")
    land(found.results, folder / "rule_results.parquet")
    return found


def check_table(tables: Mapping[str, pd.DataFrame], _: Path, table: str) -> "ValidationResult":
    """What the suite of a mart says of it."""
    from expectations.suites import suite  # Great Expectations takes seconds to import
    from expectations.validation import validate

    return validate(tables[table], suite(table))


def land_review(tables: Mapping[str, pd.DataFrame], folder: Path) -> "Review":
    """Judge the marts by the signals and land them, the review list and its budget; returns them."""
    from ratings.marts import SIGNAL_INPUTS
    from ratings.review import review
    from ratings.rules import load_rules
    from ratings.tables import read_tables

    reviewed = review(_narrowed(tables, SIGNAL_INPUTS), load_rules(), read_tables())
    land(reviewed.signals, folder / "signals.parquet")
    land(reviewed.listed, folder / "review_list.parquet")
    land(reviewed.budgets, folder / "review_budgets.parquet")
    return reviewed


def _narrowed(tables: Mapping[str, pd.DataFrame], inputs: Mapping[str, Iterable[str]]) -> Mapping[str, pd.DataFrame]:
    """What is needed of a warehouse, read in a sixth of the time of all of it."""
    return tables.only(inputs) if isinstance(tables, Tables) else tables
