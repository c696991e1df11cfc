"""How many of the reports that are due came, and how many in time."""

from collections.abc import Sequence

import pandas as pd

_GROUPS = {"unit": ["unit_code", "unit_name"], "level": ["level"], "year": ["year"]}


def rates(obligations: pd.DataFrame, by: str | Sequence[str] = "level") -> pd.DataFrame:
    """Reporting rate and on-time rate by "unit", "level", "year" or several of them (empty: one row for all).

    Columns after those of `by`: `expected_reports`, `actual_reports`, `actual_reports_on_time`, `reporting_rate` and
    `on_time_rate` (shares of `expected_reports`, as DHIS2 defines reporting rates; empty where nothing was expected).
    Expected are the reports that are due; actual are the accepted ones of these. Outside the rates stand
    `early_reports`, accepted before they were due, and `not_yet_due`, those that neither came nor are due.
    """
    named = [by] if isinstance(by, str) else list(by)
    if unknown := [name for name in named if name not in _GROUPS]:
        raise ValueError(f"No rates by {unknown}; there are {list(_GROUPS)}.")
    columns = [column for name in named for column in _GROUPS[name]]
    came = obligations["state"].isin(["on_time", "late"])
    due = obligations["is_due"].astype(bool)
    counted = obligations[columns].assign(
        expected_reports=due,
        actual_reports=due & came,
        actual_reports_on_time=due & (obligations["state"] == "on_time"),
        early_reports=~due & came,
        not_yet_due=~due & ~came,
    )
    numbers = [column for column in counted if column not in columns]
    if columns:
        summed = counted.groupby(columns, dropna=False, as_index=False)[numbers].sum()
    else:
        summed = counted[numbers].sum().to_frame().T
    summed[numbers] = summed[numbers].astype("int64")
    expected = summed["expected_reports"].astype("Float64").mask(summed["expected_reports"] == 0)
    summed.insert(len(columns) + 3, "reporting_rate", summed["actual_reports"] / expected)
    summed.insert(len(columns) + 4, "on_time_rate", summed["actual_reports_on_time"] / expected)
    return summed
