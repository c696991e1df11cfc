"""Contradictions: ratings that the regulation of their year does not allow beside another reported fact.

One function per rule; each returns the subjects it looked at, with their outcomes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from ratings import (
    by_booking,
    by_counts,
    by_discipline,
    by_results,
    by_steps,
    by_totals,
    by_work,
    discipline,
    outcomes,
)
from ratings.marts import typed
from ratings.outcomes import is_among
from ratings.rules import Catalogue, CatalogueError, Rule

Marts = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Findings:
    """Contradictions found, and what every rule came to in every unit and year."""

    findings: pd.DataFrame
    results: pd.DataFrame


def find_contradictions(tables: Mapping[str, pd.DataFrame], rules: Catalogue, regime: str | None = None) -> Findings:
    """Apply every rule of the catalogue to the marts, keyed by mart name (``ratings.marts.INPUTS``).

    Each year is judged by its own regime, or every year again by the one given; findings of such a re-judgement have
    other ids than those of the years' own regimes.
    """
    if regime is not None:
        rules = rules.under(regime)
    without = sorted({rule.id for rule in rules.rules} - set(RULES))
    if without:
        raise CatalogueError(f"rules without a function: {without}; there are {sorted(RULES)}")
    marts = typed(tables)
    grid = _units_and_years(marts)
    judged = [(rule, RULES[rule.id](marts, rule, rules)) for rule in rules.rules]
    findings, results = outcomes.findings(judged, rules), outcomes.results(judged, grid, rules)
    return Findings(
        findings.sort_values(["year", "rule_id", "unit_code", "org_code", "finding_id"], ignore_index=True),
        results.sort_values(["rule_id", "year", "unit_code"], ignore_index=True),
    )


RULES: dict[str, Callable[[Marts, Rule, Catalogue], pd.DataFrame]] = {
    **by_discipline.RULES,
    **by_booking.RULES,
    **by_steps.RULES,
    **by_results.RULES,
    **by_work.RULES,
    **by_counts.RULES,
    **by_totals.RULES,
}
"""The function of each rule of the catalogue."""


def _units_and_years(marts: Marts) -> pd.DataFrame:
    """Every unit in every year of which anything was received, and whether its report was."""
    sent = marts["fct_submission"]
    years = sent.loc[sent["is_in_force"].fillna(False), ["year"]].dropna().drop_duplicates()
    grid = years.merge(marts["dim_unit"][["unit_code"]].drop_duplicates(), how="cross")
    is_received = is_among(grid, discipline.received(marts), ["year", "unit_code"])
    return grid.assign(is_received=is_received).astype({"year": "int64"})
